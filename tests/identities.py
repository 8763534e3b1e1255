#!/usr/bin/env python3
"""The identities that hold exactly when an agent has ended in good order: nothing is lost without being counted.

  identities.py LOG…      what agents said on stderr, as text or JSON; those that did not say "stopped" are left out

seen = filtered + limited + submitted + dropped, by kind; by ring: submitted = received + unread, and dropped + unread = what the
gaps in the sequence numbers prove lost. Unread is what an agent left in the rings and said so; else 0. Exit status 1 if one does not
hold.
"""
import json
import re
import sys

STOPPED = re.compile(r"(\d+) events seen, (\d+) filtered, (\d+) limited, (\d+) submitted, (\d+) dropped; (\d+) received.*?(\d+) lost in \d+ gaps, (\d+) of them unread")
NAMES = ("seen", "filtered", "limited", "submitted", "dropped", "received", "lost", "unread")


def violated(closing):
    """Of a closing line as JSON: what does not add up, as sentences."""
    wrong = []
    for c in [closing, *closing.get("counters", [])]:
        if c["seen"] != c["filtered"] + c["limited"] + c["submitted"] + c["dropped"]:
            wrong.append(f"{c.get('kind', 'all kinds')}: {c['seen']} seen are not {c['filtered']} filtered + {c['limited']} limited + "
                         f"{c['submitted']} submitted + {c['dropped']} dropped")
    for ring in [closing, *closing.get("rings", [])]:
        name = ring.get("ring", "both rings")
        unread = ring.get("unread", 0)
        if ring["submitted"] != ring["received"] + unread:
            wrong.append(f"{name}: {ring['submitted']} submitted, but {ring['received']} received and {unread} unread")
        if ring["dropped"] + unread != ring["lost"]:
            wrong.append(f"{name}: {ring['dropped']} dropped and {unread} unread, but the sequence numbers prove {ring['lost']}")
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
