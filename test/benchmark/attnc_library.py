# ===- attnc_library.py - a compiled library, called from Python ------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# Opens a library through its C functions and binds calls of one entry to arrays
# once, so that a timed call is one foreign call and nothing else.
#
# ===----------------------------------------------------------------------===//
import ctypes
import json
import os

import numpy as np


class Options(ctypes.Structure):
    """attn_options of attn/attn.h."""

    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("weights_path", ctypes.c_char_p),
        ("weights_data", ctypes.c_void_p),
        ("weights_size", ctypes.c_size_t),
        ("threads", ctypes.c_int32),
        ("executor", ctypes.c_void_p),
        ("allocator", ctypes.c_void_p),
        ("log", ctypes.c_void_p),
        ("log_context", ctypes.c_void_p),
        ("device", ctypes.c_char_p),
        ("variant", ctypes.c_char_p),
        ("max_bytes", ctypes.c_uint64),
    ]


class Table(ctypes.Structure):
    """The beginning of attn_library of attn/attn.h."""

    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("abi_version", ctypes.c_uint32),
        ("name", ctypes.c_char_p),
        ("describe", ctypes.CFUNCTYPE(ctypes.c_char_p)),
    ]


def pointer(array):
    return None if array is None else array.ctypes.data_as(ctypes.c_void_p)


class Library:
    def __init__(self, path, threads):
        self.name = os.path.basename(path)[len("lib") : -len(".so")]
        self.library = ctypes.CDLL(os.path.abspath(path))
        table = getattr(self.library, self.name + "_library")
        table.restype = ctypes.POINTER(Table)
        description = json.loads(table().contents.describe())
        self.entries = {entry["name"]: entry for entry in description["entries"]}
        options = Options(struct_size=ctypes.sizeof(Options), threads=threads)
        self.model, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        self.call("open", ctypes.byref(options), ctypes.byref(self.model))
        self.call("session_open", self.model, ctypes.byref(self.session))

    def close(self):
        getattr(self.library, self.name + "_session_close")(self.session)
        getattr(self.library, self.name + "_close")(self.model)

    def call(self, function, *arguments):
        if getattr(self.library, f"{self.name}_{function}")(*arguments):
            error = getattr(self.library, f"{self.name}_last_error")
            error.restype = ctypes.c_char_p
            raise RuntimeError(error().decode())

    def bind(self, entry, sizes, inputs, output):
        """A call of `entry` that writes and returns `output`, its only one."""
        expected = self.entries[entry]
        given = (len(sizes), [str(a.dtype) for a in inputs if a is not None])
        wanted = (
            len(expected["sizes"]),
            [
                {"f32": "float32", "i32": "int32"}[of["dtype"]]
                for of, array in zip(expected["inputs"], inputs)
                if array is not None
            ],
        )
        if (
            given != wanted
            or len(expected["inputs"]) != len(inputs)
            or len(expected["outputs"]) != 1
        ):
            raise SystemExit(
                f"{self.name}: the entry '{entry}' is called with {given} and one "
                f"output; it takes {wanted} and has {len(expected['outputs'])}"
            )
        function = getattr(self.library, f"{self.name}_{entry}")
        arguments = (
            self.session,
            *(ctypes.c_int64(size) for size in sizes),
            *(pointer(array) for array in inputs),
            pointer(output),
        )
        # The closure keeps the arrays alive.
        kept = inputs

        def run():
            if function(*arguments):
                self.call(entry, *arguments)  # raises with the library's words
            assert kept is inputs
            return output

        return run


class Encoder:
    """The column "attnc": a library with the entry
    encode(batch, seq, ids, mask, ...) -> last_hidden_state."""

    def __init__(self, path, threads, hidden):
        self.library = Library(path, threads)
        self.hidden = hidden

    def prepare(self, ids, mask):
        ids, mask = ids.astype(np.int32), mask.astype(np.int32)
        output = np.zeros(ids.shape + (self.hidden,), np.float32)
        # Others (types, positions) have defaults.
        given = {"input_ids": ids, "attention_mask": mask}
        inputs = tuple(
            given.get(of["name"]) for of in self.library.entries["encode"]["inputs"]
        )
        return self.library.bind("encode", ids.shape, inputs, output)
