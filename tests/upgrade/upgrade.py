#!/usr/bin/env python3
"""Agents with pinned programs are killed, ended, upgraded and rolled back under load: no event is missed.

  upgrade.py --bin FOLDER [--kills N] [--events-per-second N] [--only PART]
  upgrade.py --bin FOLDER --vm KERNEL…     four kills, another bundle and a rollback in machines of tools/vm (vm.sh)

Exit status: 0 fine, 1 not, 77 no BPF here.

The load (swap_load) makes numbered system calls in two processes. Each agent runs as an unprivileged user with CAP_BPF and
CAP_PERFMON, and pins to a folder of that user on a bpffs, which is mounted in a mount namespace of this test. In the end every
number must be in the alerts, and the counters of the last agent, which go on over all of them, must add up.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "swap"))
from agent import Agent, identities  # noqa: E402

POLICY = """ksp 1
package upgrade.{name}

rule numbered "A call that the load program numbered" {{
  severity info
  on setuid where result == failed and target.uid >= 1000000
  alert "{{target.uid}}"
}}
"""
NOBODY = 65534
CAPS = "-all,+bpf,+perfmon"
UNPRIVILEGED = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", f"--bounding-set={CAPS}",
                f"--inh-caps={CAPS}", f"--ambient-caps={CAPS}"]


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def check(good, what):
    if not good:
        raise Failed(what)


def bundle(ksc, folder, name, key):
    policy, out = folder / f"{name}.ksp", folder / f"{name}.kspb"
    policy.write_text(POLICY.format(name=name))
    subprocess.run([ksc, "compile", policy, "-o", out, "--key", key], check=True, capture_output=True)
    out.chmod(0o644)
    return out


class Site:
    """Bundles, a folder to pin to, and agents one after the other whose alerts go to one file."""

    def __init__(self, folder, bin_folder, rate):
        self.folder, self.rate = folder, rate
        # The agent's user need not reach where it was built.
        self.bin = folder / "bin"
        self.bin.mkdir()
        for program in ("kubesentryd", "swap_load"):
            shutil.copy(bin_folder / program, self.bin)
        self.ksc, self.daemon = bin_folder / "ksc", self.bin / "kubesentryd"
        self.key, self.trust = folder / "k.pem", folder / "k.pub"
        subprocess.run([self.ksc, "bundle", "keygen", "-o", self.key], check=True, capture_output=True)
        self.trust.chmod(0o644)
        self.bundles = [bundle(self.ksc, folder, name, self.key) for name in ("a", "b")]
        self.active = folder / "active.kspb"
        self.out = folder / "out"
        self.out.mkdir()
        os.chown(self.out, NOBODY, NOBODY)
        subprocess.run(["mount", "-t", "bpf", "bpf", folder / "bpf"], check=True)
        self.agent, self.load, self.count = None, None, 0
        self.fresh()

    def fresh(self):
        """Another folder to pin to, another file for alerts, the first bundle."""
        self.count += 1
        self.pins, self.alerts = self.folder / "bpf" / f"agent{self.count}", self.out / f"alerts{self.count}"
        self.pins.mkdir(mode=0o700)
        os.chown(self.pins, NOBODY, NOBODY)
        self.put(0)

    def put(self, number):
        beside = self.active.with_suffix(".new")
        shutil.copyfile(self.bundles[number], beside)
        os.rename(beside, self.active)

    def begin(self, bundle=None, socket=None):
        return Agent(str(self.daemon), str(bundle or self.active), str(self.trust), open(os.devnull, "wb"), str(socket or self.out / "s"),
                     ["--alerts", str(self.alerts), "--pin", str(self.pins)], UNPRIVILEGED)

    def start(self, bundle=None):
        """Gives what it said up to `ready`."""
        self.agent = self.begin(bundle)
        ready = self.agent.wait_for("ready")
        if ready is None:
            failed = self.agent.said[-1] if self.agent.said else {}
            if failed.get("code") == "kernel-permission":
                raise Skipped(f"no BPF here: {failed.get('cause')}")
            raise Failed(f"the agent did not start: {failed}")
        return [said for said in self.agent.said if said["what"] != "ready"]

    def kill(self):
        self.agent.kill()
        self.agent.reader.join()
        self.agent = None

    def stop(self):
        """SIGTERM; the closing line. Its counters only add up if nothing happened meanwhile."""
        agent, self.agent = self.agent, None
        if self.load is None:
            return agent.stop()
        agent.process.terminate()
        agent.process.wait(timeout=60)
        agent.reader.join()
        closing = next((said for said in reversed(agent.said) if said["what"] == "stopped"), None)
        check(closing is not None and agent.process.returncode == 0, f"SIGTERM did not end the agent in good order: {agent.said[-3:]}")
        return closing

    def begin_load(self):
        self.load = subprocess.Popen([self.bin / "swap_load", str(self.rate), str(self.rate * 2), "0"], stdout=subprocess.PIPE)

    def end_load(self):
        load, self.load = self.load, None
        load.send_signal(signal.SIGTERM)
        return json.loads(load.communicate(timeout=60)[0])

    def rollback(self, *options):
        return subprocess.run([self.daemon, "rollback", "--status-socket", self.out / "s", "--user", str(NOBODY), *options],
                              capture_output=True, text=True)

    def unpin(self):
        done = subprocess.run([self.daemon, "unpin", "--pin", self.pins], capture_output=True, text=True)
        check(done.returncode == 0, f"unpin: {done.stderr}")
        check(list(self.pins.iterdir()) == [], "unpin left something")
        return done.stdout

    def alerts_of(self, made):
        """Those of the load's processes; None for a line that was ended by the agent after one that was killed while it wrote."""
        for line in self.alerts.read_text().splitlines():
            try:
                alert = json.loads(line)
            except ValueError:
                yield None
                continue
            if alert["process"]["pid"] in made["pids"]:
                yield alert

    def tell(self, what, made, closing):
        """Counts the alerts: a line to print, and whether each number is there."""
        numbers, ids, packages, cut = collections.Counter(), collections.Counter(), collections.Counter(), 0
        for alert in self.alerts_of(made):
            if alert is None:
                cut += 1
                continue
            numbers[alert["target"]["uid"]] += 1
            ids[alert["id"]] += 1
            packages[alert["package"]] += 1
        wanted = range(made["first"], made["first"] + made["events"])
        missing = sum(1 for number in wanted if number not in numbers)
        repeats = sum(numbers.values()) - len(numbers)
        print(f"{what}: {made['events']} numbered calls: {missing} missed, {repeats} told twice, {cut} lines cut; {dict(packages)}; "
              f"{closing['submitted']} submitted, {closing['received']} received, {closing['dropped']} dropped, {closing['lost']} lost")
        check(missing == 0, f"{missing} calls are in no alert")
        check(sum(ids.values()) - len(ids) == repeats, "an alert that is told twice has another id")
        check(closing["stray"] == closing["malformed"] == 0, "records were stray or malformed")
        check(closing["dropped"] == closing["lost"] == 0, "something was lost")
        return packages

    def finish(self, what):
        """The load has ended: the last agent reads all, and ends."""
        made = self.end_load()
        time.sleep(0.3)
        closing = self.stop()  # asserts the identities
        packages = self.tell(what, made, closing)
        self.unpin()
        return packages, closing


