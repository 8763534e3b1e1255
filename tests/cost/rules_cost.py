#!/usr/bin/env python3
"""What an event that matches nothing costs in the kernel, by number of rules, by the kernel's own run statistics.

  rules_cost.py --bin DIR [--rules 1,10,100,1000,10000] [--rounds 3] [--opens N] [--execs N] [--limit-scale X] [--limit-rival X]

For each number an agent with so many rules on `open` and as many on `exec`, of five shapes: names and folders, paths, folders with an
exception, patterns, users and folders. Under it a file-heavy load (open and close) and an exec-heavy one. Beside it a program
written by hand with the same rules (1 and 10), and an empty one. Rounds are interleaved; the median counts. Of sys_exit, what calls
cost that no rule asks for is measured by a load of getppid, and taken off. 77: no BPF, or no statistics here.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/swap"))
from agent import Agent  # noqa: E402

STATISTICS = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
SKIPPED = 77
SHAPES = [
    'process.name in ["app{i}", "job{i}"] and {path} under "/srv/app{i}"',
    '{path} == "/etc/app{i}/secret"',
    '{path} under "/opt/team{i}" and process.name != "keeper"',
    '{write} {path} like "/var/lib/app{i}/*.key"',
    'process.uid == {u} and {path} under "/home/u{i}"',
]


def policy(count):
    text = "ksp 1\npackage cost\n\n"
    for kind, path, write in (("open", "file.path", "access has WRITE and"), ("exec", "process.exe", "process.tty != \"x\" and")):
        for n in range(count):
            condition = SHAPES[n % 5].format(i=n // 5, u=20000 + n // 5, path=path, write=write)
            text += f'rule {kind}_{n} "x" {{\n  severity low\n  on {kind} where {condition}\n  alert "x"\n}}\n'
    return text


def statistics_of(pid):
    """Of the programs that the process holds: name or id → (ns, runs)."""
    programs = {}
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            text = info.read_text()
        except OSError:
            continue
        found = dict(re.findall(r"^(prog_id|run_time_ns|run_cnt):\s*(\d+)", text, re.M))
        if int(found.get("run_cnt", 0)) > 0:
            programs[int(found["prog_id"])] = (int(found["run_time_ns"]), int(found["run_cnt"]))
    return programs


class Subject:
    """A process whose programs are attached, and what each run of them costs under a load."""
    def __init__(self, name, process):
        self.name, self.process, self.costs = name, process, {}

    def measure(self, what, load, count):
        before = statistics_of(self.process.pid)
        subprocess.run([load, what, str(count)], check=True)
        after = statistics_of(self.process.pid)
        return {program: (after[program][0] - before.get(program, (0, 0))[0], after[program][1] - before.get(program, (0, 0))[1])
                for program in after if after[program][1] - before.get(program, (0, 0))[1] >= count}

    def add_round(self, load, opens, execs):
        calls = self.measure("calls", load, opens)
        opened = self.measure("open", load, opens)
        executed = self.measure("exec", load, execs)
        # The program of sys_exit ran for every open and every close: it has the most runs, an empty one beside it as many.
        for program, (ns, runs) in calls.items():
            idle = ns / runs
            total, all_runs = opened[program]
            self.costs.setdefault(("idle", program), []).append(idle)
            self.costs.setdefault(("open", program), []).append((total - idle * (all_runs - opens)) / opens)
        for program, (ns, runs) in executed.items():
            if program not in calls and runs < 3 * execs:
                self.costs.setdefault(("exec", program), []).append(ns / runs)


def hand_written(arguments, folder, rules):
    """The hand-written and the empty programs: processes of their own, so that statistics are told apart."""
    subjects = []
    for name, define in [(f"by hand, {rules}", f"-DRULES={rules}")] + ([("empty", "-DEMPTY")] if rules == 1 else []):
        target = folder / f"{name.replace(', ', '')}.o"
        machine = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True).stdout.strip()
        subprocess.run([arguments.clang, "-target", "bpfel", "-mcpu=v3", "-O2", "-g", define, "-Wno-unused-function", "-I", f"/usr/include/{machine}",
                        "-c", ROOT / "tests/cost/rival.bpf.c", "-o", target], check=True)
        process = subprocess.Popen([arguments.bin / "cost_rival", target], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if process.stdout.readline() != "ready\n":
            sys.exit(f"FAILED: {name} does not load")
        subjects.append(Subject(name, process))
    return subjects


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--clang", default="clang-19")
    parser.add_argument("--rules", default="1,10,100,1000,10000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--opens", type=int, default=100_000)
    parser.add_argument("--execs", type=int, default=1_000)
    parser.add_argument("--limit-scale", type=float, default=2.0, help="of the most rules, against 10")
    parser.add_argument("--limit-rival", type=float, default=0, help="against what is written by hand; 0: only told")
    arguments = parser.parse_args()
    try:
        enabled = STATISTICS.read_text()
        STATISTICS.write_text("1")
    except OSError as error:
        print(f"SKIPPED: {error}")
        return SKIPPED
    numbers = [int(n) for n in arguments.rules.split(",")]
    agents, medians, wrong = [], {}, []
    with tempfile.TemporaryDirectory(prefix="ks-cost-") as name:
        folder = pathlib.Path(name)
        subprocess.run([arguments.bin / "ksc", "bundle", "keygen", "-o", folder / "key.pem"], check=True, stdout=subprocess.DEVNULL)
        for n in numbers:
            (folder / f"{n}.ksp").write_text(policy(n))
            subprocess.run([arguments.bin / "ksc", "compile", folder / f"{n}.ksp", "-o", folder / f"{n}.kspb", "--key", folder / "key.pem"],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(arguments.rounds):
                for n in numbers:
                    agent = Agent(arguments.bin / "kubesentryd", folder / f"{n}.kspb", folder / "key.pub", str(folder / "alerts"), str(folder / f"s{n}"))
                    agents.append(agent)
                    ready = agent.wait_for("ready", "failed", "raw", seconds=120)
                    if not ready or ready["what"] != "ready":
                        print(f"SKIPPED: the agent does not start: {agent.said}")
                        return SKIPPED
                    run(Subject(f"{n} rules", agent.process), arguments, medians)
                    agent.stop()
                    if (folder / "alerts").stat().st_size:
                        wrong.append(f"{n} rules: something matched")
                for rules in (1, 10):
                    for subject in hand_written(arguments, folder, rules):
                        run(subject, arguments, medians)
                        subject.process.stdin.close()
                        subject.process.wait()
        finally:
            for agent in agents:
                agent.kill()
            STATISTICS.write_text(enabled)
    cost = {key: statistics.median(values) for key, values in medians.items()}
    for load in ("idle", "open", "exec"):
        print({"idle": "a call that no rule asks for", "open": "an open that matches nothing", "exec": "an exec that matches nothing"}[load] + ", ns:")
        for (subject, what), ns in cost.items():
            if what == load:
                print(f"  {subject:14} {ns:8.0f}   ({', '.join(f'{one:.0f}' for one in medians[subject, what])})")
    for load in ("open", "exec"):
        if 10 in numbers and (ratio := cost[f"{numbers[-1]} rules", load] / cost["10 rules", load]) > 0:
            print(f"{load}: {numbers[-1]} rules cost {ratio:.2f} times what 10 cost")
            if ratio > arguments.limit_scale:
                wrong.append(f"{load}: more than {arguments.limit_scale} times")
        for n in (1, 10):
            if n not in numbers:
                continue
            ratio = cost[f"{n} rules", load] / cost[f"by hand, {n}", load]
            print(f"{load}: {n} rules cost {ratio:.2f} times what is written by hand costs, and {cost[f'{n} rules', load] - cost['empty', load]:.0f} ns more than an empty program")
            if arguments.limit_rival and ratio > arguments.limit_rival:
                wrong.append(f"{load}, {n} rules: more than {arguments.limit_rival} times what is written by hand")
    for what in wrong:
        print("FAILED:", what)
    return 1 if wrong else 0


def run(subject, arguments, medians):
    subject.add_round(arguments.bin / "cost_load", arguments.opens, arguments.execs)
    for (what, _), values in subject.costs.items():
        medians.setdefault((subject.name, what), []).extend(values)


if __name__ == "__main__":
    sys.exit(main())
