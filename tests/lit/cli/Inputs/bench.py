"""bench.py ONE TWO TRACE KSC: two runs of `ksc bench --format json` of the stdlib on the trace, held against each other and a replay."""
import json
import pathlib
import subprocess
import sys

one, two = ([json.loads(line) for line in open(name)] for name in sys.argv[1:3])
trace, ksc = sys.argv[3:]
stdlib = pathlib.Path(trace).parent.parent.parent / "stdlib"
counted = lambda rows: [{key: value for key, value in row.items() if key != "ns"} for row in rows]
assert counted(one) == counted(two)
for what in ("rule", "test"):
    work = [16 * row["asked"] + row["bytes"] for row in one if what in row]
    assert work and work == sorted(work, reverse=True) and work[0] > 0
assert all(row["ns"] > 0 for row in one if "rule" in row and row["proven"] > 0)
assert all(row["events"] >= row["candidates"] >= max(row["proven"], row["matches"]) for row in one if "rule" in row)
alerts = subprocess.run([ksc, "replay", stdlib, trace, "--format", "json"], capture_output=True, check=True).stdout.splitlines()
fired = {}
for alert in map(json.loads, alerts):
    if "steps" not in alert and "count" not in alert:
        name = f"{alert['package']}.{alert['rule']}"
        fired[name] = fired.get(name, 0) + 1
matches = {row["rule"]: row["matches"] for row in one if "rule" in row}
assert fired and all(matches[name] >= count for name, count in fired.items()), (fired, matches)
print("counts are the same, the dearest first, matches are the replay's")
