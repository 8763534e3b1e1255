#!/usr/bin/env python3
"""Records what a build does, for engine_bench and engine_cost.py: C files compiled by make -j2 under `kubesentryd record`.

  record_build.py --bin DIR -o TRACE.kst [--files 60] [--rounds 4]

By default about 100,000 events, nearly all of them opens. A recording holds paths and arguments of all that ran on the machine
meanwhile; it stays where it is made. Needs root, a kernel with BTF, gcc and make.
"""
import argparse
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cost"))
from agent_cost import run_load, write_load  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("-o", dest="trace", required=True)
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=4)
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kubesentry-record.", dir="/var/lib"))
    try:
        write_load(folder, arguments.files)
        said = folder / "said"
        with said.open("w") as log:
            recorder = subprocess.Popen([str(arguments.bin / "kubesentryd"), "record", "-o", arguments.trace], stderr=log)
        try:
            for _ in range(300):
                if "recording" in said.read_text() or recorder.poll() is not None:
                    break
                time.sleep(0.1)
            if recorder.poll() is None:
                run_load(folder, arguments.rounds, jobs=2)
        finally:
            if recorder.poll() is None:
                recorder.send_signal(signal.SIGTERM)
            status = recorder.wait()
        print(said.read_text(), end="")
        return status
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
