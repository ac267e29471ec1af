#!/usr/bin/env python3
# ===- check-device-faults.py - a language model on a driver that fails ---===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Lets calls of the stub driver fail while a compiled language model prefills,
generates, forks, saves and loads.

    check-device-faults.py LIBRARY [--points N] [--seconds N]

A failure that passes, memory that is exhausted and a device that is lost (after
which every call fails) come at N calls (0: at every one) of one run of everything.
Each run has to end in time, with the right tokens or an error that names the
driver's; nothing may be held after it, and the next run has to be right. LIBRARY's
folder holds "ir", its dumped IR; the stub driver is the libcuda.so.1 of
LD_LIBRARY_PATH. Ends with status 1 if something is wrong.
"""

import argparse
import ctypes
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "numerics"))
from attn_session import Failure, Library  # noqa: E402

OUT_OF_MEMORY, DEVICE = 2, 10
PASSING, EXHAUSTED, LOST = 998, 2, 700
PROMPT = [5, 6, 7]


def everything(library_path):
    """What it made, and the failure that ended it."""
    made, library, session = [], None, None
    try:
        library = Library(library_path, device="cuda")
        session = library.session()
        made.append(session.generate(PROMPT, max_tokens=2, keeps_model_stops=1)[0])
        session.fork(0, 1)
        data = session.save(1)
        session.load(2, data)
        session.truncate(0, 2)
        made.append(session.generate_batch([[8], [9, 10]], [0, 2], [1, 2]))
        return made, None
    except Failure as failure:
        return made, failure
    finally:
        if session:
            session.close()
        if library:
            library.close()


def problem(driver, path, truth, nth, code):
    """What is wrong with a run whose nth call of the driver fails; None if
    nothing is."""
    driver.stub_reset()
    driver.stub_fail(None, nth, code)
    made, failure = everything(path)
    if not driver.stub_has_failed():
        return "the driver was called less often than before"
    if made != truth[:len(made)]:
        return "made %s, not %s" % (made, truth)
    if failure is None and made != truth:
        return "ended early without an error"
    if failure and failure.status not in (OUT_OF_MEMORY, DEVICE):
        return "ended with %s" % failure
    report = driver.stub_report().decode()
    if report:
        return "left behind: " + report.strip().replace("\n", "; ")
    driver.stub_reset()
    made, failure = everything(path)
    if failure or made != truth:
        return "the next run is wrong: %s %s" % (made, failure)
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--points", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=60)
    given = parser.parse_args()
    os.environ.setdefault("ATTNC_STUB_KERNELS",
                          str(Path(given.library).resolve().parent / "ir"))
    driver = ctypes.CDLL("libcuda.so.1")
    driver.stub_fail.argtypes = [ctypes.c_char_p, ctypes.c_uint64, ctypes.c_int]
    driver.stub_calls.restype = ctypes.c_uint64
    driver.stub_report.restype = ctypes.c_char_p
    driver.stub_reset()
    truth, failure = everything(given.library)
    calls = driver.stub_calls(None)
    report = driver.stub_report().decode()
    if failure or report:
        print("check-device-faults.py: wrong as it is: %s %s" % (failure, report))
        return 1
    step = max(1, calls // given.points) if given.points else 1
    wrong = runs = 0
    for code in (PASSING, EXHAUSTED, LOST):
        # Another offset for each, so that more calls have their turn.
        for nth in range(code % step, calls, step):
            signal.alarm(given.seconds)  # a run that hangs ends the script
            text = problem(driver, given.library, truth, nth, code)
            runs += 1
            if text:
                wrong += 1
                print("call %d of %d fails with %d: %s" % (nth, calls, code, text))
    signal.alarm(0)
    print("%d failures of the driver in %d calls, %d ended wrong" %
          (runs, calls, wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
