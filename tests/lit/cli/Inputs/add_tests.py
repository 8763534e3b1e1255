"""Adds the tests that `ksc test --mutate --format json` made (stdin) to a policy: add_tests.py POLICY OUT."""
import json
import sys

text = open(sys.argv[1], encoding="utf-8").read()
for line in sys.stdin:
    for survivor in json.loads(line).get("mutants", {}).get("survivors", []):
        text += "\n" + survivor["test"]
open(sys.argv[2], "w", encoding="utf-8").write(text)
