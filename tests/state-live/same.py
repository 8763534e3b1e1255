#!/usr/bin/env python3
"""Fails if two files of alerts (JSON lines) differ in more than when and as which line each was made.

  same.py LIVE REPLAYED
"""
import collections
import json
import pathlib
import sys

VOLATILE = ("id", "seq", "lost_before")


def alerts(path):
    lines = [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]
    return collections.Counter(json.dumps(without_volatile(line), sort_keys=True) for line in lines)


def without_volatile(value):
    """Two agents see the same event, each with its own clock; `time` goes at any depth: steps have theirs."""
    if isinstance(value, dict):
        return {name: without_volatile(inner) for name, inner in value.items() if name not in VOLATILE and name != "time"}
    return [without_volatile(inner) for inner in value] if isinstance(value, list) else value


def main():
    live, replayed = (alerts(path) for path in sys.argv[1:])
    for line, count in (live - replayed).items():
        print(f"  {count}× live, but not in the replay: {line}")
    for line, count in (replayed - live).items():
        print(f"  {count}× in the replay, but not live: {line}")
    return 0 if live == replayed else 1


if __name__ == "__main__":
    sys.exit(main())
