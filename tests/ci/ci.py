#!/usr/bin/env python3
"""tools/ci as it is used: the action's steps by what stands in action.yml, in an environment as a runner gives it; the hooks in a
git repository of their own, by git itself and by pre-commit."""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CI = ROOT / "tools" / "ci"
INPUTS = ROOT / "tests" / "lit" / "replay" / "Inputs"
GOOD = """ksp 1
package p

rule shell "A shell" {
  severity high
  on exec where process.name == "sh"
  alert "{process.name}"
}

test shell {
  case "fires" {
    exec { process: { name: "sh" } }
    expect alert
  }
  case "is quiet" {
    exec { process: { name: "bash" } }
    expect quiet
  }
}
"""


def fail(what):
    print(f"FAIL: {what}")
    sys.exit(1)


def parse_file(path):
    """Of $GITHUB_OUTPUT and $GITHUB_ENV: NAME=VALUE lines."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines()) if path.exists() else {}


def run_action(tmp, given):
    """→ (exit status, what it printed, outputs, summary). Steps run as a composite action's do: until one fails."""
    action = yaml.safe_load((CI / "action.yml").read_text())
    if action["runs"]["using"] != "composite" or set(given) - set(action["inputs"]):
        fail(f"action.yml is no composite action with the inputs {set(given)}")
    inputs = {name: given.get(name, row.get("default", "")) for name, row in action["inputs"].items()}
    used, outputs, env, printed, status = set(), {}, {}, "", 0

    def fill(text):
        def value(found):
            used.add(found[1])
            return inputs[found[1]]
        return re.sub(r"\$\{\{ inputs\.(\w+) \}\}", value, text)

    summary = tmp / "summary"
    summary.write_text("")
    for number, step in enumerate(action["runs"]["steps"]):
        files = {"GITHUB_ENV": tmp / f"env{number}", "GITHUB_OUTPUT": tmp / f"out{number}"}
        for file in files.values():
            file.write_text("")
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp), "RUNNER_TEMP": str(tmp), "GITHUB_ACTION_PATH": str(CI),
                       "GITHUB_STEP_SUMMARY": str(summary), **{name: str(file) for name, file in files.items()}, **env,
                       **{name: fill(text) for name, text in step.get("env", {}).items()}}
        if step["shell"] != "bash":
            fail(f"the step {step['name']} names no shell that is known here")
        done = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]], env=environment, cwd=tmp,
                              capture_output=True, text=True)
        printed += done.stdout
        env.update(parse_file(files["GITHUB_ENV"]))
        if "id" in step:
            outputs[step["id"]] = parse_file(files["GITHUB_OUTPUT"])
        if done.returncode:
            status = done.returncode
            break
    if status == 0 and used != set(inputs):
        fail(f"action.yml: no step uses {set(inputs) - used}")
    values = {}
    for name, row in action["outputs"].items():
        step, _, key = re.fullmatch(r"\$\{\{ steps\.(\w+)\.(outputs)\.(\w+) \}\}", row["value"]).groups()
        values[name] = outputs.get(step, {}).get(key)
    return status, printed, values, summary.read_text()


def check_action(ksc, tmp):
    (tmp / "rules").mkdir()
    (tmp / "rules" / "p.ksp").write_text(GOOD)
    status, printed, outputs, summary = run_action(tmp, {"ksc": str(ksc)})
    if status or "::" in printed or summary.count("passed") != 2 or '"results":[]' not in pathlib.Path(outputs["sarif"]).read_text():
        fail(f"the action on what is fine: {status} {printed} {summary}")
    if 'tests="2" failures="0"' not in pathlib.Path(outputs["junit"]).read_text():
        fail("the action: junit does not hold two tests that passed")

    # A test that fails, on its line.
    (tmp / "rules" / "p.ksp").write_text(GOOD.replace('name: "bash"', 'name: "sh"'))
    status, printed, outputs, summary = run_action(tmp, {"ksc": str(ksc)})
    if status != 1 or not re.search(r"^::error file=rules/p\.ksp,line=17,.*title=p\.shell%3A is quiet::", printed, re.M):
        fail(f"the action on a test that fails: {status} {printed}")
    if "**failed** (1)" not in summary or not outputs["junit"]:
        fail(f"the action on a test that fails: {summary}")

    # A recording whose alerts are as expected, and not; paths with blanks.
    (tmp / "rules" / "p.ksp").write_text(GOOD)
    rules, kst, expect = tmp / "the rules", tmp / "a b.kst", tmp / "expected.jsonl"
    rules.mkdir()
    shutil.copy(INPUTS / "policy.ksp", rules)
    subprocess.run([sys.executable, INPUTS / "kst.py", INPUTS / "opens.json", kst], check=True)
    expect.write_bytes(subprocess.run([ksc, "replay", rules, kst, "--format", "json"], check=True, capture_output=True).stdout)
    given = {"ksc": str(ksc), "rules": "rules\nthe rules\n", "traces": str(kst), "expect": str(expect), "strict": "false"}
    status, printed, _, summary = run_action(tmp, given)
    if status or summary.count("passed") != 3:
        fail(f"the action with a recording: {status} {printed} {summary}")
    expect.write_text("".join(expect.read_text().splitlines(True)[1:]))
    status, printed, _, _ = run_action(tmp, given)
    if status != 1 or not re.search(r"^::error file=the rules/policy\.ksp,line=\d+,.*not expected", printed, re.M):
        fail(f"the action with an alert that is not expected: {status} {printed}")

    # What is no fault of the rules is said as well.
    status, printed, _, _ = run_action(tmp, {**given, "traces": "none.kst"})
    if status != 3 or "::error title=ksc replay::exit status 3" not in printed:
        fail(f"the action with a recording that is not there: {status} {printed}")
    status, printed, _, _ = run_action(tmp, {"ksc": "none"})
    if status != 3 or "::error title=ksc::there is no none" not in printed:
        fail(f"the action with a ksc that is not there: {status} {printed}")


