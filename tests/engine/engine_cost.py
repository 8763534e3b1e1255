#!/usr/bin/env python3
"""Instructions that the engine takes to decide a recorded event, counted by callgrind: the same on a busy machine.

  engine_cost.py --bin DIR [--rules 100,10000] [--most 100:2000,1000:3000] [--most-match 700] TRACE.kst…

--most N:I: fail if with N rules an event takes more than I instructions; --most-match I: if making a match does. Of a trace about 4,000 events are counted, evenly
taken. Exit status 77: no valgrind here, or the bench was built without its headers.
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def count(arguments, rules, folder):
    """Instructions by part, and (events, matches, silent events)."""
    out = folder / f"counts.{rules}"
    said = subprocess.run(["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}",
                           str(arguments.bin / "engine_bench"), "--instructions", "--rules", str(rules), "--generator",
                           str(ROOT / "tools/house/generate_rules.py"), *arguments.traces],
                          check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True).stdout
    over = re.search(r"counted over (\d+) events, (\d+) matches, (\d+) events", said)
    parts = {}
    for part in folder.glob(out.name + ".*"):
        text = part.read_text()
        name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.M)
        if name:
            parts[name.group(1)] = int(re.search(r"^summary: (\d+)$", text, re.M).group(1))
    return parts, tuple(int(n) for n in over.groups())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="+")
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--rules", default="100,10000")
    parser.add_argument("--most", default="")
    parser.add_argument("--most-match", type=int)
    arguments = parser.parse_args()
    if not shutil.which("valgrind"):
        print("engine_cost: skipped: no valgrind")
        return 77
    most = dict(tuple(int(n) for n in bar.split(":")) for bar in arguments.most.split(",") if bar)
    good = True
    with tempfile.TemporaryDirectory(prefix="ks-engine-cost.") as folder:
        for rules in (int(n) for n in arguments.rules.split(",")):
            parts, (events, matches, silent) = count(arguments, rules, pathlib.Path(folder))
            if not parts:
                print("engine_cost: skipped: engine_bench was built without valgrind's headers")
                return 77
            each = parts["decide all"] / events
            making = (parts["make matches"] - parts["decide all"]) / max(matches, 1)
            print(f"{rules:>6} rules: {each:,.0f} instructions an event, {parts['decide silent'] / max(silent, 1):,.0f} of the "
                  f"{silent:,} of {events:,} that match nothing; {matches / events:.2f} matches an event, {making:,.0f} to make one",
                  flush=True)
            if rules in most and each > most[rules]:
                print(f"FAIL: more than {most[rules]:,} instructions an event with {rules} rules")
                good = False
            if arguments.most_match and making > arguments.most_match:
                print(f"FAIL: more than {arguments.most_match:,} instructions to make a match")
                good = False
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
