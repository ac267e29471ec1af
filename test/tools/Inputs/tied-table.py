# ===- tied-table.py - a table that a projection multiplies by, too -----------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# tied-table.py FOLDER: program.mlir and its weights. One entry looks rows up in a
# table, another projects to queries, keys and values by it.
#
# ===----------------------------------------------------------------------===//
import json
import os
import random
import struct
import sys

ROWS, DEPTH = 96, 80

PROGRAM = """module attributes {attn.name = "tied", attn.files = ["tied.safetensors"]} {
  attn.size @n min 1 max 8
  attn.weight @table from ["table"] : tensor<96x80xf32>
  attn.entry @look(%ids: tensor<?xi32, #attn.sizes<n>> {attn.name = "ids", attn.range = array<i64: 0, 95>}) -> (tensor<?x80xf32, #attn.sizes<n, 80>> {attn.name = "rows"}) sizes ["n"] {
    %t = attn.get_weight @table : tensor<96x80xf32>
    %y = attn.embedding(%ids), (%t) : (tensor<?xi32, #attn.sizes<n>>), (tensor<96x80xf32>) -> tensor<?x80xf32, #attn.sizes<n, 80>>
    attn.return %y : tensor<?x80xf32, #attn.sizes<n, 80>>
  }
  attn.entry @project(%x: tensor<?x80xf32, #attn.sizes<n, 80>> {attn.name = "x"}) -> (tensor<?x2x16xf32, #attn.sizes<n, 2, 16>> {attn.name = "query"}, tensor<?x2x16xf32, #attn.sizes<n, 2, 16>> {attn.name = "key"}, tensor<?x2x16xf32, #attn.sizes<n, 2, 16>> {attn.name = "value"}) sizes ["n"] {
    %t = attn.get_weight @table : tensor<96x80xf32>
    %q, %k, %v = attn.qkv_projection %x, %t : tensor<?x80xf32, #attn.sizes<n, 80>>, tensor<96x80xf32> -> tensor<?x2x16xf32, #attn.sizes<n, 2, 16>>, tensor<?x2x16xf32, #attn.sizes<n, 2, 16>>, tensor<?x2x16xf32, #attn.sizes<n, 2, 16>>
    attn.return %q, %k, %v : tensor<?x2x16xf32, #attn.sizes<n, 2, 16>>, tensor<?x2x16xf32, #attn.sizes<n, 2, 16>>, tensor<?x2x16xf32, #attn.sizes<n, 2, 16>>
  }
}
"""


def main():
    folder = sys.argv[1]
    drawn = random.Random(1)
    data = struct.pack(
        f"<{ROWS * DEPTH}f", *(drawn.gauss(0, 1) for _ in range(ROWS * DEPTH))
    )
    header = json.dumps(
        {"table": {"dtype": "F32", "shape": [ROWS, DEPTH],
                   "data_offsets": [0, len(data)]}}
    ).encode()
    with open(os.path.join(folder, "tied.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + data)
    with open(os.path.join(folder, "program.mlir"), "w") as file:
        file.write(PROGRAM)


if __name__ == "__main__":
    main()
