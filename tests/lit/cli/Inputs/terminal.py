"""Runs a command whose standard streams are a terminal; prints all that it wrote there, as Python would.

  terminal.py COMMAND ARGUMENT…
"""
import os
import pty
import sys

written = []


def read(fd):
    written.append(os.read(fd, 4096))
    return written[-1] and b"."


status = pty.spawn(sys.argv[1:], read)
print()
print(repr(b"".join(written).decode()))
sys.exit(os.waitstatus_to_exitcode(status))