def kills(site, times):
    """kill -9 at any moment, `times` times."""
    site.start()
    site.begin_load()
    begin, down = time.monotonic(), 0.0
    for number in range(times):
        time.sleep(random.uniform(0.02, 0.3))
        at = time.monotonic()
        if number % 5 == 4:
            site.stop()
        else:
            site.kill()
        said = site.start()
        down += time.monotonic() - at
        check(not said, f"a restart complains: {said}")
    print(f"{times} restarts, one in five by SIGTERM, the others by kill -9, in {time.monotonic() - begin:.1f} s; "
          f"{down / times * 1000:.0f} ms until the next agent is ready")
    site.finish("kill -9")


def other_bundle(site):
    """The file is another one by the time of the restart; then a rollback, a restart that does not undo it, and back."""
    site.start()
    site.begin_load()
    time.sleep(0.3)
    site.kill()
    site.put(1)
    time.sleep(0.3)  # these are in the rings
    site.start()
    status = site.agent.status()
    check(status["swaps"] == 1, f"not swapped at the start: {status['swaps']}")
    time.sleep(0.2)
    before = status["generation"]
    asked = site.rollback("--format", "json")
    check(asked.returncode == 0, asked.stderr)
    after = json.loads(asked.stdout)
    check(after["generation"] < before and after["rolled_back"] == 1, f"not rolled back: {before}, {after['generation']}")
    time.sleep(0.2)
    site.kill()
    said = site.start()
    check([one["what"] for one in said] == ["rolled-back"], f"a restart after a rollback says {said}")
    check(site.agent.status()["generation"] == after["generation"], "a restart undid the rollback")
    # A bundle that is refused changes nothing.
    with open(site.active, "r+b") as file:
        file.seek(-100, os.SEEK_END)
        file.write(b"damaged")
    check(site.agent.wait_for("refused") is not None, "a damaged bundle is not refused")
    site.kill()
    said = site.start()
    check([one["what"] for one in said] == ["refused"], f"a restart with a damaged file says {said}")
    check(site.agent.status()["generation"] == after["generation"], "a damaged file changed what is active")
    site.put(1)
    check(site.agent.wait_for("swapped") is not None, "not swapped back")
    packages, closing = site.finish("another bundle")
    check(set(packages) == {"upgrade.a", "upgrade.b"}, "both bundles should have decided some")


