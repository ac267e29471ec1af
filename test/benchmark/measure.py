# ===- measure.py - interleaved timing --------------------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# Times several callables in rounds: in a round each is called once, in turn, and
# every round begins with another one. Slow drifts of the machine (frequency,
# neighbours) then meet all alike, and a round's ratio cancels them.
#
# Threads of a peer spin after its call (onnxruntime's for some 30 ms) and would take
# a core from the next one. With more than one thread a pause therefore comes before
# each turn; then some milliseconds of calls that do not count, which wake the
# threads again, let the system place them and bring the weights back into the caches,
# as in a service that makes call after call; then the timed call. The first call
# behind the pause is what a service pays whose calls come now and then: it is kept
# apart.
#
# ===----------------------------------------------------------------------===//
import json
import os
import resource
import statistics
import subprocess
import sys
import time

PAUSE = 0.05  # seconds
# The same time for all, and several turns of the system's scheduler: with few calls
# of a millisecond or two, one in which two threads shared a core would be the median.
WARM = 0.01
LONG = 0.25  # a call that needs no warming: what it brings is noise here
FEWEST = 5


# Our own column without our rewrites: none of the peers.
UNFUSED = "attnc unfused"


class Skipped(Exception):
    """What a peer cannot do, in words."""


# What one process may take: a peer that wants more fails by itself, instead of
# the machine.
MOST_MEMORY = 16 << 30


def limit_memory():
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, hard))


def first_line(failure):
    """What an exception says, on one line."""
    text = str(failure).strip().splitlines()
    return f"{type(failure).__name__}: {text[0][:200] if text else ''}".rstrip(": ")


class Progress:
    """What a process has measured so far, in a file that is whole at any time."""

    def __init__(self, path):
        self.path = path
        self.rows, self.settings, self.skipped, self.failures = [], [], [], []
        self.label = None
        self.write()

    def write(self):
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        with open(self.path + ".new", "w") as file:
            json.dump(
                {"rows": self.rows, "settings": self.settings, "label": self.label,
                 "skipped": self.skipped, "failures": self.failures,
                 "memory": memory},
                file,
            )
        os.replace(self.path + ".new", self.path)

    def begin(self, label):
        """The row that is worked on; returns skip()."""
        self.label = label
        self.write()
        return self.skip

    def skip(self, why):
        """A column that a row, or all rows, go without."""
        line = f"{self.label}: {why}" if self.label else why
        print(f"  skipped: {line}", file=sys.stderr, flush=True)
        self.skipped.append(line)

    def fail(self, why):
        """A row that is not to be had."""
        print(f"  {self.label}: {why}", file=sys.stderr, flush=True)
        self.failures.append(f"{self.label}: {why}")
        self.write()

    def add(self, row):
        self.rows.append(row)
        self.write()

    def end(self):
        self.label = None
        self.write()


def timed(run):
    """Seconds of a call; a float that it returns is what it took by its own clock."""
    begin = time.perf_counter()
    result = run()
    took = time.perf_counter() - begin
    return result if isinstance(result, float) else took


class MemoryReader:
    """What the machine reads from memory in the same rounds, `bytes` at a time."""

    def __init__(self, program, threads, most):
        self.process = subprocess.Popen([program, "--read", str(most), str(threads)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        line = self.process.stdout.readline()
        if not line:  # it has said why
            raise SystemExit(f"{program} --read {most} {threads}: failed")
        self.bytes = int(line)

    def read(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.communicate()


def warm_up(run):
    """Returns how long the first call took."""
    end = time.perf_counter() + WARM
    first = timed(run)
    while time.perf_counter() < end:
        run()
    return first


def rounds(runs, seconds, threads, rested=None):
    """Seconds of every call, by name: {name: [round 0, round 1, ...]}. `rested`, a
    dictionary, gets those of the first calls behind a pause in the same form."""
    names = list(runs)
    short = {name: timed(runs[name]) < LONG for name in names}
    times = {name: [] for name in names}
    end = time.perf_counter() + seconds
    count = 0
    while count < FEWEST or time.perf_counter() < end:
        first = count % len(names)
        for name in names[first:] + names[:first]:
            if threads > 1:
                time.sleep(PAUSE)
            if short[name]:
                first_call = warm_up(runs[name])
                if threads > 1 and rested is not None:
                    rested.setdefault(name, []).append(first_call)
            times[name].append(timed(runs[name]))
        count += 1
    return times


def quantile(values, share):
    """Linear interpolation, as NumPy's default; fine for few values."""
    values = sorted(values)
    place = share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def summary(values):
    """Median and the bounds of the middle 80%."""
    return {
        "median": statistics.median(values),
        "low": quantile(values, 0.1),
        "high": quantile(values, 0.9),
        "count": len(values),
    }


def ratios(times, base, other):
    """Of each round: how many times longer `other` took than `base`."""
    return summary([b / a for a, b in zip(times[base], times[other])])
