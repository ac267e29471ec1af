#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Holds a library that keeps adapters apart to one of the same model without any.

    python3 check-alone.py SEPARATE.so PLAIN.so ADAPTER

In sessions that chose no adapter every output of every entry has the same bits, for
several sizes, on one thread and on two, before ADAPTER was chosen and after it; with
it, they differ. The phases are PLAIN's, with their kernels, bytes and slots. The
weights file has what PLAIN's has, once and as it is there, and beside it nothing but
the adapters'. Needs nothing but Python.
"""
import ctypes
import json
import os
import random
import struct
import sys

from attn_session import Buffer, Library

SHAPES = (1, 1), (1, 9), (3, 7), (5, 16)


def check(condition, what):
    if not condition:
        sys.exit("check-alone.py: " + what)


def describe(library):
    text = ctypes.CFUNCTYPE(ctypes.c_char_p)(library.table.describe)()
    return json.loads(text)


def make(argument, sizes, kind, numbers):
    count = 1
    for dim in argument["dims"]:
        count *= sizes.get(dim, dim)
    array = (kind * count)()
    low, high = argument.get("range", (0, 1))
    for i in range(count if numbers else 0):
        array[i] = 1 if "mask" in argument["name"] else numbers.randint(low, high)
    return array


def call(session, entry, shape):
    """The bytes of every output, of inputs that the shape decides."""
    numbers = random.Random(repr(shape))
    sizes = dict(zip(("batch", "seq"), shape))
    inputs = [make(given, sizes, ctypes.c_int32, numbers) for given in entry["inputs"]]
    outputs = [make(wanted, sizes, ctypes.c_float, None) for wanted in entry["outputs"]]
    for given in entry["inputs"]:
        check(given["dtype"] == "i32", "an input of " + given["dtype"])

    def buffers(arrays):
        return (Buffer * len(arrays))(*[
            Buffer(ctypes.cast(array, ctypes.c_void_p), ctypes.sizeof(array))
            for array in arrays])

    if session.library.table.session_reset:
        session.reset()
    order = (ctypes.c_int64 * len(entry["sizes"]))(*[sizes[s] for s in entry["sizes"]])
    session.library("call", session.handle, ctypes.c_char_p(entry["name"].encode()),
                    ctypes.cast(order, ctypes.c_void_p), ctypes.c_size_t(len(order)),
                    ctypes.cast(buffers(inputs), ctypes.c_void_p),
                    ctypes.c_size_t(len(inputs)),
                    ctypes.cast(buffers(outputs), ctypes.c_void_p),
                    ctypes.c_size_t(len(outputs)))
    return [bytes(array) for array in outputs]


def read_weights(path):
    with open(os.path.join(os.path.dirname(path),
                           os.path.basename(path)[3:-3] + ".weights"), "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    return {name: data[8 + length + tensor["data_offsets"][0]:
                       8 + length + tensor["data_offsets"][1]]
            for name, tensor in header.items()
            if name != "__metadata__" and not name.startswith("attn.padding")}


def main(separate, plain, adapter):
    own = read_weights(plain)
    more = read_weights(separate)
    for name, data in own.items():
        check(more.pop(name, None) == data, "the weight " + name + " is another")
    for name in more:
        check(".adapter." in name or name.startswith("adapter/"),
              "the weight %s is there for nobody" % name)

    ours, theirs = (describe(Library(path))["variants"][0] for path in (separate, plain))
    for kind in ("work", "memory"):
        check([entry for entry in ours[kind] if not entry.get("adapted")] == theirs[kind],
              "other phases: " + kind)
        check(any(entry.get("adapted") for entry in ours[kind]), "no phases of adapters")

    calls = 0
    for threads in (1, 2):
        library, alone = Library(separate, threads), Library(plain, threads)
        entries = describe(alone)["entries"]
        check(describe(library)["entries"] == entries, "other entries")
        session, other = library.session(), alone.session()
        for entry in entries:
            wanted = [call(other, entry, shape) for shape in SHAPES]
            check([call(session, entry, shape) for shape in SHAPES] == wanted,
                  "%s on %d threads: other bits" % (entry["name"], threads))
            library("session_adapter", session.handle,
                    ctypes.c_char_p(adapter.encode()))
            check(call(session, entry, SHAPES[-1]) != wanted[-1],
                  entry["name"] + ": the adapter changes nothing")
            library("session_adapter", session.handle, ctypes.c_char_p(None))
            check([call(session, entry, shape) for shape in SHAPES] == wanted,
                  entry["name"] + ": other bits after an adapter")
            calls += len(SHAPES)
    print("%d calls have the bits of the library without adapters" % calls)


main(*sys.argv[1:])
