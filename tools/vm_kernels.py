"""Debian's cloud kernels for tools/vm: resolved at run time from the mirror that apt is configured for, and cached."""
import dataclasses
import lzma
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time

SUITES = {"5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie", "7": "sid"}
# Not built into the kernels, and wanted by tests: below their folder of modules.
MODULES = ("kernel/fs/overlayfs/overlay.ko",)
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "kubesentry" / "kernels"


class Failure(Exception):
    """Something of the world failed; the text is for the user."""


printing = threading.Lock()


def say(text):
    with printing:
        print(text, flush=True)


def run(command, **kwargs):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **kwargs)
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise Failure(f"{command[0]} {command[1]}… failed with status {done.returncode}:\n{tail}")
    return done.stdout


@dataclasses.dataclass
class Kernel:
    asked: str
    package: str
    image: pathlib.Path

    @property
    def modules(self):
        """A folder for each release, with its MODULES."""
        return self.image.parent / "modules"


def mirrors():
    """The repositories that this machine's apt uses: of Debian itself, and of its security suites."""
    found = {}
    for line in run(["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Identifier: Packages"]).splitlines():
        release, uri = line.split()
        role = "security" if release.endswith("-security") else "main"
        if role == "security" or "debian" in uri:
            found.setdefault(role, uri)
    if "main" not in found:
        raise Failure("apt knows no Debian repository here: is /etc/apt/sources.list.d in place?")
    return found


def apt_options(folder):
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    settings = {
        "Dir::Etc::sourcelist": folder / "sources.list", "Dir::Etc::sourceparts": "-", "Dir::Etc::preferencesparts": "-",
        "Dir::State": folder, "Dir::State::lists": folder / "lists", "Dir::State::status": "/dev/null",
        "Dir::Cache": folder / "cache", "Acquire::Languages": "none", "APT::Sandbox::User": "root",
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def cached(asked):
    return (CACHE / SUITES[asked] / "vmlinuz").exists() and (CACHE / SUITES[asked] / "modules").exists()


def keep_modules(tree, home):
    """Copies MODULES from an unpacked package, uncompressed."""
    new = home / f"modules.{os.getpid()}"
    for release in (tree / "lib/modules", tree / "usr/lib/modules"):
        for name in MODULES:
            for found in release.glob(f"*/{name}*"):
                kept = new / found.relative_to(release).parts[0] / pathlib.Path(name).name
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(lzma.decompress(found.read_bytes()) if found.suffix == ".xz" else found.read_bytes())
    if not new.exists():
        raise Failure(f"no package of {home.name}'s kernel has {', '.join(MODULES)}")
    shutil.rmtree(home / "modules", ignore_errors=True)
    new.rename(home / "modules")


def fetch(asked, uris, refresh):
    suite = SUITES[asked]
    home = CACHE / suite
    image, named = home / "vmlinuz", home / "package"
    if cached(asked) and named.exists() and not refresh:
        return Kernel(asked, named.read_text().strip(), image)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kubesentry-apt-") as scratch:
        folder = pathlib.Path(scratch)
        options = apt_options(folder)
        lines = [f"deb [signed-by={KEYRING}] {uris['main']} {suite} main"]
        if suite != "sid" and "security" in uris:
            lines.append(f"deb [signed-by={KEYRING}] {uris['security']} {suite}-security main")
        # An old suite may have left the mirror while its security updates are still there, or the reverse.
        for sources in [lines] + [[line] for line in lines]:
            (folder / "sources.list").write_text("\n".join(sources) + "\n")
            if subprocess.run(["apt-get", *options, "-qq", "update"], capture_output=True).returncode == 0:
                break
        else:
            raise Failure(f"apt finds no suite {suite} on this machine's mirror")
        depends = run(["apt-cache", *options, "depends", "linux-image-cloud-amd64"])
        packages = re.findall(r"Depends: (linux-image-\d\S+-cloud-amd64)", depends)
        if not packages:
            raise Failure(f"linux-image-cloud-amd64 of {suite} names no kernel")
        # Newer packages hold only dependencies: the image itself is in linux-binary-*, the rest in linux-modules-*.
        parts = re.findall(r"Depends: (linux-(?:binary|modules)-\S+)", run(["apt-cache", *options, "depends", packages[0]]))
        debs = []
        for package in parts or packages[:1]:
            run(["apt-get", *options, "-qq", "download", package], cwd=folder)
            debs += [deb for deb in folder.glob("linux-*.deb") if deb not in debs]
            run(["dpkg-deb", "-x", debs[-1], folder / "x"])
        images = list((folder / "x").glob("boot/vmlinuz-*")) or list((folder / "x").glob("usr/lib/modules/*/vmlinuz"))
        if not images:
            raise Failure(f"{', '.join(deb.name for deb in debs)}: no kernel image")
        home.mkdir(parents=True, exist_ok=True)
        new = home / f"vmlinuz.{os.getpid()}"
        shutil.copy(images[0], new)
        new.rename(image)
        keep_modules(folder / "x", home)
        named.write_text(debs[0].name + "\n")
    say(f"kernel {asked:5} fetched {named.read_text().strip()} in {time.monotonic() - started:.0f} s")
    return Kernel(asked, named.read_text().strip(), image)
