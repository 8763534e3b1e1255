#!/usr/bin/env python3
"""Makes one large recording of many small ones: all of them at once, again and again.

  enlarge.py OUT.scap [--events N] [--corpus DIR]      default: 5,000,000 events; ../shared/corpus beside the project

A copy holds the events of all recordings, in the order of time, as if they had been recorded beside each other on one machine; the
next copy begins a second after the last one ended, with a section, a machine and a list of processes and descriptors of its own, as
they are written after a restart of the recorder. Threads, processes and sessions have numbers of their own in every recording and
every copy, in the heads of events, their parameters and the lists alike. Exit status 77 if there are no recordings.
"""
import argparse
import heapq
import json
import pathlib
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/scap"))
import scap  # noqa: E402

SECTION = struct.pack("<IIIHHqI", scap.SECTION, 28, scap.MAGIC, 1, 2, -1, 28)
MACHINE, OLD_MACHINE = 0x201, 0x8002ABCD
# Lists of processes: type → version.
LISTS = {0x202: 1, 0x8000ABCD: 1, 0x207: 2, 0x8013ABCD: 2, 0x209: 3, 0x8014ABCD: 3, 0x210: 4, 0x211: 5, 0x212: 6, 0x213: 7, 0x214: 8, 0x215: 9}
DESCRIPTORS = {0x203, 0x218}
EVENT_HEAD = 22
SECOND = 1_000_000_000
BEGIN = 1_700_000_000 * SECOND
SKIPPED = 77


class Numbers:
    """Numbers of one recording → numbers of one copy: the same if they were the same. 0 and below mean no thread."""

    def __init__(self, first):
        self.of, self.first = {}, first

    def __call__(self, number):
        return self.of.setdefault(number, self.first + len(self.of)) if number > 0 else number


class Template:
    """A block; where its time stands in it, and where numbers: [(offset, size, value)]."""

    def __init__(self, block):
        self.bytes = bytearray(struct.pack("<II", block.type, len(block.body) + 12) + block.body + struct.pack("<I", len(block.body) + 12))
        self.time_at, self.time, self.numbers = None, 0, []

    def renumber(self, at, numbers, size=8):
        """A number at this place of the body."""
        if size not in (4, 8):
            return
        value = int.from_bytes(self.bytes[at + 8:at + 8 + size], "little", signed=True)
        if value > 0:
            self.numbers.append((at + 8, size, numbers(value)))


def of_event(block, table, numbers):
    template = Template(block)
    version, flagged, large = scap.EVENTS[block.type]
    head = 6 if flagged else 2
    time, _, length, kind = struct.unpack_from("<QqIH", block.body, head)
    template.time_at, template.time = 8 + head, time
    template.renumber(head + 8, numbers)
    types = table.get(kind, [])
    at, width = head + EVENT_HEAD, 4 if large else 2
    if version == 2:
        count, = struct.unpack_from("<I", block.body, at)
        counts, at = [count], at + 4
    else:  # nothing says how many there are: as many as make up the length
        counts = range(len(types), -1, -1)
    for count in counts:
        if at + count * width > len(block.body):
            continue
        lengths = struct.unpack_from("<" + ("I" if large else "H") * count, block.body, at)
        if version == 2 or count * width + sum(lengths) == length - EVENT_HEAD:
            break
    else:
        return template
    at += count * width
    for kind, size in zip(types, lengths):
        if kind == "pid":
            template.renumber(at, numbers, size)
        at += size
    return template


def of_list(block, numbers):
    template, version, at = Template(block), LISTS[block.type], 0
    body = block.body

    def text(at):
        return at + 2 + struct.unpack_from("<H", body, at)[0]

    while len(body) - at > 3:
        end = None
        if version >= 9:
            size, = struct.unpack_from("<I", body, at)
            if size < 4:
                break
            at, end = at + 4, at + size
        ids = 3 + (version >= 6) + (version >= 8)
        for i in range(ids):
            template.renumber(at + 8 * i, numbers)
        at += 8 * ids
        for _ in range(4 + (version >= 7)):
            at = text(at)
        at += 20
        if version >= 2:
            at += 28
        if version >= 3:
            at = text(at)
        if version >= 4:
            template.renumber(at, numbers)
            template.renumber(at + 8, numbers)
            at = text(at + 16)
        if version >= 5:
            at = text(at)
        at = end or at
    return template


class Recording:
    """What a copy takes of one: its lists, and its events from time 0 on."""

    def __init__(self, path, table, numbers):
        self.machine, self.lists, self.rest, self.events = None, [], [], []
        for block in scap.blocks(scap.read_bytes(path)):
            if block.type in scap.EVENTS:
                self.events.append(of_event(block, table, numbers))
            elif block.type in LISTS:
                self.lists.append(of_list(block, numbers))
            elif block.type in DESCRIPTORS:
                template = Template(block)
                template.renumber(0, numbers)
                self.rest.append(template)
            elif block.type in (MACHINE, OLD_MACHINE):
                self.machine = Template(block)
        # What the recorder found when it began has no time.
        begin = min((event.time for event in self.events if event.time > 0), default=0)
        for event in self.events:
            event.time = max(event.time - begin, 0)
        self.last = max((event.time for event in self.events), default=0)


def make_copy(recordings):
    """Bytes, times and numbers of the first copy, and how long it takes."""
    machine = recordings[0].machine
    struct.pack_into("<Q", machine.bytes, 8 + 148, BEGIN - 3600 * SECOND)  # the boot
    templates = [machine] + [one for recording in recordings for one in recording.lists]
    templates += [one for recording in recordings for one in recording.rest]
    streams = [recording.events for recording in recordings]
    out, times, numbers = bytearray(SECTION), [], []
    for template in templates + list(heapq.merge(*streams, key=lambda event: event.time)):
        numbers += [(len(out) + at, size, value) for at, size, value in template.numbers]
        if template.time_at:
            times.append((len(out) + template.time_at, template.time))
        out += template.bytes
    return out, times, numbers


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--events", type=int, default=5_000_000, help="at least so many")
    parser.add_argument("--corpus", type=pathlib.Path, default=ROOT.parent / "shared/corpus")
    arguments = parser.parse_args()
    paths = sorted((arguments.corpus / "scap").glob("*.scap"))
    if not paths:
        print(f"enlarge: skipped: no recordings in {arguments.corpus}/scap")
        return SKIPPED
    with open(arguments.corpus / "falco/event_table.jsonl") as lines:
        table = {row["id"]: [parameter["type"] for parameter in row["params"]] for row in map(json.loads, lines)}
    recordings, threads = [], 1
    for path in paths:
        numbers = Numbers(threads)
        recordings.append(Recording(path, table, numbers))
        threads += len(numbers.of)
    period = max(recording.last for recording in recordings) + SECOND
    bytes_, times, numbers = make_copy(recordings)
    copies = -(-arguments.events // len(times))
    with open(arguments.out, "wb") as out:
        for copy in range(copies):
            for at, value in times:
                struct.pack_into("<Q", bytes_, at, BEGIN + copy * period + value)
            for at, size, value in numbers:
                struct.pack_into("<q" if size == 8 else "<i", bytes_, at, value + copy * (threads - 1))
            out.write(bytes_)
    print(json.dumps({"recordings": len(recordings), "copies": copies, "events": copies * len(times), "threads": copies * (threads - 1),
                      "seconds": copies * period // SECOND, "bytes": copies * len(bytes_)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
