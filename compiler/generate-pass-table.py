#!/usr/bin/env python3
# ===- generate-pass-table.py - the passes as a table ---------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Writes the table of passes in compiler/README.md.

    python3 compiler/generate-pass-table.py           writes it
    python3 compiler/generate-pass-table.py --check   fails if it is not current

Summaries and statistics come from Passes.td, the order from Pipelines.cpp, the
room from where the pass's .cpp lies.
"""

import re
import sys
from pathlib import Path

COMPILER = Path(__file__).resolve().parent
README = COMPILER / "README.md"
BEGIN = "<!-- passes: written by compiler/generate-pass-table.py; do not edit -->"
END = "<!-- /passes -->"


def fail(message):
    sys.exit(f"generate-pass-table.py: {message}")


def read_definitions(text):
    """Passes in the order of the file: (name, flag, summary, statistics)."""
    # From one class or def to the next: what a class says holds for its defs.
    parts = re.split(r"^(?=(?:class|def) )", text, flags=re.MULTILINE)
    inherited = {}
    passes = []
    for part in parts:
        counts = re.findall(r'Statistic<\s*"(\w+)",', part)
        if match := re.match(r"class (\w+)", part):
            inherited[match[1]] = counts
        elif match := re.match(r'def (\w+)\s*:\s*(\w+)<"([^"]+)">', part):
            name, base, flag = match.groups()
            summary = re.search(r'let summary = ((?:"(?:\\.|[^"\\])*"\s*)+);', part)
            if not summary:
                fail(f"{name} has no summary in Passes.td")
            words = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', summary[1]))
            passes.append((name, flag, words, counts or inherited.get(base, [])))
    return passes


def pipeline_position(pipelines, name):
    match = re.search(rf"\bcreate{name}\b", pipelines)
    if not match:
        fail(f"no stage of Pipelines.cpp runs {name}")
    return match.start()


def room_of(name):
    homes = list(COMPILER.glob(f"*/{name}.cpp"))
    if len(homes) != 1:
        fail(f"{name} has {len(homes)} files {name}.cpp; expected one")
    return homes[0].parent.name


def make_table():
    pipelines = (COMPILER / "Pipelines.cpp").read_text()
    passes = read_definitions((COMPILER / "Passes.td").read_text())
    passes.sort(key=lambda entry: pipeline_position(pipelines, entry[0]))
    rows = ["| pass | what it does | room | counts |", "|---|---|---|---|"]
    for name, flag, summary, counts in passes:
        room = room_of(name)
        escaped = summary.replace("|", "\\|")
        rows.append(f"| [`--{flag}`]({room}/{name}.cpp) | {escaped} | "
                    f"`{room}/` | {', '.join(counts)} |")
    return "\n".join(rows)


def main(arguments):
    if arguments not in ([], ["--check"]):
        fail(f"'{' '.join(arguments)}' is not understood; expected nothing or "
             "--check")
    text = README.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        fail(f"{README.name} lacks the lines '{BEGIN}' and '{END}'")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    written = f"{before}{BEGIN}\n\n{make_table()}\n\n{END}{after}"
    if written == text:
        return
    if arguments:
        fail("the table of passes in compiler/README.md is not up to date")
    README.write_text(written)


if __name__ == "__main__":
    main(sys.argv[1:])
