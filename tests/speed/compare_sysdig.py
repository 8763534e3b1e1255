#!/usr/bin/env python3
"""How fast stdlib is replayed, beside sysdig reading the same file, in one run.

  compare_sysdig.py --bin DIR [--events N] [--runs N] [--instructions] [--bars] [--folder DIR]      default: 5,000,000 events, 5 runs

The recording is enlarge.py's. Each run has every command once, one after the other, on one thread each. A figure is the number of
events of the recording (not those of the trace that is made of it) by seconds of CPU time, user and system; what a command takes on
nearly nothing, policies loaded and sysdig started, is taken off. Wall-clock time stands beside it: it means something on an idle
machine only. A ratio is that of two neighbours of a run, and what is printed is the median of all runs. With two threads two
traces are replayed at a time (the same file twice): there the clock is what counts.

--instructions counts instead of measuring (valgrind; slow: a million events take minutes, so few are taken).
--folder keeps what was made there, and uses what is there already: of the same number of events, and of the same importer.
--bars fails if a ratio is below what is promised: 5 from .kst, 1 from .scap, both beside sysdig with its filter.
Exit status 77 if sysdig or the recordings are not there.
"""
import argparse
import contextlib
import json
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SKIPPED = 77
# Ten conditions, as a rule of Falco has them.
FILTER = ("evt.dir=< and ((evt.type in (open,openat) and fd.name startswith /etc/ and proc.name!=sshd) or (evt.type=execve and proc.pname=nginx)"
          " or (evt.type=connect and fd.sport=4444) or (evt.type=setuid and user.uid!=0))")
BARS = {"ksc replay .kst": 5.0, "ksc replay .scap": 1.0}
RIVAL = "sysdig, ten conditions"
TWICE = (".scap, two threads", ".kst, two threads")  # that replay the file twice


def commands(ksc, folder, name):
    """name → argv"""
    scap, kst = folder / f"{name}.scap", folder / f"{name}.kst"
    stdlib = str(folder / "stdlib.kspb")
    one, two = [ksc, "replay", stdlib, "--jobs", "1"], [ksc, "replay", stdlib, "--jobs", "2"]
    return {"sysdig, no filter": ["sysdig", "-r", scap, "-q"], RIVAL: ["sysdig", "-r", scap, "-q", FILTER], "ksc replay .scap": [*one, scap],
            "ksc replay .kst": [*one, kst], ".scap, two threads": [*two, scap, scap], ".kst, two threads": [*two, kst, kst]}


def run(argv):
    """Seconds of CPU time and of the clock."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    clock, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, f"{argv}: exit status {done.returncode}: {done.stderr}"
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, clock


def instructions(argv, folder):
    out = folder / "callgrind.out"
    done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *argv], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    assert done.returncode == 0 and collected, f"{argv}: exit status {done.returncode}: {done.stderr[-2000:]}"
    return int(collected[1])


def read_by_sysdig(path):
    """How many events it sees: those whose types it knows."""
    done = subprocess.run(["sysdig", "-r", path, "-q", "-v"], capture_output=True, text=True)
    return int(re.search(r"Captured Events: (\d+)", done.stdout + done.stderr)[1])


def prepare(ksc, folder, name, events):
    """A recording and its trace. Its events, or nothing if there are no recordings to make it of."""
    facts = folder / f"{name}.json"
    if not facts.exists():
        made = subprocess.run([sys.executable, pathlib.Path(__file__).parent / "enlarge.py", folder / f"{name}.scap", "--events", str(events)],
                              capture_output=True, text=True)
        if made.returncode == SKIPPED:
            print(made.stdout, end="")
            return None
        assert made.returncode == 0, made.stderr
        facts.write_text(made.stdout)
    if not (folder / f"{name}.kst").exists():
        subprocess.run([ksc, "trace", "import", folder / f"{name}.scap", "-o", folder / f"{name}.kst"], check=True, stderr=subprocess.DEVNULL)
    print(f"{name}: {facts.read_text()}", end="", flush=True)
    return json.loads(facts.read_text())["events"]


def compare(ksc, folder, counts, runs):
    """name → (events per second of CPU, per second of the clock); name → ratio"""
    nothing = {name: min(run(argv) for _ in range(3)) for name, argv in commands(ksc, folder, "small").items()}
    events = {name: (counts["large"] - counts["small"]) * (2 if name in TWICE else 1) for name in nothing}
    rates, ratios = {}, {}
    for number in range(runs):
        took = {name: run(argv) for name, argv in commands(ksc, folder, "large").items()}
        of_run = {name: [events[name] / max(seconds - without, 1e-3) for seconds, without in zip(took[name], nothing[name])] for name in took}
        for name, rate in of_run.items():
            rates.setdefault(name, []).append(rate)
            by_clock = name in TWICE
            ratios.setdefault(name, []).append(rate[by_clock] / of_run[RIVAL][by_clock])
        print(f"  run {number + 1}: " + ", ".join(f"{name} {rate[0]:,.0f}/s" for name, rate in of_run.items() if name not in TWICE), flush=True)
    middle = statistics.median
    return {name: [middle(one) for one in zip(*all_)] for name, all_ in rates.items()}, {name: middle(all_) for name, all_ in ratios.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--instructions", action="store_true")
    parser.add_argument("--bars", action="store_true")
    parser.add_argument("--folder", type=pathlib.Path)
    arguments = parser.parse_args()
    if not shutil.which("sysdig"):
        print("speed: skipped: there is no sysdig to compare with (tools/install)")
        return SKIPPED
    ksc = arguments.bin / "ksc"
    with contextlib.ExitStack() as stack:
        folder = arguments.folder or pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for old in (folder / "key.pem", folder / "key.pub"):
            old.unlink(missing_ok=True)
        subprocess.run([ksc, "bundle", "keygen", "-o", folder / "key.pem"], check=True, capture_output=True)
        subprocess.run([ksc, "compile", ROOT / "stdlib", "-o", folder / "stdlib.kspb", "--key", folder / "key.pem"], check=True, capture_output=True)
        counts = {}
        for size, events in (("small", 1), ("large", arguments.events)):
            counts[size] = prepare(ksc, folder, size, events)
            if counts[size] is None:
                return SKIPPED
        print(f"sysdig knows {read_by_sysdig(folder / 'large.scap'):,} of {counts['large']:,} events", flush=True)
        if arguments.instructions:
            events = counts["large"] - counts["small"]
            large, small = commands(ksc, folder, "large"), commands(ksc, folder, "small")
            costs = {name: (instructions(large[name], folder) - instructions(small[name], folder)) / events for name in large if name not in TWICE}
            ratios = {name: costs[RIVAL] / cost for name, cost in costs.items()}
            lines = {name: f"{cost:10,.0f} instructions/event" for name, cost in costs.items()}
        else:
            rates, ratios = compare(ksc, folder, counts, arguments.runs)
            lines = {name: f"{cpu:12,.0f} events/s of CPU   {clock:12,.0f} by the clock" for name, (cpu, clock) in rates.items()}
    for name, line in lines.items():
        print(f"{name:24} {line}   {ratios[name]:6.2f} x sysdig with filter{', by the clock' if name in TWICE and not arguments.instructions else ''}")
    missed = [name for name, bar in BARS.items() if ratios[name] < bar]
    for name in missed:
        print(f"below its bar: {name}: {ratios[name]:.2f}, promised is {BARS[name]:.0f}")
    return 1 if missed and arguments.bars else 0


if __name__ == "__main__":
    sys.exit(main())
