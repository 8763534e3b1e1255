"""All words of a policy on as few lines as its comments allow."""
import re
import sys

out = []
for line in open(sys.argv[1]):
    line = line.strip()
    alone = line.startswith("#")
    if alone and out and not out[-1].endswith("\n"):
        out.append("\n")
    out.append(re.sub(r" +(?=[^\"]*(\"[^\"]*\"[^\"]*)*$)", " ", line) if not alone else line)
    out.append("\n" if "# " in line or alone else " ")
sys.stdout.write("".join(out))
