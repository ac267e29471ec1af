#!/usr/bin/env python3
# ===- lint.py - the house rules that a machine can check -----------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Checks the tree against the rules of CONTRIBUTING.md, in seconds.

    python3 test/lint/lint.py               every check
    python3 test/lint/lint.py CHECK...      some; --list names them

Looks at files that git tracks and at new ones that it does not ignore. Every
finding comes with its mend; any finding makes the exit status 1. Warnings do
not. Needs the standard library only; clang-format and mlir-tblgen are used
where they are installed.
"""

import ast
import json
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CPP = {".cpp", ".h", ".c"}
CODE = CPP | {".td", ".def"}
CLANG_FORMAT = "clang-format-22"


class Tree:
    """The files of the checkout and what was found in them."""

    def __init__(self):
        listing = subprocess.run(
            ["git", "ls-files", "-coz", "--exclude-standard"],
            cwd=ROOT, check=True, capture_output=True, text=True).stdout
        names = sorted(set(listing.split("\0")) - {""})
        self.files = [Path(name) for name in names if (ROOT / name).is_file()]
        self.present = set(map(str, self.files))
        self.texts = {}
        self.findings = []
        self.warnings = []
        self.skipped = []

    def text(self, path):
        """The file's text; empty if it is not text."""
        path = str(path)
        if path not in self.texts:
            data = (ROOT / path).read_bytes()
            try:
                self.texts[path] = "" if b"\0" in data else data.decode()
            except UnicodeDecodeError:
                self.texts[path] = ""
        return self.texts[path]

    def lines(self, path):
        return enumerate(self.text(path).splitlines(), 1)

    def under(self, *folders, suffixes=None):
        return [path for path in self.files
                if str(path).startswith(tuple(f + "/" for f in folders))
                and (suffixes is None or path.suffix in suffixes)]

    def find(self, where, what, mend):
        self.findings.append((where, what, mend))


def without_comments(text):
    """Line comments become empty; string literals are left alone."""
    return re.sub(r'("(?:\\.|[^"\\\n])*")|//[^\n]*',
                  lambda match: match.group(1) or "", text)


# --- Who may include whom ----------------------------------------------------

# Headers of C++ that can be used without the C++ library; what a use of them
# really needs is held to runtime/libc-symbols.txt by the test runtime-symbols.
FREESTANDING = {"algorithm", "atomic", "cstddef", "cstdint", "functional",
                "initializer_list", "limits", "new", "type_traits", "utility"}

# (files that begin with, may not include what begins with, except, why)
FORBIDDEN_INCLUDES = [
    ("compiler/cpu/", "compiler/gpu/", (), "cpu and gpu never know each other"),
    ("compiler/gpu/", "compiler/cpu/", (), "cpu and gpu never know each other"),
    # Names of targets are part of what kernel.variant means.
    ("dialects/", "compiler/", ("compiler/Target.h",),
     "dialects include only dialects"),
    ("dialects/", "runtime/", (), "dialects include only dialects"),
    ("include/", ("compiler/", "dialects/", "runtime/"), (),
     "applications see include/attn only"),
]
MAY_INCLUDE_TOOLS = ("compiler/tools/", "test/unit/tools/")


def runtime_may_include(tree, path, target, quoted):
    if not quoted:
        return target.endswith(".h") or target in FREESTANDING
    places = [path.parent / target, Path("include") / target,
              Path("runtime") / target]
    return any(str(place) in tree.present and
               str(place).startswith(("runtime/", "include/attn/"))
               for place in places)


def check_includes(tree):
    for path in tree.files:
        if path.suffix not in CODE | {".inc"}:
            continue
        for number, line in tree.lines(path):
            match = re.match(r'\s*#?\s*include\s+([<"])([^>"]+)[>"]', line)
            if match:
                check_include(tree, path, number, match[2], match[1] == '"')


def check_include(tree, path, number, target, quoted):
    where = f"{path}:{number}"
    name = str(path)
    if name.startswith("runtime/"):
        if not runtime_may_include(tree, path, target, quoted):
            tree.find(where, f"runtime includes '{target}'",
                      "runtime includes attn/*, runtime/* and headers of C; "
                      "move what it needs into runtime/ or include/attn/")
        return
    if (target.startswith("compiler/tools/")
            and not name.startswith(MAY_INCLUDE_TOOLS)):
        tree.find(where, f"'{target}' is included from outside compiler/tools",
                  "move what is needed into the room that owns it; tools holds "
                  "flags only")
    for source, forbidden, exceptions, why in FORBIDDEN_INCLUDES:
        if (name.startswith(source) and target.startswith(forbidden)
                and target not in exceptions):
            tree.find(where, f"'{target}' is included: {why}",
                      "move the declaration to where both may see it")


