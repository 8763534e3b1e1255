#!/usr/bin/env python3
"""Opens a file, reaches an endpoint and runs a program in every way that may hide it, under the agent; prints a table of which
were told, by which rule, and asserts each row.

  evasion.py --bin DIR                         on this machine, with the tier that it grants
  evasion.py --bin DIR --tier tracepoint       on this machine, without trampolines
  evasion.py --bin DIR --vm 6.1 --tier auto    in a virtual machine
  options: --races N   of each kind of race (default: %(races)s)     --markdown FILE   the table, for docs/kernel.md

What is done is judged by the kernel's own word for it: the descriptor's inode and path, the socket's other end, the receiver of a
datagram, and whether the program ran. A row is right if the rule told it exactly as often as it was done, certainly, and with
the right inode and path; or if `ksc check` names the way as one past the rule (K0701, K0702), and, of io_uring, another rule told it. What
is in MISSED is neither, and is said to be missed.
Exit status 77 if this machine cannot run it.
"""
import argparse
import collections
import gzip
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
RACES = 10000
GROUP_RULE = {"open": "secret_opened", "connect": "secret_reached", "exec": "program_run"}
# Ways that a rule of their own sees, in either tier.
OTHER_RULE = {
    ("exec", "copy in memory"): "memory_run",
    ("exec", "by ld.so"): "program_opened",
    ("exec", "script"): "program_opened",
    ("exec", "script, symlink"): "program_opened",
    ("exec", "script, by its interpreter"): "program_opened",
}
# What a rule does not see, and no lint names.
MISSED = set()
# Ways past a rule in either tier that a lint names.
NAMED = {("connect", "UDP sendmmsg, second message"): "K0702"}
RACE_RULES = {"path": ("secret_opened", "decoy_opened"), "descriptor": ("secret_opened", "decoy_opened"),
              "address": ("secret_reached", "decoy_reached"), "datagram": ("secret_sent", "decoy_sent")}

Told = collections.namedtuple("Told", "rule time pid uncertain message")
Row = collections.namedtuple("Row", "group way done told verdict note")


def run(command, **how):
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True, **how).stdout


def build_policy(bin_folder, folder, there):
    """The bundle for a folder that is at `there` when it runs. Returns what the lints say without the rule on io_uring: rule → codes."""
    policy = (HERE / "policy.ksp").read_text().replace("FOLDER", there)
    (folder / "policy.ksp").write_text(policy)
    checked = subprocess.run([bin_folder / "ksc", "check", "--format", "json", folder / "policy.ksp"], capture_output=True, text=True)
    named = collections.defaultdict(set)
    for finding in map(json.loads, checked.stdout.splitlines()):
        for rule in ("secret_opened", "secret_reached", "secret_sent", "program_run"):
            if f"`{rule}`" in finding.get("message", ""):
                named[rule].add(finding["code"])
    (folder / "policy.ksp").write_text(policy + (HERE / "uring.ksp").read_text())
    run([bin_folder / "ksc", "bundle", "keygen", "-o", folder / "k.pem"])
    run([bin_folder / "ksc", "compile", folder / "policy.ksp", "-o", folder / "policy.kspb", "--key", folder / "k.pem"], stderr=subprocess.DEVNULL)
    return named


def result_in(folder):
    with gzip.open(folder / "result.gz", "rt") as file:
        return file.read().splitlines()


