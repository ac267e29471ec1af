# ===- guarded.py - whole libraries between pages that fault ----------------===#
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
#   guarded.py LIB...
#
# Calls every entry of libraries at the lengths around tiles, with ragged masks,
# by their self-description alone. Inputs, outputs, weights and whatever the
# library allocates lie between pages without access: once so that the last byte
# is the last of a page, once so that the first is the first of one. Inputs and
# weights cannot be written. A byte too far ends the process; both placements
# must give the same bits, and every number of an output must be written.
#
# ===----------------------------------------------------------------------===//
import ctypes
import json
import random
import struct
import sys
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int32, c_int64
from ctypes import c_size_t, c_uint32, c_uint64, c_void_p

PAGE = 4096
NONE, READ, WRITE = 0, 1, 2
UNWRITTEN = struct.pack("<I", 0x7FE5A5A5)  # a NaN that nothing computes

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = c_void_p
libc.mmap.argtypes = [c_void_p, c_size_t, c_int, c_int, c_int, c_int64]
libc.mprotect.argtypes = [c_void_p, c_size_t, c_int]
libc.munmap.argtypes = [c_void_p, c_size_t]


class Guarded:
    """Memory between two pages without access, at the end or the start."""

    def __init__(self, size, alignment, at_end):
        self.body = max(-(-size // PAGE), 1) * PAGE
        self.all = libc.mmap(None, self.body + 2 * PAGE, NONE, 0x22, -1, 0)
        if self.all in (None, c_void_p(-1).value):
            raise MemoryError("mmap: errno %d" % ctypes.get_errno())
        self.first = self.all + PAGE
        self.protect(READ | WRITE)
        slack = (self.body - size) // alignment * alignment if at_end else 0
        self.address = self.first + slack
        self.size = size
        ctypes.memset(self.first, 0xFF, self.body)

    def protect(self, rights):
        if libc.mprotect(self.first, self.body, rights) != 0:
            raise MemoryError("mprotect: errno %d" % ctypes.get_errno())

    def fill(self, data):
        ctypes.memmove(self.address, data, len(data))
        return self

    def bytes(self):
        return ctypes.string_at(self.address, self.size)

    def free(self):
        libc.munmap(self.all, self.body + 2 * PAGE)


class Allocator(ctypes.Structure):
    ALLOCATE = CFUNCTYPE(c_void_p, c_void_p, c_size_t, c_size_t)
    RELEASE = CFUNCTYPE(None, c_void_p, c_void_p, c_size_t)
    _fields_ = [("context", c_void_p), ("allocate", ALLOCATE), ("release", RELEASE)]

    @classmethod
    def make(cls, at_end):
        held = {}

        def allocate(_, size, alignment):
            memory = Guarded(size, alignment, at_end)
            held[memory.address] = memory
            return memory.address

        def release(_, pointer, size):
            memory = held.pop(pointer)
            if memory.size != size:
                sys.exit("released %d bytes of %d" % (size, memory.size))
            memory.free()

        made = cls(None, cls.ALLOCATE(allocate), cls.RELEASE(release))
        made.held = held
        return made


class Options(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("weights_path", c_char_p),
        ("weights_data", c_void_p),
        ("weights_size", c_size_t),
        ("threads", c_int32),
        ("executor", c_void_p),
        ("allocator", POINTER(Allocator)),
        ("log", c_void_p),
        ("log_context", c_void_p),
        ("device", c_char_p),
        ("variant", c_char_p),
        ("max_bytes", c_uint64),
    ]


class Buffer(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("bytes", c_size_t)]


class Library(ctypes.Structure):
    """The head of attn_library."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("abi_version", c_uint32),
        ("name", c_char_p),
        ("describe", CFUNCTYPE(c_char_p)),
        ("last_error", CFUNCTYPE(c_char_p)),
        ("open", CFUNCTYPE(c_int, POINTER(Options), POINTER(c_void_p))),
        ("close", CFUNCTYPE(None, c_void_p)),
        ("info", c_void_p),
        ("session_open", CFUNCTYPE(c_int, c_void_p, POINTER(c_void_p))),
        ("session_close", CFUNCTYPE(None, c_void_p)),
        ("session_bytes", c_void_p),
        (
            "call",
            CFUNCTYPE(
                c_int, c_void_p, c_char_p, POINTER(c_int64), c_size_t,
                POINTER(Buffer), c_size_t, POINTER(Buffer), c_size_t,
            ),
        ),
    ]


def count(dims, sizes):
    total = 1
    for dim in dims:
        total *= dim if isinstance(dim, int) else sizes[dim]
    return total


def make_input(argument, sizes, seed):
    """An input's bytes; None where its default stands in."""
    pick = random.Random(repr((argument["name"], sorted(sizes.items()), seed)))
    elements = count(argument["dims"], sizes)
    if "default" in argument and pick.random() < 0.2:
        return None
    if argument["dtype"] == "f32":
        return struct.pack("<%df" % elements, *(pick.gauss(0, 1) for _ in range(elements)))
    low, high = argument.get("range", [0, 1])
    if argument.get("default") == 1 and (low, high) == (0, 1):
        row = sizes.get("seq", 1)
        kept = {r: pick.randint(0, row) for r in range(elements // row)}
        values = [int(i % row < kept[i // row]) for i in range(elements)]
    else:
        values = [pick.randint(low, high) for _ in range(elements)]
    return struct.pack("<%di" % elements, *values)


def call(library, session, entry, sizes, seed, at_end):
    """The bytes of the outputs."""
    memory = []

    def place(data, rights):
        if data is None:
            return Buffer(None, 0)
        memory.append(Guarded(len(data), 4, at_end).fill(data))
        memory[-1].protect(rights)
        return Buffer(memory[-1].address, len(data))

    inputs = [place(make_input(a, sizes, seed), READ) for a in entry["inputs"]]
    first = len(memory)
    outputs = [
        place(UNWRITTEN * count(a["dims"], sizes), READ | WRITE)
        for a in entry["outputs"]
    ]
    values = [sizes[name] for name in entry["sizes"]]
    status = library.call(
        session, entry["name"].encode(), (c_int64 * len(values))(*values),
        len(values), (Buffer * len(inputs))(*inputs), len(inputs),
        (Buffer * len(outputs))(*outputs), len(outputs),
    )
    if status != 0:
        sys.exit("%s %s: %s" % (entry["name"], sizes, library.last_error().decode()))
    results = [m.bytes() for m in memory[first:]]
    for m in memory:
        m.free()
    return results


def sweep_sizes(description):
    bounds = {s["name"]: (s["minimum"], s["maximum"]) for s in description["sizes"]}
    for seq in [1, 2, 3, 5, 6, 7, 8, 9, 12, 13, 15, 16, 17, 23, 24, 25, 31, 32,
                33, 40, 47, 48, 49, 63, 64, 65]:
        for batch in [1, 2, 3] if seq < 34 else [1]:
            sizes = {}
            for name, (low, high) in bounds.items():
                sizes[name] = min(max(batch if name == "batch" else seq, low), high)
            yield sizes


def check(path):
    table = getattr(
        ctypes.CDLL(path), path.split("/")[-1][len("lib"):-len(".so")] + "_library"
    )
    table.restype = POINTER(Library)
    library = table().contents
    description = json.loads(library.describe())
    with open(path.replace("/lib", "/").replace(".so", ".weights"), "rb") as file:
        bytes_of_weights = file.read()
    calls = 0
    opened = []
    for at_end in (True, False):
        weights = Guarded(len(bytes_of_weights), 64, at_end).fill(bytes_of_weights)
        weights.protect(READ)
        allocator = Allocator.make(at_end)
        options = Options(
            struct_size=ctypes.sizeof(Options), weights_data=weights.address,
            weights_size=len(bytes_of_weights), threads=2,
            allocator=ctypes.pointer(allocator),
        )
        model, session = c_void_p(), c_void_p()
        if library.open(options, model) or library.session_open(model, session):
            sys.exit("%s: %s" % (path, library.last_error().decode()))
        opened.append((model, session, allocator, at_end, weights))
    seen = set()
    for entry in description["entries"]:
        for sizes in sweep_sizes(description):
            named = {name: sizes[name] for name in entry["sizes"]}
            key = (entry["name"], tuple(named.values()))
            if key in seen:
                continue
            seen.add(key)
            results = []
            for model, session, _, at_end, _ in opened:
                results.append(call(library, session, entry, named, len(seen), at_end))
                calls += 1
            if results[0] != results[1]:
                sys.exit("%s %s: the bits depend on where memory lies" % key)
            for output, data in zip(entry["outputs"], results[0]):
                at = data.find(UNWRITTEN)
                while at >= 0 and at % 4:
                    at = data.find(UNWRITTEN, at + 1)
                if at >= 0:
                    sys.exit("%s: %s[%d] was not written" % (key, output["name"], at // 4))
    for model, session, allocator, _, _ in opened:
        library.session_close(session)
        library.close(model)
        if allocator.held:
            sys.exit("%s: %d allocations are left" % (path, len(allocator.held)))
    print("%s: %d calls between guard pages" % (description["name"], calls))


for library_path in sys.argv[1:]:
    check(library_path)
