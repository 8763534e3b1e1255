"""gone.py BEFORE AFTER FIELD...: of events as `ksc trace cat --format json` prints them: no value of these fields is there any more."""
import json
import sys

before, after = ([json.loads(line) for line in open(name)] for name in sys.argv[1:3])
for field in sys.argv[3:]:
    for old, new in zip(before, after, strict=True):
        value = old["fields"].get(field)
        assert value in (None, '""', "[]") or new["fields"].get(field) != value, (field, value)
