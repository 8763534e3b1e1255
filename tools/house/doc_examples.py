#!/usr/bin/env python3
"""Compiles the examples of documents, and runs what they show.

    doc_examples.py [--update] KSC FILE.md...

A block ```ksp must pass `ksc check` without an error, its tests `ksc test`, and be in the form of `ksc fmt`. A block ```ksp-error CODE must give that
code. A name after it, as in ```ksp first.ksp, keeps the block as that file for what follows in the document, and so does
<!-- file NAME … --> for files that are not shown. A block ```console holds commands, `$ ksc …`, each with all that it prints;
it runs in the folder of those files. `[exit N]` at the end of an output is the exit status, if it is not 0. A line `…`
stands for any number of lines. --update writes what is printed now, and formatted policies, into the documents; read the difference.

Prints the first line of each example that does not behave, and a closing line.
"""
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

FILE = r"<!-- file (?P<name>\S+)\n(?P<values>.*?)-->"
KSP = r"^```(?P<kind>ksp(?:-error)?)(?: (?P<code>K\d{4}))?(?: (?P<file>\S+\.ksp))?\n(?P<source>.*?)^```$"
CONSOLE = r"^```console\n(?P<session>.*?)^```$"
BLOCK = re.compile("|".join((FILE, KSP, CONSOLE)), re.M | re.S)
ELISION = "…"


def codes(ksc, path):
    run = subprocess.run([ksc, "check", "--format", "json", path], capture_output=True, text=True, timeout=60)
    if run.returncode not in (0, 1):
        return [f"exit status {run.returncode}: {run.stderr.strip()}"], []
    found = [json.loads(line) for line in run.stdout.splitlines()]
    return [one["code"] for one in found if one["severity"] == "error"], [one["code"] for one in found]


def judge(ksc, kind, code, path):
    errors, every = codes(ksc, path)
    if kind == "ksp":
        if errors:
            return f"has errors: {', '.join(errors)}"
        if re.search(r"^test ", path.read_text(), re.M):
            run = subprocess.run([ksc, "test", "--quiet", path], capture_output=True, text=True, timeout=60)
            if run.returncode != 0:
                return f"tests fail:\n{run.stdout}{run.stderr}"
        run = subprocess.run([ksc, "fmt", "--check", path], capture_output=True, text=True, timeout=60)
        return f"is not in the form of `ksc fmt`:\n{run.stdout}{run.stderr}" if run.returncode != 0 else None
    if code not in every:
        return f"should give {code}, gives {', '.join(every) or 'nothing'}"
    return None


def fits(expected, actual):
    """Whether the lines are the same, `…` being any number of lines."""
    if ELISION not in expected:
        return expected == actual
    at = expected.index(ELISION)
    head, rest = expected[:at], expected[at + 1 :]
    if actual[:at] != head:
        return False
    return any(fits(rest, actual[i:]) for i in range(at, len(actual) + 1))


def play(ksc, session, folder):
    """Runs the commands of a session. Gives what is wrong, and the session as it is now."""
    wrong, now = [], []
    for command in re.split(r"^\$ ", session, flags=re.M)[1:]:
        line, *expected = command.splitlines()
        words = shlex.split(line)
        if words[:1] != ["ksc"]:
            return [f"`{line}`: only ksc is run here"], session
        environment = {**os.environ, "NO_COLOR": "1", "SOURCE_DATE_EPOCH": "1800000000"}
        run = subprocess.run([ksc, *words[1:]], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             stdin=subprocess.DEVNULL, text=True, timeout=60)
        actual = run.stdout.splitlines() + ([f"[exit {run.returncode}]"] if run.returncode else [])
        same = fits(expected, actual)
        if not same:
            wrong.append("`" + line + "` prints\n" + "\n".join("    " + text for text in actual))
        now += ["$ " + line] + (expected if same else actual)
    return wrong, "".join(line + "\n" for line in now)


def main():
    arguments = sys.argv[1:]
    update = arguments[:1] == ["--update"]
    ksc, *documents = arguments[update:]
    ksc = str(pathlib.Path(ksc).resolve())
    passed = failed = 0
    for document in documents:
        text = pathlib.Path(document).read_text()
        updated, last = "", 0
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as aside:
            folder = pathlib.Path(folder)
            for block in BLOCK.finditer(text):
                line = text.count("\n", 0, block.start()) + 1
                if block["name"]:
                    for place in (folder, pathlib.Path(aside)):
                        (place / block["name"]).write_text(block["values"])
                    continue
                whys = []
                if block["session"] is not None:
                    whys, now = play(ksc, block["session"], folder)
                    updated += text[last : block.start("session")] + now
                    last = block.end("session")
                else:
                    path = folder / block["file"] if block["file"] else pathlib.Path(aside) / "example.ksp"
                    path.write_text(block["source"])
                    if update and block["kind"] == "ksp":
                        subprocess.run([ksc, "fmt", path], capture_output=True, timeout=60)
                        updated += text[last : block.start("source")] + path.read_text()
                        last = block.end("source")
                    why = judge(ksc, block["kind"], block["code"], path)
                    whys = [why] if why else []
                for why in whys:
                    print(f"{document}:{line}: this example {why}")
                passed, failed = passed + (not whys), failed + bool(whys)
        if update and updated:
            pathlib.Path(document).write_text(updated + text[last:])
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