def two_agents(site):
    site.start()
    second = Agent(str(site.daemon), str(site.active), str(site.trust), open(os.devnull, "wb"), str(site.out / "s2"),
                   ["--pin", str(site.pins)], UNPRIVILEGED)
    refused = second.wait_for("kernel")
    second.process.wait(timeout=30)
    check(refused is not None and refused["code"] == "pin-locked" and second.process.returncode == 3, f"a second agent: {second.said}")
    denied = subprocess.run([site.daemon, "unpin", "--pin", site.pins], capture_output=True, text=True)
    check(denied.returncode == 3 and "another kubesentryd uses it" in denied.stderr, f"unpin beside an agent: {denied.stderr}")
    site.begin_load()
    time.sleep(0.2)
    site.finish("two agents")


def wrong_starts(site):
    """A start that fails attaches nothing; a folder of the bundle that is missing keeps no agent from going on."""
    failed = site.begin(socket=site.folder / "none/at/all")
    failed.process.wait(timeout=60)
    failed.reader.join()
    check(failed.process.returncode == 3 and failed.said[-1]["what"] == "status", f"a bad status socket: {failed.said}")
    check(not any(site.pins.rglob("links/*")), "a start that failed left programs attached")
    elsewhere = site.folder / "elsewhere"
    elsewhere.mkdir()
    bundle = elsewhere / "active.kspb"
    shutil.copyfile(site.bundles[0], bundle)
    site.start(bundle)
    site.begin_load()
    site.kill()
    elsewhere.rename(site.folder / "aside")
    said = site.start(bundle)
    check([one["what"] for one in said] == ["watch", "refused"], f"without the bundle's folder: {said}")
    (site.folder / "aside").rename(elsewhere)
    check(site.agent.wait_for("unchanged", "refused", "swapped")["what"] == "unchanged", "the folder that came back is not seen")
    shutil.copyfile(site.bundles[1], elsewhere / "new")
    os.rename(elsewhere / "new", bundle)
    check(site.agent.wait_for("unchanged", "refused", "swapped")["what"] == "swapped", "a bundle in it is not seen")
    site.finish("wrong starts")


def late_rollback(site):
    """Who asks for a rollback and leaves before it happens is not obeyed later, so that to ask again undoes nothing."""
    site.start()
    site.begin_load()
    site.put(1)
    check(site.agent.wait_for("swapped") is not None, "not swapped")
    before = site.agent.status()
    site.agent.process.send_signal(signal.SIGSTOP)
    asked = site.rollback()
    check(asked.returncode == 3 and "did not answer" in asked.stderr, f"a stopped agent: {asked.stderr}")
    site.agent.process.send_signal(signal.SIGCONT)
    after = site.agent.status()
    check(after["generation"] == before["generation"] and after["rolled_back"] == 0, "it was rolled back later")
    check(after["pins"] == str(site.pins), f"status says that pins are in {after['pins']}")
    check(site.rollback().returncode == 0 and site.agent.status()["generation"] < before["generation"], "not rolled back")
    site.finish("late rollback")


def rollback_not_kept(site):
    """One that the next agent will not know of happens, and is said."""
    site.start()
    site.begin_load()
    site.put(1)
    check(site.agent.wait_for("swapped") is not None, "not swapped")
    before = site.agent.status()["generation"]
    (kept,) = site.pins.glob(f"ks_*/bundles/{before}/bundle")
    kept.unlink()
    asked = site.rollback()
    check(asked.returncode == 0 and site.agent.status()["generation"] < before, f"not rolled back: {asked.stderr}")
    said = site.agent.wait_for("rollback-not-kept", "rolled-back")
    check(said["what"] == "rollback-not-kept" and str(kept) in json.dumps(said), f"not said: {said}")
    site.finish("rollback not kept")


