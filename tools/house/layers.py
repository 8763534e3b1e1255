#!/usr/bin/env python3
"""Who may depend on whom: reads the #include lines and compares them with the table below.

  layers.py [ROOT]      exit status 1 and one line per violation, as FILE:LINE: …
"""
import pathlib
import re
import sys

# Part (a folder, or one file apart from its folder) → parts whose headers it may include, besides its own and what those may include.
PARTS = {
    "bpf/schema": [],
    "compiler/support": [],
    "compiler/syntax": ["compiler/support"],
    "compiler/format": ["compiler/syntax"],
    "compiler/sema": ["compiler/syntax", "bpf/schema"],
    "compiler/ir": ["bpf/schema", "compiler/support"],
    "compiler/lower": ["compiler/sema", "compiler/ir"],
    "compiler/lint": ["compiler/lower"],
    "compiler/mutate": ["compiler/lint"],
    "compiler/codegen": ["compiler/ir"],
    "compiler/bundle": ["compiler/ir"],
    "compiler/driver": ["compiler/lint", "compiler/codegen", "compiler/bundle"],
    "compiler/prove": ["compiler/lint"],
    "compiler/ide": ["compiler/driver"],
    "runtime/event": ["bpf/schema", "compiler/support"],
    "runtime/enrich": ["runtime/event", "compiler/bundle"],
    "runtime/trace": ["runtime/event"],
    "runtime/import": ["runtime/enrich", "runtime/trace"],
    "runtime/kernel": ["bpf/schema", "compiler/support"],
    # The engine too: what decides residuals changes with the programs, generation by generation.
    "runtime/loader": ["compiler/bundle", "runtime/kernel", "runtime/engine"],
    "runtime/engine": ["compiler/ir", "runtime/event"],
    "runtime/evaluate": ["compiler/codegen", "runtime/engine", "runtime/kernel"],
    "runtime/alert": ["runtime/event"],
    "runtime/state": ["runtime/engine"],
    "runtime/replay": ["runtime/engine", "runtime/state", "compiler/bundle", "runtime/import", "runtime/alert"],
    "tools/cli": ["bpf/schema", "compiler/support"],
    "tools/ksc/lsp": ["compiler/ide", "compiler/format"],
    "tools/ksc": ["compiler/driver", "compiler/format", "compiler/mutate", "compiler/prove", "runtime/evaluate", "runtime/import", "runtime/replay", "tools/cli", "tools/ksc/lsp"],
    "tools/kubesentryd": ["runtime/loader", "runtime/state", "runtime/enrich", "runtime/alert", "runtime/trace", "tools/cli"],
    # Runs while we build: makes the objects that `kubesentryd record` carries. Not a part of the daemon.
    "tools/kubesentryd/recorder/make_recorder.cpp": ["compiler/codegen", "tools/kubesentryd"],
}
# Code that runs in the kernel, or is linked into what does: plain C, in reach of nothing but the table and each other.
BPF_PARTS = ["bpf/fields", "bpf/hooks", "bpf/test", "compiler/codegen/bpf"]
BPF_MAY = ["bpf/schema", "bpf/fields", "bpf/hooks", "bpf/test", "compiler/codegen/bpf"]

# Foreign library → (how its includes look, where they may stand). Folder or file prefixes; everything in tests/ may.
LIBRARIES = {
    "ANTLR": (r"antlr4-runtime|Ksp(Lexer|Parser|Visitor|BaseVisitor|Listener|BaseListener)\.h", ["compiler/syntax/"]),
    "LLVM": (r"(llvm|llvm-c|clang|lld)/", ["compiler/codegen/"]),
    "libbpf": (r"bpf/(libbpf|bpf|btf)(_\w+)?\.h", ["runtime/kernel/", "runtime/evaluate/"]),
    "OpenSSL": (r"openssl/", ["compiler/bundle/"]),
    "zstd": (r"zstd", ["runtime/trace/"]),
    "Z3": (r"z3", ["compiler/prove/"]),
    "zlib": (r"zlib\.h", ["runtime/import/", "tools/ksc/html_page.cpp"]),
    "Expat": (r"expat\.h", ["runtime/import/sysmon/"]),
    "RE2": (r"re2/", ["bpf/schema/regex.h", "compiler/sema/", "compiler/ir/", "runtime/engine/"]),
}
# Headers of libbpf for code that runs in the kernel.
BPF_SIDE = re.compile(r"bpf/bpf_(helpers|helper_defs|core_read|tracing|endian)\.h")

# Code only: fuzzers and unit tests of a part may use what their part may, and GoogleTest.
SOURCES = ("*.h", "*.cpp", "*.c", "*.def")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def reach(part, seen=None):
    seen = {part} if seen is None else seen
    for other in PARTS[part]:
        if other not in seen:
            seen.add(other)
            reach(other, seen)
    return seen


def part_of(path):
    """The longest part that holds the path; None for generated and foreign headers."""
    for part in sorted([*PARTS, *BPF_PARTS], key=len, reverse=True):
        if path == part or path.startswith(part + "/"):
            return part
    return None


def check_include(file, target):
    """What is wrong with `file` including `target`, or None."""
    part = part_of(file)
    if part in BPF_PARTS:
        other = part_of(target)
        if other and other not in BPF_MAY:
            return f"code for the kernel may not include {other}"
        if other is None and re.match(LIBRARIES["libbpf"][0], target) and not BPF_SIDE.fullmatch(target):
            return "code for the kernel may not include libbpf's userspace headers"
        return None
    for library, (pattern, places) in LIBRARIES.items():
        if re.match(pattern, target) and not any(file.startswith(place) for place in places):
            return f"{library} belongs in {' and '.join(places)} only"
    other = part_of(target)
    # What BPF and userspace share is C; its headers in bpf/hooks and bpf/test describe maps and test programs.
    if part is None or other is None or other in BPF_PARTS or other in reach(part):
        return None
    return f"{part} may not depend on {other} (allowed: {', '.join(sorted(reach(part) - {part})) or 'nothing'})"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent.parent)
    files = violations = 0
    for folder in ("bpf", "compiler", "runtime", "tools"):
        for path in sorted(found for pattern in SOURCES for found in (root / folder).rglob(pattern)):
            name = path.relative_to(root).as_posix()
            if "node_modules" in path.parts:
                continue
            files += 1
            if part_of(name) is None:
                print(f"{name}:1: belongs to no part of the house: give its folder a row in tools/house/layers.py")
                violations += 1
                continue
            text = path.read_text(errors="replace")
            for found in INCLUDE.finditer(text):
                target = found.group(2)
                if found.group(1) == '"' and not (root / target).exists() and (path.parent / target).exists():
                    target = (path.parent / target).resolve().relative_to(root.resolve()).as_posix()
                wrong = check_include(name, target)
                if wrong:
                    line = text.count("\n", 0, found.start(2)) + 1
                    print(f"{name}:{line}: includes {found.group(2)}: {wrong}")
                    violations += 1
    print(f"layers: {files} files, {violations} violations")
    return 1 if violations or not files else 0


if __name__ == "__main__":
    sys.exit(main())
