#!/usr/bin/env python3
"""Writes a trace of a made-up host: a tree of processes that open, connect and start things; some names are hostile markup.

  trace.py EVENTS OUT.kst      always the same for the same number
"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

KST = pathlib.Path(__file__).parent.parent / "lit" / "replay" / "Inputs" / "kst.py"
HOSTILE = ["</script><img src=x onerror=alert(1)>", "<!--<script>", "\"'><b onmouseover=alert(2)>", "\u202egpj.exe", "a\u0000b\nc", "__proto__", "${alert(3)}"]
COLUMNS = [["result", "enum", "result", "metadata", "int"], ["errno", "enum", "errno", "metadata", "int"],
           ["dst", "endpoint", "", "metadata", "endpoint"], ["process.pid", "int", "", "metadata", "int"],
           ["process.name", "string", "", "metadata", "text"], ["process.uid", "int", "", "metadata", "int"],
           ["process.start_time", "duration", "", "metadata", "int"], ["process.exe", "path", "", "match-only", "text"],
           ["process.args", "list<string>", "", "match-only", "text"], ["process.ancestors", "list<string>", "", "metadata", "text"],
           ["process.ancestor_ids", "list<string>", "", "metadata", "text"], ["process.id", "string", "", "metadata", "text"],
           ["file.path", "path", "", "match-only", "text"]]
BEGIN = 1_795_453_923_000_000_000


def process_id(pid, start):
    return f"{pid:06x}:{start:016x}"


def main():
    events, out = int(sys.argv[1]), sys.argv[2]
    dice = random.Random(7)
    processes = [{"pid": 1, "name": "init", "start": 0, "above": []}]
    rows, time = [], BEGIN
    while len(rows) < events:
        time += int(dice.expovariate(1) * (40_000_000 if dice.random() < 0.02 else 400_000))
        number = len(rows)
        if number == 0 or dice.random() < 0.004:
            parent = dice.choice(processes[-40:])
            name = HOSTILE[(number // 50) % len(HOSTILE)] if dice.random() < 0.1 or number == 0 else dice.choice(["bash", "nginx", "python3", "cat", "curl", "sshd", "cron", "git"])
            pid = 2 + len(processes)
            processes.append({"pid": pid, "name": name, "start": pid * 1_000_000, "above": [parent, *parent["above"]][:6]})
            one, kind = processes[-1], "exec"
        else:
            one, kind = dice.choice(processes[-60:]), dice.choices(["open", "connect", "exit"], [90, 9, 1])[0]
        row = {"kind": kind, "time": time, "cpu": number % 4, "sequence": number, "result": 0, "errno": 0, "process.pid": one["pid"],
               "process.name": one["name"], "process.uid": one["pid"] % 3 * 500, "process.start_time": one["start"],
               "process.id": process_id(one["pid"], one["start"]), "process.exe": f"/usr/bin/p{one['pid'] % 97}",
               "process.ancestors": [above["name"].replace("\0", "") for above in one["above"]],
               "process.ancestor_ids": [process_id(above["pid"], above["start"]) for above in one["above"]]}
        if kind == "exec":
            row["process.args"] = [one["name"].replace("\0", ""), f"--id={number}"]
        elif kind == "open":
            row["file.path"] = "/etc/shadow" if number % 997 == 5 else f"/var/lib/data/{dice.randrange(2000)}/{HOSTILE[0] if number % 1009 == 7 else 'f'}"
        elif kind == "connect":
            row["dst"] = f"203.0.113.{number % 250}:{4444 if number % 13 == 0 else 443}"
        if number % 499 == 3 or kind == "exec" and one["pid"] % 9 == 0:
            row["process.exe"] = {"state": "unknown"}
        rows.append(row)
        if number % 5000 == 2500:
            rows.append({"lost": 17, "time": time, "cpu": 1})
    rows = rows[:events]
    description = {"host": {"node": "n1", "kernel": "6.12.0", "arch": "x86_64", "boot": "b1"}, "kinds": ["open", "connect", "exec", "exit"],
                   "columns": COLUMNS, "blocks": [rows[at:at + 2000] for at in range(0, len(rows), 2000)]}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(description, file)
        file.flush()
        subprocess.run([sys.executable, KST, file.name, out], check=True)


main()
