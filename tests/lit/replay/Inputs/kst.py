#!/usr/bin/env python3
"""Writes a .kst trace from a description, after runtime/trace/format.h and apart from the code that reads it.

  kst.py DESCRIPTION.json OUT.kst [--no-index]

A description: {"host": {…}, "columns": [[name, type, enumeration, class, slot]…], "kinds": […], "blocks": [[row…]…]}.
A row: {"kind", "time", "cpu", "sequence", field: value…} or {"lost", "time", "cpu"}. A value: a number, a text, a list, an IPv4
endpoint "1.2.3.4:5" in a column of slot endpoint, or {"state": "absent"|"cut"|"unknown", "value": …}.
"""
import json
import struct
import sys

STATES = {"ok": 1, "absent": 2, "cut": 3, "unknown": 4}


def number(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def signed(n):
    return number(n << 1 if n >= 0 else (-n << 1) - 1)


def text(value):
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return number(len(data)) + data


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return value


def zstd(raw):
    """One frame of blocks that are not compressed, without a checksum; content size in 4 bytes."""
    out = struct.pack("<IBI", 0xFD2FB528, 0xA0, len(raw))
    for at in range(0, len(raw), 1 << 16):
        block = raw[at : at + (1 << 16)]
        last = at + (1 << 16) >= len(raw)
        out += (len(block) << 3 | last).to_bytes(3, "little") + block
    return out


def section(tag, count, raw, rows=()):
    stored = zstd(raw)
    times = [row["time"] for row in rows] or [0]
    lost = sum("lost" in row for row in rows)
    head = struct.pack("<4sIIIIIQQ", tag, count, len(stored), len(raw), len(rows) - lost, lost, min(times), max(times))
    return head + struct.pack("<Q", fnv(head)) + stored


def value(slot, what):
    if slot == "int":
        return signed(what)
    if slot == "endpoint":
        ip, port = what.split(":")
        return bytes(10) + b"\xff\xff" + bytes(map(int, ip.split("."))) + number(int(port))
    if isinstance(what, list):
        return text(b"".join(element.encode() + b"\0" for element in what))
    return text(what)


def rows_bytes(description, rows):
    names = [column[0] for column in description["columns"]]
    out, time, sequence = b"", 0, 0
    for row in rows:
        out += number("lost" in row) + signed(row["time"] - time) + number(row.get("cpu", 0))
        time = row["time"]
        if "lost" in row:
            out += number(row["lost"])
            continue
        out += number(description["kinds"].index(row["kind"])) + number(0) + signed(row.get("sequence", 0) - sequence)
        sequence = row.get("sequence", 0)
        fields = sorted((names.index(name), what) for name, what in row.items() if name in names)
        out += number(len(fields))
        before = -1
        for column, what in fields:
            state, what = (what["state"], what.get("value")) if isinstance(what, dict) else ("ok", what)
            out += number(column - before) + number(STATES[state])
            before = column
            if state in ("ok", "cut"):
                out += value(description["columns"][column][4], what)
    return out


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        description = json.load(file)
    host = description.get("host", {})
    head = b"".join(text(host.get(key, "")) for key in ("node", "kernel", "arch", "boot"))
    head += text("0000000000000000") + text("as observed")
    head += number(len(description["kinds"])) + b"".join(map(text, description["kinds"]))
    head += number(len(description["columns"]))
    head += b"".join(text(part) for column in description["columns"] for part in column)
    out = b"KSTRACE\n" + struct.pack("<II", 1, 0) + section(b"HEAD", 0, head)
    index = number(len(description["blocks"]))
    for count, rows in enumerate(description["blocks"]):
        block = section(b"BLOK", count, rows_bytes(description, rows), rows)
        out += block
        times = [row["time"] for row in rows]
        lost = sum("lost" in row for row in rows)
        index += number(len(block) - 48) + number(len(rows) - lost) + number(lost) + number(min(times)) + number(max(times))
    if "--no-index" not in sys.argv:
        at = struct.pack("<Q", len(out))
        out += section(b"INDX", len(description["blocks"]), index) + at + struct.pack("<Q", fnv(at)) + b"KSTEND\n\0"
    with open(sys.argv[2], "wb") as file:
        file.write(out)


main()
