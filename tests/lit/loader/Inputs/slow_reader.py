"""Nobody reads the agent's alerts while more events come than the ring holds: slow_reader.py BIN SOURCE SCRATCH"""
import json
import pathlib
import subprocess
import sys
import time

binaries, source, scratch = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
sys.path.insert(0, str(source / "tests/swap"))
from agent import Agent  # noqa: E402

here = source / "tests/lit/loader/Inputs"
MADE = 200_000
FIRST = 50_000_000  # hooks see the whole machine: numbers that no other test uses


def make(first, count):
    subprocess.run([sys.executable, "-c", f"""
import ctypes, os
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
os.setresuid(65534, 65534, 65534)
libc = ctypes.CDLL(None)
for number in range({first}, {first + count}):
    libc.syscall(105, number)
"""], check=True)


def command(*words):
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


command(f"{binaries}/ksc", "bundle", "keygen", "-o", scratch / "k.pem")
policy = (here / "number.ksp").read_text().replace("1000000", str(FIRST)).replace("2000000", str(2 * FIRST))
(scratch / "n.ksp").write_text(policy)
command(f"{binaries}/ksc", "compile", scratch / "n.ksp", "-o", scratch / "n.kspb", "--key", scratch / "k.pem")


def begin(reader, name):
    """An agent whose alerts go to a pipe, the other end of which `reader`, a line for sh, holds."""
    process = subprocess.Popen(["sh", "-c", reader, "sh", str(scratch / "alerts")], stdin=subprocess.PIPE)
    return process, Agent(f"{binaries}/kubesentryd", str(scratch / "n.kspb"), str(scratch / "k.pub"), process.stdin, str(scratch / name))


sleeper, agent = begin('sleep 5; exec cat > "$1"', "socket")
try:
    print("start:", agent.wait_for("ready")["what"])
    make(FIRST, MADE)
    print("while nobody reads:", (agent.wait_for("slow-reader") or {}).get("what"))
    print("then:", (agent.wait_for("dropped") or {}).get("what"))
    make(FIRST + MADE, 1)  # a number behind those that are missing: the proof
    print("proven:", (agent.wait_for("lost") or {}).get("what"))
    make(FIRST + MADE + 1, 1)  # the next alert says how many were lost before it
    time.sleep(0.5)
    closing = agent.stop()
    sleeper.wait(timeout=30)
finally:
    agent.kill()
alerts = [json.loads(line) for line in open(scratch / "alerts", encoding="utf-8")]
numbers = [alert["target"]["uid"] for alert in alerts]
made = closing["seen"]
print("every event is accounted for:", made == closing["submitted"] + closing["dropped"] + closing["filtered"])
print("what was submitted was received:", closing["submitted"] == closing["received"] == closing["alerts"] == len(alerts))
print("some were dropped:", 0 < closing["dropped"] < MADE)
print("sequence numbers prove each loss:", closing["lost"] == closing["dropped"])
print("alerts carry each loss:", sum(alert["lost_before"] for alert in alerts) == closing["lost"])
print("none twice:", len(set(numbers)) == len(numbers))
print("missing are as many as dropped:", MADE + 2 - len(numbers) == closing["dropped"])

# Somebody who never reads: the agent ends all the same, and says what it did not read.
sleeper, agent = begin("exec sleep 60", "never")
try:
    agent.wait_for("ready")
    make(FIRST, MADE)
    never = agent.stop()  # the identities hold
finally:
    agent.kill()
    sleeper.kill()
    sleeper.wait()
print("left in the ring:", 0 < never["unread"] < never["submitted"])
print("said to be:", [said["records"] for said in agent.said if said["what"] == "unread"] == [never["unread"]])
print("alerts that nobody took are counted:", 0 < never["unwritten"] <= never["alerts"])
print("and lost:", never["lost"] == never["dropped"] + never["unread"])
if "--figures" in sys.argv:
    print(made, closing["dropped"], closing["lost"], sum(alert["lost_before"] for alert in alerts), len(alerts), file=sys.stderr)
