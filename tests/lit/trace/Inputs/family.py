"""The events of `ksc trace cat --format json` on stdin → a process with descendants, and how many events are theirs: found by asking for
parents again and again until no more come."""
import json
import sys

events = [json.loads(line)["fields"] for line in sys.stdin]
pairs = {(e["process.pid"], e.get("process.parent.pid")) for e in events}
children = {}
for pid, parent in pairs:
    children.setdefault(parent, set()).add(pid)
root = max((pid for pid in children if pid in {p for p, _ in pairs}), key=lambda pid: len(children[pid]))
family, size = {root}, 0
while size != len(family):
    size = len(family)
    family |= {pid for pid, parent in pairs if parent in family}
print(root, sum(e["process.pid"] in family for e in events))
