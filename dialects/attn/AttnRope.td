//===- AttnRope.td - rotary positions -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ATTN_ROPE
#define ATTN_ROPE

include "AttnElementwise.td"

def Attn_RopeOp : Attn_Op<"rope", [Pure, AllTypesMatch<["input", "result"]>,
    AllTypesMatch<["cos", "sin"]>]> {
  let summary = "Rotates pairs of every head by the angles of its row";
  let description = [{
    For every row and head h, with C = R/2 angles per row and each c < C:

        (x, y)   = (input[.., h, c], input[.., h, C + c])
        (x', y') = (x * cos[.., c] - y * sin[.., c],
                    y * cos[.., c] + x * sin[.., c])

    stand in the result where x and y stood; elements from R on are copied. With
    `interleaved`, x and y are elements 2c and 2c + 1. (Su et al., "RoFormer",
    2021.) The tables come from an `attn.map` of positions and frequencies.

    ```mlir
    %y = attn.rope %x, %cos, %sin : tensor<3x2x6xf32>, tensor<3x2xf32>
    ```

    Constraints:
    1. input is [.., H, D] with leading dimensions; H and D are numbers.
    2. cos and sin are [.., R/2] with the input's leading dimensions; R is a
       number from 2 to D.
  }];
  let arguments = (ins Attn_FloatTensor:$input, Attn_FloatTensor:$cos,
                       Attn_FloatTensor:$sin, UnitAttr:$interleaved);
  let results = (outs Attn_FloatTensor:$result);
  let assemblyFormat = [{
    $input `,` $cos `,` $sin (`interleaved` $interleaved^)? attr-dict
    `:` type($input) `,` type($cos)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The number of angles of a row, R/2.
    int64_t getAngles() { return getCos().getType().getShape().back(); }
  }];
}

#endif // ATTN_ROPE
