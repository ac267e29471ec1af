#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Holds a language model's library that keeps adapters apart to what they are.

    python3 check-adapters.py SEPARATE.so PLAIN.so ADAPTER=MERGED.so=GOLDEN.json...

Of each adapter: logits against float64 of PEFT with at most twice the error of
PEFT's own f32, and within 1e-5 of the library that has it merged. Without one the
library computes what PLAIN does, compiled alike, bit for bit on one thread and on
two, whole, token by token and in a ragged batch. A batch is bit for bit its rows alone, two
sessions have two adapters at once, and one session may change: how long that takes
is printed. Needs nothing but Python.
"""
import array
import ctypes
import json
import math
import sys
import time

from attn_session import Failure, Library

INVALID_ARGUMENT, MOST = 1, 1e-5


def choose(session, adapter):
    library = session.library
    name = library.table.name.decode()
    call = getattr(library.handle, name + "_session_adapter")
    status = call(session.handle, adapter and ctypes.c_char_p(adapter.encode()))
    if status:
        error = ctypes.CFUNCTYPE(ctypes.c_char_p)(library.table.last_error)
        raise Failure(status, error().decode())


def score(session, ids, vocabulary):
    session.reset()
    return session.run("score", [ids], vocabulary)[0]


def everything(session, ids, vocabulary):
    """Logits of a prompt whole, of its tokens one by one, and of several at once."""
    came = [score(session, ids, vocabulary)]
    session.reset()
    came += [session.run("decode", [[token]], vocabulary)[0] for token in ids]
    session.reset()
    return came + session.run("score", [ids, ids[:5], ids[2:9]], vocabulary)


def differ(a, b):
    """The largest difference, relative to the root of the mean square."""
    a, b = array.array("f", a), array.array("f", b)
    scale = math.sqrt(sum(x * x for x in b) / len(b))
    return max(abs(x - y) for x, y in zip(a, b)) / max(scale, 1.0)


def check(condition, what):
    if not condition:
        sys.exit("check-adapters.py: " + what)


def main(separate, plain, *cases):
    library = Library(separate)
    session, other = library.session(), library.session()
    base = Library(plain).session()
    adapters = [case.split("=") for case in cases]
    for adapter, merged, golden in adapters:
        with open(golden) as file:
            golden = json.load(file)
        ids, vocabulary = golden["ids"], len(golden["logits"][0])
        choose(session, adapter)
        came = score(session, ids, vocabulary)
        exact = [x for row in golden["logits"] for x in row]
        errors = [x - y for x, y in zip(array.array("f", came), exact)]
        rms = math.sqrt(sum(e * e for e in errors) / len(errors))
        check(rms <= 2 * golden["reference_rms"],
              "%s: error %g, PEFT's in f32 %g" % (adapter, rms, golden["reference_rms"]))
        apart = differ(came, score(Library(merged).session(), ids, vocabulary))
        check(apart <= MOST, "%s: %g from the merged one" % (adapter, apart))
        print("%s: error %.2g (PEFT in f32: %.2g), from merged %.2g"
              % (adapter, rms, golden["reference_rms"], apart))
        # Rows of a ragged batch are what they are alone.
        session.reset()
        rows = [ids, ids[:5], ids[2:9]]
        batch = session.run("score", rows, vocabulary)
        for row, together in zip(rows, batch):
            alone = score(session, row, vocabulary)
            check(together[:len(alone)] == alone, adapter + ": a row of a batch")

    choose(session, None)
    without = score(session, ids, vocabulary)
    check(everything(session, ids, vocabulary) == everything(base, ids, vocabulary),
          "without an adapter: other bits than the plain model's")
    pair = [Library(path, threads=2).session() for path in (separate, plain)]
    results = [everything(two, ids, vocabulary) for two in pair]
    check(results[0] == results[1] == everything(base, ids, vocabulary),
          "without an adapter, on two threads: other bits than the plain model's")
    choose(pair[0], adapters[0][0])
    check(everything(pair[0], ids, vocabulary) != results[0], "on two threads: no adapter")
    choose(pair[0], None)
    check(everything(pair[0], ids, vocabulary) == results[0], "on two threads: back again")
    made = {}
    for adapter, _, _ in adapters:
        choose(session, adapter)
        made[adapter] = score(session, ids, vocabulary)
    first, last = adapters[0][0], adapters[-1][0]
    check(differ(made[first], without) > 1e-2, "the adapter changes nothing")
    # Two sessions, two adapters; and back again.
    choose(other, first)
    check(score(other, ids, vocabulary) == made[first], "another session")
    for adapter in (last, None, first):
        choose(session, adapter)
        check(score(session, ids, vocabulary) == made.get(adapter, without),
              "a change of adapters")
        check(score(other, ids, vocabulary) == made[first], "two sessions")
    # In the middle of a sequence: what is there stays, what comes is new.
    choose(session, last)
    session.reset()
    session.run("decode", [ids[:4]], vocabulary)
    choose(session, first)
    session.run("decode", [ids[4:]], vocabulary)
    check(session.length(0) == len(ids), "positions after a change")
    try:
        choose(session, "nobody's")
        check(False, "an unknown adapter was accepted")
    except Failure as failure:
        check(failure.status == INVALID_ARGUMENT and "no adapter is named 'nobody's'"
              in str(failure), str(failure))
    session.reset()
    check(score(session, ids, vocabulary) == made[first], "after a refusal")

    times = []
    for turn in range(200):
        begin = time.perf_counter()
        choose(session, (first, last, None)[turn % 3])
        times.append(1e3 * (time.perf_counter() - begin))
    middle = sorted(times)[len(times) // 2]
    print("changing the adapter takes %.4f ms" % middle)


main(*sys.argv[1:])
