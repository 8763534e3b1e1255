#!/usr/bin/env python3
"""A flood that overruns the ring of context, and critical events beside it: all of them must alert, and every loss be counted.

  flood.py --bin FOLDER [--critical N] [--noisy PROCESSES]

Exit status: 0 fine, 1 not, 77 no BPF here. N critical events come 1 per ms (10,000 unless said otherwise), so that 100,000 take
100 s. The noise is the first step of a sequence that is never completed: no alert by itself, as fast as the processes go.
"""
import argparse
import collections
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "swap"))
from agent import Agent  # noqa: E402

POLICY = """ksp 1
package flood

allow K0312 "flood.py is their test"

rule critical "What must not be lost" {
  severity critical
  on setuid where result == failed and target.uid >= 1000000
  alert "{target.uid}"
}

rule chain "What is asked for as context" {
  severity info
  sequence by process.session within 1s {
    begin: setgid where result == failed and target.gid >= 1000000
    end:   exec where process.name == "ks-flood-never"
  }
  alert "{end.process.name}"
}

rule bystander "Asks for nothing of this" {
  severity info
  on mount where process.name == "ks-flood-never"
  alert "x"
}
"""


def run(arguments, folder):
    binaries = pathlib.Path(arguments.bin)
    (folder / "flood.ksp").write_text(POLICY)
    for command in (["bundle", "keygen", "-o", folder / "k.pem"],
                    ["compile", folder / "flood.ksp", "-o", folder / "flood.kspb", "--key", folder / "k.pem"]):
        subprocess.run([binaries / "ksc", *command], check=True, capture_output=True)
    agent = Agent(str(binaries / "kubesentryd"), str(folder / "flood.kspb"), str(folder / "k.pub"), str(folder / "alerts"),
                  str(folder / "status"))
    try:
        if agent.wait_for("ready") is None:
            failed = agent.said[-1] if agent.said else {}
            print(f"{'skipped: no BPF here' if failed.get('code') == 'kernel-permission' else 'FAIL: the agent did not start'}: {failed}")
            return 77 if failed.get("code") == "kernel-permission" else 1
        made = json.loads(subprocess.run([binaries / "flood_load", str(arguments.critical), str(arguments.noisy)],
                                         stdout=subprocess.PIPE, check=True, timeout=arguments.critical / 100 + 60).stdout)
        rss = agent.rss_kib()
        closing = agent.stop(seconds=60)  # asserts the identities
    finally:
        agent.kill()

    alerts = [json.loads(line) for line in (folder / "alerts").read_text().splitlines()]
    told = collections.Counter(alert["target"]["uid"] for alert in alerts if alert["process"]["pid"] == made["pid"])
    wanted = range(made["first"], made["first"] + made["critical"])
    counters = {c["kind"]: c for c in closing["counters"]}
    noise, rings = counters["setgid"], {ring["ring"]: ring for ring in closing["rings"]}
    notices = [said for said in agent.said if said["what"] == "lost"]
    announced = sum(said["records"] for said in notices)
    latest = max((said["rules_in_all"] for said in notices), default=0)

    print(f"{made['critical']:,} critical events in {made['seconds']:.1f} s beside {made['noise']:,} of noise "
          f"({made['noise'] / made['seconds']:,.0f}/s): {len(told):,} alerted, {made['critical'] - len(told)} missed")
    for name, ring in rings.items():
        print(f"ring of {name}: {ring['submitted']:,} submitted, {ring['received']:,} received, {ring['dropped']:,} dropped, "
              f"{ring['lost']:,} proved lost")
    print(f"{announced:,} records announced as lost in {len(notices)} notices; agent RSS {rss:,} KiB")

    kinds = {kind for said in notices for kind in said["kinds"]}
    checks = {
        "every critical event alerted once": all(told[number] == 1 for number in wanted) and len(told) == made["critical"],
        "the ring of context was overrun": rings["context"]["dropped"] > 0,
        "the ring of alerts lost nothing": rings["alerts"]["dropped"] == rings["alerts"]["lost"] == 0,
        "every call of the load failed as it should": made["wrong"] == 0,
        "every event of the noise was submitted or dropped": noise["submitted"] + noise["dropped"] == made["noise"],
        "every lost record was announced": announced == rings["context"]["dropped"] + rings["context"].get("unread", 0),
        "alerts carry what was lost before them": sum(a["lost_before"] for a in alerts) <= announced,
        f"only setgid was dropped, not {', '.join(sorted(kinds))}": kinds == {"setgid"},
        "only the chain may have missed": latest == 1 and all(
            said["ring"] == "context" and said["rules"] == ["flood.chain"] for said in notices),
        "the closing line names it": closing.get("may_have_missed") == ["flood.chain"],
    }
    for check, good in checks.items():
        if not good:
            print(f"FAIL: {check}")
    return 0 if all(checks.values()) else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder with ksc, kubesentryd and flood_load")
    parser.add_argument("--critical", type=int, default=10_000)
    parser.add_argument("--noisy", type=int, default=2, help="processes that make noise")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ks-flood-"))
    try:
        return run(arguments, folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
