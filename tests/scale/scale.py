#!/usr/bin/env python3
"""Ten thousand rules: compiled within time and memory, loaded, and the right ones alert, and no others.

  scale.py --bin FOLDER [--rules N] [--most-seconds S] [--most-mib M]

Beside the generated rules of a large site stand a few of the test's own, one for each way in which the kernel half looks
a value up, and the test does what each asks for, and what it almost asks for. Of the test's own processes and files
exactly the expected rules may alert, the generated ones included. Prints what compiling cost, and fails if that is more than what
is given. 77: no BPF here.
"""
import argparse
import json
import os
import pathlib
import resource
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/swap"))
from agent import Agent  # noqa: E402

SKIPPED = 77

# name, kind and condition; {d} is the test's folder, {p} a port, {u} the user.
RULES = [
    ("text", 'open where file.path == "{d}/exact/one.key"'),
    ("folder", 'open where file.path under "{d}/below/deep"'),
    ("negated", 'open where file.path under "{d}/negated" and file.path not in ["{d}/negated/innocent", "{d}/negated/other"]'),
    ("pattern", 'open where file.path like "{d}/patterns/*.pem"'),
    ("shape", 'open where file.path like "{d}/shapes/a*b?c"'),
    ("either", 'open where file.path == "{d}/either/a" or (file.path == "{d}/either/b" and access has WRITE)'),
    ("bits", 'open where access has WRITE and file.path == "{d}/bits/file"'),
    ("user", 'open where process.uid == {u} and file.path == "{d}/user/mine"'),
    ("nobody", 'open where process.uid == {v} and file.path == "{d}/user/mine"'),
    ("above", 'open where lower(file.path) == "{d}/above/file" and file.path under "{d}/above"'),
    ("texts", 'exec where process.args contains any ["--scale-{t}-one", "--scale-{t}-two"]'),
    ("port", "connect where dst.port == {p}"),
    ("block", "connect where dst.ip in [127.83.0.0/16] and dst.port in [{p}, 9]"),
]


def own_rules(names):
    text = "ksp 1\npackage own\n\n"
    for name, condition in RULES:
        for key, value in names.items():
            condition = condition.replace("{" + key + "}", str(value))
        text += f'rule {name} "{name}" {{\n  severity low\n  on {condition}\n  alert "{{process.name}}"\n}}\n\n'
    return text


def act(folder, names):
    """Does things; gives how often each own rule must alert."""
    expected = {name: 0 for name, _ in RULES}

    def opened(path, *rules, mode="r"):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            os.close(os.open(folder / "new", os.O_CREAT | os.O_RDONLY))  # made under a name that nobody asks for
            os.rename(folder / "new", file)
        os.close(os.open(file, os.O_RDWR if mode == "w" else os.O_RDONLY))
        for rule in rules:
            expected[rule] += 1

    for _ in range(3):
        opened("exact/one.key", "text")
        opened("exact/one.keys")
        opened("exact/one.ke")
        opened("below/deep/er/file", "folder")
        opened("below/deeper/file")
        opened("below/dee")
        opened("negated/innocent")
        opened("negated/guilty", "negated")
        opened("negated/others", "negated")
        opened("patterns/a.pem", "pattern")
        opened("patterns/deep/er/b.pem", "pattern")
        opened("patterns/a.pem.bak")
        opened("shapes/a12bxc", "shape")
        opened("shapes/a12bc")
        opened("either/a", "either")
        opened("either/b")
        opened("either/b", "either", mode="w")
        opened("bits/file")
        opened("bits/file", "bits", mode="w")
        opened("user/mine", "user")
        opened("above/FILE", "above")
        opened("above/other")
        opened("long/" + "x" * 200 + "/" + "y" * 200)

    def ran(*arguments, rules=()):
        subprocess.run(["/bin/true", *arguments], check=True)
        for rule in rules:
            expected[rule] += 1

    token = names["t"]
    ran(f"--scale-{token}-one=x", rules=["texts"])
    ran("a", f"b --scale-{token}-two", f"--scale-{token}-one", rules=["texts"])
    ran(f"--scale-{token}-three")
    ran("x" * 100, "y" * 100)
    ran("x" * 600, "y" * 600, rules=["texts"])  # what is cut off may hold it: an uncertain alert

    def connected(address, port, *rules):
        with socket.socket() as one:
            one.settimeout(1)
            try:
                one.connect((address, port))
            except OSError:
                pass
        for rule in rules:
            expected[rule] += 1

    connected("127.0.0.1", names["p"], "port")
    connected("127.83.7.1", names["p"], "port", "block")
    connected("127.84.7.1", names["p"], "port")
    connected("127.83.7.1", names["p"] + 1)
    return expected


