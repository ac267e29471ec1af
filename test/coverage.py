#!/usr/bin/env python3
# ===- coverage.py - branches taken, file by file --------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Reads what `llvm-cov export --summary-only` writes and prints a table.

    llvm-cov export ... | python3 coverage.py ROOM PERCENT

The exit status is 1 if fewer than PERCENT of the branches below ROOM are taken.
"""

import json
import os
import sys


def main(room, wanted):
    files = json.load(sys.stdin)["data"][0]["files"]
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2])))
