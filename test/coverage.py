#!/usr/bin/env python3
# ===- coverage.py - branches taken, file by file --------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Reads what `llvm-cov export` writes and prints what coverage.sh promises.

    llvm-cov export --summary-only ... | python3 coverage.py table ROOM PERCENT
    llvm-cov export ...                | python3 coverage.py missing PATH

The first prints a table; its exit status is 1 if fewer than PERCENT of the
branches below ROOM are taken. The second prints each condition below PATH one
of whose outcomes no test has.
"""

import json
import os
import sys


def print_table(files, room, wanted):
    taken = total = 0
    print(f"{'file':48} {'branches':>9} {'taken':>7} {'':>7}")
    for entry in sorted(files, key=lambda entry: entry["filename"]):
        name = os.path.relpath(entry["filename"])
        branches = entry["summary"]["branches"]
        if not name.startswith(room + "/") or branches["count"] == 0:
            continue
        taken += branches["covered"]
        total += branches["count"]
        print(f"{name:48} {branches['count']:9} {branches['covered']:7} "
              f"{100 * branches['covered'] / branches['count']:6.1f}%")
    if total == 0:
        print(f"coverage: no branch of {room}/ was seen; expected a profile of "
              "it", file=sys.stderr)
        return 1
    percent = 100 * taken / total
    verdict = "ok" if percent >= wanted else f"FAILED, below {wanted:g}%"
    print(f"{room + ': all':48} {total:9} {taken:7} {percent:6.1f}%  "
          f"{verdict}\n")
    return 0 if percent >= wanted else 1


def print_missing(files, path):
    for entry in sorted(files, key=lambda entry: entry["filename"]):
        name = os.path.relpath(entry["filename"])
        if not name.startswith(path):
            continue
        with open(entry["filename"], encoding="utf-8") as source:
            lines = source.read().splitlines()
        counts = {}  # a template's instances together
        for begin, column, end, last, true, false, *_ in entry["branches"]:
            at = counts.setdefault((begin, column, end, last), [0, 0])
            at[0] += true
            at[1] += false
        for (begin, column, end, last), taken in sorted(counts.items()):
            if min(taken) > 0:
                continue
            text = lines[begin - 1][column - 1:
                                    last - 1 if end == begin else None]
            never = [word for word, count in zip(("true", "false"), taken)
                     if count == 0]
            print(f"{name}:{begin}:{column}: never {' or '.join(never)}: {text}")
    return 0


def main(what, place, *wanted):
    files = json.load(sys.stdin)["data"][0]["files"]
    if what == "table":
        return print_table(files, place, float(*wanted))
    return print_missing(files, place)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
