# ===- cuda.py - the stand-in's streams and events ------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""One stream of the stub driver; an event is the time at which it was drained."""

import time

from torch import OutOfMemoryError, driver  # noqa: F401


class Stream:
    def __init__(self):
        self.cuda_stream = driver.stub_stream()


current = None


def set_stream(stream):
    global current
    current = stream


def current_stream():
    if current is None:
        set_stream(Stream())
    return current


def synchronize():
    driver.stub_stream_wait(current_stream().cuda_stream)


class Event:
    def __init__(self, enable_timing):
        assert enable_timing

    def record(self):
        synchronize()
        self.at = time.perf_counter()

    def synchronize(self):
        synchronize()

    def elapsed_time(self, end):
        return max(1e3 * (end.at - self.at), 1e-3)


def is_available():
    count = driver.cuInit(0)
    return count == 0


def get_device_name():
    return "a stand-in for a GPU"
