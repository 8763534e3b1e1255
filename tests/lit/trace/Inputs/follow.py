"""follow.py KSC TRACE COPY: writes a copy of the trace in two parts, while `ksc trace cat --follow` reads it."""
import json
import subprocess
import sys
import time

ksc, trace, copy = sys.argv[1:]
info = json.loads(subprocess.run([ksc, "trace", "info", "--format", "json", trace], capture_output=True, check=True).stdout)
whole = open(trace, "rb").read()
with open(copy, "wb") as out:
    out.write(whole[:info["whole_bytes"]])
    out.flush()
    reader = subprocess.Popen([ksc, "trace", "cat", "--follow", copy], stdout=subprocess.PIPE)
    lines = [reader.stdout.readline()]
    time.sleep(0.3)
    waits = reader.poll() is None
    out.write(whole[info["whole_bytes"]:])
lines += reader.stdout.readlines()
reader.wait(timeout=60)
print(f"{len(lines)} events, the first of them {'before' if waits and lines[0] else 'behind'} the end was written")
sys.exit(reader.returncode)