def compile_rules(arguments, folder, names):
    rules = folder / "rules"
    subprocess.run([sys.executable, ROOT / "tools/house/generate_rules.py", str(arguments.rules), rules, "--varied"], check=True,
                   stdout=subprocess.DEVNULL)
    (rules / "own.ksp").write_text(own_rules(names))
    ksc = arguments.bin / "ksc"
    subprocess.run([ksc, "bundle", "keygen", "-o", folder / "key.pem"], check=True, stdout=subprocess.DEVNULL)
    begin = time.monotonic()
    done = subprocess.run([ksc, "compile", rules, "-o", folder / "scale.kspb", "--key", folder / "key.pem"], capture_output=True, text=True)
    seconds = time.monotonic() - begin
    kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    if done.returncode:
        sys.exit(f"FAILED: ksc compile: {done.stderr[-2000:]}")
    print(f"{arguments.rules} rules and {len(RULES)} own ones: {seconds:.1f} s, {kib // 1024} MiB, "
          f"a bundle of {(folder / 'scale.kspb').stat().st_size // 1024} KiB")
    wrong = []
    if arguments.most_seconds is not None and seconds >= arguments.most_seconds:
        wrong.append(f"compiling took {seconds:.1f} s, {arguments.most_seconds:g} s are the most")
    if arguments.most_mib is not None and kib >= arguments.most_mib << 10:
        wrong.append(f"compiling took {kib} KiB, {arguments.most_mib} MiB are the most")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--rules", type=int, default=10_000)
    parser.add_argument("--most-seconds", type=float, help="that compiling may take")
    parser.add_argument("--most-mib", type=int, help="of memory that compiling may take")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ks-scale-") as name:
        folder = pathlib.Path(name)
        files = folder / "files"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        names = {"d": files, "p": port, "u": os.getuid(), "v": os.getuid() + 1, "t": os.getpid()}
        wrong = compile_rules(arguments, folder, names)
        agent = Agent(arguments.bin / "kubesentryd", folder / "scale.kspb", folder / "key.pub", str(folder / "alerts"), str(folder / "s"))
        try:
            ready = agent.wait_for("ready", "failed", "raw", seconds=120)
            if not ready or ready["what"] != "ready":
                print(f"SKIPPED: the agent does not start: {agent.said}" if os.geteuid() else f"FAILED: {agent.said}")
                return SKIPPED if os.geteuid() else 1
            expected = act(files, names)
            time.sleep(1)
            agent.stop()
        finally:
            agent.kill()
        seen = {}
        for line in (folder / "alerts").read_text().splitlines():
            alert = json.loads(line)
            if alert["package"] == "own" or str(files) in line:
                rule = f"{alert['package']}.{alert['rule']}"
                seen[rule] = seen.get(rule, 0) + 1
        for rule, count in expected.items():
            if (found := seen.pop(f"own.{rule}", 0)) != count:
                wrong.append(f"{rule}: {count} alerts expected, and {found} seen")
        wrong += [f"{rule} alerted {count} times" for rule, count in seen.items()]
        print(f"{sum(expected.values())} alerts of {len(RULES)} rules expected")
        for what in wrong:
            print("FAILED:", what)
        return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
