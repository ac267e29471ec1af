#!/usr/bin/env python3
# ===- trace-lines.py - which lines of a script were never run ------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Runs Python scripts and adds up which of their lines were executed.

    trace-lines.py run FOLDER LOG SCRIPT ARGUMENT...  as `python SCRIPT ARGUMENT...`
    trace-lines.py missing FOLDER LOG    lines of FOLDER's scripts that no run did

LOG gets one "FILE LINE" for each line of a file directly in FOLDER. Lines of a
shell script come in by its own trace: bash -x with PS4='+shell ${BASH_SOURCE}
${LINENO} ', written to LOG too; of those, simple commands count.
"""

import os
import re
import runpy
import sys
import threading
from pathlib import Path


def run(folder, log, script, arguments):
    done = set()

    def trace(frame, event, _):
        name = frame.f_code.co_filename
        if os.path.dirname(os.path.abspath(name)) != folder:
            return None
        if event == "line":
            done.add((os.path.basename(name), frame.f_lineno))
        return trace

    if script == "-c":
        exec(arguments[0], {})
        return
    sys.argv = [script] + arguments
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    threading.settrace(trace)
    sys.settrace(trace)
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        sys.settrace(None)
        with open(log, "a") as file:
            file.writelines(f"{name} {line}\n" for name, line in done)


def lines_of(code):
    """Lines that have instructions, but for headers of functions and docs."""
    for _, _, line in code.co_lines():
        if line and line > code.co_firstlineno:
            yield line
    for constant in code.co_consts:
        if hasattr(constant, "co_lines"):
            yield from lines_of(constant)


def shell_lines(text):
    """Lines that begin a simple command. A line that the one above goes on in,
    keywords, and what a pipe or a test stands on are the business of others."""
    follows = False
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        word = re.match(r"[\w$\"\[({]+", line)
        if word and not follows and word.group() not in (
                "fi", "done", "esac", "else", "then", "do", "case", "{") and \
                not re.match(r"[-*\w]+\)|\w+\(\) {", line):
            yield number
        follows = line.endswith(("\\", "|", "||", "&&")) or \
            (follows and not line)


def missing(folder, log):
    done = set()
    for line in Path(log).read_text(errors="replace").splitlines():
        parts = line.split()
        if parts and parts[0].endswith("shell") and len(parts) > 2:
            parts = [os.path.basename(parts[1]), parts[2]]
        if len(parts) == 2 and parts[1].isdigit():
            done.add((parts[0], int(parts[1])))
    count, left = 0, []
    for path in sorted(Path(folder).iterdir()):
        text = path.read_text() if path.suffix in (".py", ".sh") else ""
        if path.suffix == ".py":
            lines = set(lines_of(compile(text, path.name, "exec")))
        else:
            lines = set(shell_lines(text))
        count += len(lines)
        left += [(path.name, line, text.splitlines()[line - 1].strip())
                 for line in sorted(lines) if (path.name, line) not in done]
    for name, line, shown in left:
        print(f"{name}:{line}: never run: {shown}")
    print(f"{count - len(left)} of {count} lines were run")
    return 1 if left else 0


def main():
    if len(sys.argv) > 4 and sys.argv[1] == "run":
        run(os.path.abspath(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5:])
        return 0
    if len(sys.argv) == 4 and sys.argv[1] == "missing":
        return missing(sys.argv[2], sys.argv[3])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
