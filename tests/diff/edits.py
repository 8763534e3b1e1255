#!/usr/bin/env python3
"""Edits of rules of the standard library, and what `ksc diff --prove` has to say of each: the verdict, and a test that is run here
with both rules: it passes beside the new one, and fails beside the old one.

  edits.py KSC STDLIB [CORPUS]     CORPUS: recordings, for what the edits change there; without it that part is said to be skipped
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

# what is edited, rule, file, before → after, the verdict
EDITS = [
    ("a widened set", "authorized_keys_write", "files.ksp",
     '"*/.ssh/authorized_keys2"]', '"*/.ssh/authorized_keys2", "*/.ssh/rc"]', "wider"),
    ("a narrowed window", "mass_rename", "counts.ksp",
     "when count >= 20 by process within 30s", "when count >= 20 by process within 10s", "narrower"),
    ("reordered conjuncts", "shell_connect", "network.ksp",
     "shell(process) and dst.ip not in private_nets", "dst.ip not in private_nets and shell(process)", "equal"),
    ("a new exception", "process_write", "privilege.ksp",
     "process_vm_writev and result == ok and process.exe not in debuggers",
     'process_vm_writev and result == ok and process.exe not in debuggers\n  except "ours" where process.exe under "/opt/probe" owner "us"',
     "narrower"),
    ("De Morgan", "shell_output_connection", "network.ksp",
     "shell(process) and output_is_connection(process) and not stdin_is_connection(process)",
     "shell(process) and not (stdin_is_connection(process) or not output_is_connection(process))", "equal"),
    ("a lower threshold", "mass_deletion", "counts.ksp",
     "when count >= 500 by process", "when count >= 400 by process", "wider"),
    ("a glob made of a prefix", "sshd_config_write", "persistence.ksp",
     'file.path under ["/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d"]',
     'file.path like ["/etc/ssh/sshd_config/*", "/etc/ssh/sshd_config.d/*"]', "narrower"),
    ("a dropped conjunct", "module_load", "privilege.ksp",
     "syscall in [init_module, finit_module]\n    and result == ok", "syscall in [init_module, finit_module]", "wider"),
    ("a coarser key", None, "counts.ksp",
     "by process.session, container.id within 60s", "by process.session within 60s", "wider"),
    ("the severity only", "setuid_root", "privilege.ksp", "severity critical\n  attack   T1548.001", "severity high\n  attack   T1548.001", "equal"),
    ("another element of a set", "kexec_load", "privilege.ksp", '"/usr/sbin/kdump-config", ', '"/usr/sbin/kdump-tools", ', "incomparable"),
    ("an added conjunct", "scratch_exec", "execution.ksp",
     "process.exe under scratch_dirs\n  alert", "process.exe under scratch_dirs and process.uid != 0\n  alert", "narrower"),
    ("a wider exemption", "memfd_exec", "execution.ksp", "\n      and process.euid == 0\n", "\n", "narrower"),
    ("a shorter window of a sequence", "token_then_api", "chains.ksp",
     "sequence by process within 1m {\n    read:", "sequence by process within 30s {\n    read:", "narrower"),
    ("a wider step of a sequence", "token_then_api", "chains.ksp",
     "call: connect where dst.port in [443, 6443]", "call: connect where dst.port in [443, 6443, 8443]", "wider"),
]


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rows(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_beside(ksc, policy, test, name, folder):
    """How `ksc test` ends with the witness put into the rule's file."""
    file = folder / name
    file.write_text(policy + "\n" + test)
    rule = test.split()[1]
    return run(ksc, "test", str(file), "--rule", rule, "--case", "since the change").returncode


def main():
    ksc, stdlib = sys.argv[1:3]
    corpus = sys.argv[3] if len(sys.argv) > 3 and pathlib.Path(sys.argv[3]).is_dir() else None
    failures = []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for what, rule, file, before, after, wanted in EDITS:
            old = (pathlib.Path(stdlib) / "rules" / file).read_text()
            if old.count(before) != 1:
                failures.append(f"{what}: the text to edit stands {old.count(before)} times in {file}")
                continue
            new = old.replace(before, after)
            paths = []
            for side, text in (("old", old), ("new", new)):
                folder = scratch / side
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                (folder / file).write_text(text)
                paths.append(str(folder / file))
            command = [ksc, "diff", *paths, "--prove", "--format", "json"]
            result = run(*command, *(["--corpus", corpus] if corpus else []))
            said = rows(result.stdout)
            proofs = [row for row in said if row["type"] == "proof" and not row["same_words"]]
            edited = proofs if proofs else [row for row in said if row["type"] == "proof" and row["rule"].endswith("." + str(rule))]
            if len(edited) != 1:
                failures.append(f"{what}: {len(edited)} rules are said to differ\n{result.stdout}{result.stderr}")
                continue
            proof = edited[0]
            corpus_says = "; ".join(f"{row['rule'].split('.')[-1]} {row['alerts_before']}→{row['alerts_after']}"
                                    for row in said if row["type"] == "rule")
            print(f"{what:32} {proof['rule'].split('.')[-1]:26} {proof['verdict']:13} {corpus_says}", flush=True)
            if proof["verdict"] != wanted:
                failures.append(f"{what}: {proof['verdict']}, and should be {wanted}: {json.dumps(proof)}")
            for side, ways in (("lost", ("narrower", "incomparable")), ("gained", ("wider", "incomparable"))):
                shown = proof[side].get("shown")
                if shown != (wanted in ways):
                    failures.append(f"{what}: {side} is {'' if shown else 'not '}shown")
                if not shown:
                    continue
                test = proof[side]["test"]
                at_new = test_beside(ksc, new, test, file, scratch / "new")
                at_old = test_beside(ksc, old, test, file, scratch / "old")
                if (at_new, at_old) != (0, 1):
                    failures.append(f"{what}: the witness ends with {at_new} beside the new rule and {at_old} beside the old one\n{test}")
            finding = any(row["type"] == "proof" and row["lost"].get("shown") for row in said) or any(row.get("rules_lost") for row in said)
            if result.returncode != int(finding):
                failures.append(f"{what}: exit status {result.returncode}\n{result.stderr}")
    if not corpus:
        print("skipped: what the edits change on recordings, for there is no corpus beside the project")
    for failure in failures:
        print("FAILED", failure)
    print(f"{len(EDITS)} edits, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
