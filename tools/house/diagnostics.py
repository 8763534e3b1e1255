#!/usr/bin/env python3
"""Every diagnostic is whole: a row of diagnostics.def has a place that reports it, a lit test that matches its code, and a
section in docs/language/errors.md; and errors.md has no section for a code that is no more.

  diagnostics.py [ROOT]      exit status 1 and one line per gap
"""
import pathlib
import re
import sys

ROW = re.compile(r'^\s*KS_DIAGNOSTIC\(\s*(\w+),\s*"(K\d{4})",', re.M)


def texts(root, folders, patterns):
    for folder in folders:
        for pattern in patterns:
            for path in sorted((root / folder).rglob(pattern)):
                yield path, path.read_text(errors="replace")


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent.parent)
    rows = ROW.findall((root / "compiler/support/diagnostics.def").read_text())
    code = "\n".join(text for path, text in texts(root, ["compiler", "tools"], ["*.cpp"]) if not path.name.endswith("_test.cpp"))
    reported = set(re.findall(r"\bDiag::(\w+)", code))
    expected = set()
    for path, text in texts(root, ["tests/lit"], ["*.ksp", "*.test"]):
        # FileCheck's lines, under whatever prefix; the house's own tests plant codes.
        for line in text.splitlines():
            if path.parent.name != "house" and re.match(r"[#/\s]*(?!RUN:)[A-Z][A-Z0-9_-]*:", line):
                expected.update(re.findall(r"\bK\d{4}\b", line))
    page = root / "docs/language/errors.md"
    documented = re.findall(r"^#+ .*?\b(K\d{4})\b", page.read_text(), re.M) if page.exists() else []

    gaps = []
    for name, number in rows:
        if name not in reported:
            gaps.append(f"{number} {name}: nothing reports it")
        if number not in expected:
            gaps.append(f"{number} {name}: no lit test checks for it")
        if number not in documented:
            gaps.append(f"{number} {name}: no section in docs/language/errors.md")
    numbers = [number for _, number in rows]
    gaps += [f"{number}: two rows have this code" for number in sorted({n for n in numbers if numbers.count(n) > 1})]
    gaps += [f"{number}: two sections in errors.md" for number in sorted({n for n in documented if documented.count(n) > 1})]
    gaps += [f"{number}: errors.md has a section, diagnostics.def has no row" for number in sorted(set(documented) - set(numbers))]
    for gap in gaps:
        print(gap)
    print(f"diagnostics: {len(rows)} rows, {len(gaps)} gaps")
    return 1 if gaps or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
