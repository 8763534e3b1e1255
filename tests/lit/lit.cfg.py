"""The lit suite: text in, text out, checked with FileCheck. A folder per stage; see architecture.md and CONTRIBUTING.md.

Features a test may REQUIRE: bpf (this process may load BPF programs), shared (the corpora beside the project), vm (kernels
can be booted under QEMU), release (a build without sanitizers), vscode
(the packages of tools/vscode are installed). A missing one is announced with its reason.
"""
import ctypes
import os
import pathlib
import shutil
import struct

import lit.formats

config.name = "kubesentry"
config.test_format = lit.formats.ShTest(execute_external=True)
config.suffixes = [".ksp", ".test"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.join(config.ks_source, "tests", "lit")
config.test_exec_root = os.path.join(config.ks_build, "tests", "lit")

shared = pathlib.Path(config.ks_source).parent / "shared"
for name, value in (
    ("%ksc", f"{config.ks_bin}/ksc"),
    ("%kubesentryd", f"{config.ks_bin}/kubesentryd"),
    ("%FileCheck", config.ks_filecheck),
    ("%not", config.ks_not),
    ("%source", config.ks_source),
    ("%shared", str(shared)),
    ("%readelf", config.ks_readelf),
    ("%bin", config.ks_bin),
):
    config.substitutions.append((name + r"\b", value))

# Same output wherever it runs. Leaks count as errors: an embedded compiler lives long in an editor or a test run.
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TMPDIR"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
config.environment["LC_ALL"] = "C.UTF-8"
config.environment["NO_COLOR"] = "1"


def why_no_bpf():
    """Loads a program of two instructions (r0 = 0; exit) as a raw tracepoint; says why that failed."""
    instructions = struct.pack("<BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0)
    code = ctypes.create_string_buffer(instructions)
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack("<IIQQ", 17, 2, ctypes.addressof(code), ctypes.addressof(licence)).ljust(128, b"\0")
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(321, 5, buffer, len(attributes))
    if fd < 0:
        return f"loading a BPF program: {os.strerror(ctypes.get_errno())}"
    os.close(fd)
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        return "this kernel has no BTF"
    return None


def why_no_vm():
    missing = [tool for tool in ("qemu-system-x86_64", "cpio", "busybox") if not shutil.which(tool)]
    return f"not installed: {', '.join(missing)}" if missing else None


def why_no_vscode():
    if not shutil.which("npm") or not shutil.which("node"):
        return "npm or node is not installed"
    installed = os.path.isdir(os.path.join(config.ks_source, "tools", "vscode", "node_modules"))
    return None if installed else "tools/vscode/node_modules is missing; `npm ci` there makes it"


for feature, reason in (
    ("bpf", why_no_bpf()),
    ("shared", None if shared.is_dir() else "there is no ../shared folder"),
    ("vm", why_no_vm()),
    ("vscode", why_no_vscode()),
    ("z3", None if config.ks_z3 and not config.ks_z3.endswith("NOTFOUND") else "this build has no Z3 (libz3-dev)"),
    ("release", "this build has sanitizers" if config.ks_sanitizers else None),
):
    if reason is None:
        config.available_features.add(feature)
    else:
        lit_config.note(f"tests that require '{feature}' are skipped: {reason}")
