#!/usr/bin/env python3
"""What an event that matches nothing costs in the kernel, by number of rules, by the kernel's own run statistics.

  rules_cost.py --bin DIR [--rules 1,10,100,1000,10000] [--rounds 3] [--opens N] [--execs N] [--limit-scale X] [--limit-rival X]
  rules_cost.py --bin DIR --instructions 6.12 --opens 4000 --execs 200     instructions instead of nanoseconds, helpers' included

For each number an agent with so many rules on `open` and as many on `exec`, of five shapes: names and folders, paths, folders with an
exception, patterns, users and folders. Under it a file-heavy load (open and close) and an exec-heavy one. Beside it a program
written by hand with the same rules (1 and 10), an empty one, and where bpftrace is installed what one writes in it. Rounds are
interleaved; the median counts. Of sys_exit, what calls cost that no rule asks for is measured by a load of getppid, and taken off.
What keeps who made whom, for bundles that ask for parents, is told apart. 77: no BPF, or no statistics here.
"""
import argparse
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/swap"))
from agent import Agent  # noqa: E402

STATISTICS = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
SKIPPED = 77
LOADS = ("calls", "open", "exec")
# What is told apart from the agents: file and define of rival.bpf.c.
HAND_WRITTEN = {"by hand, 1": ("hand1", "-DRULES=1"), "empty": ("empty", "-DEMPTY"), "by hand, 10": ("hand10", "-DRULES=10")}
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


# The same in bpftrace, a program each: paths as they are asked for or, of exec, as the kernel has them; of a pattern only what is before
# its star, for there is no more. All of them in one program are beyond the verifier's million. "{i}": number of a group of five rules.
IN_BPFTRACE = [
    '(comm == "app{i}" || comm == "job{i}") && strncmp({path}, "/srv/app{i}/", 10) == 0',
    '{path} == "/etc/app{i}/secret"',
    'strncmp({path}, "/opt/team{i}/", 11) == 0 && comm != "keeper"',
    'strncmp({path}, "/var/lib/app{i}/", 14) == 0',
    'uid == 2000{i} && strncmp({path}, "/home/u{i}/", 9) == 0',
]


