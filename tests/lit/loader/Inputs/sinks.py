"""The agent and what it writes to: sinks.py BIN SCRATCH"""
import fcntl
import json
import os
import pathlib
import subprocess
import sys
import time

binaries, scratch = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
here = pathlib.Path(__file__).resolve().parent
ksc, daemon, socket = binaries / "ksc", binaries / "kubesentryd", scratch / "socket"
number = 1000000
process = None


def run(name, prefix=(), alerts=True, **files):
    """Starts an agent; `prefix`: a line of sh that runs "$@"."""
    global process
    words = [daemon, "run", "--bundle", scratch / "n.kspb", "--trust", scratch / "k.pub", "--status-socket", socket]
    if alerts:
        words += ["--alerts", scratch / name]
    process = subprocess.Popen([*prefix, *words], **files)
    for _ in range(600):
        if process.poll() is not None:
            return f"ended {process.returncode}"
        asked = subprocess.run([daemon, "status", "--status-socket", socket, "--format", "json"], capture_output=True)
        if asked.returncode == 0 and json.loads(asked.stdout)["rules"] == 1:
            return "ready"
        time.sleep(0.1)
    return "nothing"


def call(count=1):
    global number
    numbers = [str(number + i) for i in range(1, count + 1)]
    number += count
    subprocess.run([sys.executable, here / "setuid.py", *numbers], check=True)


def alert(name):
    """Whether a numbered call is told."""
    call()
    for _ in range(100):
        if f'"uid":{number}' in (scratch / name).read_text():
            return True
        time.sleep(0.1)
    return False


def end(seconds=30):
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return "goes on"


try:
    subprocess.run([ksc, "bundle", "keygen", "-o", scratch / "k.pem"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([ksc, "compile", here / "number.ksp", "-o", scratch / "n.kspb", "--key", scratch / "k.pem"], check=True,
                   capture_output=True)

    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, b"x" * 4096)
    said = run("full", stderr=writer)
    told = alert("full")
    process.terminate()
    print(f"stderr is full: {said}; alert {told}; SIGTERM: {end()}")

    with open(scratch / "closed", "wb") as out:
        said = run("closed", ["sh", "-c", 'exec "$@" 0<&- 2>&-', "sh"], alerts=False, stdout=out)
    files = " ".join(os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in (0, 2))
    told = alert("closed")
    process.terminate()
    print(f"0 and 2 are closed: {said}; {files}; alert {told}; SIGTERM: {end()}")

    said = run("small", ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh"], stderr=subprocess.PIPE)
    call(50)
    ended = end()
    print(f"ulimit -f: {said}; ended: {ended}; File too large {b'File too large' in process.stderr.read()}")
finally:
    if process and process.poll() is None:
        process.kill()
        process.wait()
