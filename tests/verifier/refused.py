#!/usr/bin/env python3
"""Programs that the verifier must refuse, and how `ksc verify` and `kubesentryd run` tell it: by rule, condition and caret.

  refused.py BIN [--kernel host --kernel 5.10 …]      default: host, 5.10 and 7

BIN: folder with ksc, kubesentryd and make_refused. Exit status: 0 all as it must be, 1 not so, 77 nothing could run here.
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
KERNELS = ["host", "5.10", "6.1", "6.12", "7"]
EVERYWHERE = set(KERNELS)
OLD = {"5.10", "6.1", "6.12"}
# The policy's first condition that is decided is the one of the exec rule.
CONDITION = {"rule": "lab.never_matches", "condition": 'process.name == "never"', "file": "refused.ksp", "text": '  on exec where process.name == "never"'}
# Bundle → why, a word of the verifier's, whether a place is named, kernels that must refuse it, kernels that must take it.
CASES = {
    "endless-loop": ("endless-loop", "infinite loop", True, EVERYWHERE, set()),
    "out-of-bounds": ("out-of-bounds", "unbounded memory access", True, EVERYWHERE, set()),
    "missing-null-test": ("null-pointer", "map_value_or_null", True, EVERYWHERE, set()),
    "too-many-steps": ("too-complex", "too large", True, EVERYWHERE, set()),
    "wrong-helper": ("helper", "bpf_skb_load_bytes#26", True, EVERYWHERE, set()),
    "new-helper": ("helper", "unknown#208", True, {"5.10"}, {"6.12", "7"}),
    "too-much-stack": ("stack", "combined stack size", False, {"5.10"}, set()),
    "none": (None, None, False, set(), EVERYWHERE),
}


def run(command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)


def many_rules(path, count):
    """A policy whose rules are decided by tables."""
    rules = "".join(f'rule r{i} "R" {{\n  severity low\n  on open where file.path under "/srv/{i}"\n  alert "x"\n}}\n' for i in range(count))
    path.write_text("ksp 1\npackage lab\n" + rules)


def judge(answer, folder):
    """What is wrong with one answer; "" if nothing."""
    name = pathlib.Path(answer["bundle"]).stem
    kernel = answer["kernel"]
    if name == "table":
        wanted = {"why": "out-of-bounds", "doing": "event open: table of 70 rules: file.path"}
        if answer["loads"] or "rule" in answer or not answer["doing"].startswith(wanted["doing"]) or answer["why"] != wanted["why"]:
            return f"of a table must be said {wanted}, and no rule"
        return ""
    why, word, placed, refuse, take = CASES[name]
    if answer["loads"]:
        return f"{kernel} must refuse it" if kernel in refuse else ""
    if kernel in take:
        return f"{kernel} must take it"
    if answer["code"] != "kernel-verifier" or answer["why"] != why or word not in answer["said"]:
        return f"must be {why} with the words {word!r}"
    log = pathlib.Path(answer.get("log_file", "none"))
    if not log.is_file() or word not in log.read_text() or log.stat().st_mode & 0o77:
        return f"no log in {log}, or others may read it"
    for key, value in (CONDITION if placed else {}).items():
        if answer.get(key) != value:
            return f"{key} must be {value!r}"
    line = (HERE / answer["file"]).read_text().splitlines()[int(answer["line"]) - 1] if placed else ""
    if placed and line[int(answer["column"]) - 1 :] != answer["condition"]:
        return "the column is not the condition's"
    if not answer["meaning"] or not answer["advice"]:
        return "what it means and what to do must be said"
    return ""


def check_text(bin_folder, folder, trust):
    """As people see it, by ksc and by the agent. What is missing of it."""
    wrong = []
    bundle = folder / "out-of-bounds.kspb"
    caret = ['rule lab.never_matches, condition `process.name == "never"`', "--> refused.ksp:15:17",
             '15 |   on exec where process.name == "never"', "   |                 ^^^^^^^^^^^^^^^^^^^^^^^\n", "the verifier: R2 unbounded memory access"]
    told = run([bin_folder / "ksc", "verify", bundle, "--trust", trust])
    wrong += [f"ksc verify does not say {part!r}:\n{told.stdout}" for part in caret if part not in told.stdout]
    if told.returncode != 1:
        wrong.append(f"ksc verify ends with {told.returncode}")
    agent = run([bin_folder / "kubesentryd", "run", "--bundle", bundle, "--trust", trust, "--status-socket", folder / "s"],
                env=dict(os.environ, TMPDIR=str(folder)), timeout=60)
    log = folder / f"kubesentryd-verifier-{os.geteuid()}.log"
    for part in [*caret, f"the kernel's whole log: {log}"]:
        if part not in agent.stderr:
            wrong.append(f"kubesentryd does not say {part!r}:\n{agent.stderr}")
    if agent.returncode != 3 or "unbounded" not in log.read_text():
        wrong.append(f"kubesentryd ends with {agent.returncode}, or its log lacks the verifier's words")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--kernel", action="append", choices=KERNELS)
    arguments = parser.parse_args()
    kernels = arguments.kernel or ["host", "5.10", "7"]
    if "host" in kernels and (os.geteuid() != 0 or not os.path.exists("/sys/kernel/btf/vmlinux")):
        print("refused: skipped: the host: needs root and a kernel with BTF")
        kernels.remove("host")
    if not shutil.which("qemu-system-x86_64"):
        print("refused: skipped: machines: qemu-system-x86_64 is not installed")
        kernels = [kernel for kernel in kernels if kernel == "host"]
    if not kernels:
        sys.exit(77)
    bin_folder = arguments.bin.resolve()
    passed, wrong = 0, []
    with tempfile.TemporaryDirectory(prefix="ks-refused.") as scratch:
        folder = pathlib.Path(scratch)
        run([bin_folder / "ksc", "bundle", "keygen", "-o", folder / "key.pem"], check=True)
        trust = folder / "key.pub"
        run([bin_folder / "make_refused", HERE / "refused.ksp", folder / "key.pem", folder], check=True)
        (folder / "many").mkdir()
        many_rules(folder / "many.ksp", 70)
        run([bin_folder / "make_refused", folder / "many.ksp", folder / "key.pem", folder / "many", "out-of-bounds"], check=True)
        (folder / "many/out-of-bounds.kspb").rename(folder / "table.kspb")
        bundles = sorted(folder.glob("*.kspb"))
        if {bundle.stem for bundle in bundles} != {*CASES, "table"}:
            wrong.append(f"made {[bundle.stem for bundle in bundles]}, judged are {sorted(CASES)}")
        asked = [part for kernel in kernels for part in ("--kernel", kernel)]
        told = run([bin_folder / "ksc", "verify", *bundles, "--trust", trust, "--format", "json", *asked])
        answers = [json.loads(line) for line in told.stdout.splitlines()]
        if told.returncode != 1 or len(answers) != len(bundles) * len(kernels):
            sys.exit(f"refused: {len(answers)} answers, exit status {told.returncode}: {told.stderr}")
        for answer in answers:
            why = judge(answer, folder)
            passed += not why
            if why:
                wrong.append(f"{answer['bundle']} on {answer['kernel']}: {why}; it is {json.dumps(answer)}")
            if not answer["loads"]:
                print(f"  {pathlib.Path(answer['bundle']).stem:18} {answer['release']:24} {answer['said'][:80]}")
        if "host" in kernels:
            wrong += check_text(bin_folder, folder, trust)
    print("\n".join(wrong))
    print(f"refused: {passed} passed, {len(wrong)} failed")
    sys.exit(1 if wrong else 0)


main()
