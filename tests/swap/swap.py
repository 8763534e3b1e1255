#!/usr/bin/env python3
"""Swaps two bundles under load and looks for events that were missed or decided twice.

  swap.py --bin FOLDER [--swaps N | --flips N] [--events-per-second N] [--calls-per-second N] [--spawns-per-second N]

Exit status: 0 fine, 1 not, 77 no BPF here.

The load (swap_load) makes numbered system calls, and programs that start and end: three hooks. Two bundles that ask for all of
them take turns: each is renamed over the watched file as soon as the agent said that it swapped to the other. In the end every
number, start and end must be in the alerts exactly once, and the counters must add up without a remainder.

--flips: both bundles are loaded once, and the kernel goes to and fro between them (swap_flip), which takes milliseconds.
"""
import argparse
import collections
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from agent import Agent

POLICY = """ksp 1
package swap.{name}

rule numbered "A call that the load program numbered" {{
  severity info
  on setuid where result == failed and target.uid >= 1000000
  alert "{{target.uid}}"
}}

rule started "A program of the load started" {{
  severity info
  on exec where process.parent.name == "swap_spawn"
  alert "{{process.pid}}"
}}

rule ended "A program of the load ended" {{
  severity info
  on exit where process.parent.name == "swap_spawn"
  alert "{{process.pid}}"
}}
"""
FLOOR = 100_000  # system calls a second


def bundle(ksc, folder, name, key):
    policy = folder / f"{name}.ksp"
    policy.write_text(POLICY.format(name=name))
    out = folder / f"{name}.kspb"
    subprocess.run([ksc, "compile", policy, "-o", out, "--key", key], check=True, capture_output=True)
    return out


def replace(source, target):
    """As a careful writer does: whole, or not at all."""
    beside = target.with_suffix(".new")
    shutil.copyfile(source, beside)
    os.rename(beside, target)


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def count(made, events):
    """events: (kind, number, pid, start time, parent's pid) of each. Gives a line to print, and checks."""
    numbers, started, ended = collections.Counter(), collections.Counter(), collections.Counter()
    for kind, number, pid, start, parent in events:
        if kind == "setuid" and pid in made["pids"]:  # else it is somebody else's number
            numbers[number] += 1
        elif kind in ("exec", "exit") and parent == made["spawner"]:
            (started if kind == "exec" else ended)[pid, start] += 1
    wanted = range(made["first"], made["first"] + made["events"])
    missing = sum(1 for number in wanted if number not in numbers)
    doubled = sum(1 for seen in (numbers, started, ended) for count in seen.values() if count > 1)
    strange = sum(1 for number in numbers if number not in wanted)
    print(f"{made['events']} numbered calls: {missing} missed; {made['spawned']} programs: {len(started)} starts and {len(ended)} ends "
          f"seen; {doubled} doubled, {strange} that nobody made")
    return {
        "every number is there": missing == 0,
        "every start is there": len(started) == made["spawned"],
        "every end is there": set(ended) == set(started),
        "nothing is there twice": doubled == 0,
        "no other number is there": strange == 0,
        "every numbered call failed as it should": made["wrong"] == 0,
    }


def start_load(arguments, bin_folder):
    return subprocess.Popen([bin_folder / "swap_load", str(arguments.events_per_second), str(arguments.calls_per_second),
                             str(arguments.spawns_per_second)], stdout=subprocess.PIPE)


def stop_load(load):
    load.send_signal(signal.SIGTERM)
    return json.loads(load.communicate(timeout=60)[0])


def verdict(checks):
    for check, good in checks.items():
        if not good:
            print(f"FAIL: {check}")
    return 0 if all(checks.values()) else 1


