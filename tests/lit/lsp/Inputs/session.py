"""One session of someone who writes a rule. Prints its transcript."""
import client as lib


def names(answer, limit=12):
    """The first ones: tables grow."""
    items = answer["result"]["items"]
    out = []
    for item in items[:limit]:
        detail = item.get("detail", "")
        out.append(f'  {item["label"]:<16} {detail}'.rstrip())
    return "\n".join(out) or "  (nothing)"


def session(c):
    rules = "rules.ksp"

    def ask(method, behind, **more):
        return c.request(f"textDocument/{method}", {**c.at(rules, behind), **more})

    c.say("== open: nothing is wrong")
    c.open(rules)
    c.wait_for_diagnostics(rules)
    c.show_diagnostics(rules)

    c.say("\n== hover over a field: `process.exe`")
    c.say(ask("hover", "process.e^xe under")["result"]["contents"]["value"])
    c.say("== hover over a list of another file: `miners`")
    c.say(ask("hover", "in min^ers")["result"]["contents"]["value"])
    c.say("== hover over a def: `by_builder`")
    c.say(ask("hover", "not by_^builder")["result"]["contents"]["value"])
    c.say("== hover over a rule: its halves")
    c.say(ask("hover", "rule scratch_^exec")["result"]["contents"]["value"])
    c.say("== hover over an operator: `under`")
    c.say(ask("hover", "exe und^er")["result"]["contents"]["value"])

    c.say("== typing: a typo in a field")
    c.change(rules, "process.exe under", "process.exee under")
    c.wait_for_diagnostics(rules)
    c.show_diagnostics(rules)
    c.say("== code action at the mistake")
    place = c.at(rules, "process.ex^ee")["position"]
    actions = c.request("textDocument/codeAction", {"textDocument": {"uri": c.uri(rules)}, "range": {"start": place, "end": place},
                                                    "context": {"diagnostics": []}})["result"]
    for action in actions:
        c.say(f'  {action["kind"]}: {action["title"]}')
        for uri, edits in action["edit"]["changes"].items():
            for edit in edits:
                c.say(f'    {c.place(uri, edit["range"])} → {edit["newText"]!r}')
    c.change(rules, "process.exee under", "process.exe under")
    c.wait_for_diagnostics(rules)
    c.show_diagnostics(rules)

    c.say("\n== typing a new rule; nothing of it parses yet")
    c.change(rules, "rule scratch_exec", "rule outgoing \"x\" {\n  severity \n  on \n}\n\nrule scratch_exec")
    c.wait_for_diagnostics(rules)
    c.say("-- completion behind `severity `")
    c.say(names(ask("completion", "rule outgoing \"x\" {\n  severity ")))
    c.say("-- completion behind `on `")
    c.say(names(ask("completion", "severity \n  on "), 5))
    c.change(rules, "severity \n  on \n", "severity low\n  on connect where \n")
    c.say("-- completion behind `where `: fields of connect, lists, defs")
    items = ask("completion", "on connect where ")["result"]["items"]
    for item in items:
        if item["label"] in ("dst", "file", "process", "result", "miners", "by_builder", "scratch_dirs", "not"):
            c.say(f'  {item["label"]:<16} {item.get("detail", "")}')
    c.say(f'  is there a `file` on connect? {any(i["label"] == "file" for i in items)}')
    c.change(rules, "on connect where \n", "on connect where result == \n")
    c.say("-- completion behind `result == `: its enumerators")
    c.say(names(ask("completion", "where result == "), 3))
    c.change(rules, "where result == \n", "where process.\n")
    c.say("-- completion behind `process.`")
    c.say(names(ask("completion", "where process."), 4))
    c.change(rules, "where process.\n", "where dst \n")
    c.say("-- completion behind `dst `: operators of an endpoint")
    c.say(names(ask("completion", "where dst "), 5))
    c.change(rules, "where dst \n", "where dst.port == 4444\n  \n")
    c.say("-- completion on a new line: clauses that the rule lacks")
    c.say(names(ask("completion", "== 4444\n  "), 30))
    c.change(rules, "== 4444\n  \n", "== 4444\n  alert \"{process.parent.\"\n")
    c.say("-- completion inside of an alert's braces")
    c.say(names(ask("completion", "alert \"{process.parent."), 3))
    c.change(rules, "alert \"{process.parent.\"\n", "alert \"{process.name} calls {dst}\"\n")
    c.wait_for_diagnostics(rules)
    c.say("-- and then")
    c.show_diagnostics(rules)
    c.change(rules, "rule scratch_exec", "test outgoing {\n  case \"x\" { connect { d } expect 1 alert }\n}\n\nrule scratch_exec")
    c.say("-- completion of a key in a test: fields of connect")
    c.say(names(ask("completion", "connect { d"), 3))
    c.change(rules, "connect { d }", "connect { dst: 203.0.113.9:4444 }")
    c.wait_for_diagnostics(rules)

    c.say("\n== definition of `miners`, of a list of the standard library, and of a rule from its test")
    for behind in ("in min^ers", "under scratch_^dirs", "test min^er"):
        for location in ask("definition", behind)["result"]:
            c.say(f'  {behind.replace("^", "")} → {c.place(location["uri"], location["range"])}')
    c.say("\n== references of `miners`")
    for location in ask("references", "in min^ers", context={"includeDeclaration": True})["result"]:
        c.say(f'  {c.place(location["uri"], location["range"])}')

    c.say("\n== rename `miners` to `mining_programs`")
    answer = ask("rename", "in min^ers", newName="mining_programs")
    for uri, edits in sorted(answer["result"]["changes"].items()):
        for edit in edits:
            c.say(f'  {c.place(uri, edit["range"])} → {edit["newText"]}')
    c.say("== and what is refused")
    for behind, new in (("in min^ers", "where"), ("in min^ers", "by_builder"), ("in min^ers", "9lives"), ("in min^ers", "container"),
                        ("under scratch_^dirs", "temp"), ("process.na^me in", "title"), ("rule outgo^ing", "miner")):
        c.say(f'  {behind.replace("^", "")} → {new}: {ask("rename", behind, newName=new)["error"]["message"]}')

    c.say("\n== format: a line that was written in haste, and one that is fine already")
    c.change(rules, "  severity low\n  on connect", "    severity   low\n  on   connect")
    edits = c.request("textDocument/formatting", {"textDocument": {"uri": c.uri(rules)}, "options": {}})["result"]
    at = edits[0]["newText"].index("rule outgoing")
    c.say("  " + edits[0]["newText"][at:].split("\n\n")[0].replace("\n", "\n  "))
    c.change(rules, c.texts[rules], edits[0]["newText"])
    again = c.request("textDocument/formatting", {"textDocument": {"uri": c.uri(rules)}, "options": {}})["result"]
    c.say(f"  again: {again}")

    c.say("\n== symbols")
    for symbol in c.request("textDocument/documentSymbol", {"textDocument": {"uri": c.uri(rules)}})["result"]:
        inside = ", ".join(child["name"] for child in symbol.get("children", []))
        c.say(f'  {symbol["name"]:<16} {symbol.get("detail", "")}{"  (" + inside + ")" if inside else ""}'.rstrip())

    c.say("\n== code lenses, and running the first two")
    lenses = c.request("textDocument/codeLens", {"textDocument": {"uri": c.uri(rules)}})["result"]
    for lens in lenses:
        command = lens["command"]
        c.say(f'  {c.place(c.uri(rules), lens["range"])}  {command["title"]}: {command["command"]} {command["arguments"][1:]}')
    for lens in lenses[:2]:
        result = c.request("workspace/executeCommand", {k: lens["command"][k] for k in ("command", "arguments")})["result"]
        c.say(f'  {lens["command"]["arguments"][1:]}: {result["passed"]} passed, {result["failed"]} failed')
    c.say("== a case that fails")
    c.change(rules, "name: \"xmrig\" } }\n    expect 1", "name: \"xmrig\" } }\n    expect 2")
    result = c.request("workspace/executeCommand", {"command": "ksc.runTest", "arguments": [c.uri(rules), "acme.rules.miner", "xmrig"]})
    c.say(f'  {result["result"]["passed"]} passed, {result["result"]["failed"]} failed')
    c.show_diagnostics(rules)
    c.change(rules, "name: \"xmrig\" } }\n    expect 2", "name: \"xmrig\" } }\n    expect 1")
    c.wait_for_diagnostics(rules)

    c.say("\n== a list loses its name in another file: who used it is told")
    c.open("lists.ksp")
    c.change("lists.ksp", "let miners", "let diggers")
    c.wait_for_diagnostics(rules)
    c.show_diagnostics(rules)
    c.change("lists.ksp", "let diggers", "let miners")
    c.wait_for_diagnostics(rules)
    c.say("== and gets it back")
    c.show_diagnostics(rules)
    c.say(f"\n== shutdown, exit: {c.shutdown()}")


lib.main(session)
