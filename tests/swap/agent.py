"""A running kubesentryd for tests: starts it, waits for what it says, ends it, counts."""
import json
import os
import queue
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import identities  # noqa: E402


class Agent:
    """`kubesentryd run --log json …`; what it says on stderr is read by a thread into `said`. `prefix`: what runs it."""

    def __init__(self, binary, bundle, trust, alerts, socket, extra=(), prefix=()):
        self.binary, self.socket, self.prefix = binary, socket, prefix
        self.alerts = open(alerts, "wb") if isinstance(alerts, str) else alerts
        command = [*prefix, binary, "run", "--bundle", bundle, "--trust", trust, "--status-socket", socket, "--log", "json", *extra]
        self.process = subprocess.Popen(command, stdout=self.alerts, stderr=subprocess.PIPE)
        self.said = []
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            try:
                said = json.loads(line)
            except ValueError:
                said = {"what": "raw", "text": line.decode(errors="replace")}
            self.said.append(said)
            self.lines.put(said)
        self.lines.put(None)

    def wait_for(self, *whats, seconds=60):
        """The next line that says one of these; None if the daemon ends or does not say it in time."""
        end = time.monotonic() + seconds
        while True:
            try:
                said = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return None
            if said is None or said["what"] in whats:
                return said

    def status(self):
        # As the agent's user: it believes no other but root.
        asked = subprocess.run([*self.prefix, self.binary, "status", "--status-socket", self.socket, "--format", "json"],
                               capture_output=True, check=True)
        return json.loads(asked.stdout)

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    def stop(self, seconds=30):
        """SIGTERM; gives the closing line, whose counters must add up."""
        self.process.terminate()
        self.process.wait(timeout=seconds)
        self.reader.join()
        self.alerts.close()
        closing = next((said for said in reversed(self.said) if said["what"] == "stopped"), None)
        if closing:
            wrong = identities.violated(closing)
            assert not wrong, "; ".join(wrong)
        return closing

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
