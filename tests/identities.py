#!/usr/bin/env python3
"""The identities that hold exactly when an agent has ended in good order: nothing is lost without being counted.

  identities.py LOG…      what agents said on stderr, as text or JSON; those that did not say "stopped" are left out

seen = filtered + limited + submitted + dropped, by kind; by ring: submitted = received, and dropped = what the gaps in the
sequence numbers prove lost. Exit status 1 if one does not hold.
"""
import json
import re
import sys

STOPPED = re.compile(r"(\d+) events seen, (\d+) filtered, (\d+) limited, (\d+) submitted, (\d+) dropped; (\d+) received.*?(\d+) lost")
NAMES = ("seen", "filtered", "limited", "submitted", "dropped", "received", "lost")


def violated(closing):
    """Of a closing line as JSON: what does not add up, as sentences."""
    wrong = []
    for c in [closing, *closing.get("counters", [])]:
        if c["seen"] != c["filtered"] + c["limited"] + c["submitted"] + c["dropped"]:
            wrong.append(f"{c.get('kind', 'all kinds')}: {c['seen']} seen are not {c['filtered']} filtered + {c['limited']} limited + "
                         f"{c['submitted']} submitted + {c['dropped']} dropped")
    for ring in [closing, *closing.get("rings", [])]:
        name = ring.get("ring", "both rings")
        if ring["submitted"] != ring["received"]:
            wrong.append(f"{name}: {ring['submitted']} submitted, but {ring['received']} received")
        if ring["dropped"] != ring["lost"]:
            wrong.append(f"{name}: {ring['dropped']} dropped, but the sequence numbers prove {ring['lost']}")
    return wrong


def closing_of(text):
    """The last closing line of a log; None if there is none."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            said = json.loads(line)
            if said.get("what") == "stopped":
                return said
        elif found := STOPPED.search(line):
            return dict(zip(NAMES, map(int, found.groups())))
    return None


def main():
    failed = False
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8", errors="replace") as file:
            closing = closing_of(file.read())
        for wrong in violated(closing) if closing else []:
            print(f"{path}: {wrong}")
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
