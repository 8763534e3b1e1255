#!/usr/bin/env python3
"""Compares the alerts of a live run with what was done, and with the replay of its recording.

  compare.py PIDS LIVE REPLAYED [RULE…]

PIDS holds the pids of the processes that acted; their alerts, and those of processes that they started, are ours. Others on
the same machine are counted and left alone. LIVE and REPLAYED are alerts as JSON lines. Each RULE must have alerted exactly
once, ~RULE may have, and nothing else may have. Exit status 1 if that is not so, or if the replay differs.
"""
import collections
import json
import pathlib
import sys

# What says when and as which line an alert was made, not what was seen.
VOLATILE = ("id", "seq", "lost_before", "time")


def read(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines() if line.strip()]


def ours(alerts, pids):
    mine = set(pids)
    # A process that one of ours started alerts under a pid of its own; its parent's is in the alert.
    for alert in alerts:
        if alert["process"].get("parent", {}).get("pid") in pids:
            mine.add(alert["process"]["pid"])
    return [alert for alert in alerts if alert["process"]["pid"] in mine]


def key(alert):
    seen = {name: value for name, value in alert.items() if name not in VOLATILE}
    if "steps" in seen:
        seen["steps"] = [{name: value for name, value in step.items() if name != "time"} for step in seen["steps"]]
    return json.dumps(seen, sort_keys=True)


def main():
    pids_file, live_file, replayed_file, *expected = sys.argv[1:]
    pids = {int(word) for word in pathlib.Path(pids_file).read_text().split()}
    all_live = read(live_file)
    live, replayed = ours(all_live, pids), ours(read(replayed_file), pids)
    wrong = []
    counts = collections.Counter(alert["rule"] for alert in live)
    allowed = {rule[1:] for rule in expected if rule.startswith("~")}
    expected = [rule for rule in expected if not rule.startswith("~")]
    for rule in expected:
        if counts[rule] != 1:
            wrong.append(f"{rule} alerted {counts[rule]} times instead of once")
    for rule in sorted(set(counts) - set(expected) - allowed):
        first = next(alert for alert in live if alert["rule"] == rule)
        wrong.append(f"{rule} alerted {counts[rule]} times, and should not have; first: {json.dumps(first)}")
    there, again = (collections.Counter(key(alert) for alert in alerts) for alerts in (live, replayed))
    wrong += [f"{count}× live, but not in the replay: {line}" for line, count in (there - again).items()]
    wrong += [f"{count}× in the replay, but not live: {line}" for line, count in (again - there).items()]
    print(f"  {len(live)} alerts live, {len(replayed)} in the replay of the recording; "
          f"{len(all_live) - len(live)} of other processes left alone")
    for line in wrong:
        print(f"  WRONG {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
