#!/usr/bin/env python3
"""Reads a .scap recording by the format's description alone, and counts: what the importer is held against.

  scap.py FILE…       JSON per file: {"file", "blocks": {type: n}, "events": {id: n}, "processes": n, "ended": why}
"""
import collections
import gzip
import json
import pathlib
import struct
import sys

SECTION, MAGIC = 0x0A0D0D0A, 0x1A2B3C4D
PROCESSES = 0x215  # version 9: the first whose entries say how long they are
# Event blocks: type → (version, has flags, lengths of 32 bits)
EVENTS = {0x204: (1, False, False), 0x8010ABCD: (1, False, False), 0x208: (1, True, False), 0x216: (2, False, False),
          0x217: (2, True, False), 0x221: (2, False, True), 0x222: (2, True, True)}


class Block:
    """type, body."""

    def __init__(self, kind, body):
        self.type, self.body = kind, body

    def event(self):
        """(cpu, time, thread, id, parameters or None if only the table knows how many)"""
        version, flagged, large = EVENTS[self.type]
        cpu, at = struct.unpack_from("<H", self.body)[0], 6 if flagged else 2
        time, thread, length, number = struct.unpack_from("<QQIH", self.body, at)
        if version == 1:
            return cpu, time, thread, number, None
        count, = struct.unpack_from("<I", self.body, at + 22)
        lengths = struct.unpack_from("<" + ("I" if large else "H") * count, self.body, at + 26)
        data = at + 26 + count * (4 if large else 2)
        parameters = []
        for size in lengths:
            parameters.append(self.body[data:data + size])
            data += size
        return cpu, time, thread, number, parameters


def read_bytes(path):
    data = pathlib.Path(path).read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def blocks(data):
    """Yields blocks; returns why it ended."""
    at = 0
    while at < len(data):
        if len(data) - at < 12:
            return f"{len(data) - at} bytes at {at} are no block"
        kind, total = struct.unpack_from("<II", data, at)
        if at == 0 and (kind != SECTION or struct.unpack_from("<I", data, 8)[0] != MAGIC):
            return "no recording"
        if total < 12 or total > len(data) - at:
            return f"block at {at} is cut"
        if struct.unpack_from("<I", data, at + total - 4)[0] != total:
            return f"block at {at} has two sizes"
        yield Block(kind, data[at + 8:at + total - 4])
        at += total
    return "end"


def entries(block):
    """How many processes a list holds: of the versions whose entries say how long they are."""
    count = at = 0
    while len(block.body) - at > 3:
        size, = struct.unpack_from("<I", block.body, at)
        if size < 4:
            break
        at += size
        count += 1
    return count


def count(path):
    found = {"file": pathlib.Path(path).name, "blocks": collections.Counter(), "events": collections.Counter(), "processes": 0}
    reader = blocks(read_bytes(path))
    while True:
        try:
            block = next(reader)
        except StopIteration as end:
            found["ended"] = end.value
            return found
        found["blocks"][f"{block.type:#x}"] += 1
        if block.type in EVENTS:
            found["events"][block.event()[3]] += 1
        elif block.type == PROCESSES:
            found["processes"] += entries(block)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(json.dumps(count(name)))
