"""How long from a keystroke to diagnostics in a workspace that is full of generated rules.

  latency.py KSC FOLDER [MOST]      MOST: milliseconds on the CPU, as median
"""
import pathlib
import re
import statistics
import sys
import time

import client as lib


def main():
    ksc, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    # The fullest file, and a field in it to mistype.
    path = max(sorted(folder.glob("*.ksp")), key=lambda p: p.stat().st_size)
    name, text = path.name, path.read_text()
    rules = sum(len(re.findall(r"^rule ", p.read_text(), re.M)) for p in folder.glob("*.ksp"))
    begin = time.monotonic()
    c = lib.Client(ksc, folder, quiet=True)
    c.open(name)
    c.wait_for_diagnostics(name)
    start = time.monotonic() - begin
    times, busy = [], []

    def on_cpu():  # nanoseconds; of a machine that does other things besides, the fairer measure
        return int(pathlib.Path(f"/proc/{c.process.pid}/schedstat").read_text().split()[0])

    good = re.search(r"where (\w+\.\w+) ", text).group(1)
    for i in range(25):
        typo = i % 2 == 0
        begin, cpu = time.monotonic(), on_cpu()
        c.change(name, f"where {good}{'' if typo else 'h'} ", f"where {good}{'h' if typo else ''} ")
        found = c.wait_for_diagnostics(name)
        times.append((time.monotonic() - begin) * 1000)
        busy.append((on_cpu() - cpu) / 1e6)
        assert any(d["severity"] == 1 for d in found) == typo, found
    median = statistics.median(busy)
    print(f"{rules} rules; the edited file has {len(text) // 1024} KiB; start {start * 1000:.0f} ms; edit to diagnostics: "
          f"median {statistics.median(times):.1f} ms, most {max(times):.1f} ms; on the CPU: median {median:.1f} ms")
    c.shutdown()
    if len(sys.argv) > 3 and median > float(sys.argv[3]):
        sys.exit(f"the median on the CPU is beyond {sys.argv[3]} ms")


main()
