#!/usr/bin/env python3
"""Swaps two bundles under load and looks for events that were missed or decided twice.

  swap.py --bin FOLDER [--swaps N] [--events-per-second N] [--calls-per-second N]

Exit status: 0 fine, 1 not, 77 no BPF here.

The load (swap_load) makes numbered events. Two bundles with one rule each that asks for them take turns: each is renamed
over the watched file as soon as the agent said that it swapped to the other. In the end every number must be in the alerts
exactly once, and the counters must add up without a remainder.
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
        load = subprocess.Popen([bin_folder / "swap_load", str(arguments.events_per_second),
                                 str(arguments.calls_per_second)], stdout=subprocess.PIPE)
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
        load.send_signal(signal.SIGTERM)
        made = json.loads(load.communicate(timeout=60)[0])
        rss = agent.rss_kib()
        closing = agent.stop()
    finally:
        if load and load.poll() is None:
            load.kill()
        agent.kill()

    # What the agent said of the numbers.
    seen = collections.Counter()
    by_bundle = collections.Counter()
    lost_before = 0
    with open(alerts_path) as file:
        for line in file:
            alert = json.loads(line)
            if alert["process"]["pid"] not in made["pids"]:
                continue  # somebody else's numbers
            seen[alert["target"]["uid"]] += 1
            by_bundle[alert["package"]] += 1
            lost_before += alert["lost_before"]
    wanted = range(made["first"], made["first"] + made["events"])
    missing = sum(1 for number in wanted if number not in seen)
    doubled = sum(1 for count in seen.values() if count > 1)
    strange = sum(1 for number in seen if number not in wanted)
    rate = made["calls"] / made["seconds"]

    print(f"{arguments.swaps} swaps in {seconds:.1f} s under {rate:,.0f} system calls/s; "
          f"a swap takes {percentile(latencies, 0.5) * 1000:.0f} ms (median), {percentile(latencies, 0.99) * 1000:.0f} ms "
          f"(99 %), {max(latencies) * 1000:.0f} ms (longest)")
    print(f"{made['events']} numbered events: {missing} missed, {doubled} doubled, {strange} that nobody made; "
          + ", ".join(f"{count} decided by {name}" for name, count in sorted(by_bundle.items())))
    print(f"closing counters: {closing['seen']} seen = {closing['filtered']} filtered + {closing['limited']} limited + "
          f"{closing['submitted']} submitted + {closing['dropped']} dropped; {closing['received']} received, "
          f"{closing['lost']} lost, {closing['stray']} stray, {closing['malformed']} malformed; RSS {rss} KiB")

    checks = {
        "every number is in the alerts": missing == 0,
        "no number is there twice": doubled == 0,
        "no other number is there": strange == 0,
        "every numbered call failed as it should": made["wrong"] == 0,
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
    for check, good in checks.items():
        if not good:
            print(f"FAIL: {check}")
    return 0 if all(checks.values()) else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder with ksc, kubesentryd and swap_load")
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--events-per-second", type=int, default=2000)
    parser.add_argument("--calls-per-second", type=int, default=300_000, help="at most; the load sleeps when it is ahead")
    parser.add_argument("--slow", action="store_true", help="do not ask for 100,000 system calls a second")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ks-swap-"))
    try:
        return run(arguments, folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