def bpftrace_program(count):
    conditions = [IN_BPFTRACE[n % 5].format(i=n // 5, path="str(args->filename)") for n in range(count)]
    return "".join(f'tracepoint:{tracepoint} /{condition}/ {{ printf("matched\\n"); }}\n'
                   for tracepoint in ("syscalls:sys_enter_openat", "sched:sched_process_exec") for condition in conditions)


def statistics_of(pid, arguments):
    """Of the programs that the process holds, as text."""
    return subprocess.run([arguments.bin / "cost_load", "programs", str(pid)], capture_output=True, text=True, check=True).stdout


def parse_statistics(text):
    """By program's id and name: (ns, runs)."""
    found = (line.split() for line in text.splitlines() if line.strip())  # a machine's console has blank ones
    return {(program, name): (int(ns), int(runs)) for program, name, ns, runs in found if int(runs) > 0}


def costs_of(texts, opens, execs):
    """What a run costs, by ("idle" | "open" | "exec"); "lineage": what all that keeps it costs, by exec of a new process. `texts`:
    statistics before, and after each of LOADS."""
    taken = [parse_statistics(text) for text in texts]

    def during(number, count):
        before, after = taken[number], taken[number + 1]
        spent = {program: (ns - before.get(program, (0, 0))[0], runs - before.get(program, (0, 0))[1]) for program, (ns, runs) in after.items()}
        return {program: (ns, runs) for program, (ns, runs) in spent.items() if runs >= count}

    calls, opened, executed = during(0, opens), during(1, opens), during(2, execs)
    costs = {}
    # The program of sys_exit ran for every open and every close.
    for program, (total, runs) in opened.items():
        idle = 0
        if program in calls:
            costs["idle"] = idle = calls[program][0] / calls[program][1]
        costs["open"] = costs.get("open", 0) + (total - idle * (runs - opens)) / opens
    for program, (ns, runs) in executed.items():
        if program[1].startswith("ks_lineage"):
            costs["lineage"] = costs.get("lineage", 0) + ns / execs
        elif program not in opened and runs < 3 * execs:
            costs["exec"] = costs.get("exec", 0) + ns / runs
    return costs


def measure(pid, arguments):
    """Of the programs that a process holds, attached here, by a round of each load."""
    texts = [statistics_of(pid, arguments)]
    for load in LOADS:
        subprocess.run([arguments.bin / "cost_load", load, str(arguments.execs if load == "exec" else arguments.opens)], check=True)
        texts.append(statistics_of(pid, arguments))
    return costs_of(texts, arguments.opens, arguments.execs)


def compile_subjects(arguments, numbers, folder):
    """Bundles (N.kspb, trusted by key.pub) and objects (hand1.o, hand10.o, empty.o)."""
    subprocess.run([arguments.bin / "ksc", "bundle", "keygen", "-o", folder / "key.pem"], check=True, stdout=subprocess.DEVNULL)
    for n in numbers:
        (folder / f"{n}.ksp").write_text(policy(n))
        subprocess.run([arguments.bin / "ksc", "compile", folder / f"{n}.ksp", "-o", folder / f"{n}.kspb", "--key", folder / "key.pem"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    machine = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True).stdout.strip()
    for name, define in HAND_WRITTEN.values():
        subprocess.run([arguments.clang, "-target", "bpfel", "-mcpu=v3", "-O2", "-g", define, "-Wno-unused-function", "-I", f"/usr/include/{machine}",
                        "-c", ROOT / "tests/cost/rival.bpf.c", "-o", folder / f"{name}.o"], check=True)


def measure_bpftrace(arguments, folder):
    """Classic tracepoints are all that works everywhere; what these cost before a program runs is in no statistics."""
    for count in (1, 10):
        (folder / "program.bt").write_text(bpftrace_program(count))
        command = 'mount -t tracefs none /sys/kernel/tracing 2> /dev/null; exec bpftrace "$0"'
        with subprocess.Popen(["unshare", "--mount", "sh", "-c", command, folder / "program.bt"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True) as process:
            try:
                end = time.monotonic() + 20
                while process.poll() is None and statistics_of(process.pid, arguments).count("\n") < 2 * count:
                    if time.monotonic() > end:
                        process.terminate()
                    time.sleep(0.1)
                if process.poll() is not None:
                    print(f"bpftrace does not run {count} rules here: {process.stdout.read()}")
                    return
                time.sleep(0.5)  # the last one is loaded before it is attached
                yield f"bpftrace, {count}", measure(process.pid, arguments)
            finally:
                process.terminate()


def measure_here(arguments, numbers, folder):
    """Yields (subject, costs) of each round, in nanoseconds."""
    agents = []
    try:
        for _ in range(arguments.rounds):
            for n in numbers:
                agent = Agent(arguments.bin / "kubesentryd", folder / f"{n}.kspb", folder / "key.pub", str(folder / "alerts"), str(folder / f"s{n}"))
                agents.append(agent)
                ready = agent.wait_for("ready", "failed", "raw", seconds=120)
                if not ready or ready["what"] != "ready":
                    raise Skipped(f"the agent does not start: {agent.said}")
                yield f"{n} rules", measure(agent.process.pid, arguments)
                agent.stop()
                if (folder / "alerts").stat().st_size:
                    raise Failure(f"{n} rules: something matched")
            for subject, (name, _) in HAND_WRITTEN.items():
                process = subprocess.Popen([arguments.bin / "cost_rival", folder / f"{name}.o"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                if process.stdout.readline() != "ready\n":
                    raise Failure(f"{subject} does not load")
                yield subject, measure(process.pid, arguments)
                process.stdin.close()
                process.wait()
            if shutil.which("bpftrace"):
                yield from measure_bpftrace(arguments, folder)
    finally:
        for agent in agents:
            agent.kill()


# In the machine. Each subject says what its programs cost before and after each load: lines of fdinfo behind a line that names it.
MEASURE = r"""
mkdir -p /usr/include /usr/lib /usr/share/doc/bash
touch /usr/include/stdio.h /etc/passwd /usr/lib/os-release /usr/share/doc/bash/copyright
echo 1 > /proc/sys/kernel/bpf_stats_enabled
statistics() { echo "COST statistics"; ./cost_load programs $1; }
wait_for() { for try in $(seq 1 600); do grep -q ready $1 && return; sleep 0.1; done; cat $1; exit 1; }
measure() {
  { echo "COST subject $1"; statistics $2
    for load in calls open exec; do
      count=$opens; [ $load = exec ] && count=$execs
      ./cost_load $load $count
      statistics $2
    done; } >> /tmp/costs
}
for n in $numbers; do
  ./kubesentryd run --bundle $n.kspb --trust key.pub --tier tracepoint --status-socket /tmp/s$n > /tmp/alerts 2> /tmp/log &
  wait_for /tmp/log
  measure "$n rules" $!
  kill $!; wait $!
  [ -s /tmp/alerts ] && { echo "$n rules: something matched"; exit 1; }
done
mkfifo /tmp/input
for hand in $hand_written; do
  ./cost_rival $hand.o < /tmp/input > /tmp/said &
  exec 3> /tmp/input
  wait_for /tmp/said
  measure $hand $!
  exec 3>&-; wait $!
done
cat /tmp/costs
echo "COST end"
"""


def measure_in_machine(arguments, numbers, folder):
    """The same for a kernel of tools/vm whose clock counts instructions."""
    script = (f"opens={arguments.opens} execs={arguments.execs} numbers='{' '.join(str(n) for n in numbers)}'"
              f" hand_written='{' '.join(name for name, _ in HAND_WRITTEN.values())}'\n" + MEASURE)
    files = [arguments.bin / name for name in ("kubesentryd", "cost_load", "cost_rival")] + [folder / "key.pub"]
    files += [folder / f"{n}.kspb" for n in numbers] + [folder / f"{name}.o" for name, _ in HAND_WRITTEN.values()]
    run = subprocess.run([ROOT / "tools/vm", arguments.instructions, "--clock", "instructions", "--timeout", "600", "--memory", "2G", "--run", script,
                          "--files", *files], capture_output=True, text=True)
    if run.returncode != 0:
        raise (Skipped if run.returncode == 3 else Failure)(run.stdout + run.stderr)
    names = {name: subject for subject, (name, _) in HAND_WRITTEN.items()}
    told, end, _ = run.stdout.partition("COST end")  # the kernel goes on talking
    if not end:
        raise Failure(run.stdout)
    for part in told.split("COST subject ")[1:]:
        name = part.splitlines()[0].strip()
        yield names.get(name, name), costs_of(part.split("COST statistics")[1:], arguments.opens, arguments.execs)


class Skipped(Exception):
    pass


class Failure(Exception):
    pass


def tell(arguments, numbers, costs):
    """Prints the costs, and returns what is beyond the limits. `costs`: by (subject, what) of all rounds."""
    wrong = []
    unit = "instructions" if arguments.instructions else "ns"
    cost = {key: statistics.median(values) for key, values in costs.items()}
    for load, what in (("idle", "a call that no rule asks for"), ("open", "an open that matches nothing"), ("exec", "an exec that matches nothing"),
                       ("lineage", "who made whom, of a process from fork to its end")):
        print(f"{what}, {unit}:")
        for (subject, of), median in cost.items():
            if of == load:
                print(f"  {subject:14} {median:8.0f}   ({', '.join(f'{one:.0f}' for one in costs[subject, of])})")
    for load in ("open", "exec"):
        if 10 in numbers:
            ratio = cost[f"{numbers[-1]} rules", load] / cost["10 rules", load]
            print(f"{load}: {numbers[-1]} rules cost {ratio:.2f} times what 10 cost")
            if ratio > arguments.limit_scale:
                wrong.append(f"{load}: more than {arguments.limit_scale} times")
        for n in (1, 10):
            if n not in numbers:
                continue
            ours = cost[f"{n} rules", load]
            ratio = ours / cost[f"by hand, {n}", load]
            print(f"{load}: {n} rules cost {ratio:.2f} times what is written by hand costs, and {ours - cost['empty', load]:.0f} {unit} more than an empty program")
            if (f"bpftrace, {n}", load) in cost:
                print(f"{load}: {n} rules cost {ours / cost[f'bpftrace, {n}', load]:.2f} times what bpftrace's program costs, without its tracepoint")
            if arguments.limit_rival and ratio > arguments.limit_rival:
                wrong.append(f"{load}, {n} rules: more than {arguments.limit_rival} times what is written by hand")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--clang", default="clang-19")
    parser.add_argument("--rules", default="1,10,100,1000,10000")
    parser.add_argument("--instructions", metavar="KERNEL", help="count instructions, on one of tools/vm's kernels; one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--opens", type=int, default=100_000)
    parser.add_argument("--execs", type=int, default=1_000)
    parser.add_argument("--limit-scale", type=float, default=2.0, help="of the most rules, against 10")
    parser.add_argument("--limit-rival", type=float, default=0, help="against what is written by hand; 0: only told")
    arguments = parser.parse_args()
    numbers = [int(n) for n in arguments.rules.split(",")]
    arguments.bin = arguments.bin.resolve()
    enabled = None
    costs = {}
    try:
        if not arguments.instructions:
            enabled = STATISTICS.read_text()
            STATISTICS.write_text("1")
        with tempfile.TemporaryDirectory(prefix="ks-cost-") as name:
            folder = pathlib.Path(name)
            compile_subjects(arguments, numbers, folder)
            measured = measure_in_machine if arguments.instructions else measure_here
            for subject, by_load in measured(arguments, numbers, folder):
                for load, cost in by_load.items():
                    costs.setdefault((subject, load), []).append(cost)
        wrong = tell(arguments, numbers, costs)
        if not arguments.instructions and not shutil.which("bpftrace"):
            print("bpftrace is not installed: not compared with it")
    except (Skipped, PermissionError, FileNotFoundError) as why:
        print(f"SKIPPED: {why}")
        return SKIPPED
    except Failure as what:
        wrong = [what]
    finally:
        if enabled is not None:
            STATISTICS.write_text(enabled)
    for what in wrong:
        print("FAILED:", what)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
