#!/usr/bin/env python3
"""Imports every recording of a folder and holds the importer's counts against scap.py, a reader of its own: blocks by type, events,
and, where the list says how long its entries are, processes. Prints what has no counterpart.

  corpus.py --bin DIR [--corpus DIR]      default: ../shared/corpus/scap beside the project
Exit status 77 if there is no corpus.
"""
import argparse
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

import scap

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def imported(ksc, path, out):
    done = subprocess.run([ksc, "trace", "import", path, "-o", out, "--format", "json"], capture_output=True, text=True)
    assert done.returncode == 0, f"{path}: {done.stderr}"
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--corpus", type=pathlib.Path, default=ROOT.parent / "shared/corpus/scap")
    arguments = parser.parse_args()
    recordings = sorted(arguments.corpus.glob("*.scap"))
    if not recordings:
        print(f"scap: skipped: no recordings in {arguments.corpus}")
        return 77
    failed = events = 0
    unmapped, made = collections.Counter(), collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        for path in recordings:
            told = imported(arguments.bin / "ksc", path, pathlib.Path(folder) / f"{path.stem}.kst")
            own = scap.count(path)
            wrong = [what for what, here, there in (("blocks", dict(own["blocks"]), told["blocks"]),
                                                    ("events", sum(own["events"].values()), told["events"]),
                                                    ("processes", own["processes"], told["processes"] if own["processes"] else 0),
                                                    ("end", own["ended"], "end"), ("damage", [], told["damage"])) if here != there]
            # Each event is told as a kind, merged into another, or named as one that has none.
            exits = told["events"] - sum(told["merged"].values()) - sum(told["unmapped"].values())
            if not exits <= sum(told["made"].values()):
                wrong.append(f"{exits} events became {sum(told['made'].values())}")
            print(f"{'FAIL' if wrong else 'PASS'}  {path.name}: {told['events']} events, {told['processes']} threads before; {'; '.join(wrong)}")
            failed += bool(wrong)
            events += told["events"]
            unmapped.update(told["unmapped"])
            made.update(told["made"])
    print("made:     " + ", ".join(f"{name} {count}" for name, count in made.most_common()))
    print("unmapped: " + ", ".join(f"{name} {count}" for name, count in unmapped.most_common()))
    print(f"scap: {len(recordings) - failed} passed, {failed} failed; {events} events")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
