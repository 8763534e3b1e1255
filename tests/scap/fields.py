#!/usr/bin/env python3
"""Holds the fields of imported recordings against what another tool extracts from the same ones, event by event: per field the share of
events that agree.

  fields.py --bin DIR [--corpus DIR] [--show FIELD]      default: ../shared/corpus beside the project; --show prints what differs
Events are joined by time, thread and call. A field is compared where both have a value. Asserts 99 % of each; what differs for a reason
(EXPLAINED, and docs/import.md) is counted apart. Exit status 77 if there is no corpus.
"""
import argparse
import collections
import errno
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BAR = 0.99
MOST_ALONE = 0.01  # of the events, in theirs only
LEAST = {"fs.path.source": 2, "fs.path.target": 2, "fd.cip": 4, "fd.cport": 4, "fd.sip": 4, "fd.sport": 4}  # compared, of the rarer ones
NOBODY = 4294967295


def text(field):
    return lambda event: json.loads(event[field]) if field in event else None


def number(field):
    return lambda event: int(event[field]) if field in event else None


def endpoint(field, part):
    def take(event):
        if field not in event:
            return None
        ip, _, port = event[field].rpartition(":")
        return int(port) if part == "port" else ip.strip("[]")
    return take


def folder(event):
    cwd = text("process.cwd")(event)
    return None if cwd is None else cwd.rstrip("/") + "/"


def arguments_of(event):
    if "process.args" not in event or "process.args" in event["cut"]:
        return None
    return " ".join(json.loads(event["process.args"])[1:])


def outcome(event):
    """By name, also of errors that have none in policies; 512 to 514 are the kernel's own."""
    told = event.get("errno")
    if told is None or not told.isdigit():
        return {"none": "SUCCESS"}.get(told, told)
    return {512: "ERESTARTSYS", 513: "ERESTARTNOINTR", 514: "ERESTARTNOHAND"}.get(int(told)) or errno.errorcode.get(int(told))


# Of any call: theirs → ours.
PROCESS = {
    "thread.tid": number("process.tid"),
    "proc.pid": number("process.pid"),
    "proc.name": text("process.name"),
    "proc.exepath": text("process.exe"),
    "proc.args": arguments_of,
    "proc.cwd": folder,
    "proc.ppid": number("process.parent.pid"),
    "proc.pname": text("process.parent.name"),
    "proc.sid": number("process.session"),
    "user.uid": number("process.euid"),
    "group.gid": number("process.egid"),
    "user.loginuid": lambda event: -1 if number("process.loginuid")(event) == NOBODY else number("process.loginuid")(event),
    "evt.res": outcome,
}
# Of a kind.
OWN = {
    "fs.path.name": ("open create unlink rmdir mkdir chmod", text("file.path")),
    "fs.path.source": ("rename link", text("file.old_path")),
    "fs.path.target": ("rename link", text("file.path")),
    "fd.cip": ("connect accept", endpoint("src", "ip")),
    "fd.cport": ("connect accept", endpoint("src", "port")),
    "fd.sip": ("connect accept", endpoint("dst", "ip")),
    "fd.sport": ("connect accept", endpoint("dst", "port")),
}


def explained(field, theirs, ours, event):
    """Why a difference is one on purpose, or None."""
    # What an older recording does not say they tell as an empty text; an empty list of arguments is one of both.
    if theirs in ("", "<NA>", None) and field != "proc.args":
        return "theirs is empty"
    if field.startswith("fs.path.") and not str(theirs).startswith("/"):
        return "theirs is relative"
    # setresuid and setresgid leave alone what they name -1.
    if field in ("user.uid", "group.gid") and theirs == NOBODY:
        return "theirs is -1, which is no id"
    return None


def our_events(ksc, recording, folder_):
    out = folder_ / f"{recording.stem}.kst"
    subprocess.run([ksc, "trace", "import", recording, "-o", out], check=True, capture_output=True)
    told = subprocess.run([ksc, "trace", "cat", out, "--format", "json"], check=True, capture_output=True, text=True)
    events = collections.defaultdict(list)
    for line in told.stdout.splitlines():
        event = json.loads(line)
        fields = dict(event["fields"], kind=event["kind"], cut=event["cut"])
        events[event["time_ns"], int(fields["process.tid"])].append(fields)
    return events


def compare(field, take, theirs, ours, tally, show, where):
    if field not in theirs:
        return
    mine = take(ours)
    if mine is None:
        tally[field]["ours unknown"] += 1
        return
    if theirs[field] == mine:
        tally[field]["same"] += 1
        return
    why = explained(field, theirs[field], mine, ours)
    tally[field][why or "different"] += 1
    if show == field:
        print(f"  {where} {ours['kind']} {ours.get('syscall')}: theirs {theirs[field]!r}, ours {mine!r} ({why})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--corpus", type=pathlib.Path, default=ROOT.parent / "shared/corpus")
    parser.add_argument("--show", metavar="FIELD")
    arguments = parser.parse_args()
    oracles = sorted(arguments.corpus.glob("falco/oracle/fields/*.jsonl.gz"))
    if not oracles:
        print(f"fields: skipped: no oracle in {arguments.corpus}")
        return 77
    tally = collections.defaultdict(collections.Counter)
    joined = alone = 0
    with tempfile.TemporaryDirectory() as folder_:
        for oracle in oracles:
            recording = arguments.corpus / "scap" / oracle.name.replace(".jsonl.gz", ".scap")
            events = our_events(arguments.bin / "ksc", recording, pathlib.Path(folder_))
            for line in gzip.open(oracle, "rt"):
                theirs = json.loads(line)
                mine = events.get((theirs["evt.rawtime"], theirs["thread.tid"]), [])
                call = [event for event in mine if event["kind"] == "syscall"]
                if theirs["evt.category"] == "internal" or "evt.res" not in theirs and not call:
                    continue
                if not call:
                    alone += 1
                    continue
                joined += 1
                where = f"{recording.stem} {theirs['evt.rawtime']} {theirs['thread.tid']}"
                for field, take in PROCESS.items():
                    compare(field, take, theirs, call[0], tally, arguments.show, where)
                for field, (kinds, take) in OWN.items():
                    for event in mine:
                        if event["kind"] in kinds.split():
                            compare(field, take, theirs, event, tally, arguments.show, where)
    failed = 0
    print(f"{joined} events are in both, {alone} only in theirs\n| field | compared | agree | otherwise |\n|---|---|---|---|")
    for field in (*PROCESS, *OWN):
        counts = tally[field]
        compared = counts["same"] + counts["different"]
        share = counts["same"] / compared if compared else 0
        failed += share < BAR or compared < LEAST.get(field, 100)
        others = ", ".join(f"{why}: {count}" for why, count in counts.most_common() if why not in ("same",))
        print(f"| {field} | {compared} | {100 * share:.2f} % | {others} |")
    failed += alone > MOST_ALONE * joined
    print(f"fields: {len(PROCESS) + len(OWN) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
