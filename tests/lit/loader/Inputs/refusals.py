"""The agent under bundles that it must refuse: refusals.py BIN SOURCE SCRATCH

Prints what the agent said to each, and whether the old bundle still decides.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

binaries, source, scratch = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
sys.path.insert(0, str(source / "tests/swap"))
from agent import Agent  # noqa: E402

here = source / "tests/lit/loader/Inputs"
tamper = source / "tests/lit/bundle/Inputs/tamper.py"
ksc, daemon = f"{binaries}/ksc", f"{binaries}/kubesentryd"
next_number = 1000000


def command(*words):
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)


def put(bundle):
    shutil.copyfile(bundle, scratch / "active.new")
    os.rename(scratch / "active.new", scratch / "active.kspb")


def decides():
    """A numbered call, and the package of the alert that it raises."""
    global next_number
    next_number += 1
    command(sys.executable, here / "setuid.py", next_number)
    for _ in range(100):
        for line in open(scratch / "alerts", encoding="utf-8").read().splitlines():
            if f'"uid":{next_number}' in line:
                return line.split('"bundle":"')[1].split('"')[0]
        time.sleep(0.1)
    return "nobody"


def code_of(said):
    return f"{said['what']} {said.get('code', '')}".strip() if said else "nothing"


for name in ("k", "other"):
    command(ksc, "bundle", "keygen", "-o", scratch / f"{name}.pem")
for version in ("good", "better"):
    shutil.copyfile(here / "number.ksp", scratch / f"{version}.ksp")
    command(ksc, "compile", scratch / f"{version}.ksp", "-o", scratch / f"{version}.kspb", "--key", scratch / "k.pem")
for how in ("strip", "flip-payload", "object", "grow", "dotdot"):
    command(sys.executable, tamper, how, scratch / "better.kspb", scratch / f"{how}.kspb")
command(ksc, "bundle", "sign", scratch / "better.kspb", "--key", scratch / "other.pem", "-o", scratch / "wrong-key.kspb")
whole = (scratch / "better.kspb").read_bytes()
(scratch / "cut.kspb").write_bytes(whole[:len(whole) // 2])
(scratch / "empty.kspb").write_bytes(b"")

put(scratch / "good.kspb")
agent = Agent(daemon, str(scratch / "active.kspb"), str(scratch / "k.pub"), str(scratch / "alerts"), str(scratch / "socket"))
try:
    ready = agent.wait_for("ready")
    print("start:", code_of(ready))
    old = ready["digest"]
    for how in ("strip", "flip-payload", "object", "grow", "dotdot", "wrong-key", "cut", "empty"):
        put(scratch / f"{how}.kspb")
        said = agent.wait_for("refused", "swapped", "unchanged")
        print(f"{how}: {code_of(said)};", "the old one decides" if decides() == old else "WRONG")
    os.unlink(scratch / "active.kspb")
    agent.process.send_signal(signal.SIGHUP)
    print("gone:", code_of(agent.wait_for("refused", "swapped", "unchanged")))
    put(scratch / "good.kspb")
    print("the same again:", code_of(agent.wait_for("refused", "swapped", "unchanged")))
    agent.process.send_signal(signal.SIGHUP)
    print("asked to look:", code_of(agent.wait_for("refused", "swapped", "unchanged")))
    put(scratch / "better.kspb")
    said = agent.wait_for("refused", "swapped", "unchanged")
    print("better:", code_of(said), "the new one decides" if decides() == said["digest"] != old else "WRONG")
    # Rewritten in place instead of renamed: seen when it is closed.
    shutil.copyfile(scratch / "good.kspb", scratch / "active.kspb")
    print("in place:", code_of(agent.wait_for("swapped")))

    status = agent.status()
    print("refusals:", " ".join(f"{code}={count}" for code, count in sorted(status["refusals"].items())))
    print("swaps:", status["swaps"], "unchanged:", status["unchanged"], "lost:", status["lost"])
    second = subprocess.run([daemon, "run", "--bundle", scratch / "good.kspb", "--trust", scratch / "k.pub",
                             "--status-socket", scratch / "socket"], capture_output=True, text=True)
    print("a second one at the same socket:", second.returncode, "another kubesentryd answers there" in second.stderr)
    print("socket's mode:", oct(os.stat(scratch / "socket").st_mode & 0o777))
    closing = agent.stop()
    print("end:", agent.process.returncode, code_of(closing), "received all:", closing["submitted"] == closing["received"])
    print("socket is gone:", not (scratch / "socket").exists())
finally:
    agent.kill()
