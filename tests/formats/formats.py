#!/usr/bin/env python3
"""Each format that CI systems read of ksc, held against its schema or given to a real consumer.

junit: junit.xsd by xmllint, and Python's parser · sarif: sarif.json by jsonschema · tap: Perl's prove, and PyYAML for what stands
below a line · github: a parser of workflow commands. All of them for each command that has them, with names that are hostile to
each of the formats.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse
import xml.etree.ElementTree

import jsonschema
import yaml

HERE = pathlib.Path(__file__).parent
INPUTS = HERE.parent / "lit" / "replay" / "Inputs"
RULES = INPUTS / "policy.ksp"
ODD = "a <b> & \\\"c\\\", 100%: #1 ]]> \u2028 \ufeff \uffff \x7f é"  # as it stands in a policy
POLICY = f"""ksp 1
package p
rule shell "A shell" {{ severity high  on exec  where process.name == "sh"  alert "{{process.name}} {ODD}" }}
rule other "None" {{ severity low  on exec  where process.name == "other"  alert "other" }}
test shell {{
  case "fires" {{ exec {{ process: {{ name: "sh" }} }} expect alert }}
  case "{ODD}" {{ exec {{ process: {{ name: "bash" }} }} expect alert }}
}}
test other {{
  case "is quiet" {{ exec {{ process: {{ name: "sh" }} }} expect quiet }}
}}
"""
MISTAKES = """ksp 1
package p
rule one "One" { severity high  on exec  where process.nme == "sh"  alert "one" }
rule two "Two" { severity high  on exec  where process.name == 5  alert "two" }
"""


def fail(what):
    print(f"FAIL: {what}")
    sys.exit(1)


# Each reader gives (level, title, message, file, line) of what it found; passed cases with the level "pass".


def read_junit(text, tmp):
    file = tmp / "junit.xml"
    file.write_bytes(text)
    subprocess.run(["xmllint", "--noout", "--schema", HERE / "junit.xsd", file], check=True, capture_output=True)
    root = xml.etree.ElementTree.fromstring(text)
    found = []
    for suite in root:
        cases = suite.findall("testcase")
        failures = suite.findall("testcase/failure")
        if (int(suite.get("tests")), int(suite.get("failures"))) != (len(cases), len(failures)):
            fail(f"junit: the suite {suite.get('name')} counts its cases wrongly")
        for case in cases:
            failure, said = case.find("failure"), case.find("system-out")
            level = "error" if failure is not None else "note" if said is not None else "pass"
            message = failure.get("message") if failure is not None else said.text if said is not None else ""
            found.append((level, f"{suite.get('name')}: {case.get('name')}", message, case.get("file"), case.get("line")))
    if int(root.get("tests")) != len(found) or int(root.get("failures")) != sum(f[0] == "error" for f in found):
        fail("junit: the document counts its cases wrongly")
    return found


def read_sarif(text, _):
    log = json.loads(text)
    jsonschema.Draft7Validator(json.loads((HERE / "sarif.json").read_text())).validate(log)
    run = log["runs"][0]
    known = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    found = []
    for result in run["results"]:
        if result["ruleId"] not in known:
            fail(f"sarif: {result['ruleId']} is not among the rules")
        file = line = None
        for location in result["locations"]:
            place = location["physicalLocation"]
            file = urllib.parse.unquote(urllib.parse.urlparse(place["artifactLocation"]["uri"]).path)
            line = str(place["region"]["startLine"]) if "region" in place else None
        found.append((result["level"], result["ruleId"], result["message"]["text"], file, line))
    return found


def read_tap(text, tmp):
    file = tmp / "out.tap"
    file.write_bytes(text)
    lines = text.decode().split("\n")
    found, at = [], 0
    while at < len(lines):
        point = re.fullmatch(r"(not ok|ok) (\d+) - (.*)", lines[at])
        at += 1
        if not point:
            continue
        block = {}
        if at < len(lines) and lines[at] == "  ---":
            end = lines.index("  ...", at)
            block = yaml.safe_load("\n".join(line[2:] for line in lines[at + 1:end]))
            at = end + 1
        level = "error" if point[1] == "not ok" else "note" if block else "pass"
        place = block.get("at", "").rpartition(":")
        found.append((level, re.sub(r"\\(.)", r"\1", point[3]), block.get("message", ""), place[0] or None, place[2] or None))
    errors = sum(f[0] == "error" for f in found)
    proven = subprocess.run(["prove", "--exec", "cat", file], capture_output=True, text=True)
    if (proven.returncode != 0) != (errors > 0):
        fail(f"tap: prove says {proven.returncode}\n{proven.stdout}{proven.stderr}")
    summary = re.search(r"Tests=(\d+)", proven.stdout)
    if not summary or int(summary[1]) != len(found) or (errors and f"Failed {errors}/{len(found)} subtests" not in proven.stdout):
        fail(f"tap: prove counts otherwise\n{proven.stdout}{proven.stderr}")
    if "Parse errors" in proven.stdout + proven.stderr:
        fail(f"tap: prove cannot read all of it\n{proven.stdout}")
    return found


def read_github(text, _):
    unescape = lambda value: urllib.parse.unquote(value)
    found = []
    for line in text.decode().split("\n")[:-1]:
        command = re.fullmatch(r"::(error|warning|notice) ([^:]*)::(.*)", line)
        if not command:
            fail(f"github: {line!r} is no workflow command")
        properties = dict(part.split("=", 1) for part in command[2].split(","))
        if set(properties) - {"file", "line", "endLine", "col", "endColumn", "title"}:
            fail(f"github: {line!r} has a property that there is not")
        properties = {name: unescape(value) for name, value in properties.items()}
        found.append((command[1].replace("notice", "note"), properties["title"], unescape(command[3]), properties.get("file"), properties.get("line")))
    return found


READERS = {"junit": read_junit, "sarif": read_sarif, "tap": read_tap, "github": read_github}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    ksc = parser.parse_args().bin / "ksc"
    with tempfile.TemporaryDirectory() as name:
        tmp = pathlib.Path(name)
        policy, mistakes = tmp / "100% #odd, & a:b" / "p.ksp", tmp / "m.ksp"
        policy.parent.mkdir()
        policy.write_text(POLICY)
        mistakes.write_text(MISTAKES)

        def run(words, status, format):
            done = subprocess.run([ksc, *words, "--format", format], capture_output=True)
            if done.returncode != status:
                fail(f"{words} --format {format}: exit status {done.returncode}\n{done.stderr.decode()}")
            return READERS[format](done.stdout, tmp)

        kst, same, differing = tmp / "t.kst", tmp / "same.jsonl", tmp / "differing.jsonl"
        subprocess.run([sys.executable, INPUTS / "kst.py", INPUTS / "opens.json", kst], check=True)
        same.write_bytes(subprocess.run([ksc, "replay", RULES, kst, "--format", "json"], check=True, capture_output=True).stdout)
        lines = same.read_text().splitlines()
        differing.write_text("\n".join([lines[0], lines[1].replace("read a", "wrote a"), *lines[2:]]) + "\n")

        checks = 0
        for format in READERS:
            cases = run(["test", policy], 1, format)
            levels = [case[0] for case in cases]
            wanted = {"junit": ["pass", "error", "pass"], "tap": ["pass", "error", "pass"]}.get(format, ["error"])
            if levels != wanted:
                fail(f"test: {format} says {levels}, not {wanted}")
            failed = next(case for case in cases if case[0] == "error")
            if "expected one alert, got none" not in failed[2] and "expected 1 alert, got none" not in failed[2]:
                fail(f"test: {format} says {failed}")
            if (failed[3], failed[4]) != (str(policy), "7"):
                fail(f"test: {format} says the place {failed[3:]}")
            if format != "sarif" and not all(part in failed[1] for part in ("a <b> & \"c\", 100%: #1 ]]>", "é")):
                fail(f"test: {format} says the name {failed[1]!r}")
            for command in (["check"], ["test"]):
                found = [case for case in run([*command, mistakes], 1, format) if case[0] == "error"]
                if [case[0] for case in found] != ["error", "error"] or {case[3] for case in found} != {str(mistakes)}:
                    fail(f"{command} of mistakes: {format} says {found}")
            if run(["test", policy, "--case", "fires"], 0, format) and format in ("sarif", "github"):
                fail(f"test: {format} says something of what passed")
            # Alerts: as they come, and compared with expectations of which one is missing and one is unexpected.
            if format in ("sarif", "github"):
                alerts = run(["replay", RULES, kst], 0, format)
                if len(alerts) != 4 or len({alert[1] for alert in alerts}) != 3 or not all(alert[3] == str(RULES) for alert in alerts):
                    fail(f"replay: {format} says {alerts}")
                checks += 1
            else:
                refused = subprocess.run([ksc, "replay", RULES, kst, "--format", format], capture_output=True)
                if refused.returncode != 2 or b"--expect" not in refused.stderr:
                    fail(f"replay: {format} without expectations: {refused.returncode} {refused.stderr}")
            judged = run(["replay", RULES, kst, "--expect", differing], 1, format)
            errors = [case for case in judged if case[0] == "error"]
            wanted = 5 if format in ("junit", "tap") else 2
            if len(judged) != wanted or len(errors) != 2 or {case[3] for case in errors} != {str(RULES), str(differing)}:
                fail(f"replay --expect: {format} says {judged}")
            if next(case for case in errors if case[3] == str(differing))[4] != "2":
                fail(f"replay --expect: {format} says that line {errors} is missing, not 2")
            run(["replay", RULES, kst, "--expect", same], 0, format)
            checks += 6
        print(f"formats: {checks} outputs, each read by its consumer")


if __name__ == "__main__":
    main()
