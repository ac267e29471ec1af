//===- AttnLookup.td - tables read by computed indices -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ATTN_LOOKUP
#define ATTN_LOOKUP

include "AttnElementwise.td"

def Attn_LookupOp : Attn_Op<"lookup", [Pure, TypesMatchWith<
    "the result is an element of the table", "table", "result",
    "::llvm::cast<::mlir::RankedTensorType>($_self).getElementType()">]> {
  let summary = "An element of a table, by computed indices";
  let description = [{
    Inside an element, score or mask region, where a capture whose map leaves
    out its last dimensions stays whole there, and is a tensor of these:

        result = table[clamp(i0, 0, N0 - 1), clamp(i1, 0, N1 - 1), ...]

    Indices are held to the table: below it they read its first element, beyond
    it its last; an empty table gives 0. Buckets of distances, slopes and biases by distance, and scores
    of positions (He et al., "DeBERTa", 2021) are look-ups.

    ```mlir
    %o = attn.attention %q, %k, %v score(%table at affine_map<(b, h, q, kv) -> (h)> : tensor<1x7xf32>) {
    ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %bias: tensor<7xf32>):
      %three = arith.constant 3 : i32
      %d = arith.subi %i, %j : i32
      %n = arith.addi %d, %three : i32
      %x = attn.lookup %bias[%n] : tensor<7xf32>
      %r = arith.addf %s, %x : f32
      attn.yield %r : f32
    } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x5xf32> -> tensor<3x5xf32>
    ```

    Constraints:
    1. The table is an argument of the element, score or mask region in which
       the op stands; that is no region within a row region.
    2. There is one index per dimension of the table.
  }];
  let arguments = (ins Attn_Tensor:$table, Variadic<I32>:$indices);
  let results = (outs AnyTypeOf<[F32, I32]>:$result);
  let assemblyFormat = "$table `[` $indices `]` attr-dict `:` type($table)";
  let hasVerifier = 1;
}

#endif // ATTN_LOOKUP