def act(arguments, folder):
    """Does it, here or there. Returns the lines of the result."""
    options = ["--tier", arguments.tier] if arguments.tier else []
    if not arguments.vm:
        run([HERE / "act.sh", arguments.bin, folder, arguments.races, *options])
        return result_in(folder)
    command = f"mkdir -p /tmp/evasion && cp /files/policy.kspb /files/k.pub /tmp/evasion && sh /files/act.sh /files /tmp/evasion {arguments.races} {' '.join(options)}"
    files = [arguments.bin / "kubesentryd", arguments.bin / "evade", HERE / "act.sh", folder / "policy.kspb", folder / "k.pub"]
    # An emulated processor makes some hundred races a second beside all else.
    done = subprocess.run([ROOT / "tools/vm", arguments.vm, "--timeout", str(180 + arguments.races // 20), "--run", command, "--files", *files, "--get", f"/tmp/evasion/result.gz:{folder}/result.gz"],
                          stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        print(done.stdout)
        raise SystemExit("evasion: the virtual machine failed")
    return result_in(folder)


class Result:
    def __init__(self, lines):
        self.done, self.told, self.letters, self.state, self.log = [], collections.defaultdict(list), {}, [], []
        for line in lines:
            kind, _, rest = line.partition(" ")
            if kind == "inode":
                self.inodes = dict(zip(("secret", "secreT", "program", "script"), rest.split()))
            elif kind == "done":
                group, way, pid, count, path = rest.split("\t")
                self.done.append((group, way, int(pid), int(count), path))
            elif kind == "told":
                told = Told(*rest.split("\t"))
                self.told[int(told.pid)].append(told)
            elif kind == "race":
                name, _, letters = rest.partition(" ")
                self.letters[name] = letters
            elif kind == "state":
                self.state.append(rest)
            elif kind == "log":
                self.log.append(rest)


def judge_way(result, tier, named, group, way, pid, done, path):
    if done == -2:
        return Row(group, way, "-", "-", "not here", "")
    if done <= 0:
        return Row(group, way, done, "-", "FAIL", "it could not be done")
    rule = OTHER_RULE.get((group, way), GROUP_RULE[group])
    if group == "connect" and way.startswith(("UDP s", "UDP i")):
        rule = "secret_sent"
    told = [alert for alert in result.told[pid] if alert.rule == rule]
    uring = [alert for alert in result.told[pid] if alert.rule == "uring_used"]
    if not told and "io_uring" in way:
        # With trampolines each operation is an event of its call's kind.
        good = tier == "tracepoint" and uring and "K0701" in named[rule]
        return Row(group, way, done, 0, "named" if good else "FAIL", f"K0701 of {rule}; uring_used told {len(uring)}")
    if not told and (group, way) in MISSED:
        return Row(group, way, done, 0, "missed", rule)
    if not told and NAMED.get((group, way)) in named[rule]:
        return Row(group, way, done, 0, "named", f"{NAMED[group, way]} of {rule}")
    wrong = []
    if len(told) != done:
        wrong.append(f"done {done} times")
    wrong += [f"uncertain: {alert.uncertain}" for alert in told if alert.uncertain]
    if group == "open":
        wanted = f"{result.inodes['secret']} {path}"
        wrong += [f"told as {alert.message}, is {wanted}" for alert in told if path and alert.message != wanted]
    return Row(group, way, done, len(told), "FAIL" if wrong else "caught", "; ".join([rule] + wrong))


def judge_race(result, tier, named, way, pid):
    """Alert by alert in the order of time: was it what the kernel took?"""
    secret, decoy = RACE_RULES[way]
    letters = result.letters[way].replace("-", "")
    told = sorted((alert for alert in result.told[pid] if alert.rule in (secret, decoy)), key=lambda alert: alert.time)
    if way == "descriptor":
        told = told[1:]  # the decoy is opened once, before
    seen = "".join("S" if alert.rule == secret else "D" for alert in told)
    wrong = abs(len(letters) - len(seen)) + sum(1 for a, b in zip(letters, seen) if a != b)
    for alert in told:
        if alert.rule.endswith("_opened") and way == "path":
            wrong += not alert.message.startswith(result.inodes["secret" if alert.rule == secret else "secreT"] + " ")
        wrong += bool(alert.uncertain)
    met = len(set(letters)) == 2 or way == "descriptor"
    note = f"{letters.count('S')} were the secret, {letters.count('D')} the decoy; {wrong} wrong values"
    if not met:
        return Row("race", way, len(letters), len(seen), "FAIL", note + "; the threads never met")
    if wrong == 0 and len(letters) > 0:
        return Row("race", way, len(letters), len(seen), "caught", note)
    # Without the kernel's own copies these two can be lost, and the lint says so.
    code = {"descriptor": "K0701", "datagram": "K0702"}.get(way)
    good = tier == "tracepoint" and code in named[secret]
    return Row("race", way, len(letters), len(seen), "named" if good else "FAIL", f"{note}; {code or 'no lint'} of {secret}")


def table(rows):
    yield f"| what | how | done | told | verdict | |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        yield f"| {row.group} | {row.way} | {row.done} | {row.told} | {row.verdict} | {row.note} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__ % {"races": RACES}, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--tier", choices=("auto", "tracepoint", "trampoline"))
    parser.add_argument("--vm", metavar="KERNEL")
    parser.add_argument("--races", type=int, default=int(os.environ.get("KS_RACES", RACES)))
    parser.add_argument("--markdown", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.bin = arguments.bin.resolve()
    if os.geteuid() != 0 or not pathlib.Path("/sys/kernel/btf/vmlinux").exists():
        print("evasion: skipped: needs root and a kernel with BTF")
        return 77
    if arguments.vm and not shutil.which("qemu-system-x86_64"):
        print("evasion: skipped: qemu-system-x86_64 is not installed")
        return 77
    # On a file system with names and handles, and not where rules take programs for dropped ones.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kubesentry-evasion.", dir="/var/lib"))
    try:
        named = build_policy(arguments.bin, folder, "/tmp/evasion" if arguments.vm else str(folder))
        result = Result(act(arguments, folder))
    finally:
        shutil.rmtree(folder)
    # The state says for which events there are trampolines, and for which not.
    tier = "trampoline" if any("trampolines for" in line and "not for" not in line for line in result.state) else "tracepoint"
    if arguments.tier == "trampoline" and tier != arguments.tier:
        raise SystemExit("evasion: the agent was to have trampolines, and has none")
    rows = []
    for group, way, pid, done, path in result.done:
        rows.append(judge_race(result, tier, named, way, pid) if group == "race" else judge_way(result, tier, named, group, way, pid, done, path))
    lines = list(table(rows))
    print("\n".join(lines))
    print("\n".join(line for line in result.log if line.startswith(("ready", "stopped"))))
    closing = identities.closing_of("\n".join(result.log))
    lost = identities.violated(closing) if closing else ["the agent did not say how it ended"]
    for wrong in lost:
        print(f"WRONG {wrong}")
    if arguments.markdown:
        arguments.markdown.write_text("\n".join(lines) + "\n")
    verdicts = collections.Counter(row.verdict for row in rows)
    print(f"evasion, {tier} tier{f' on {arguments.vm}' if arguments.vm else ''}: {verdicts['caught']} caught, {verdicts['named']} named by a lint, {verdicts['missed']} missed, "
          f"{verdicts['not here']} not to be had here, {verdicts['FAIL']} failed")
    return 1 if verdicts["FAIL"] or not rows or lost else 0


if __name__ == "__main__":
    sys.exit(main())
