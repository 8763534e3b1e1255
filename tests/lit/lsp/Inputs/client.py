"""A client of `ksc lsp` for tests: sends what an editor sends, and prints what is said in a form for people."""
import json
import os
import pathlib
import re
import select
import subprocess
import sys


class Client:
    def __init__(self, ksc, root, encoding=None, quiet=False):
        self.root = pathlib.Path(root).resolve()
        self.quiet = quiet
        self.utf8 = encoding == "utf-8"
        environment = dict(os.environ, XDG_CACHE_HOME=str(self.root.parent / "cache"), SOURCE_DATE_EPOCH="1790000000")
        self.process = subprocess.Popen([ksc, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self.buffer = b""
        self.next_id = 0
        self.texts = {}
        self.versions = {}
        self.diagnostics = {}
        self.logs = []
        encodings = {"general": {"positionEncodings": [encoding]}} if encoding else {}
        self.capabilities = self.request("initialize", {"capabilities": encodings, "workspaceFolders": [
            {"uri": self.uri(""), "name": "policies"}]})["result"]["capabilities"]
        self.notify("initialized", {})

    # ---- Messages

    def uri(self, name):
        return f"file://{self.root}/{name}".rstrip("/")

    def send(self, message):
        body = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def receive(self, timeout=20):
        while True:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if found:
                length = int(head.split(b":")[1])
                if len(rest) >= length:
                    self.buffer = rest[length:]
                    return json.loads(rest[:length])
            ready, _, _ = select.select([self.process.stdout], [], [], timeout)
            if not ready:
                raise TimeoutError("the server says nothing")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise EOFError("the server is gone")
            self.buffer += data

    def take(self, message):
        """Remembers what is no answer."""
        if message.get("method") == "textDocument/publishDiagnostics":
            params = message["params"]
            self.diagnostics[params["uri"]] = params["diagnostics"]
        elif message.get("method") == "window/logMessage":
            self.logs.append(message["params"]["message"])

    def request(self, method, params):
        self.next_id += 1
        self.send({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params})
        while True:
            message = self.receive()
            if message.get("id") == self.next_id:
                return message
            self.take(message)

    def notify(self, method, params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def wait_for_diagnostics(self, name):
        """Those of the text as it is now."""
        while True:
            message = self.receive()
            self.take(message)
            if message.get("method") != "textDocument/publishDiagnostics" or message["params"]["uri"] != self.uri(name):
                continue
            if message["params"].get("version") == self.versions[name]:
                return message["params"]["diagnostics"]

    # ---- Texts

    def open(self, name, text=None):
        self.texts[name] = (self.root / name).read_text() if text is None else text
        self.versions[name] = 1
        self.notify("textDocument/didOpen", {"textDocument": {
            "uri": self.uri(name), "languageId": "ksp", "version": 1, "text": self.texts[name]}})

    def position(self, text, offset):
        before = text[:offset]
        line = before.rsplit("\n", 1)[-1]
        units = len(line.encode()) if self.utf8 else len(line.encode("utf-16-le")) // 2
        return {"line": before.count("\n"), "character": units}

    def change(self, name, old, new):
        """Replaces the first `old`, as an editor does: only the range is sent."""
        text = self.texts[name]
        at = text.index(old)
        span = {"start": self.position(text, at), "end": self.position(text, at + len(old))}
        self.texts[name] = text[:at] + new + text[at + len(old):]
        self.versions[name] += 1
        self.notify("textDocument/didChange", {"textDocument": {"uri": self.uri(name), "version": self.versions[name]},
                                               "contentChanges": [{"range": span, "text": new}]})

    def at(self, name, behind):
        """The place behind the first such text; `^` inside of it marks another."""
        mark = behind.find("^")
        plain = behind.replace("^", "")
        offset = self.texts[name].index(plain) + (mark if mark >= 0 else len(plain))
        return {"textDocument": {"uri": self.uri(name)}, "position": self.position(self.texts[name], offset)}

    def readable(self, text):
        text = str(text).replace(str(self.root.parent / "cache"), "CACHE").replace(str(self.root), "ROOT")
        return re.sub(r"CACHE/ksc/[^/]+/", "CACHE/", text)

    # ---- For people

    def say(self, text=""):
        if not self.quiet:
            print(self.readable(text))

    def place(self, uri, span):
        a, b = span["start"], span["end"]
        name = self.readable(uri).removeprefix("file://ROOT/")
        end = b["character"] + 1 if a["line"] == b["line"] else f'{b["line"] + 1}:{b["character"] + 1}'
        return f'{name}:{a["line"] + 1}:{a["character"] + 1}-{end}'

    def show_diagnostics(self, name):
        kinds = {1: "error", 2: "warning"}
        found = [d for d in self.diagnostics.get(self.uri(name), []) if d["severity"] in kinds]
        for d in found:
            lines = d["message"].rstrip().split("\n")
            # Of a test that fails: what was expected; why, `ksc test` shows.
            message = "\n      ".join(lines if d["source"] == "ksc" else lines[:2])
            self.say(f'  {self.place(self.uri(name), d["range"])}  {kinds[d["severity"]]} {d.get("code", d["source"])}: {message}')
        if not found:
            self.say("  no diagnostics")

    def shutdown(self):
        self.request("shutdown", None)
        self.notify("exit", None)
        return self.process.wait(timeout=20)


def main(session):
    ksc, root = sys.argv[1:3]
    session(Client(ksc, root))