def damaged(site):
    """What lies there is of another layout, or not what it says: an agent starts all the same, and says so."""

    def tree():
        return next(path for path in site.pins.iterdir())

    def other_layout():
        tree().rename(site.pins / "ks_0123456789abcdef")

    def wrong_map():
        os.rename(tree() / "maps/ks_exited", tree() / "maps/ks_sequence")

    def wrong_progress():
        os.rename(tree() / "maps/ks_scratch", tree() / "maps/progress")

    def wrong_link():
        os.rename(tree() / "programs/sys_exit", tree() / "links/sys_exit")

    def wrong_bundle():
        bundle = next((tree() / "bundles").iterdir())
        (tree() / "bundles/nothing").mkdir()
        os.rename(tree() / "maps/ks_exited", bundle / "bundle")

    def half_written():
        next((tree() / "bundles").iterdir()).joinpath("bundle").unlink()

    def no_link():
        (tree() / "links/sys_exit").unlink()

    def no_ring():
        (tree() / "maps/ks_ring").unlink()

    def no_sequence():
        (tree() / "maps/ks_sequence").unlink()

    def zeros():
        shutil.copytree(tree() / "bundles/1", tree() / "bundles/01", copy_function=os.link)

    def set_aside():
        tree().rename(tree().with_name(tree().name + "_unusable"))

    for damage in (other_layout, set_aside, wrong_map, wrong_progress, wrong_link, wrong_bundle, half_written, no_link, no_ring, no_sequence,
                   zeros):
        site.fresh()
        site.start()
        site.begin_load()
        time.sleep(0.1)
        site.kill()
        damage()
        said = site.start()
        check(any(one["what"] == "pins" for one in said), f"{damage.__name__}: nothing is said: {said}")
        check(len(list(site.pins.iterdir())) == 1, f"{damage.__name__}: old pins are still there")
        # From here on all is well.
        site.end_load()
        site.begin_load()
        time.sleep(0.2)
        made = site.end_load()
        time.sleep(0.3)
        agent, site.agent = site.agent, None
        agent.process.terminate()
        agent.process.wait(timeout=30)
        numbers = {alert["target"]["uid"] for alert in site.alerts_of(made) if alert}
        check(len(numbers) == made["events"], f"{damage.__name__}: {made['events'] - len(numbers)} calls missed afterwards")
        site.unpin()
        print(f"{damage.__name__}: {next(one['cause'] for one in said if one['what'] == 'pins')}")


def start_that_fails(site):
    """An agent that trusts another key, and one that has too few descriptors, do not come to be ready: nothing that waits is lost."""
    other = site.folder / "other.pem"
    subprocess.run([site.ksc, "bundle", "keygen", "-o", other], check=True, capture_output=True)
    site.start()
    site.begin_load()
    time.sleep(0.2)
    site.kill()
    for trust, prefix in ((other.with_suffix(".pub"), []), (site.trust, ["prlimit", "--nofile=60:60"])):
        trust.chmod(0o644)
        failed = Agent(str(site.daemon), str(site.active), str(trust), open(os.devnull, "wb"), str(site.out / "s"),
                       ["--alerts", str(site.alerts), "--pin", str(site.pins)], [*prefix, *UNPRIVILEGED])
        failed.process.wait(timeout=60)
        failed.reader.join()
        check(failed.process.returncode == 3, f"it started: {failed.said}")
    time.sleep(0.2)  # these are in the rings
    site.start()
    site.finish("a start that fails")


def others_stay(site):
    """unpin removes what agents pinned there, and neither what is called alike nor what a link leads to."""
    site.start()
    site.kill()
    victim = site.folder / "bpf" / "victim"
    (victim / "links/theirs").mkdir(parents=True)
    (site.pins / "ks_otherdir").mkdir()
    link = site.pins / "ks_0123456789abcdef"
    link.symlink_to(victim)
    done = subprocess.run([site.daemon, "unpin", "--pin", site.pins], capture_output=True, text=True)
    check(done.returncode == 3 and f"{link} was left" in done.stderr and "was removed" in done.stdout, f"unpin: {done}")
    check({path.name for path in site.pins.iterdir()} == {"ks_otherdir", link.name}, "unpin removed too much, or too little")
    check((victim / "links/theirs").is_dir(), "unpin followed a link")
    link.unlink()
    (site.pins / "ks_otherdir").rmdir()
    site.pins.chmod(0o755)
    refused = Agent(str(site.daemon), str(site.active), str(site.trust), open(os.devnull, "wb"), str(site.out / "s"),
                    ["--pin", str(site.pins)], UNPRIVILEGED)
    refused.process.wait(timeout=60)
    refused.reader.join()
    check(refused.process.returncode == 3 and refused.said[-1].get("code") == "pin", f"a folder that others can lock: {refused.said}")
    site.pins.chmod(0o700)


