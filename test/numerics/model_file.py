# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads, changes and writes the tensors of a safetensors file of f32. Needs nothing
but Python.
"""
import array
import json
import math
import random
import struct


class Model:
    """Tensors by name, row by row, and their shapes."""

    def __init__(self, path=None):
        self.shapes, self.tensors = {}, {}
        if path is None:
            return
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
            data = file.read()
        header.pop("__metadata__", None)
        for name, entry in header.items():
            assert entry["dtype"] == "F32", name
            begin, end = entry["data_offsets"]
            self.shapes[name] = entry["shape"]
            self.tensors[name] = array.array("f", data[begin:end])

    def add(self, name, shape, numbers):
        self.shapes[name] = list(shape)
        self.tensors[name] = array.array("f", numbers)

    def resize(self, sizes):
        """Other numbers, in shapes whose dimensions are `sizes` of what they were."""
        source = random.Random(7)
        for name, old in self.shapes.items():
            shape = [sizes[dim] for dim in old]
            count = math.prod(shape)
            if "norm" in name:
                numbers = [source.uniform(0.5, 1.5) for _ in range(count)]
            else:
                width = shape[-1] ** -0.5 if len(shape) == 2 else 0.3
                numbers = [source.gauss(0, width) for _ in range(count)]
            self.add(name, shape, numbers)

    def write(self, path):
        header, end = {}, 0
        for name, numbers in self.tensors.items():
            size = 4 * len(numbers)
            header[name] = {"dtype": "F32", "shape": self.shapes[name],
                            "data_offsets": [end, end + size]}
            end += size
        header = json.dumps(header).encode()
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(header)) + header)
            for numbers in self.tensors.values():
                file.write(numbers.tobytes())

    def rows(self, name, first, count):
        """The slice of these rows."""
        width = self.shapes[name][-1]
        return slice(first * width, (first + count) * width)

    def negate(self, name, first=0, count=None):
        """All of a tensor, or rows of a matrix."""
        where = slice(None) if count is None else self.rows(name, first, count)
        tensor = self.tensors[name]
        tensor[where] = array.array("f", [-x for x in tensor[where]])

    def swap_rows(self, name, one, other, count=1):
        tensor = self.tensors[name]
        a, b = self.rows(name, one, count), self.rows(name, other, count)
        tensor[a], tensor[b] = tensor[b], tensor[a]

    def swap(self, one, other):
        assert self.shapes[one] == self.shapes[other]
        self.tensors[one], self.tensors[other] = (self.tensors[other],
                                                  self.tensors[one])

    def turn_rows(self, name):
        """Every row's numbers one place on."""
        width = self.shapes[name][-1]
        tensor = self.tensors[name]
        for begin in range(0, len(tensor), width):
            row = tensor[begin:begin + width]
            tensor[begin:begin + width] = row[-1:] + row[:-1]
