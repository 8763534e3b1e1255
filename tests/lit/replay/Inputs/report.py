#!/usr/bin/env python3
"""Reads the data of an HTML report, apart from the page that reads it: report.py REPORT.html prints what it holds."""
import base64
import hashlib
import json
import re
import struct
import sys
import zlib

html = open(sys.argv[1], encoding="utf-8").read()
policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1]
print("policy", re.sub(r"sha256-[A-Za-z0-9+/=]{44}", "HASH", policy))
for tag in ("script", "style"):
    (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.S)
    digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    print(tag, "has its hash" if f"'sha256-{digest}'" in policy else "HAS ANOTHER HASH")
data = zlib.decompress(base64.b64decode(re.search(r'id="data">([^<]*)<', html)[1], validate=True))
(length,) = struct.unpack_from("<I", data)
header = json.loads(data[4:4 + length])
begin = (4 + length + 7) // 8 * 8
columns = {}
for name, (kind, offset, size) in header["columns"].items():
    code = {"u8": "B", "u16": "H", "u32": "I", "i32": "i", "f64": "d"}[kind]
    columns[name] = struct.unpack_from(f"<{size}{code}", data, begin + offset)
bounds = columns["text_begin"]
texts = [bytes(columns["text_bytes"][a:b]).decode() for a, b in zip(bounds, bounds[1:])]
fields = [name for name, _ in header["fields"]]


def listed(number):
    first, last = columns["list_begin"][number:number + 2]
    items = columns["list_items"][first:last]
    return {fields[key & 0xFFFF]: (key >> 16, texts[text]) for key, text in zip(items[::2], items[1::2])}


for row, kind in enumerate(columns["kind"]):
    known = {**listed(columns["own"][row]), **listed(columns["context"][row])}
    process = columns["process"][row]
    print(f"event #{columns['number'][row]} {header['kinds'][kind][0]} of {texts[columns['process_name'][process]]}"
          f" {columns['process_pid'][process]}: file.path {known.get('file.path')}")
for alert in header["alerts"]:
    why = [(texts[name], [(is_, texts[part], texts[values]) for is_, part, values in parts]) for name, parts in alert["why"]]
    print(f"alert {header['rules'][alert['rule']]['id']} #{columns['number'][alert['row']]}: {texts[alert['message']]} {why}")
for rule in header["rules"]:
    print("rule", rule["id"], rule["alerts"], [(fields[f], *counts) for f, *counts in rule["fields"]])
print("lost", header["traces"][0]["lost"], header["losses"])
print("holds", len(columns["time"]), "of", header["total"])
