//===- AttnSequence.td - token ids, packing and pooling -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ATTN_SEQUENCE
#define ATTN_SEQUENCE

include "AttnElementwise.td"

def Attn_EmbeddingOp : Attn_Op<"embedding", [Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<Attn_EpilogueInterface>]> {
  let summary = "Sums rows of tables";
  let description = [{
    result[.., :] = tables[0][ids[0][..], :] + tables[1][ids[1][..], :] + ...,
    added from left to right; then the optional row region.

    ```mlir
    %e = attn.embedding(%ids, %positions), (%words, %table) : (tensor<3xi32>, tensor<3xi32>), (tensor<99x8xf32>, tensor<16x8xf32>) -> tensor<3x8xf32>
    ```

    Constraints:
    1. As many tables as ids, at least one; ids share one shape [..]; tables are
       [V, N], both numbers; the result is [.., N].
    2. The row region as in `attn.map`.
  }];
  let arguments = (ins Variadic<Attn_IndexTensor>:$ids,
                       Variadic<Attn_FloatTensor>:$tables,
                       Variadic<Attn_FloatTensor>:$row_captures,
                       OptionalAttr<AffineMapArrayAttr>:$row_maps);
  let regions = (region AnyRegion:$row);
  let results = (outs Attn_FloatTensor:$result);
  let assemblyFormat = [{
    `(` $ids `)` `,` `(` $tables `)`
    (`row` custom<CapturedRegion>($row_captures, type($row_captures),
        $row_maps, $row)^)?
    attr-dict `:` `(` type($ids) `)` `,` `(` type($tables) `)` `->`
    type($result)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Attn_PositionsOp : Attn_Op<"positions", [Pure]> {
  let summary = "The position of every element in its sequence";
  let description = [{
    result[.., s] = s.

    ```mlir
    %p = attn.positions : tensor<?x?xi32, #attn.sizes<batch, seq>>
    ```

    Constraints:
    1. The result has at least one dimension.
  }];
  let results = (outs Attn_IndexTensor:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Attn_TokenPositionsOp : Attn_Op<"token_positions", [Pure,
    AllTypesMatch<["ids", "result"]>]> {
  let summary = "The position of every token, counted over what is no padding";
  let description = [{
    With n(s) the number of t <= s with ids[.., t] != padding: result[.., s] =
    padding + n(s) where ids[.., s] != padding, and padding elsewhere. Tables of
    RoBERTa's kind keep their row `padding` for padding, and the first token
    reads the row after it.

    ```mlir
    %p = attn.token_positions %ids padding 1 : tensor<?x?xi32, #attn.sizes<batch, seq>>
    ```

    Constraints:
    1. ids has at least one dimension.
    2. padding is an i32 that is not negative.
  }];
  let arguments = (ins Attn_IndexTensor:$ids, I64Attr:$padding);
  let results = (outs Attn_IndexTensor:$result);
  let assemblyFormat = "$ids `padding` $padding attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Attn_PackIndexOp : Attn_Op<"pack_index", [Pure,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Finds the rows that a padding mask keeps";
  let description = [{
    With mask [B, S]: `rows` [T] lists, in order, b * S + s for every
    mask[b, s] != 0; `offsets` [B + 1] counts how many stand before each
    sequence. T is a derived size, known once this op ran.

    ```mlir
    %rows, %offsets = attn.pack_index %mask : tensor<?x?xi32, #attn.sizes<batch, seq>> -> tensor<?xi32, #attn.sizes<tokens>>, tensor<?xi32, #attn.sizes<batch + 1>>
    ```

    Constraints:
    1. mask is [B, S], rows [T] with T one derived size of bound B * S, offsets
       [B + 1].
  }];
  let arguments = (ins Attn_IndexTensor:$mask);
  let results = (outs Attn_IndexTensor:$rows, Attn_IndexTensor:$offsets);
  let assemblyFormat = [{
    $mask attr-dict `:` type($mask) `->` type($rows) `,` type($offsets)
  }];
  let hasVerifier = 1;
}

def Attn_PackOp : Attn_Op<"pack", [Pure]> {
  let summary = "Keeps the listed rows";
  let description = [{
    With input [B, S, ..] and rows [T]: result[t, ..] = input[rows[t] / S,
    rows[t] mod S, ..].

    ```mlir
    %y = attn.pack %x, %rows : tensor<2x4x8xf32>, tensor<5xi32> -> tensor<5x8xf32>
    ```

    Constraints:
    1. input is [B, S, ..], rows [T], result [T, ..], of one element type.
  }];
  let arguments = (ins Attn_Tensor:$input, Attn_IndexTensor:$rows);
  let results = (outs Attn_Tensor:$result);
  let assemblyFormat = [{
    $input `,` $rows attr-dict `:` type($input) `,` type($rows) `->`
    type($result)
  }];
  let hasVerifier = 1;
}

def Attn_UnpackOp : Attn_Op<"unpack", [Pure]> {
  let summary = "Puts rows back where they stood; zeros elsewhere";
  let description = [{
    result[rows[t] / S, rows[t] mod S, ..] = input[t, ..]; every other element is
    zero.

    ```mlir
    %y = attn.unpack %x, %rows : tensor<5x8xf32>, tensor<5xi32> -> tensor<2x4x8xf32>
    ```

    Constraints:
    1. input is [T, ..], rows [T], result [B, S, ..], of one element type.
  }];
  let arguments = (ins Attn_Tensor:$input, Attn_IndexTensor:$rows);
  let results = (outs Attn_Tensor:$result);
  let assemblyFormat = [{
    $input `,` $rows attr-dict `:` type($input) `,` type($rows) `->`
    type($result)
  }];
  let hasVerifier = 1;
}

def Attn_PoolOp : Attn_Op<"pool", [Pure, AttrSizedOperandSegments]> {
  let summary = "One row per sequence";
  let description = [{
    Over the rows x_s of a sequence that `mask` keeps (padded form: input
    [B, S, N], mask [B, S]) or that `offsets` delimit (packed form: input [T, N],
    offsets [B + 1]), n of them:
    - `mean`: sum x_s / max(n, 1e-9); `mean_sqrt_len`: sum x_s / sqrt(max(n, 1e-9))
    - `first`, `last`: the first or last such row
    - `max`: the maximum per column
    - `weighted_mean`: sum (s + 1) x_s / max(sum (s + 1), 1e-9), s counted among
      the kept rows
    A sequence without rows gives zeros. (sentence-transformers, `Pooling`.)

    ```mlir
    %y = attn.pool mean %x mask(%m : tensor<2x4xi32>) : tensor<2x4x8xf32> -> tensor<2x8xf32>
    ```

    Constraints:
    1. Exactly one of mask and offsets.
    2. Dimensions as in one of the two forms; the result is [B, N].
  }];
  let arguments = (ins Attn_FloatTensor:$input,
                       Optional<Attn_IndexTensor>:$mask,
                       Optional<Attn_IndexTensor>:$offsets,
                       Attn_PoolKind:$kind);
  let results = (outs Attn_FloatTensor:$result);
  let assemblyFormat = [{
    $kind $input (`mask` `(` $mask^ `:` type($mask) `)`)?
    (`offsets` `(` $offsets^ `:` type($offsets) `)`)? attr-dict
    `:` type($input) `->` type($result)
  }];
  let hasVerifier = 1;
}

#endif // ATTN_SEQUENCE
