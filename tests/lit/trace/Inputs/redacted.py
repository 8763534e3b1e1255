"""redacted.py BEFORE AFTER: events of a trace and of what became of it (`ksc trace cat --format json`), compared field by field."""
import ipaddress
import json
import sys

before, after = ([json.loads(line) for line in open(name)] for name in sys.argv[1:])
assert len(before) == len(after)
args, ends, other = {}, {}, 0


def split(text):
    """The elements of a list as it is printed: quoted texts between brackets."""
    return json.loads(text)


def private(ip):
    return ip.is_private, ip.is_loopback, ip.is_link_local, ip.is_multicast


for old, new in zip(before, after):
    for name, value in old["fields"].items():
        got = new["fields"][name]
        if name == "process.args":
            olds, news = split(value), split(got)
            assert len(olds) == len(news), (value, got)
            for one, other_one in list(zip(olds, news))[1:]:
                assert args.setdefault(one, other_one) == other_one, one
        elif name in ("src", "dst") or name.endswith(".peer"):
            ip, port = value.rsplit(":", 1)
            new_ip, new_port = got.rsplit(":", 1)
            assert port == new_port
            assert private(ipaddress.ip_address(ip.strip("[]"))) == private(ipaddress.ip_address(new_ip.strip("[]"))), (value, got)
            assert ends.setdefault(ip, new_ip) == new_ip
        elif '"/home/' not in value:
            other += got != value
for name, pairs in (("process.args", args), ("dst", ends)):
    same = "as many" if len(set(pairs.values())) == len(pairs) else "fewer"
    kept = sum(a == b for a, b in pairs.items() if a)
    print(f"{name}: {len(pairs)} values, {same} pseudonyms, {'none of them the value' if kept == 0 else f'{kept} kept'}")
print("everything else as it was" if other == 0 else f"{other} other values changed")
