"""What a broken or hostile client may send: the server answers, or ends with a word; it never hangs or crashes."""
import json
import subprocess
import sys


def run(what, *pieces):
    """Sends the pieces one after another, closes, and prints what came back."""
    process = subprocess.Popen([sys.argv[1], "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        for piece in pieces:
            process.stdin.write(piece)
            process.stdin.flush()
    except BrokenPipeError:
        pass
    out, err = process.communicate(timeout=30)
    print(f"== {what}: exit {process.returncode}{', stderr: ' + err.decode().strip() if err else ''}")
    told = {}  # how often depends on how fast the pieces come; what is told last does not
    while out:
        head, _, rest = out.partition(b"\r\n\r\n")
        length = int(head.split(b":")[1])
        message = json.loads(rest[:length])
        out = rest[length:]
        if "error" in message:
            print(f'  {message["id"]}: error {message["error"]["code"]}: {message["error"]["message"]}')
        elif "id" in message:
            print(f'  {message["id"]}: {"a result" if message["result"] is not None else "null"}')
        else:
            told[message["params"]["uri"]] = len(message["params"]["diagnostics"])
    for uri, count in sorted(told.items()):
        print(f"  {uri}: {count} diagnostics")


def frame(body):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def request(number, method, params=None):
    return frame({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


def notification(method, params=None):
    return frame({"jsonrpc": "2.0", "method": method, "params": params})


def opened(text, uri="untitled:a.ksp"):
    return notification("textDocument/didOpen", {"textDocument": {"uri": uri, "version": 1, "text": text}})


START = request(1, "initialize", {}) + notification("initialized", {})
END = request(9, "shutdown") + notification("exit")
BAD_RANGE = {"start": {"line": 2**63, "character": -1}, "end": {"line": "x"}}

run("nothing at all")
run("one byte at a time", *[bytes([b]) for b in START + END])
run("exit without shutdown", START, notification("exit"))
run("a request before initialize", request(1, "textDocument/hover", {}), notification("exit"))
run("initialize twice", START, request(2, "initialize", {}), END)
run("after shutdown", START, request(9, "shutdown"), request(10, "textDocument/hover", {}), notification("exit"))
run("an unknown method, an unknown notification", START, request(2, "textDocument/dance", {}), notification("$/dance"), END)
run("cancelled", START, notification("$/cancelRequest", {"id": 2}), request(2, "textDocument/hover", {}), END)
run("no JSON, not UTF-8, a number, an empty list", START, frame(b"{"), frame(b"\xff\xfe"), frame(b"7"), frame(b"[]"), END)
run("nested deep", START, frame(b"[" * 1_000_000), END)
run("a length that is no number", START, b"Content-Length: many\r\n\r\n{}")
run("a negative length", START, b"Content-Length: -5\r\n\r\n{}")
run("no length", START, b"Content-Type: text\r\n\r\n{}")
run("a length beyond all numbers", START, b"Content-Length: 99999999999999999999999\r\n\r\n{}")
run("an endless header", START, b"X" * 10_000)
run("a large message is left out", START, b"Content-Length: 67108865\r\n\r\n" + b"x" * 67108865, END)
run("a large message that never comes", START, b"Content-Length: 4000000000\r\n\r\nabc")
run("members of the wrong type", START, request(2, "textDocument/hover", {"textDocument": 7, "position": []}),
    request(3, "textDocument/hover", [1]), request(4, "workspace/executeCommand", {"command": "rm"}),
    frame({"jsonrpc": "2.0", "id": {}, "method": "x"}), frame({"id": 5}), END)
run("places that are not there", START, opened("ksp 1\n"),
    request(2, "textDocument/hover", {"textDocument": {"uri": "untitled:a.ksp"}, "position": {"line": 2**60, "character": 2**60}}),
    request(3, "textDocument/completion", {"textDocument": {"uri": "untitled:a.ksp"}, "position": {"line": 0, "character": 99}}),
    request(4, "textDocument/completion", {"textDocument": {"uri": "untitled:a.ksp"}, "position": {"line": -1, "character": 0}}),
    notification("textDocument/didChange", {"textDocument": {"uri": "untitled:a.ksp"},
                                            "contentChanges": [{"range": BAD_RANGE, "text": "let"}, {"range": 3}, 4]}),
    END)
run("texts that are none", START, opened("\x00\ud800".encode("utf-16", "surrogatepass").decode("utf-16", "replace")),
    opened("rule r {" * 20_000, "untitled:b.ksp"), END)
# Halves of a pair stand for one unit each: what comes after them is where the client thinks it is.
A = {"textDocument": {"uri": "untitled:a.ksp"}}
LINE = '# \\ud83d \\ude00 \\\\ud83d \\ud83d\\ude00 \\ud83d'


def raw(method, text, **more):
    body = json.dumps({"jsonrpc": "2.0", "method": method, "params": more}).replace("TEXT", text)
    return frame(body.encode())


run("halves of surrogate pairs", START,
    raw("textDocument/didOpen", LINE + "\\nksp 1\\nlet a = 1\\n",
        textDocument={"uri": "untitled:a.ksp", "version": 1, "text": "TEXT"}),
    # Units before the end of the first line: "# ", a half, blank, half, blank, a backslash and "ud83d", blank, pair, blank, half
    raw("textDocument/didChange", "\\nlet b = \\ud83d",
        textDocument={"uri": "untitled:a.ksp", "version": 2},
        contentChanges=[{"range": {"start": {"line": 0, "character": 17}, "end": {"line": 0, "character": 17}}, "text": "TEXT"},
                        {"range": {"start": {"line": 1, "character": 0}, "end": {"line": 2, "character": 0}}, "text": ""}]),
    request(2, "textDocument/hover", {**A, "position": {"line": 2, "character": 4}}), END)
