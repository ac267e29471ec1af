#!/usr/bin/env python3
# ===- check-decoder.py - a language model on a device --------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Holds the variant for a GPU of a language model to the processor's.

    check-decoder.py LIBRARY GOLDEN TOLERANCE [--device cuda:0] [--tokens N]
                     [--adapters NAME,NAME]

Logits of prompts in one piece and in chunks, of ragged batches, of forks,
truncations and sequences that were saved on the one and loaded on the other are
at most TOLERANCE apart, and greedy tokens are equal: those that a device draws
by itself, where the tolerance is below what decides (1e-3), else each after the
processor's, where more than twice the tolerance decides. With adapters, which the
library keeps apart, every sequence is read with each and without. GOLDEN, a file of
test/numerics/data/decoders, has the prompts. Ends with status 1 if something is wrong.
"""

import argparse
import array
import json
import sys
from ctypes import c_char_p
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "numerics"))
from attn_session import CONTEXT_FULL, Failure, Library  # noqa: E402

EXACT = 1e-3


def floats(data):
    return array.array("f", data)


class Pair:
    """One session on each."""

    def __init__(self, path, device, golden, tolerance):
        self.golden, self.tolerance = golden, tolerance
        self.vocabulary = len(golden["logits"][0])
        self.libraries = [Library(path, device="cpu"), Library(path, device=device)]
        self.sessions = [library.session() for library in self.libraries]
        self.worst = 0.0

    def fresh(self):
        for session in self.sessions:
            session.reset()

    def run(self, *rows, entry="decode"):
        """The same call on both; the processor's logits per row."""
        host, own = (session.run(entry, list(rows), self.vocabulary)
                     for session in self.sessions)
        for b, row in enumerate(rows):
            # Of places that a row does not fill nothing is said.
            count = self.vocabulary * (len(row) if entry == "score" else 1)
            for x, y in zip(floats(host[b])[:count], floats(own[b])[:count]):
                error = abs(x - y)
                if not error <= self.tolerance:
                    raise AssertionError(
                        "row %d is %g off, at most %g was expected" %
                        (b, error, self.tolerance))
                self.worst = max(self.worst, error)
        return [floats(row) for row in host], [floats(row) for row in own]

    def both(self, action, *arguments):
        for session in self.sessions:
            getattr(session, action)(*arguments)

    def check_prompts(self):
        ids = self.golden["ids"] + self.golden["greedy"][:60]  # a second block
        self.fresh()
        self.run(ids, entry="score")
        for sizes in ([5], [64, 1, 1], [3, 40, 2]):
            self.fresh()
            at, turn = 0, 0
            while at < len(ids):
                piece = ids[at:at + sizes[turn % len(sizes)]]
                self.run(piece)
                at, turn = at + len(piece), turn + 1

    def check_batches(self):
        ids = self.golden["ids"]
        self.fresh()
        self.run(ids, ids[4:7], [5], ids[::-1])
        self.run([7], [8, 9], [10], [11, 12, 13, 1, 2, 3])
        self.run([7], [8], [10], [11])

    def check_sequences(self):
        ids = self.golden["ids"] + self.golden["greedy"][:54]
        self.fresh()
        self.run(ids)
        for source, target in ((0, 1), (1, 2)):
            self.both("fork", source, target)
        self.run([3], [4, 5], [6])
        self.run([7], [7], [7])
        try:
            self.sessions[0].truncate(0, len(ids) - 2)
        except Failure:  # a window has moved on
            try:
                self.sessions[1].truncate(0, len(ids) - 2)
                raise AssertionError("a truncation was not refused")
            except Failure:
                pass
        else:
            self.sessions[1].truncate(0, len(ids) - 2)
            self.run([1, 2], [3], [4])
        # Saved on the one, loaded on the other.
        host, own = (session.save(0) for session in self.sessions)
        for session, data in zip(self.sessions, (own, host)):
            session.reset()
            session.load(2, data)
            session.fork(2, 0)
        self.run([9])

    def check_limits(self):
        self.fresh()
        positions = 90
        for session in self.sessions:
            while session.length(0) < positions - 1:
                session.run("decode", [[1] * min(32, positions - 1 - session.length(0))],
                            self.vocabulary)
            try:
                session.run("decode", [[1, 2]], self.vocabulary)
                raise AssertionError("a sequence that is full has grown")
            except Failure as failure:
                if failure.status != CONTEXT_FULL:
                    raise
            if session.length(0) != positions - 1:
                raise AssertionError("a refused call had an effect")
        self.run([1])
        self.both("reserve", 2, positions)

    def check_adapters(self, names):
        """Adapters by turns, in the middle of sequences as well."""
        ids, seen = self.golden["ids"], []
        for name in [None, *names, None, *reversed(names)]:
            for library, session in zip(self.libraries, self.sessions):
                library("session_adapter", session.handle,
                        c_char_p(name and name.encode()))
            self.fresh()
            host, own = self.run(ids, ids[::-1])
            self.run([3], [4, 5])
            seen.append((name, own[0]))
        for name, logits in seen:
            for other, others in seen:
                if (name == other) != (logits == others):
                    raise AssertionError("logits with %s are %s those with %s" %
                                         (name, "not" if name == other else "",
                                          other))

    def check_greedy(self, tokens):
        self.fresh()
        expected = self.sessions[0].generate(self.golden["ids"], max_tokens=tokens,
                                             keeps_model_stops=1)[0]
        self.fresh()
        if self.tolerance <= EXACT:
            made = self.sessions[1].generate(self.golden["ids"], max_tokens=tokens,
                                             keeps_model_stops=1)[0]
            if made != expected:
                raise AssertionError("tokens %s, not %s" % (made, expected))
            return
        feed = self.golden["ids"]
        for token in expected:
            host, own = (rows[0] for rows in self.run(feed))
            second = max(x for i, x in enumerate(host) if i != token)
            if host[token] - second > 2 * self.tolerance and max(own) != own[token]:
                raise AssertionError("another token than %d" % token)
            feed = [token]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("golden", type=Path)
    parser.add_argument("tolerance", type=float)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--adapters", type=lambda text: text.split(","), default=[])
    given = parser.parse_args()
    golden = json.loads(given.golden.read_text())
    pair = Pair(given.library, given.device, golden, given.tolerance)
    try:
        pair.check_prompts()
        pair.check_batches()
        pair.check_sequences()
        pair.check_limits()
        pair.check_greedy(given.tokens)
        if given.adapters:
            pair.check_adapters(given.adapters)
    except (AssertionError, Failure) as error:
        print("%s WRONG: %s" % (given.golden.stem, error))
        return 1
    print("%s right, at most %.1e apart" % (given.golden.stem, pair.worst))
    for session in pair.sessions:
        session.close()
    for library in pair.libraries:
        library.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
