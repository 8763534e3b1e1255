"""audit_log.py: a log of the audit subsystem: a line of stdin is a call, as JSON: what started (its comm, exe, arguments), or
the text and the place of a symbolic link."""
import json
import sys


def name(text):
    return text.encode().hex().upper()


for number, line in enumerate(sys.stdin, 1):
    call = json.loads(line)
    start = f"msg=audit(1600000000.123:{number})"
    about = f'ppid=10 pid={20 + number} uid=0 euid=0 comm={name(call.get("comm", "ln"))} exe={name(call.get("exe", "/usr/bin/ln"))}'
    if "args" in call:
        words = " ".join(f"a{i}={name(word)}" for i, word in enumerate(call["args"]))
        print(f"type=SYSCALL {start}: arch=c000003e syscall=59 success=yes exit=0 {about}")
        print(f"type=EXECVE {start}: argc={len(call['args'])} {words}")
    else:
        print(f"type=SYSCALL {start}: arch=c000003e syscall=88 success=yes exit=0 {about}")
        print(f"type=CWD {start}: cwd={name('/')}")
        print(f"type=PATH {start}: item=0 name={name(call['at'])} nametype=CREATE")
        print(f"type=PATH {start}: item=1 name={name(call['to'])} nametype=UNKNOWN")
