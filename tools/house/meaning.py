#!/usr/bin/env python3
"""Each sentence of docs/language/meaning.md names a test, and each such test exists.

  meaning.py MEANING.md PROGRAM…    exit status 1 and a line per sentence that is wrong. A PROGRAM lists its tests.
"""
import re
import subprocess
import sys


def tests_of(program):
    suite, names = "", set()
    for line in subprocess.run([program, "--gtest_list_tests"], capture_output=True, text=True, check=True).stdout.splitlines():
        line = line.split("#")[0].rstrip()
        if not line.startswith(" "):
            suite = line.rstrip(".").split("/")[-1]
        else:
            names.add(f"{suite}.{line.strip().split('/')[0]}")
    return names


def main():
    text = open(sys.argv[1]).read()
    known = set().union(*(tests_of(program) for program in sys.argv[2:]))
    sentences = re.findall(r"^- \*\*M(\d+)\.\*\* (.*)$", text, re.M)
    wrong = 0
    for place, (number, sentence) in enumerate(sentences, 1):
        names = re.findall(r"`(\w+\.\w+)`", sentence)
        problems = [] if int(number) == place else [f"is the sentence number {place}"]
        problems += [] if names else ["names no test"]
        problems += [f"there is no test {name}" for name in names if name not in known]
        for problem in problems:
            print(f"M{number}: {problem}")
            wrong += 1
    print(f"meaning: {len(sentences)} sentences, {wrong} wrong")
    return 1 if wrong or not sentences else 0


if __name__ == "__main__":
    sys.exit(main())
