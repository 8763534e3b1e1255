#!/usr/bin/env python3
"""No file grows beyond 400 lines unnoticed: one that does is split, or listed in long_files.txt with the reason why not.

  sizes.py [ROOT]      exit status 1 and one line per file
"""
import pathlib
import sys

LIMIT = 400
FOLDERS = ("bpf", "compiler", "grammar", "runtime", "stdlib", "tests", "tools")
# Text that people write as code; listings that only grow (docs, recorded output) are not counted.
SUFFIXES = {".cpp", ".h", ".c", ".def", ".g4", ".ksp", ".py", ".sh", ".cmake", ".txt", ".test", ""}


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent.parent)
    listed = {}
    for line in (root / "tools/house/long_files.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.partition(" ")
            listed[name] = reason.strip()
    counted, wrong = 0, []
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if "node_modules" in path.parts or not path.is_file() or path.suffix not in SUFFIXES:
                continue
            content = path.read_bytes()
            if b"\0" in content:
                continue
            name, lines = path.relative_to(root).as_posix(), content.count(b"\n")
            counted += 1
            if lines > LIMIT and not listed.get(name):
                wrong.append(f"{name}: {lines} lines: split it, or give it a line with a reason in tools/house/long_files.txt")
            elif lines <= LIMIT and name in listed:
                wrong.append(f"{name}: {lines} lines: no longer long; take it out of tools/house/long_files.txt")
    wrong += [f"{name}: in long_files.txt, but there is no such file" for name in listed if not (root / name).exists()]
    for line in wrong:
        print(line)
    print(f"sizes: {counted} files, {len(wrong)} too long or wrongly listed")
    return 1 if wrong or not counted else 0


if __name__ == "__main__":
    sys.exit(main())
