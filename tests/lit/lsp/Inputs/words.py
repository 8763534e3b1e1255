"""The words that the editor colours are the words of the grammar: neither more nor less."""
import json
import re
import sys

grammar_path, textmate_path = sys.argv[1:3]
text = re.sub(r"//.*", "", open(grammar_path).read())
parser_rules = text.split("ATTACK:")[0]
words = set(re.findall(r"'([a-z]+)'", parser_rules))
coloured = []
for pattern in json.load(open(textmate_path))["repository"]["words"]["patterns"]:
    coloured += re.search(r"\(([a-z|]+)\)", pattern["match"]).group(1).split("|")
for word in sorted(words - set(coloured)):
    print(f"`{word}` is a word of the grammar and has no colour")
for word in sorted(set(coloured) - words):
    print(f"`{word}` has a colour and is no word of the grammar")
for word in sorted({w for w in coloured if coloured.count(w) > 1}):
    print(f"`{word}` has two colours")
print(f"{len(words)} words")
sys.exit(1 if words != set(coloured) or len(coloured) != len(words) else 0)
