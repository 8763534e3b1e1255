"""Numbered calls by an unprivileged user: setuid(N) fails and carries N."""
import os
import sys

child = os.fork()
if child == 0:
    if os.getuid() == 0:
        os.setresuid(65534, 65534, 65534)
    for number in sys.argv[1:]:
        try:
            os.setuid(int(number))
        except PermissionError:
            pass
    os._exit(0)
os.waitpid(child, 0)
