#!/usr/bin/env python3
"""What the whole agent costs: the CPU time of a load like a kernel's build, with the agent and without it, in turn.

  agent_cost.py --bin DIR [--pairs 7] [--files 100] [--rounds 3] [--policy FOLDER] [--keep FILE]

The load compiles many small C files with make -j: execs, opens, stats and reads by the thousand. Its cost is the CPU time, user's
and system's, of make and all that it started (that of programs in the kernel is in it, since they run as part of the calls);
beside it that of the agent. Neither counts what else runs on the machine, but feels it: take the median of pairs. The order within
a pair changes from pair to pair.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TICK = os.sysconf("SC_CLK_TCK")

SOURCE = """#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common.h"
int work_%d(const char *text) {
  struct stat info;
  char buffer[256];
  if (stat(text, &info) != 0) return -errno;
  snprintf(buffer, sizeof buffer, "%%s %%ld", text, (long)info.st_size);
  return (int)strlen(buffer) + COMMON + %d;
}
"""
MAKEFILE = """objects := $(patsubst %%.c,%%.o,$(wildcard *.c))
all: $(objects)
%%.o: %%.c common.h
\t@echo CC $@ > $@.log; gcc -c -o $@ $<; rm -f $@.log
clean:
\t@rm -f *.o
"""


def write_load(folder, files):
    (folder / "common.h").write_text("#define COMMON 7\n")
    (folder / "Makefile").write_text(MAKEFILE.replace("%%", "%"))
    for i in range(files):
        (folder / f"file{i}.c").write_text(SOURCE % (i, i))


def run_load(folder, rounds, jobs):
    """CPU seconds (user, system) of all that make starts, and how long it took."""
    started = time.monotonic()
    user = system = 0.0
    for _ in range(rounds):
        for target in ("clean", "all"):
            make = subprocess.Popen(["make", "-s", "-C", str(folder), f"-j{jobs}", target], env={**os.environ, "CCACHE_DISABLE": "1"})
            _, status, used = os.wait4(make.pid, 0)
            make.returncode = os.waitstatus_to_exitcode(status)
            if make.returncode != 0:
                raise SystemExit("agent_cost: make failed")
            user += used.ru_utime
            system += used.ru_stime
    return user, system, time.monotonic() - started


class Agent:
    def __init__(self, arguments, folder, bundle, trust):
        self.socket, self.bin = folder / "status", arguments.bin
        self.log = open(folder / "log", "w+")
        self.process = subprocess.Popen([str(arguments.bin / "kubesentryd"), "run", "--bundle", str(bundle), "--trust", str(trust), "--alerts",
                                         str(folder / "alerts"), "--status-socket", str(self.socket), *arguments.agent], stderr=self.log)
        for _ in range(300):
            if "ready" in (folder / "log").read_text():
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise SystemExit("agent_cost: the agent did not become ready:\n" + (folder / "log").read_text())

    def used(self):
        words = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(words[11]) / TICK, int(words[12]) / TICK

    def status(self):
        return json.loads(subprocess.run([str(self.bin / "kubesentryd"), "status", "--status-socket", str(self.socket), "--format", "json"],
                                         check=True, stdout=subprocess.PIPE, text=True).stdout)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait() != 0:
            raise SystemExit("agent_cost: the agent failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--policy", type=pathlib.Path, default=ROOT / "stdlib")
    parser.add_argument("--agent", action="append", default=[], metavar="OPTION", help="for kubesentryd run")
    parser.add_argument("--most", type=float, help="fail if it costs more than that, in percent")
    arguments = parser.parse_args()
    arguments.bin = arguments.bin.resolve()
    if os.geteuid() != 0 or not pathlib.Path("/sys/kernel/btf/vmlinux").exists() or not shutil.which("gcc") or not shutil.which("make"):
        print("agent_cost: skipped: needs root, a kernel with BTF, gcc and make")
        return 77
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kubesentry-cost.", dir="/var/lib"))
    try:
        (folder / "load").mkdir()
        write_load(folder / "load", arguments.files)
        ksc = str(arguments.bin / "ksc")
        subprocess.run([ksc, "bundle", "keygen", "-o", str(folder / "k.pem")], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([ksc, "compile", str(arguments.policy), "-o", str(folder / "p.kspb"), "--key", str(folder / "k.pem")], check=True,
                       stdout=subprocess.DEVNULL)
        return measure(arguments, folder)
    finally:
        shutil.rmtree(folder)


def measure(arguments, folder):
    run_load(folder / "load", 1, arguments.jobs)  # what it reads is in memory from now on
    without, with_agent, agents, last = [], [], [], None
    for pair in range(arguments.pairs):
        for watched in ((False, True) if pair % 2 == 0 else (True, False)):
            if not watched:
                user, system, _ = run_load(folder / "load", arguments.rounds, arguments.jobs)
                without.append(user + system)
                continue
            agent = Agent(arguments, folder, folder / "p.kspb", folder / "k.pub")
            time.sleep(0.5)
            before = agent.used()
            user, system, took = run_load(folder / "load", arguments.rounds, arguments.jobs)
            time.sleep(0.2)  # what is in the ring is its work, too
            after = agent.used()
            last = agent.status()
            agent.stop()
            with_agent.append(user + system)
            agents.append((after[0] - before[0], after[1] - before[1], took))
        own = agents[-1][0] + agents[-1][1]
        print(f"pair {pair + 1}: load {without[-1]:.2f} s without, {with_agent[-1]:.2f} s with the agent, whose own are {own:.2f} s; "
              f"{100 * ((with_agent[-1] + own) / without[-1] - 1):+.1f} %", flush=True)
    totals = [100 * ((w + a[0] + a[1]) / b - 1) for b, w, a in zip(without, with_agent, agents)]
    kernel = [100 * (w / b - 1) for b, w in zip(without, with_agent)]
    own = [100 * (a[0] + a[1]) / b for b, a in zip(without, agents)]
    cores = [100 * (a[0] + a[1]) / a[2] for a in agents]
    seen = sum(c["seen"] for c in last["counters"])
    print(f"{last['rules']} rules; the last agent saw {seen} events, {last['received']} records came up, median {last['record_bytes']['median']} bytes; "
          f"{last['alerts']} alerts, {last['lost']} lost")
    for c in last["counters"]:
        if c["seen"]:
            size = c.get("record_bytes", {})
            print(f"  {c['kind']:16} {c['seen']:9} seen {c['submitted']:9} sent, median {size.get('median', 0)} bytes")
    print(f"cost of the agent: {statistics.median(totals):+.1f} % of the load's CPU time (median of {arguments.pairs} pairs, {min(totals):+.1f} to {max(totals):+.1f}): "
          f"in the kernel {statistics.median(kernel):+.1f} %, the agent itself {statistics.median(own):.1f} % ({statistics.median(cores):.1f} % of a core while it lasts)")
    if arguments.most is not None and statistics.median(totals) > arguments.most:
        print(f"agent_cost: more than {arguments.most} %")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