def flip(arguments, folder):
    bin_folder = pathlib.Path(arguments.bin)
    key, trust, written = folder / "k.pem", folder / "k.pub", folder / "events"
    subprocess.run([bin_folder / "ksc", "bundle", "keygen", "-o", key], check=True, capture_output=True)
    bundles = [bundle(bin_folder / "ksc", folder, name, key) for name in ("a", "b")]
    flipper = subprocess.Popen([bin_folder / "swap_flip", str(arguments.flips), trust, *bundles, written], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    load = None
    try:
        ready = json.loads(flipper.stdout.readline())
        if ready["what"] != "ready":
            print("skipped: no BPF here" if ready["code"] == "kernel-permission" else f"FAIL: {ready}")
            return 77 if ready["code"] == "kernel-permission" else 1
        load = start_load(arguments, bin_folder)
        time.sleep(0.3)
        print("", file=flipper.stdin, flush=True)
        flipped = json.loads(flipper.stdout.readline())
        made = stop_load(load)
        print("", file=flipper.stdin, flush=True)
        closing = json.loads(flipper.stdout.readline())
        flipper.wait(timeout=60)
    finally:
        for process in (load, flipper):
            if process and process.poll() is None:
                process.kill()
    events, by_generation = [], collections.Counter()
    with open(written) as file:
        for line in file:
            kind, number, pid, started, parent, generation = line.split()
            # Of what others run beside it the parent may be unknown.
            events.append((kind, int(number) if number != "-" else None, int(pid), started, int(parent) if parent != "-" else None))
            by_generation[generation] += 1
    print(f"{arguments.flips} swaps between two loaded bundles in {flipped['seconds']:.1f} s, "
          f"{flipped['seconds'] * 1000 / arguments.flips:.1f} ms each, under {made['calls'] / made['seconds']:,.0f} system calls/s")
    print(f"closing counters: {closing}; events by generation: {dict(by_generation)}")
    checks = count(made, events)
    checks |= {
        "both bundles decided some": len(by_generation) == 2,
        "seen = filtered + limited + submitted + dropped": closing["seen"] == closing["accounted"],
        "submitted = received": closing["submitted"] == closing["received"],
        "nothing was dropped, nor malformed": closing["dropped"] == closing["malformed"] == 0,
        "no run of a program was skipped": closing["missed_runs"] == 0,
    }
    return verdict(checks)


def run(arguments, folder):
    bin_folder = pathlib.Path(arguments.bin)
    ksc, daemon = str(bin_folder / "ksc"), str(bin_folder / "kubesentryd")
    key, trust = folder / "k.pem", folder / "k.pub"
    subprocess.run([ksc, "bundle", "keygen", "-o", key], check=True, capture_output=True)
    bundles = [bundle(ksc, folder, name, key) for name in ("a", "b")]
    active = folder / "active.kspb"
    replace(bundles[0], active)

    alerts_path = folder / "alerts.jsonl"
    agent = Agent(daemon, str(active), str(trust), str(alerts_path), str(folder / "status.sock"))
    load = None
    try:
        ready = agent.wait_for("ready")
        if ready is None:
            failed = agent.said[-1] if agent.said else {}
            if failed.get("code") == "kernel-permission":
                print(f"skipped: no BPF here: {failed.get('cause')}")
                return 77
            print(f"FAIL: the agent did not start: {failed}")
            return 1
        load = start_load(arguments, bin_folder)
        time.sleep(0.5)
        latencies = []
        begin = time.monotonic()
        for number in range(arguments.swaps):
            at = time.monotonic()
            replace(bundles[(number + 1) % 2], active)
            said = agent.wait_for("swapped", "refused", "unchanged")
            if said is None or said["what"] != "swapped":
                print(f"FAIL: swap {number + 1}: {said}")
                return 1
            latencies.append(time.monotonic() - at)
        seconds = time.monotonic() - begin
        made = stop_load(load)
        rss = agent.rss_kib()
        closing = agent.stop()
    finally:
        if load and load.poll() is None:
            load.kill()
        agent.kill()

    events = []
    by_bundle = collections.Counter()
    lost_before = 0
    with open(alerts_path) as file:
        for line in file:
            alert = json.loads(line)
            process = alert["process"]
            events.append((alert["event"]["kind"], alert.get("target", {}).get("uid"), process["pid"], process["start_time"],
                           process["parent"]["pid"]))
            by_bundle[alert["package"]] += 1
            lost_before += alert["lost_before"]
    rate = made["calls"] / made["seconds"]

    print(f"{arguments.swaps} swaps in {seconds:.1f} s under {rate:,.0f} system calls/s; "
          f"a swap takes {percentile(latencies, 0.5) * 1000:.0f} ms (median), {percentile(latencies, 0.99) * 1000:.0f} ms "
          f"(99 %), {max(latencies) * 1000:.0f} ms (longest)")
    checks = count(made, events)
    print(", ".join(f"{decided} decided by {name}" for name, decided in sorted(by_bundle.items())))
    print(f"closing counters: {closing['seen']} seen = {closing['filtered']} filtered + {closing['limited']} limited + "
          f"{closing['submitted']} submitted + {closing['dropped']} dropped; {closing['received']} received, "
          f"{closing['lost']} lost, {closing['stray']} stray, {closing['malformed']} malformed; RSS {rss} KiB")

    checks |= {
        "both bundles decided some": len(by_bundle) == 2,
        "seen = filtered + limited + submitted + dropped, by kind": all(
            c["seen"] == c["filtered"] + c["limited"] + c["submitted"] + c["dropped"] for c in closing["counters"]),
        "submitted = received": closing["submitted"] == closing["received"],
        "nothing was dropped or lost": closing["dropped"] == closing["lost"] == closing["gaps"] == lost_before == 0,
        "no record was stray or malformed": closing["stray"] == closing["malformed"] == 0,
        "no run of a program was skipped": all(hook["missed"] == 0 for hook in closing["hooks"]),
        "swaps are counted": closing["swaps"] == arguments.swaps and closing["refusals"] == {},
        f"the load made {FLOOR:,} calls/s": rate >= FLOOR or arguments.slow,
    }
    return verdict(checks)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder with ksc, kubesentryd and swap_load")
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--flips", type=int, help="swap so often between two bundles that stay loaded")
    parser.add_argument("--spawns-per-second", type=int, default=100)
    parser.add_argument("--events-per-second", type=int, default=2000)
    parser.add_argument("--calls-per-second", type=int, default=300_000, help="at most; the load sleeps when it is ahead")
    parser.add_argument("--slow", action="store_true", help="do not ask for 100,000 system calls a second")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ks-swap-"))
    try:
        return (flip if arguments.flips else run)(arguments, folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
