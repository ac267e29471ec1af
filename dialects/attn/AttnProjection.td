//===- AttnProjection.td - linear maps of rows -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ATTN_PROJECTION
#define ATTN_PROJECTION

include "AttnElementwise.td"

def Attn_LinearOp : Attn_Op<"linear", [Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<Attn_EpilogueInterface>]> {
  let summary = "Multiplies rows by a weight matrix";
  let description = [{
    acc[.., n] = sum over k of input[.., k] * weight[n, k], accumulated in f32;
    then the element region maps (acc, captures...) to the result's element, and
    the row region maps complete rows.

    ```mlir
    %y = attn.linear %x, %w element(%bias at affine_map<(d0, d1) -> (d1)> : tensor<6xf32>) {
    ^bb0(%acc: f32, %b: f32):
      %s = arith.addf %acc, %b : f32
      attn.yield %s : f32
    } : tensor<3x4xf32>, tensor<6x4xf32> -> tensor<3x6xf32>
    ```

    Constraints:
    1. input is [.., K] with at least one leading dimension, weight [N, K],
       result [.., N] with the input's leading dimensions; N and K are numbers.
    2. Captures, maps and regions as in `attn.map`; the element region's first
       argument is the accumulator.
  }];
  let arguments = (ins Attn_FloatTensor:$input, Attn_FloatTensor:$weight,
                       Variadic<Attn_Tensor>:$element_captures,
                       Variadic<Attn_FloatTensor>:$row_captures,
                       OptionalAttr<AffineMapArrayAttr>:$element_maps,
                       OptionalAttr<AffineMapArrayAttr>:$row_maps);
  let regions = (region AnyRegion:$element, AnyRegion:$row);
  let results = (outs Attn_FloatTensor:$result);
  let assemblyFormat = [{
    $input `,` $weight
    (`element` custom<CapturedRegion>($element_captures,
        type($element_captures), $element_maps, $element)^)?
    (`row` custom<CapturedRegion>($row_captures, type($row_captures),
        $row_maps, $row)^)?
    attr-dict `:` type($input) `,` type($weight) `->` type($result)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Attn_QkvProjectionOp : Attn_Op<"qkv_projection", [Pure,
    DeclareOpInterfaceMethods<Attn_EpilogueInterface>]> {
  let summary = "Projects rows to query, key and value heads in one product";
  let description = [{
    With the rows of `weight` being those of the query heads, the key heads and
    the value heads, in this order: the product as in `attn.linear`, cut into
    query [.., Hq, D], key [.., Hk, D] and value [.., Hk, Dv]. The index space of
    the element region is [.., Hq*D + Hk*D + Hk*Dv].

    ```mlir
    %q, %k, %v = attn.qkv_projection %x, %w : tensor<3x8xf32>, tensor<24x8xf32> -> tensor<3x2x4xf32>, tensor<3x2x4xf32>, tensor<3x2x4xf32>
    ```

    Constraints:
    1. input is [.., K], weight [Hq*D + Hk*D + Hk*Dv, K], and the results have
       the input's leading dimensions.
    2. Query and key agree in D, key and value in the number of heads, and the
       number of query heads is a multiple of it.
    3. Captures, maps and region as in `attn.linear`; there is no row region.
  }];
  let arguments = (ins Attn_FloatTensor:$input, Attn_FloatTensor:$weight,
                       Variadic<Attn_Tensor>:$element_captures,
                       OptionalAttr<AffineMapArrayAttr>:$element_maps);
  let regions = (region AnyRegion:$element);
  let results = (outs Attn_FloatTensor:$query, Attn_FloatTensor:$key,
                      Attn_FloatTensor:$value);
  let assemblyFormat = [{
    $input `,` $weight
    (`element` custom<CapturedRegion>($element_captures,
        type($element_captures), $element_maps, $element)^)?
    attr-dict `:` type($input) `,` type($weight) `->` type($query) `,`
    type($key) `,` type($value)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Attn_OutputProjectionOp : Attn_Op<"output_projection", [Pure,
    AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<Attn_EpilogueInterface>]> {
  let summary = "Projects the heads of an attention back to rows";
  let description = [{
    acc[.., n] = sum over h, d of input[.., h, d] * weight[n, h * D + d]; then
    the epilogues as in `attn.linear`.

    ```mlir
    %y = attn.output_projection %o, %w : tensor<3x2x4xf32>, tensor<8x8xf32> -> tensor<3x8xf32>
    ```

    Constraints:
    1. input is [.., H, D], weight [N, H*D], result [.., N].
    2. Captures, maps and regions as in `attn.linear`.
  }];
  let arguments = (ins Attn_FloatTensor:$input, Attn_FloatTensor:$weight,
                       Variadic<Attn_Tensor>:$element_captures,
                       Variadic<Attn_FloatTensor>:$row_captures,
                       OptionalAttr<AffineMapArrayAttr>:$element_maps,
                       OptionalAttr<AffineMapArrayAttr>:$row_maps);
  let regions = (region AnyRegion:$element, AnyRegion:$row);
  let results = (outs Attn_FloatTensor:$result);
  let assemblyFormat = [{
    $input `,` $weight
    (`element` custom<CapturedRegion>($element_captures,
        type($element_captures), $element_maps, $element)^)?
    (`row` custom<CapturedRegion>($row_captures, type($row_captures),
        $row_maps, $row)^)?
    attr-dict `:` type($input) `,` type($weight) `->` type($result)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Attn_HeadLinearOp : Attn_Op<"head_linear", [Pure]> {
  let summary = "Multiplies every head by a matrix of its own";
  let description = [{
    result[.., h, n] = sum over k of input[.., h, k] * weight[h, k, n],
    accumulated in f32. The weight may be computed: the scores of queries with
    embeddings of positions are such products.

    ```mlir
    %y = attn.head_linear %q, %w : tensor<3x2x4xf32>, tensor<2x4x5xf32> -> tensor<3x2x5xf32>
    ```

    Constraints:
    1. input is [.., H, K] with at least one leading dimension, weight [H, K, N],
       result [.., H, N]; H, K and N are numbers.
  }];
  let arguments = (ins Attn_FloatTensor:$input, Attn_FloatTensor:$weight);
  let results = (outs Attn_FloatTensor:$result);
  let assemblyFormat = [{
    $input `,` $weight attr-dict `:` type($input) `,` type($weight) `->`
    type($result)
  }];
  let hasVerifier = 1;
}

def Attn_SplitHeadsOp : Attn_Op<"split_heads", [Pure]> {
  let summary = "Sees the last dimension as heads";
  let description = [{
    result[.., h, d] = input[.., h * D + d].

    ```mlir
    %y = attn.split_heads %x : tensor<3x8xf32> -> tensor<3x2x4xf32>
    ```

    Constraints:
    1. input is [.., H*D], result [.., H, D], both static there.
  }];
  let arguments = (ins Attn_FloatTensor:$input);
  let results = (outs Attn_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Attn_MergeHeadsOp : Attn_Op<"merge_heads", [Pure]> {
  let summary = "Sees the heads as one dimension";
  let description = [{
    result[.., h * D + d] = input[.., h, d].

    ```mlir
    %y = attn.merge_heads %x : tensor<3x2x4xf32> -> tensor<3x8xf32>
    ```

    Constraints:
    1. input is [.., H, D], result [.., H*D], both static there.
  }];
  let arguments = (ins Attn_FloatTensor:$input);
  let results = (outs Attn_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

#endif // ATTN_PROJECTION