def check_hooks(ksc, tmp):
    repository = tmp / "repository"
    repository.mkdir()
    env = {"PATH": f"{ksc.parent}:{os.environ['PATH']}", "HOME": str(tmp), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8",
           "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@localhost", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@localhost"}

    def run(*words, cwd=repository):
        done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def commit(text, status, says=""):
        (repository / "rules" / "p.ksp").write_text(text)
        run("git", "add", "-A")
        got, said = run("git", "commit", "-qm", "m")
        if (got != 0) != (status != 0) or says not in said:
            fail(f"git commit: {got} {said}")

    run("git", "init", "-q")
    (repository / "rules").mkdir()
    (repository / ".git" / "hooks").mkdir(exist_ok=True)
    (repository / ".git" / "hooks" / "pre-commit").symlink_to(CI / "pre-commit")
    commit(GOOD, 0)
    commit(GOOD.replace("  severity", "   severity"), 1, "ksc fmt")
    commit(GOOD.replace("process.name ==", "process.nam =="), 1, "K0202")
    commit(GOOD.replace('name: "bash"', 'name: "sh"'), 1, "expected no alert")
    # What is committed counts, not what lies in the folder.
    commit(GOOD.replace("A shell", "The shell"), 0)
    (repository / "rules" / "p.ksp").write_text(GOOD)
    run("git", "add", "-A")
    (repository / "rules" / "p.ksp").write_text("no policy at all")
    if run("git", "commit", "-qm", "m")[0]:
        fail("git commit: what is not staged is judged")
    # Nothing runs for what is no policy.
    run("git", "checkout", "-q", "rules")
    (repository / "README").write_text("x")
    env["KSC"] = "/nowhere/ksc"
    run("git", "add", "-A")
    if (got := run("git", "commit", "-qm", "m"))[0]:
        fail(f"git commit of a README: {got}")
    del env["KSC"]

    # The same by pre-commit, from a repository that holds its table.
    hooks = tmp / "hooks"
    hooks.mkdir()
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", hooks)
    run("git", "init", "-q", cwd=hooks)
    run("git", "add", "-A", cwd=hooks)
    run("git", "commit", "-qm", "m", cwd=hooks)
    for text, wanted in ((GOOD, {"fmt": "Passed", "check": "Passed", "test": "Passed"}),
                         (GOOD.replace("  severity", "   severity"), {"fmt": "Failed", "check": "Passed", "test": "Passed"}),
                         (GOOD.replace('name: "bash"', 'name: "sh"'), {"fmt": "Passed", "check": "Passed", "test": "Failed"})):
        (repository / "rules" / "p.ksp").write_text(text)
        run("git", "add", "-A")
        got, said = run("pre-commit", "try-repo", str(hooks), "--files", "rules/p.ksp")
        results = dict(re.findall(r"^ksc (\w+)\.+(Passed|Failed)", said, re.M))
        if results != wanted:
            fail(f"pre-commit: {got} {said}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    ksc = parser.parse_args().bin.resolve() / "ksc"
    with tempfile.TemporaryDirectory() as tmp:
        check_action(ksc, pathlib.Path(tmp))
    with tempfile.TemporaryDirectory() as tmp:
        check_hooks(ksc, pathlib.Path(tmp))
    print("ci: the action and the hooks do what they say")


if __name__ == "__main__":
    main()
