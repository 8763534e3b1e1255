#!/usr/bin/env python3
"""Puts pages of a file that nobody has touched over its own arguments, opens another file, and waits.

  hide.py PAGES OPENED      the first is made; says "opened" when it has
"""
import ctypes
import os
import sys
import threading
import time

PAGE, PROT_READ, MAP_PRIVATE, MAP_FIXED = 4096, 1, 2, 0x10


def main():
    # The 48th and 49th number: where arguments begin and end.
    begin, end = map(int, open("/proc/self/stat").read().rpartition(")")[2].split()[45:47])
    first = begin // PAGE * PAGE
    size = (end - first + PAGE - 1) // PAGE * PAGE
    shown = b"as-it-says" + b"." * (end - begin - 11) + b"\0"
    with open(sys.argv[1], "wb") as file:
        file.write(b"?" * (begin - first) + shown + b"?" * (first + size - end))
    descriptor = os.open(sys.argv[1], os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    opened = sys.argv[2]

    # On another stack: that of the first thread may lie in the same page.
    def hide():
        if libc.mmap(first, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, descriptor, 0) != first:
            os._exit(1)
        os.close(os.open(opened, os.O_RDONLY))
        print("opened", flush=True)
        time.sleep(60)

    threading.Thread(target=hide, daemon=True).start()
    time.sleep(60)


main()
