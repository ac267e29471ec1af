#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Copies a model's folder and puts one number into a tensor of f32.

    python3 plant-weight.py MODEL FOLDER TENSOR ROW COLUMN NUMBER
"""
import json
import os
import shutil
import struct
import sys


def main(model, folder, tensor, row, column, number):
    shutil.copytree(model, folder, dirs_exist_ok=True)
    path = os.path.join(folder, "model.safetensors")
    with open(path, "rb") as file:
        data = bytearray(file.read())
    length = struct.unpack_from("<Q", data)[0]
    entry = json.loads(data[8:8 + length])[tensor]
    assert entry["dtype"] == "F32" and len(entry["shape"]) == 2, entry
    index = int(row) * entry["shape"][1] + int(column)
    struct.pack_into("<f", data, 8 + length + entry["data_offsets"][0] + 4 * index,
                     float(number))
    with open(path, "wb") as file:
        file.write(data)


main(*sys.argv[1:])
