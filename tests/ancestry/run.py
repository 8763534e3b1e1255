#!/usr/bin/env python3
"""Whoever made a process is its parent in alerts, also after its end: orphans of many kinds tell who made them.

  run.py BIN [--kernel host --kernel 5.10 …]

BIN: folder with ksc, kubesentryd and ancestry_acts. `host` is this kernel; others are booted by tools/vm, with so few process ids
that one is used again. Exit status: 0 all as expected, 1 something is wrong, 77 nothing could run here.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import identities  # noqa: E402

KERNELS = ["host", "5.10", "6.1", "7"]
ACTS = ["double", "killed", "grand", "clone_parent", "daemon", "gap"]
FLOOD = 10000  # forkers; 8192 are kept
FOLDER = "/var/lib/ks-ancestry/"


def run(command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


def make_folder(bin_folder, folder):
    for name, source in (("kubesentryd", bin_folder / "kubesentryd"), ("acts", bin_folder / "ancestry_acts"), ("inside.sh", HERE / "inside.sh")):
        shutil.copy(source, folder / name)
    made = run([bin_folder / "ksc", "bundle", "keygen", "-o", folder / "key.pem"])
    if made.returncode == 0:
        made = run([bin_folder / "ksc", "compile", HERE / "ancestry.ksp", "-o", folder / "ancestry.kspb", "--key", folder / "key.pem"])
    if made.returncode != 0:
        sys.exit(f"ancestry: {made.stderr}")
    (folder / "key.pub").rename(folder / "trust.pub")
    (folder / "key.pem").unlink()


def judge(output, acts):
    """What is wrong, a line each; and how many marks were right."""
    wrong, right = [], 0
    alerts = {}
    for line in output.splitlines():
        if line.startswith("alert "):
            alert = json.loads(line[6:])
            mark = alert["message"].split()[0].removeprefix(FOLDER)
            # After a kill an alert may be told again, with its id.
            alerts.setdefault((alert["rule"].removeprefix("ancestry."), mark), {})[alert["id"]] = alert
    log = "\n".join(line[4:] for line in output.splitlines() if line.startswith("log "))
    closing = identities.closing_of(log)
    wrong += identities.violated(closing) if closing else ["the agent did not say how it ended: " + log[-500:]]
    expected = dict(line.split()[1:2] + [line.split()[2:]] for line in output.splitlines() if line.startswith("expect "))
    for act in ["before", *acts]:
        mark = act.split("=")[0]
        if mark not in expected:
            wrong.append(f"{mark}: it was not done: " + " ".join(line for line in output.splitlines() if line.startswith("failed")))
            continue
        pid, name, uid, exe, below = expected[mark]
        marks_of, below_of = (list(alerts.get((rule, mark), {}).values()) for rule in ("marks", "below"))
        if len(marks_of) != 1:
            wrong.append(f"{mark}: {len(marks_of)} alerts")
            continue
        alert = marks_of[0]
        told = alert["message"].split(" ", 1)[1]
        said = f"{pid} {name} {uid} {exe}"
        # Without room for all, what is not known may be missing, but nothing may be another's.
        known = not alert["uncertain"] if mark != "flood" else False
        if known or mark != "flood":
            fine = told == said and known and (len(below_of) == (below == "yes")) and not any(one["uncertain"] for one in below_of)
        else:
            parts = told.split()
            fine = parts[0] == pid and all(got in (want, "?") or got.startswith("(") or got == "<unknown>" for got, want in zip(parts[1:], said.split()[1:])) and len(below_of) == 1
        if fine:
            right += 1
            if mark == "flood":
                print(f"  after the flood: {told}; descends: " + ("uncertain" if below_of[0]["uncertain"] else "known"))
        else:
            wrong.append(f"{mark}: {told!r} instead of {said!r}, uncertain {alert['uncertain']}; {len(below_of)} below ks-top, "
                         f"uncertain {[one['uncertain'] for one in below_of]}")
    return wrong, right


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--kernel", action="append", choices=KERNELS)
    arguments = parser.parse_args()
    kernels = arguments.kernel or KERNELS
    outputs = {}
    with tempfile.TemporaryDirectory(prefix="ks-ancestry.", dir="/var/tmp") as scratch:
        folder = pathlib.Path(scratch) / "m"
        folder.mkdir()
        make_folder(arguments.bin.resolve(), folder)
        if "host" in kernels:
            if os.geteuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux"):
                print("ancestry: skipped: the host: needs root and a kernel with BTF")
            else:
                acts = [*ACTS, f"flood={FLOOD}"]
                outputs["host"] = run(["unshare", "-m", "--propagation", "private", "sh", folder / "inside.sh", "0", *acts]).stdout, acts
        guests = [kernel for kernel in kernels if kernel != "host"]
        if guests and not shutil.which("qemu-system-x86_64"):
            print("ancestry: skipped: guests: qemu-system-x86_64 is not installed")
        elif guests:
            acts = [*ACTS, "reuse"]
            logs = folder.parent / "logs"
            run([ROOT / "tools/vm", *guests, "--run", "cd /m && sh ./inside.sh 400 " + " ".join(acts), "--files", f"{folder}:/m", "--logs", logs])
            for kernel in guests:
                log = logs / f"{kernel}.log"
                text = log.read_text(errors="replace").replace("\r", "") if log.exists() else ""
                outputs[kernel] = "\n".join(line.strip() for line in text.splitlines()), acts
    if not outputs:
        sys.exit(77)
    passed = failed = 0
    for kernel, (output, acts) in outputs.items():
        wrong, right = judge(output, acts)
        passed += right
        failed += len(wrong)
        print("\n".join([f"{kernel}: {right} as expected", *("  WRONG " + one for one in wrong)]))
    print(f"ancestry: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
