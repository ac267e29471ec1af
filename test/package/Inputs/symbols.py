"""Holds both forms of a library to the symbols that they may have.

symbols.py FOLDER NAME LIST [openblas]: LIST has the allowed symbols of libc, one
a line; with `openblas`, what matrix products by OpenBLAS need comes in addition.
"""
import re
import subprocess
import sys

folder, name, allowed_file = sys.argv[1:4]
openblas = sys.argv[4:] == ["openblas"]
# Newer symbols would keep the library off older systems.
NEWEST_GLIBC = (2, 34)

allowed = set()
for line in open(allowed_file):
    if line.strip() and not line.startswith("#"):
        allowed.add(line.strip())

libraries_allowed = {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"}
if openblas:
    allowed |= {"cblas_sgemm", "openblas_set_num_threads"}
    libraries_allowed.add("libopenblas.so.0")

declared = set(
    re.findall(r"\b(%s_\w+)\(" % name, open("%s/%s.h" % (folder, name)).read())
)
problems = []


def tool(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def check(kind, listing):
    exported, needed, newest = set(), set(), (0, 0)
    for line in listing.splitlines():
        fields = line.split()
        if len(fields) < 2 or line.endswith(":"):
            continue
        symbol, _, version = fields[-1].partition("@")
        if fields[-2] in "Uw":
            needed.add(symbol)
            number = re.search(r"GLIBC_([0-9.]+)", version)
            if number:
                newest = max(newest, tuple(map(int, number.group(1).split("."))))
        else:
            exported.add(symbol)
    if exported != declared:
        problems.append("%s: exported but not declared: %s; declared but not "
                        "exported: %s" % (kind, exported - declared,
                                          declared - exported))
    # The linker's own, in the static form: where a table or the stack begins.
    extra = needed - allowed - {"_GLOBAL_OFFSET_TABLE_"}
    if extra:
        problems.append("%s: needs %s" % (kind, sorted(extra)))
    if newest > NEWEST_GLIBC:
        problems.append("%s: needs glibc %s" % (kind, newest))
    return newest


shared = "%s/lib%s.so" % (folder, name)
newest = check("shared", tool("llvm-nm", "-D", shared))
check("static", tool("llvm-nm", "-g", "%s/lib%s.a" % (folder, name)))

dynamic = tool("llvm-readelf", "-d", shared)
libraries = set(re.findall(r"NEEDED.*\[(.*)\]", dynamic))
if not libraries <= libraries_allowed:
    problems.append("needs the libraries %s" % sorted(libraries))
if re.search(r"\b(RPATH|RUNPATH|TEXTREL)\b", dynamic):
    problems.append("has a path or text relocations:\n" + dynamic)
segments = tool("llvm-readelf", "-lW", shared)
if re.search(r"GNU_STACK.*RWE", segments) or re.search(r"LOAD.*RWE", segments):
    problems.append("has memory that is writable and executable")

print("\n".join(problems) or "%s: %d functions, libc and its loader, glibc %d.%d"
      % ((name, len(declared)) + newest[:2]))
sys.exit(bool(problems))
