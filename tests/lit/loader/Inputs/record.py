"""Records while numbered calls are made: record.py KUBESENTRYD SETUID.py TRACE OPTION…; prints what the recorder said."""
import subprocess
import sys

daemon, setuid, trace, *options = sys.argv[1:]
recorder = subprocess.Popen([daemon, "record", "-o", trace, *options], stderr=subprocess.PIPE, text=True)
print(recorder.stderr.readline(), end="")
subprocess.run([sys.executable, setuid, "1000001", "1000002", "1000003"], check=True)
recorder.terminate()
print(recorder.stderr.read(), end="")
print("exit status", recorder.wait())
