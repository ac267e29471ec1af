"""Compares what `attnc run` prints with the digits in an example's file.

compare-digits.py FILE PREFIX < OUTPUT

Lines "// PREFIX: ..." and "// PREFIX-NEXT: ..." are what is expected, rounded
from double precision. Single precision may round the last digit the other way
where the value lies between two: one unit of it is allowed, nothing else.
"""
import re
import sys

path, prefix = sys.argv[1:]
UNIT = 1.001e-6

expected = re.findall(r"^// %s(?:-NEXT)?: +(.*)$" % prefix, open(path).read(), re.M)
came = [line.strip() for line in sys.stdin if line.strip()]
problems = []
if len(expected) != len(came) or not expected:
    problems.append("%d lines expected, %d came" % (len(expected), len(came)))
for line, (want, got) in enumerate(zip(expected, came), 1):
    if want == got:
        continue
    try:
        pairs = [(float(a), float(b)) for a, b in zip(want.split(), got.split())]
        same = len(want.split()) == len(got.split()) and all(
            abs(a - b) <= UNIT for a, b in pairs)
    except ValueError:
        same = False
    if not same:
        problems.append("line %d: expected %s\n         came     %s" % (line, want, got))
print("\n".join(problems) or "%s: as in the file" % prefix)
sys.exit(bool(problems))