# --- One pass, four spellings ------------------------------------------------

def kebab(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def check_spellings(tree):
    passes = re.findall(r'^def (\w+)\s*:\s*\w+<"([^"]+)">',
                        tree.text("compiler/Passes.td"), re.MULTILINE)
    pipelines = tree.text("compiler/Pipelines.cpp")
    for name, flag in passes:
        spelled = kebab(name)
        if flag != "attn-" + spelled:
            tree.find("compiler/Passes.td", f"{name} has the flag '{flag}'",
                      f"call it attn-{spelled}, or rename the pass")
        if not re.search(rf"\bcreate{name}\b", pipelines):
            tree.find("compiler/Pipelines.cpp", f"no stage runs {name}",
                      f"add a stage named \"{spelled}\", or drop the pass")
        homes = [path for path in tree.under("compiler")
                 if path.name == name + ".cpp"]
        if len(homes) != 1:
            tree.find("compiler/Passes.td",
                      f"{name} has {len(homes)} files {name}.cpp",
                      f"implement it in compiler/ROOM/{name}.cpp")
            continue
        check_pass_test(tree, homes[0].parent.name, flag, spelled)


def check_pass_test(tree, room, flag, spelled):
    pattern = re.compile(rf"test/{room}/{spelled}(-[a-z0-9-]+)?\.mlir")
    tests = [name for name in tree.present if pattern.fullmatch(name)]
    if not tests:
        tree.find("compiler/Passes.td", f"--{flag} has no lit test",
                  f"write test/{room}/{spelled}.mlir: what fires, what must not")
    elif not any(f"--{flag}" in tree.text(test) or f" -{flag}" in tree.text(test)
                 for test in tests):
        tree.find(tests[0], f"does not run --{flag}",
                  f"give its RUN line --{flag}")


# --- Constraints: description, verifier, test --------------------------------

def described_constraints(tree):
    """Labels that the descriptions of ops number, with their places."""
    labels = {}
    for path in tree.under("dialects", suffixes={".td"}):
        op, listing = None, False
        for number, line in tree.lines(path):
            if match := re.match(r'def \w+', line):
                op, listing = None, False
            if match := re.search(r'\w+_Op<"(\w+)"', line):
                op = match[1]
            if line.strip() == "Constraints:":
                listing = True
            elif "}];" in line:
                listing = False
            elif listing and op and (match := re.match(r"\s+(\d+)\. ", line)):
                labels[f"{op}_c{match[1]}"] = f"{path}:{number}"
    return labels


def places(tree, paths, pattern, within=r".*"):
    """label -> first place, for what `pattern`'s group finds in `within`."""
    found = {}
    for path in paths:
        for number, line in tree.lines(path):
            part = re.search(within, line)
            for match in re.finditer(pattern, part[0] if part else ""):
                found.setdefault(match[1], f"{path}:{number}")
    return found


def check_constraints(tree):
    described = described_constraints(tree)
    checked = places(tree, tree.under("dialects", suffixes={".cpp"}),
                     r"\b([a-z]\w*_c\d+)\b", within=r"//.*")
    tests = [path for path in tree.under("test/dialects", suffixes={".mlir"})
             if path.name.startswith("invalid")]
    tested = places(tree, tests, r"@([a-z]\w*?_c\d+)(?:_\w+)?\b")
    for label, where in described.items():
        if label not in checked:
            tree.find(where, f"constraint {label} is not checked",
                      f"check it in a verifier labelled `// {label}`")
        if label not in tested:
            tree.find(where, f"constraint {label} has no negative test",
                      f"add @{label} to a test/dialects/*/invalid*.mlir")
    for label, where in list(checked.items()) + list(tested.items()):
        if label not in described:
            tree.find(where, f"{label} labels a constraint that no op describes",
                      "number it in the op's description, or correct the label")


# --- Pages that are written by a program -------------------------------------

def check_generated(tree):
    run_check(tree, "compiler/README.md",
              ["python3", "compiler/generate-pass-table.py", "--check"],
              "python3 compiler/generate-pass-table.py")
    script = "dialects/generate-docs.sh"
    if script in tree.present:
        if not (shutil.which("mlir-tblgen-22") or shutil.which("mlir-tblgen")):
            tree.skipped.append("mlir-tblgen is not installed: the pages of "
                                "the dialects were not compared")
            return
        run_check(tree, "dialects", ["bash", script, "--check"],
                  f"bash {script}")


def run_check(tree, where, command, mend):
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if result.returncode != 0:
        said = (result.stderr or result.stdout).strip().splitlines()
        tree.find(where, said[-1] if said else "is not up to date",
                  f"run: {mend}")


# --- Error codes -------------------------------------------------------------

ERROR_CODES = "compiler/tools/ErrorCodes.def"
# A test's expectation: error[A0123], or "A0123" as an argument of expectRefused
# and its like. `attnc explain A0123` is none.
PROVOKED = r'(?:\[|")(A0\d{3})(?:\\?\]|")'


def check_error_codes(tree):
    listed = re.findall(r"^ATTNC_ERROR\((A0\d{3}),", tree.text(ERROR_CODES),
                        re.MULTILINE)
    if listed != sorted(set(listed)):
        tree.find(ERROR_CODES, "codes are not sorted, or stand twice",
                  "sort them; one entry per code")
    used = {}
    for path in tree.under("compiler", "dialects", "runtime", suffixes=CPP):
        for number, line in enumerate(
                without_comments(tree.text(path)).splitlines(), 1):
            for code in re.findall(r"\bA0\d{3}\b", line):
                used.setdefault(code, f"{path}:{number}")
            if re.search(r"(?<!error)(?<!warning)\[A0\d{3}\]", line):
                tree.find(f"{path}:{number}", "a code without its kind",
                          "write `error[A0123]: message`")
    for code in sorted(set(used) - set(listed)):
        tree.find(used[code], f"{code} is not in {ERROR_CODES}",
                  f"add ATTNC_ERROR({code}, cause, what to do)")
    for code in sorted(set(listed) - set(used)):
        tree.find(ERROR_CODES, f"nothing reports {code}", "drop its entry")
    provoked = set()
    for path in tree.under("test"):
        provoked.update(re.findall(PROVOKED, tree.text(path)))
    for code in sorted(set(listed) - provoked):
        tree.find(ERROR_CODES, f"no test provokes {code}",
                  f"write a test that expects error[{code}], or drop the code "
                  "if it cannot happen")


# --- Files -------------------------------------------------------------------

SIZED = {".cpp", ".h", ".c", ".td", ".py", ".mlir"}
MOST_LINES, PASS_LINES, LIT_LINES = 600, 400, 150
MOST_BYTES = 2 << 20


def check_sizes(tree):
    for path in tree.files:
        lines = tree.text(path).count("\n")
        is_lit = path.suffix == ".mlir" and path.parts[0] == "test"
        most = LIT_LINES if is_lit else MOST_LINES
        if path.suffix in SIZED and lines > most:
            tree.find(path, f"has {lines} lines; {most} at most",
                      "split it by meaning")
        elif path.suffix == ".cpp" and lines > PASS_LINES:
            tree.warnings.append(f"{path} has {lines} lines; about "
                                 f"{PASS_LINES} are wanted")
        if (ROOT / path).stat().st_size > MOST_BYTES:
            tree.find(path, "is larger than 2 MB",
                      "make it when it is needed, or fetch it")


def check_banners(tree):
    for path in tree.files:
        if path.suffix not in CODE or {"data", "Inputs"} & set(path.parts):
            continue
        head = tree.text(path)[:800].splitlines()
        mend = (f"begin with `//===- {path.name} - what it is ---===//` and the "
                "license as other files do")
        first = head[0] if head else ""
        if not re.match(rf"(//|/\*)===-+ ([\w-]+/)?{re.escape(path.name)} -+ ?\S", first):
            tree.find(f"{path}:1", "the banner is missing or names another file",
                      mend)
        if not any("SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception"
                   in line for line in head[:8]):
            tree.find(path, "the license's SPDX line is missing", mend)


BAD_NAMES = "Utils|Helper|Common|Misc|Manager"


def check_names(tree):
    for path in tree.files:
        if re.search(rf"(?i)(^|[/_-])({BAD_NAMES})s?[._/-]", str(path)) or \
                re.search(rf"({BAD_NAMES})s?\.\w+$", path.name):
            tree.find(path, "is named after nothing", "name it after what it does")
        if path.suffix not in CPP | {".td"}:
            continue
        declaration = rf"\b(class|struct|enum|namespace|def)\s+(\w*({BAD_NAMES}))\b"
        for number, line in tree.lines(path):
            if match := re.search(declaration, line):
                tree.find(f"{path}:{number}", f"'{match[2]}' says nothing",
                          "name it after what it does")


# In two halves, so that these lines do not find themselves.
LEFTOVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(ho" r"me|ro" r"ot|wo" r"rk|Us" r"ers)/\w")


def check_leftovers(tree):
    for path in tree.files:
        if "data" in path.parts or "seeds" in path.parts:
            continue
        for number, line in tree.lines(path):
            if match := LEFTOVER.search(line):
                tree.find(f"{path}:{number}", f"{match[0]} is left",
                          "do it, or say in the text what holds today")
            if match := MACHINE_PATH.search(line):
                tree.find(f"{path}:{number}",
                          f"a path of one machine: {match[0]}...",
                          "make it relative to the repository")


# --- Syntax and form ---------------------------------------------------------

def check_lit_tests(tree):
    for path in tree.under("test", suffixes={".mlir", ".test"}):
        if not {"data", "Inputs"} & set(path.parts) and \
                "RUN:" not in tree.text(path):
            tree.find(path, "has no RUN line, so it never runs",
                      "say how it runs, or move it to a folder data/")


def check_syntax(tree):
    for path in tree.files:
        text = tree.text(path)
        if path.suffix == ".json" and "fuzz" not in path.parts:
            try:
                json.loads(text)
            except ValueError as error:
                tree.find(path, f"is not JSON: {error}", "correct it")
        if path.suffix == ".py":
            try:
                ast.parse(text)
            except SyntaxError as error:
                tree.find(f"{path}:{error.lineno}", f"not Python: {error.msg}",
                          "correct it")
        if path.suffix == ".sh" or re.match(r"#!.*\b(ba)?sh\n", text):
            result = subprocess.run(["bash", "-n", path], cwd=ROOT,
                                    capture_output=True, text=True)
            if result.returncode != 0:
                tree.find(path, result.stderr.strip(), "correct it")


def check_format(tree):
    if not shutil.which(CLANG_FORMAT):
        tree.skipped.append(f"{CLANG_FORMAT} is not installed: the layout of "
                            "C++ was not checked")
        return
    paths = [str(path) for path in tree.files if path.suffix in CPP]
    groups = [paths[i::8] for i in range(8)]

    def run(group):
        return subprocess.run(
            [CLANG_FORMAT, "--dry-run", "-Werror", *group], cwd=ROOT,
            capture_output=True, text=True).stderr if group else ""

    with ThreadPoolExecutor() as pool:
        output = "".join(pool.map(run, groups))
    places = re.findall(r"^([^\s:]+):(\d+):\d+: error:", output, re.MULTILINE)
    first = {}
    for path, number in places:
        first.setdefault(path, number)
    for path, number in sorted(first.items()):
        tree.find(f"{path}:{number}", "is not laid out by clang-format",
                  f"run: {CLANG_FORMAT} -i {path}")


# --- All of them -------------------------------------------------------------

CHECKS = {
    "includes": check_includes,
    "spellings": check_spellings,
    "constraints": check_constraints,
    "generated": check_generated,
    "error-codes": check_error_codes,
    "sizes": check_sizes,
    "banners": check_banners,
    "names": check_names,
    "leftovers": check_leftovers,
    "lit-tests": check_lit_tests,
    "syntax": check_syntax,
    "format": check_format,
}


def main(arguments):
    if "--list" in arguments:
        print("\n".join(CHECKS))
        return 0
    if unknown := [name for name in arguments if name not in CHECKS]:
        print(f"lint.py: '{unknown[0]}' is not a check; expected one of: "
              f"{', '.join(CHECKS)}", file=sys.stderr)
        return 2
    started = time.monotonic()
    tree = Tree()
    for name in arguments or CHECKS:
        CHECKS[name](tree)
    for text in tree.warnings:
        print(f"warning: {text}")
    for text in tree.skipped:
        print(f"skipped: {text}")
    for where, what, mend in tree.findings:
        print(f"{where}: {what}\n    mend: {mend}")
    print(f"lint: {len(arguments or CHECKS)} checks of {len(tree.files)} files, "
          f"{len(tree.findings)} findings, "
          f"{time.monotonic() - started:.1f} s")
    return 1 if tree.findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
