# ===- library.py - compiled libraries on a GPU, from Python --------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""A compiled library through its table (attn_library of attn/attn.h).

Needs nothing but ctypes. Arguments are NumPy arrays or torch tensors, on the
host or on the GPU; a stream is the integer that torch calls cuda_stream.
"""

import ctypes
from ctypes import (POINTER, Structure, byref, c_char_p, c_int, c_int32,
                    c_int64, c_size_t, c_uint32, c_uint64, c_void_p)


class Options(Structure):
    _fields_ = [("struct_size", c_size_t), ("weights_path", c_char_p),
                ("weights_data", c_void_p), ("weights_size", c_size_t),
                ("threads", c_int32), ("executor", c_void_p),
                ("allocator", c_void_p), ("log", c_void_p),
                ("log_context", c_void_p), ("device", c_char_p),
                ("variant", c_char_p), ("max_bytes", c_uint64),
                ("stream", c_void_p)]


class Buffer(Structure):
    _fields_ = [("data", c_void_p), ("bytes", c_size_t)]


class Table(Structure):
    _fields_ = [
        ("struct_size", c_size_t), ("abi_version", c_uint32),
        ("name", c_char_p),
        ("describe", ctypes.CFUNCTYPE(c_char_p)),
        ("last_error", ctypes.CFUNCTYPE(c_char_p)),
        ("open", ctypes.CFUNCTYPE(c_int, POINTER(Options), POINTER(c_void_p))),
        ("close", ctypes.CFUNCTYPE(None, c_void_p)),
        ("info", ctypes.CFUNCTYPE(c_int, c_void_p, c_char_p, c_size_t,
                                  POINTER(c_size_t))),
        ("session_open", ctypes.CFUNCTYPE(c_int, c_void_p, POINTER(c_void_p))),
        ("session_close", ctypes.CFUNCTYPE(None, c_void_p)),
        ("session_bytes", c_void_p),
        ("call", ctypes.CFUNCTYPE(c_int, c_void_p, c_char_p, POINTER(c_int64),
                                  c_size_t, POINTER(Buffer), c_size_t,
                                  POINTER(Buffer), c_size_t))]


def buffers(arrays):
    result = (Buffer * len(arrays))()
    for i, array in enumerate(arrays):
        if hasattr(array, "data_ptr"):
            result[i] = Buffer(array.data_ptr(),
                               array.numel() * array.element_size())
        else:
            result[i] = Buffer(array.ctypes.data, array.nbytes)
    return result


class Session:
    """A model with one session."""

    def __init__(self, path, name, device="cuda:0", stream=None):
        self.library = ctypes.CDLL(str(path))
        find = getattr(self.library, name + "_library")
        find.restype = POINTER(Table)
        self.table = find().contents
        options = Options()
        options.struct_size = ctypes.sizeof(Options)
        options.device = device.encode()
        options.stream = stream
        self.model, self.session = c_void_p(), c_void_p()
        self.check(self.table.open(byref(options), byref(self.model)))
        self.check(self.table.session_open(self.model, byref(self.session)))

    def check(self, status):
        if status:
            raise RuntimeError(self.table.last_error().decode())

    def info(self):
        text = ctypes.create_string_buffer(16384)
        self.check(self.table.info(self.model, text, len(text), None))
        return text.value.decode()

    def prepare(self, entry, sizes, inputs, outputs):
        """A call of these arguments, to be made again and again."""
        numbers = (c_int64 * len(sizes))(*sizes)
        given, wanted = buffers(inputs), buffers(outputs)

        def call(keep=(inputs, outputs)):
            self.check(self.table.call(
                self.session, entry.encode(), numbers, len(sizes), given,
                len(inputs), wanted, len(outputs)))
        return call

    def call(self, entry, sizes, inputs, outputs):
        self.prepare(entry, sizes, inputs, outputs)()

    def close(self):
        self.table.session_close(self.session)
        self.table.close(self.model)
