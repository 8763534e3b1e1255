#!/usr/bin/env python3
"""Imports every audit log of a folder and holds what the importer made of it against a reader of its own, below: how many events, and of each
program that was started who did it, what it was and with which arguments. Then the standard library replays them.

  corpus.py --bin DIR [--corpus DIR]      default: ../shared/corpus/audit beside the project
Exit status 77 if there is no corpus.
"""
import argparse
import collections
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# Rules of the standard library that have to fire on a log whose name has this in it.
SENSIBLE = {"log4shell": {"std.rules.web_server_shell", "std.rules.web_server_recon"}, "binary_padding": set()}


def value(body, key):
    found = re.search(rf"(?:^| ){key}=(\"[^\"]*\"|\S*)", body)
    return found and found[1].strip('"')


def text(raw):
    return raw[1:-1] if raw.startswith('"') else bytes.fromhex(raw).decode()


def read(path):
    """Events by serial: (pid, uid, exe, arguments) of those that started a program, else None."""
    events = collections.defaultdict(list)
    for line in path.read_text().splitlines():
        if line.startswith("{"):
            line = json.loads(line)["SyslogMessage"]
        found = re.match(r"(?:node=\S+ )?type=(\S+) (?:msg=)?audit\(([0-9.]+:\d+)\): (.*)", line)
        if found:
            events[found[2]].append((found[1], found[3]))
    started = {}
    for serial, records in events.items():
        bodies = dict(records)
        call = bodies.get("SYSCALL") or bodies.get("AUOMS_EXECVE")
        started[serial] = None
        if not call or value(call, "success") != "yes" or value(call, "syscall") not in ("59", "execve"):
            continue
        if "EXECVE" in bodies:
            arguments = [text(one) for one in re.findall(r" a\d+=(\"[^\"]*\"|\S+)", bodies["EXECVE"])]
        else:
            arguments = shlex.split(re.search(r' cmdline="(.*)" redactors=', call)[1])
        started[serial] = (value(call, "pid"), value(call, "uid"), value(call, "exe"), arguments)
    return started


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode in (0, 1), f"{' '.join(map(str, command))}: {done.stderr}"
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--corpus", type=pathlib.Path, default=ROOT.parent / "shared/corpus/audit")
    arguments = parser.parse_args()
    logs = sorted([*arguments.corpus.glob("*.log"), *arguments.corpus.glob("*.json")])
    if not logs:
        print(f"audit: skipped: no logs in {arguments.corpus}")
        return 77
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in logs:
            out = pathlib.Path(folder) / f"{path.stem}.kst"
            ksc = arguments.bin / "ksc"
            told = json.loads(run(ksc, "trace", "import", path, "-o", out, "--format", "json"))
            own = read(path)
            execs = [json.loads(line)["fields"] for line in run(ksc, "trace", "cat", "--kind", "exec", "--format", "json", out).splitlines()]
            here = sorted((one["process.pid"], one["process.uid"], json.loads(one["process.exe"]), json.loads(one["process.args"])) for one in execs)
            there = sorted(one for one in own.values() if one)
            alerts = [json.loads(line) for line in run(ksc, "replay", ROOT / "stdlib", out, "--format", "json").splitlines()]
            fired = {f"{one['package']}.{one['rule']}" for one in alerts if "rule" in one}
            expected = next((rules for name, rules in SENSIBLE.items() if name in path.name), set())
            wrong = [what for what, good in (("events", told["events"] == len(own)), ("programs", here == there), ("damage", not told["damage"]),
                                             ("lines that are no record", told["foreign_lines"] == 0), ("rules", expected <= fired)) if not good]
            print(f"{'FAIL' if wrong else 'PASS'}  {path.name}: {len(own)} events, {told['events']} imported; {len(there)} programs started, {len(here)} imported; "
                  f"rules: {', '.join(sorted(fired))} {'; '.join(wrong)}")
            failed += bool(wrong)
    print(f"audit: {len(logs) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
