#!/usr/bin/env python3
# ===- trace-lines.py - which lines of a script were never run ------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Runs Python scripts and adds up which of their lines were executed.

    trace-lines.py run FOLDER LOG SCRIPT ARGUMENT...  as `python SCRIPT ARGUMENT...`
    trace-lines.py missing LOG FILE...    what of these scripts no run did

LOG gets one "FILE LINE" for each line of a file directly in FOLDER. Lines of a
shell script come in by its own trace: set -x with PS4='+shell ${BASH_SOURCE}
${LINENO} ', written to LOG too. Statements count, not lines; those that raise an
exception because something is wrong do not, nor do definitions, nor what a shell
script says of a tool that is not installed (skip).
"""

import ast
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


def statements(tree):
    """First and last lines of what is executed."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt) or isinstance(
                node, (ast.FunctionDef, ast.ClassDef, ast.Raise, ast.Try,
                       ast.Nonlocal, ast.Global)):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # what a function says of itself
        last = node.body[0].lineno - 1 if hasattr(node, "body") else node.end_lineno
        yield node.lineno, max(last, node.lineno)


def shell_statements(text):
    """Lines of simple commands, with those that they go on in."""
    begin = None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        begin = begin or number
        if line.endswith(("\\", "|", "||", "&&")):
            continue
        first = text.splitlines()[begin - 1].strip()
        word = first.split(" ")[0].rstrip(";")
        if word and word[0] != "#" and word not in (
                "fi", "done", "esac", "else", "then", "do", "case", "{", "}",
                "shift", "skip") and not re.match(r"[^ ]+\)|\w+\(\) {", first):
            yield begin, number
        begin = None


def missing(log, files):
    done = set()
    for line in Path(log).read_text(errors="replace").splitlines():
        parts = line.split()
        if len(parts) > 2 and parts[0].endswith("shell"):
            parts = [os.path.basename(parts[1]), parts[2]]
        if len(parts) == 2 and parts[1].isdigit():
            done.add((parts[0], int(parts[1])))
    count = left = 0
    for path in map(Path, files):
        text = path.read_text()
        found = statements(ast.parse(text)) if path.suffix == ".py" else \
            shell_statements(text)
        for first, last in found:
            count += 1
            if not any((path.name, line) in done
                       for line in range(first, last + 1)):
                left += 1
                print(f"{path.name}:{first}: never run: "
                      f"{text.splitlines()[first - 1].strip()}")
    print(f"{count - left} of {count} statements were run")
    return 1 if left else 0


def main():
    if len(sys.argv) > 4 and sys.argv[1] == "run":
        run(os.path.abspath(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5:])
        return 0
    if len(sys.argv) > 3 and sys.argv[1] == "missing":
        return missing(sys.argv[2], sys.argv[3:])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
