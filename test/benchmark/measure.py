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
# Before its timed call each callable is called without timing, for a few
# milliseconds: that outlasts the spinning threads of the one before, wakes its own
# and brings its weights back into the caches, as in a service that makes call after
# call. Long calls do not need it and do without.
#
# ===----------------------------------------------------------------------===//
import statistics
import time

WARM = 0.003  # seconds; onnxruntime's threads spin for about one millisecond
LONG = 0.25  # seconds; what warming brings is noise here
FEWEST = 5


def timed(run):
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def warm_up(run):
    end = time.perf_counter() + WARM
    run()
    while time.perf_counter() < end:
        run()


def rounds(runs, seconds):
    """Seconds of every call, by name: {name: [round 0, round 1, ...]}."""
    names = list(runs)
    short = {name: timed(runs[name]) < LONG for name in names}
    times = {name: [] for name in names}
    end = time.perf_counter() + seconds
    count = 0
    while count < FEWEST or time.perf_counter() < end:
        first = count % len(names)
        for name in names[first:] + names[:first]:
            if short[name]:
                warm_up(runs[name])
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