def in_machines(kernels, folder, bin_folder):
    if not shutil.which("qemu-system-x86_64"):
        raise Skipped("qemu-system-x86_64 is not installed")
    key = folder / "k.pem"
    subprocess.run([bin_folder / "ksc", "bundle", "keygen", "-o", key], check=True, capture_output=True)
    bundles = [bundle(bin_folder / "ksc", folder, name, key) for name in ("a", "b")]
    for kernel in kernels:
        ran = subprocess.run([HERE.parent.parent / "tools/vm", kernel, "--timeout", "400", "--run", "sh vm.sh", "--files", bin_folder / "kubesentryd",
                              bin_folder / "swap_load", *bundles, folder / "k.pub", HERE / "vm.sh"], capture_output=True, text=True)
        made = re.search(r'"events":(\d+)', ran.stdout)
        told = re.search(r"told: (\d+) of (\d+)", ran.stdout)
        closing = identities.closing_of(ran.stdout)
        check(ran.returncode == 0 and made and told and closing, f"{kernel}: {ran.stdout[-3000:]}{ran.stderr[-500:]}")
        made, told, alerts = int(made[1]), int(told[1]), int(told[2])
        # From Linux 7 on a preempted program makes the kernel skip, and count, what others do on its CPU: agent or none.
        skipped = int((re.findall(r"the kernel skipped .* (\d+) in all", ran.stdout) or [0])[-1])
        print(f"{kernel}: {made} numbered calls, four times kill -9: {made - told} missed, {alerts - told} told twice; {skipped} runs "
              f"skipped by the kernel; {closing['submitted']} submitted, {closing['received']} received, {closing['dropped']} dropped, "
              f"{closing['lost']} lost")
        check(made - told <= skipped, f"{kernel}: {made - told} calls are in no alert, and {skipped} runs were skipped\n{ran.stdout}")
        check(not identities.violated(closing), "; ".join(identities.violated(closing)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder with ksc, kubesentryd and swap_load")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--events-per-second", type=int, default=4000)
    parser.add_argument("--only", help="one part, by its function's name")
    parser.add_argument("--vm", nargs="+", metavar="KERNEL", help="in machines of tools/vm")
    arguments = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("setpriv") or not shutil.which("unshare"):
        print("upgrade: skipped: needs root, setpriv and unshare")
        return 77
    if "KS_OWN_MOUNTS" not in os.environ:
        os.environ["KS_OWN_MOUNTS"] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, *sys.argv])
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ks-upgrade-"))
    folder.chmod(0o755)
    (folder / "bpf").mkdir()
    parts = {"kills": lambda site: kills(site, arguments.kills), "other_bundle": other_bundle, "two_agents": two_agents,
             "wrong_starts": wrong_starts, "late_rollback": late_rollback,
             "rollback_not_kept": rollback_not_kept, "damaged": damaged, "start_that_fails": start_that_fails,
             "others_stay": others_stay}
    status, passed = 0, 0
    site = None
    try:
        if arguments.vm:
            in_machines(arguments.vm, folder, pathlib.Path(arguments.bin).resolve())
            parts, passed = {}, len(arguments.vm)
        else:
            site = Site(folder, pathlib.Path(arguments.bin).resolve(), arguments.events_per_second)
        for name, part in parts.items():
            if arguments.only in (None, name):
                site.fresh()
                part(site)
                passed += 1
        print(f"upgrade: {passed} passed, 0 failed")
    except Skipped as skipped:
        print(f"upgrade: skipped: {skipped}")
        status = 77
    except (Failed, AssertionError) as failed:
        print(f"FAIL: {failed}")
        print(f"upgrade: {passed} passed, 1 failed")
        status = 1
    finally:
        for process in (site and site.load, site and site.agent and site.agent.process):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        # With the last mount all that is pinned there goes.
        subprocess.run(["umount", folder / "bpf"], check=False, capture_output=True)
        shutil.rmtree(folder)
    return status


if __name__ == "__main__":
    sys.exit(main())
