#!/usr/bin/env python3
"""Compiles the examples of a document.

    doc_examples.py KSC FILE.md...

A block ```ksp must pass `ksc check` without an error, and its tests `ksc test`. A block ```ksp-error CODE must give that
error. Prints the first line of each example that does not behave, and a closing line.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(ksp(?:-error)?)(?: (K\d{4}))?\n(.*?)^```$", re.M | re.S)


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
        return None
    if code not in every:
        return f"should give {code}, gives {', '.join(every) or 'nothing'}"
    return None


def main():
    ksc, passed, failed = sys.argv[1], 0, 0
    for document in sys.argv[2:]:
        text = pathlib.Path(document).read_text()
        for block in BLOCK.finditer(text):
            line = text.count("\n", 0, block.start()) + 1
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder) / "example.ksp"
                path.write_text(block[3])
                # Examples may read values from a file beside them: `from "x.txt"` finds one with the name's lines below.
                for name, values in re.findall(r"<!-- file (\S+)\n(.*?)-->", text, re.S):
                    (pathlib.Path(folder) / name).write_text(values)
                why = judge(ksc, block[1], block[2], path)
            if why:
                failed += 1
                print(f"{document}:{line}: this example {why}")
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
