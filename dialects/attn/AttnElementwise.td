//===- AttnElementwise.td - maps, norms and what stands in regions -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ATTN_ELEMENTWISE
#define ATTN_ELEMENTWISE

include "AttnAttributes.td"
include "AttnInterfaces.td"

// A capture of a region: operand `i` is read at maps[i] applied to the index
// of the element (element, score and mask regions) or of the row (row regions).
// Dimensions that the map leaves out stay whole.
def Attn_YieldOp : Attn_Op<"yield", [Pure, Terminator, ReturnLike]> {
  let summary = "The result of a region";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

def Attn_IndexOp : Attn_Op<"index", [Pure]> {
  let summary = "The index of the current element along one dimension";
  let description = [{
    Inside an element region: dimension `dim` of the element being computed,
    counted in the index space of the op.

    ```mlir
    %i = attn.index 1 : i32
    ```

    Constraints:
    1. Stands in an element region, and `dim` is one of the dimensions of its
       index space.
  }];
  let arguments = (ins I64Attr:$dim);
  let results = (outs I32:$result);
  let assemblyFormat = "$dim attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Attn_MapOp : Attn_Op<"map", [Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<Attn_EpilogueInterface>]> {
  let summary = "Computes every element of a tensor from captures";
  let description = [{
    result[i] = element(captures[maps(i)]). Transposition, broadcast, bias,
    activation and residual are maps; an optional row region sees the complete
    rows.

    ```mlir
    %y = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>, %bias at affine_map<(d0, d1) -> (d1)> : tensor<4xf32>) {
    ^bb0(%a: f32, %b: f32):
      %s = arith.addf %a, %b : f32
      attn.yield %s : f32
    } : tensor<3x4xf32>
    ```

    Constraints:
    1. One map per capture, from the rank of the result to at most the rank of
       the capture, each result a dimension or a constant.
    2. A dimension of a capture equals the dimension that indexes it.
    3. There is an element region; it takes one scalar per capture, or a tensor
       of the last dimensions that its map leaves out (for `attn.lookup`), and
       yields one scalar of the result's element type.
    4. Regions hold only ops of `arith`, `math` and `attn` that every back end
       can vectorize.
    5. The row region takes a row (a tensor of the last dimension) and one
       tensor per row capture, and yields a row. The maps of row captures go
       from the leading dimensions; of the capture they may leave out the last
       dimension, which then stays whole. The region holds attn.norm,
       attn.softmax and attn.map, each with a row as its result.
  }];
  let arguments = (ins Variadic<Attn_Tensor>:$element_captures,
                       Variadic<Attn_FloatTensor>:$row_captures,
                       OptionalAttr<AffineMapArrayAttr>:$element_maps,
                       OptionalAttr<AffineMapArrayAttr>:$row_maps);
  let regions = (region AnyRegion:$element, AnyRegion:$row);
  let results = (outs Attn_Tensor:$result);
  let assemblyFormat = [{
    (`element` custom<CapturedRegion>($element_captures,
        type($element_captures), $element_maps, $element)^)?
    (`row` custom<CapturedRegion>($row_captures, type($row_captures),
        $row_maps, $row)^)?
    attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Attn_NormOp : Attn_Op<"norm", [Pure, AttrSizedOperandSegments,
    AllTypesMatch<["input", "result"]>]> {
  let summary = "Normalizes rows";
  let description = [{
    Over the last dimension, N elements x:
    - `layer`: (x - mean(x)) / sqrt(var(x) + epsilon) * weight + bias, with the
      biased variance (Ba et al., "Layer Normalization", 2016)
    - `rms`: x / sqrt(mean(x^2) + epsilon) * weight (Zhang and Sennrich, 2019)
    - `l2`: x / max(sqrt(sum(x^2)), epsilon)

    Sums are accumulated in f32, the mean before the variance.

    ```mlir
    %y = attn.norm layer %x weight(%g : tensor<4xf32>) bias(%b : tensor<4xf32>) epsilon 1.000000e-12 : tensor<3x4xf32>
    ```

    Constraints:
    1. weight and bias are [N].
    2. `l2` takes neither weight nor bias; `rms` takes no bias.
    3. epsilon is positive and finite, or zero.
    4. The input has at least one dimension.
  }];
  let arguments = (ins Attn_FloatTensor:$input,
                       Optional<Attn_FloatTensor>:$weight,
                       Optional<Attn_FloatTensor>:$bias,
                       Attn_NormKind:$kind, F64Attr:$epsilon);
  let results = (outs Attn_FloatTensor:$result);
  let assemblyFormat = [{
    $kind $input (`weight` `(` $weight^ `:` type($weight) `)`)?
    (`bias` `(` $bias^ `:` type($bias) `)`)? `epsilon` $epsilon attr-dict
    `:` type($input)
  }];
  let hasVerifier = 1;
}

#endif // ATTN_ELEMENTWISE
