#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a folder with an adapter of random numbers, as PEFT saves them.

    python3 write-adapter.py [--dora] [--fan-in-fan-out] MODEL FOLDER MODULE...

It changes every tensor of the folder MODEL that belongs to one of the MODULEs, by
rank 3. Needs nothing but Python.
"""
import argparse
import array
import json
import os
import random
import struct

RANK, ALPHA = 3, 6


def read_shapes(folder):
    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return {name: tensor["shape"] for name, tensor in header.items()
            if name != "__metadata__"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dora", action="store_true")
    parser.add_argument("--fan-in-fan-out", action="store_true")
    parser.add_argument("model")
    parser.add_argument("folder")
    parser.add_argument("modules", nargs="+")
    given = parser.parse_args()
    numbers = random.Random(1)
    header, data = {}, b""

    def add(name, shape, scale, offset=0.0):
        nonlocal data
        count = 1
        for dim in shape:
            count *= dim
        values = array.array("f", (offset + numbers.gauss(0, scale)
                                   for _ in range(count)))
        header[name] = {"dtype": "F32", "shape": shape,
                        "data_offsets": [len(data), len(data) + 4 * count]}
        data += values.tobytes()

    for tensor, shape in sorted(read_shapes(given.model).items()):
        path, _, kind = tensor.rpartition(".")
        if kind != "weight" or len(shape) != 2 or not path.endswith(tuple(given.modules)):
            continue
        columns, rows = shape if given.fan_in_fan_out else reversed(shape)
        path = "base_model.model." + path
        add(path + ".lora_A.weight", [RANK, columns], 0.3)
        add(path + ".lora_B.weight", [rows, RANK], 0.3)
        if given.dora:
            add(path + ".lora_magnitude_vector", [rows], 0.1, 1.0)
    if not header:
        raise SystemExit("write-adapter.py: no tensor belongs to " + " ".join(given.modules))
    os.makedirs(given.folder, exist_ok=True)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(given.folder, "adapter_model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    with open(os.path.join(given.folder, "adapter_config.json"), "w") as file:
        json.dump({"peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA,
                   "target_modules": given.modules, "use_dora": given.dora,
                   "fan_in_fan_out": given.fan_in_fan_out}, file)


main()
