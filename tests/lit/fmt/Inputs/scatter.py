"""Rewrites policies in place: the same words, strangely laid out, with comments in between."""
import re
import sys

for name in sys.argv[1:]:
    out = []
    for line in open(name).read().split("\n"):
        if line.lstrip().startswith("#"):
            out.append(line if line.startswith("#") else "")
            continue
        parts = re.split(r'("(?:[^"\\]|\\.)*")', line.strip())
        for i in range(0, len(parts), 2):  # outside of strings
            part = parts[i].replace(", ", "\n,\n").replace("{ ", "{ # opens\n").replace("(", "(\n\n")
            parts[i] = re.sub(r"\b(and|or) ", r"\n# joined\n\1\n", part)
        out.append("\t" + "".join(parts))
    open(name, "w").write("\r\n".join(out))
