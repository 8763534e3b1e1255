#!/usr/bin/env python3
"""A policy of many rules in the shapes of the standard library's, the same for the same numbers.

  generate_rules.py N FOLDER            N rules with their tests, in files below FOLDER
  generate_rules.py N FOLDER --varied   one in four like that, the others with literals of their own, without tests

Every rule of stdlib/rules is taken in turn, with its tests and its file's imports. From the second round on names and
literals differ: each rule excepts a group of its own, so that no two are the same. --varied is what a large site has:
sets of programs and paths, folders, patterns, texts in arguments, addresses, ports, users, negations and exceptions, over
every kind of event.
"""
import argparse
import pathlib
import random
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
        used = [n for n in names if re.search(rf"\b{n}\b", rules)]
        return found.group(1) + ", ".join(used) + "}" if used else ""
    return re.sub(r"(import [\w.]+\.\{)([^}]*)\}", cut, shared)


PROGRAMS = """nc ncat socat nmap masscan curl wget python3 perl ruby php lua node gdb strace ltrace tcpdump tshark xxd base64 openssl
gpg ssh scp sftp rsync rclone tar zip 7z dd shred chattr setcap getcap nsenter unshare capsh mount umount insmod modprobe kmod iptables nft
ip ss netstat lsof find grep awk sed crontab at systemctl service useradd usermod passwd chpasswd su sudo doas screen tmux docker podman
kubectl crictl ctr helm aws gcloud az vault terraform ansible xmrig minerd chisel frpc ngrok cloudflared tor proxychains hydra john
hashcat mimipenguin linpeas pspy""".split()
FOLDERS = """/etc /etc/cron.d /etc/ssl/private /etc/kubernetes/pki /usr/local/bin /usr/lib/modules /opt /srv /var/www /var/lib/docker /var/lib/kubelet
/var/spool/cron /var/log /home /root /boot /dev/shm /tmp /run /data /mnt/backup /usr/share/keyrings /lib/security""".split()
ENDINGS = "pem key kdbx sql bak pfx jks env ovpn conf tfstate p12 db sqlite gpg rdb wal dump".split()
WORDS = "token secret passwd shadow wallet backup export vault session cookie id_rsa kube license payroll ledger".split()


class Site:
    """What one rule names: some of it everybody does, some nobody else."""
    def __init__(self, number):
        self.number, self.random = number, random.Random(number)

    def some(self, pool, most=4):
        return self.random.sample(pool, self.random.randint(1, most))

    def listed(self, texts):
        return "[" + ", ".join(f'"{t}"' for t in texts) + "]"

    def programs(self):
        return self.listed(self.some(PROGRAMS) + [f"app{self.number}", f"job{self.number % 997}d"][:self.random.randint(0, 2)])

    def own(self):
        return self.listed([f"/opt/team{self.number % 211}/app{self.number}/bin/run", f"/usr/local/bin/app{self.number}"][:self.random.randint(1, 2)])

    def folders(self):
        return self.listed([f"{f}/team{self.number % 211}/app{self.number}" for f in self.some(FOLDERS, 3)])

    def paths(self):
        return self.listed(f"{f}/app{self.number}/{w}.{e}" for f, w, e in zip(self.some(FOLDERS), self.some(WORDS, 3), self.some(ENDINGS, 3)))

    def patterns(self):
        return self.listed(self.random.choice([f"*/app{self.number}/*.{e}", f"*.{e}{self.number}", f"/srv/app{self.number}/*", f"*/{w}{self.number}*"])
                           for w, e in zip(self.some(WORDS, 2), self.some(ENDINGS, 2)))

    def texts(self):
        return self.listed([f"--{w}-{self.number}" for w in self.some(WORDS, 2)] + [f"app{self.number}.example"][:self.random.randint(0, 1)])

    def blocks(self):
        r = self.random
        return "[" + ", ".join([f"203.{self.number >> 8 & 255}.{self.number & 255}.0/24", f"198.51.{r.randint(0, 255)}.{r.randint(0, 255)}",
                                f"2001:db8:{self.number:x}::/48"][:r.randint(1, 3)]) + "]"

    def ports(self):
        return "[" + ", ".join(str(p) for p in self.random.sample([4444, 1337, 3333, 5555, 6667, 8333, 9001, 9050, 14444, 31337], 3) + [20000 + self.number % 30000]) + "]"

    def group(self):
        return str(self.number % 40)

    def user(self):
        return str(20000 + self.number)


# What a rule's condition may be, {…} being what a Site names.
CONDITIONS = [
    "exec where process.name in {programs} and process.args contains any {texts} and process.parent.name not in {programs}",
    "exec where process.exe under {folders} and process.exe not in {own}",
    'exec where process.name in {programs} and process.uid == {user} and process.tty != "pts{group}"',
    "exec where process.exe in {own} and process.parent.exe not under {folders}",
    "open where result == ok and access has WRITE and file.path under {folders} and process.exe not in {own}",
    "open where result == ok and file.path in {paths} and process.name not in {programs}",
    "open where result == ok and access has READ and file.path like {patterns} and process.uid != {user}",
    "open where result == ok and (file.path under {folders} or file.path in {paths}) and process.name in {programs}",
    "connect where dst.ip in {blocks} and process.exe not in {own}",
    "connect where dst.port in {ports} and dst.ip in {blocks} and transport == tcp",
    "connect where process.name in {programs} and dst.port in {ports} and process.parent.name not in {programs}",
    "accept where src.ip in {blocks} and process.uid == {user}",
    "bind where result == ok and src.port in {ports} and process.name in {programs}",
    "unlink where result == ok and file.path under {folders} and process.name not in {programs}",
    "rename where result == ok and file.path like {patterns} and file.old_path under {folders}",
    "chmod where result == ok and file.path under {folders} and mode has 0o111",
    "setuid where target.uid == 0 and process.exe in {own}",
    "fork where process.name in {programs} and process.uid == {user}",
]
EXCEPTIONS = ["process.uid == {user}", "process.exe in {own}", "process.parent.name in {programs}"]


def varied(number):
    site = Site(number)
    fill = lambda text: re.sub(r"\{(\w+)\}", lambda found: getattr(site, found.group(1))(), text)
    lines = [f'rule site_{number} "Rule {number} of a large site" {{', f"  severity {site.random.choice(['low', 'medium', 'high'])}",
             "  on " + fill(site.random.choice(CONDITIONS))]
    if number % 3 == 0:
        lines.append(f'  except "its own" where {fill(site.random.choice(EXCEPTIONS))} owner "team{number % 211}"')
    return "\n".join(lines + ['  alert "{process.name} (uid {process.uid})"', "}", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--varied", action="store_true")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    all_shapes, files = list(shapes()), {}
    for i in range(arguments.count):
        if arguments.varied and i % 4 != 0:
            files.setdefault((i // 200, ""), []).append(varied(i))
            continue
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
