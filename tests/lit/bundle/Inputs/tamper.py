#!/usr/bin/env python3
"""Changes a bundle as an attacker would, with right checksums: tamper.py HOW IN OUT [OTHER]"""
import base64
import io
import json
import sys
import tarfile


def read(path):
    with tarfile.open(path) as archive:
        return [(member.name, archive.extractfile(member).read()) for member in archive], archive.getmembers()[0].mtime


def header(name, size, mtime, kind=b"0", link=b""):
    block = bytearray(512)

    def put(at, text):
        block[at:at + len(text)] = text

    put(0, name.encode())
    put(100, b"0000644")
    put(108, b"0000000")
    put(116, b"0000000")
    put(124, b"%011o" % size)
    put(136, b"%011o" % mtime)
    put(148, b" " * 8)
    put(156, kind)
    put(157, link)
    put(257, b"ustar\0" + b"00")
    put(329, b"0000000")
    put(337, b"0000000")
    put(148, b"%06o\0 " % sum(block))
    return bytes(block)


def write(path, members, mtime, end=b"\0" * 1024):
    with open(path, "wb") as out:
        for name, content, *more in members:
            out.write(header(name, len(content), mtime, *more) + content + b"\0" * (-len(content) % 512))
        out.write(end)


def envelope(members, change):
    document = json.loads(members[0][1])
    change(document)
    members[0] = (members[0][0], json.dumps(document, separators=(",", ":")).encode())


def main():
    how, source, target = sys.argv[1:4]
    members, mtime = read(source)
    end = b"\0" * 1024
    if how == "same":
        pass
    elif how == "strip":
        envelope(members, lambda e: e.update(signatures=[]))
    elif how == "no-list":
        envelope(members, lambda e: e.pop("signatures"))
    elif how == "bare":
        members[0] = (members[0][0], base64.b64decode(json.loads(members[0][1])["payload"]))
    elif how == "type":
        envelope(members, lambda e: e.update(payloadType="application/json"))
    elif how == "twice":
        envelope(members, lambda e: e["signatures"].append(e["signatures"][0]))
    elif how == "flip-payload":
        def flip(e):
            payload = bytearray(base64.b64decode(e["payload"]))
            payload[payload.index(b'"version":') + 11] ^= 1
            e["payload"] = base64.b64encode(payload).decode()
        envelope(members, flip)
    elif how == "lying-id":  # says that it is the key of another bundle
        other, _ = read(sys.argv[4])
        trusted = json.loads(other[0][1])["signatures"][0]["keyid"]
        envelope(members, lambda e: e["signatures"][0].update(keyid=trusted))
    elif how == "duplicate-key":
        members[0] = (members[0][0], b'{"payload":"",' + members[0][1][1:])
    elif how == "bom":
        members[0] = (members[0][0], b"\xef\xbb\xbf" + members[0][1])
    elif how == "depth":
        members[0] = (members[0][0], b"[" * 100000)
    elif how == "signatures":
        members[0] = (members[0][0], b'{"payloadType":"","payload":"","signatures":[' + b"{}," * 1000000 + b"{}]}")
    elif how == "object":
        members[1] = (members[1][0], b"\x7fELF" + members[1][1][4:-1] + b"?")
    elif how == "grow":
        members[1] = (members[1][0], members[1][1] + b"?")
    elif how == "extra":
        members.append(("extra", b"x"))
    elif how == "missing":
        members.pop()
    elif how == "reorder":
        members[1], members[2] = members[2], members[1]
    elif how == "mix":  # the object of another bundle by the same signer
        other, _ = read(sys.argv[4])
        members[1] = other[1]
    elif how == "dotdot":
        members[1] = ("../" + members[1][0], members[1][1])
    elif how == "absolute":
        members[1] = ("/" + members[1][0], members[1][1])
    elif how == "double":
        members.append(members[1])
    elif how == "symlink":
        members.append(("link", b"", b"2", b"/etc/shadow"))
    elif how == "pax":
        members.insert(1, ("pax", b"18 path=/etc/pass\n", b"x"))
    elif how == "device":
        members.append(("device", b"", b"3"))
    elif how == "many":
        members += [(f"m{i}", b"") for i in range(100)]
    elif how == "after":
        end += b"more"
    elif how == "no-end":
        end = b"\0" * 512
    elif how == "gnu":
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for name, content in members:
                info = tarfile.TarInfo(name)
                info.size, info.mtime = len(content), mtime
                archive.addfile(info, io.BytesIO(content))
        with open(target, "wb") as out:
            out.write(stream.getvalue())
        return
    else:
        sys.exit(f"tamper.py: what is {how}?")
    write(target, members, mtime, end)


main()
