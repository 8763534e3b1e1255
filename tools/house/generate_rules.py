#!/usr/bin/env python3
"""A policy of many rules in the shapes of the standard library's, the same for the same numbers.

  generate_rules.py N FOLDER [--per-file 20]      N rules with their tests, in files below FOLDER

Every rule of stdlib/rules is taken in turn, with its tests and its file's imports. From the second round on names and
literals differ: each rule excepts a group of its own, so that no two are the same.
"""
import argparse
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def blocks(text):
    """Top-level pieces of a file: (keyword, name, text), comments above included."""
    lines, out, current, depth = text.splitlines(), [], [], 0
    for line in lines:
        current.append(line)
        code = re.sub(r'"(\\.|[^"\\])*"', '""', line.split("#")[0] if line.lstrip().startswith("#") else line)
        depth += code.count("{") - code.count("}")
        if depth == 0 and line.strip() and not line.lstrip().startswith("#"):
            head = re.match(r"\s*(\w+)\s+([\w.]+)?", line if len(current) == 1 else next(
                (l for l in current if l.strip() and not l.lstrip().startswith("#")), line))
            out.append((head.group(1), head.group(2) or "", "\n".join(current)))
            current = []
    return out


def shapes():
    for path in sorted((ROOT / "stdlib/rules").glob("*.ksp")):
        parts = blocks(path.read_text())
        shared = "\n".join(t for k, _, t in parts if k in ("import", "let", "def"))
        names = [n for k, n, _ in parts if k == "rule"]
        for name in names:
            rule = next(t for k, n, t in parts if k == "rule" and n == name)
            tests = [t for k, n, t in parts if k == "test" and n == name]
            yield shared, name, rule, tests


def imports_of(shared, rules):
    """The file's imports, cut to what these rules name: the last round may not hold all rules of a file."""
    def cut(found):
        names = [n.strip() for n in found.group(2).split(",") if n.strip()]
        return found.group(1) + ", ".join(n for n in names if re.search(rf"\b{n}\b", rules)) + "}"
    return re.sub(r"(import [\w.]+\.\{)([^}]*)\}", cut, shared)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    all_shapes, files = list(shapes()), {}
    for i in range(arguments.count):
        shared, name, rule, tests = all_shapes[i % len(all_shapes)]
        new, tag = f"{name}_{i}", f"g{i}"
        rename = lambda text: re.sub(rf"\b(rule|test|from) {name}\b", rf"\1 {new}", text)
        rule = rename(rule)
        if "sequence" not in rule:
            rule = re.sub(r"\n(\s*)alert ", rf'\n\1except "its own" where process.gid == {50000 + i} owner "{tag}"\n\1alert ', rule, count=1)
        files.setdefault((i // len(all_shapes), shared), []).append(rule + "\n\n" + "\n".join(rename(t) for t in tests))
    for number, ((round_, shared), rules) in enumerate(files.items()):
        text = f"ksp 1\npackage generated.p{number}\n"
        body = "\n".join(rules)
        (arguments.folder / f"rules{number:04}.ksp").write_text(text + imports_of(shared, body) + "\n" + body + "\n")
    print(f"{arguments.count} rules in {len(files)} files")


if __name__ == "__main__":
    main()
