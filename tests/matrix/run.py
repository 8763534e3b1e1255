#!/usr/bin/env python3
"""Every event kind, on every kernel, in every tier: a program causes it, and the alert has the right fields.

  run.py BIN [--kernel host --kernel 5.10 …] [--table FILE]

BIN: folder with ksc, kubesentryd and matrix_cause. `host` is this kernel; others are booted by tools/vm. Default: all that are
promised. What matrix.ksp asks of each event is asserted: exactly one alert (fork: at least one), nothing uncertain in it. A kind
of the table that cause.c does not know fails. Exit status: 0 all, 1 something is wrong, 77 nothing could run here.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import identities  # noqa: E402
KERNELS = ["host", "5.10", "6.1", "6.12", "7"]
TIERS = ["tracepoint", "trampoline"]
# From Linux 7 on a preempted program makes the kernel skip, and count, what others do on its CPU. Counted skips are no wrong field.
TRIES = 3
OK, GONE, WRONG = "ok", "not there", "FAIL"


def run(command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)


def make_folder(bin_folder, folder):
    """The files of one run: what inside.sh needs."""
    for name, source in (("kubesentryd", bin_folder / "kubesentryd"), ("cause", bin_folder / "matrix_cause"), ("inside.sh", HERE / "inside.sh")):
        shutil.copy(source, folder / name)
    made = run([bin_folder / "ksc", "bundle", "keygen", "-o", folder / "key.pem"])
    if made.returncode == 0:
        made = run([bin_folder / "ksc", "compile", HERE / "matrix.ksp", "-o", folder / "matrix.kspb", "--key", folder / "key.pem"])
    if made.returncode != 0:
        sys.exit(f"matrix: {made.stderr}")
    (folder / "key.pub").rename(folder / "trust.pub")
    (folder / "key.pem").unlink()


def on_host(folder, tiers):
    return run([folder / "inside.sh", *tiers]).stdout


def in_vms(kernels, folder, tiers):
    """kernel → output. All at once, as many at a time as tools/vm sees fit."""
    logs = folder.parent / "logs"
    done = run([ROOT / "tools/vm", *kernels, "--timeout", "400", "--run", "cd /m && sh ./inside.sh " + " ".join(tiers), "--files", f"{folder}:/m", "--logs", logs])
    outputs = {}
    for kernel in kernels:
        log = logs / f"{kernel}.log"
        outputs[kernel] = log.read_text(errors="replace").replace("\r", "") if log.exists() else ""
    if done.returncode not in (0, 1):
        print(done.stdout + done.stderr, file=sys.stderr)
    return outputs


def judge(output, tier, kinds):
    """kind → (state, why), and how many runs the kernel skipped."""
    lines = [line[len(tier) + 1 :] for line in output.splitlines() if line.startswith(tier + " ")]
    alerts, causes = {}, {}
    for line in lines:
        if line.startswith("alert "):
            try:
                alert = json.loads(line[6:])
                alerts.setdefault(alert["rule"].removeprefix("sees_"), []).append(alert)
            except (ValueError, KeyError):
                return {kind: (WRONG, f"not an alert: {line[:200]}") for kind in kinds}, 0
        elif match := re.match(r"(caused|cannot) (\w+)(?:: (.*))?", line):
            causes[match[2]] = match[3] or OK
    skipped = int((re.findall(rf"^{tier} log .*the kernel skipped .* (\d+) in all", output, re.M) or [0])[-1])
    log = " | ".join(line[4:] for line in lines if line.startswith("log "))
    closing = identities.closing_of("\n".join(line[4:] for line in lines if line.startswith("log ")))
    if lost := identities.violated(closing) if closing else ["the agent did not say how it ended"]:
        return {kind: (WRONG, "; ".join(lost)) for kind in kinds}, skipped
    result = {}
    for kind in kinds:
        got = alerts.get(kind, [])
        if kind not in causes:
            result[kind] = (WRONG, f"nothing caused it; {log[-300:]}")
        elif causes[kind] != OK:
            result[kind] = (GONE, causes[kind])
        elif not got or (len(got) != 1 and kind not in ("fork", "io_uring_setup")):
            result[kind] = (WRONG, f"{len(got)} alerts; the kernel skipped {skipped} runs")
        elif got[0]["uncertain"]:
            result[kind] = (WRONG, "uncertain: " + ", ".join(got[0]["uncertain"]))
        else:
            result[kind] = (OK, "")
    return result, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--kernel", action="append", choices=KERNELS)
    parser.add_argument("--tier", action="append", choices=TIERS, help="default: all; the host's kernel may refuse trampolines")
    parser.add_argument("--table", type=pathlib.Path, help="write the table there, as Markdown")
    arguments = parser.parse_args()
    kernels = arguments.kernel or KERNELS
    tiers = arguments.tier or TIERS
    listed = run([arguments.bin / "ksc", "schema", "--format", "json"])
    kinds = list(dict.fromkeys(json.loads(line)["event"] for line in listed.stdout.splitlines()))

    columns = {}
    with tempfile.TemporaryDirectory(prefix="ks-matrix.", dir="/var/tmp") as scratch:
        folder = pathlib.Path(scratch) / "m"
        folder.mkdir()
        make_folder(arguments.bin.resolve(), folder)
        if "host" in kernels:
            if os.geteuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux"):
                print("matrix: skipped: the host: needs root and a kernel with BTF")
            else:
                output = on_host(folder, tiers)
                for tier in tiers:
                    refused = re.search(rf"^{tier} log .*use trampolines.*", output, re.M)
                    if refused:
                        print(f"matrix: skipped: {refused[0]}")
                    else:
                        columns["host", tier], _ = judge(output, tier, kinds)
        guests = [kernel for kernel in kernels if kernel != "host"]
        if guests and not shutil.which("qemu-system-x86_64"):
            print("matrix: skipped: guests: qemu-system-x86_64 is not installed")
        elif guests:
            for kernel, output in in_vms(guests, folder, tiers).items():
                for tier in tiers:
                    column, skipped = judge(output, tier, kinds)
                    for attempt in range(TRIES - 1):
                        wrong = [why for state, why in column.values() if state == WRONG]
                        # Only an alert that is not there can be a skip's doing.
                        if not skipped or not wrong or not all(why.startswith("0 alerts") for why in wrong):
                            break
                        print(f"matrix: {kernel}, {tier}: the kernel skipped {skipped} runs, and said so; once more")
                        column, skipped = judge(in_vms([kernel], folder, [tier])[kernel], tier, kinds)
                    columns[kernel, tier] = column
    if not columns:
        sys.exit(77)

    heads = [f"{kernel} {tier}" for kernel, tier in columns]
    rows = [f"| event | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    rows += [f"| `{kind}` | {' | '.join(column[kind][0] for column in columns.values())} |" for kind in kinds]
    print("\n".join(rows))
    if arguments.table:
        arguments.table.write_text("\n".join(rows) + "\n")
    passed = failed = 0
    for (kernel, tier), column in columns.items():
        for kind, (state, why) in column.items():
            passed += state != WRONG
            failed += state == WRONG
            if state != OK:
                print(f"  {state} {kind} on {kernel}, {tier}: {why}")
    print(f"matrix: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
