//===- AttnAttention.td - attention, whole and in parts -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ATTN_ATTENTION
#define ATTN_ATTENTION

include "AttnElementwise.td"

def Attn_AttentionOp : Attn_Op<"attention", [Pure, AttrSizedOperandSegments]> {
  let summary = "Attention with the score and the mask as regions";
  let description = [{
    For batch b, head h (of Hq), query q and key position kv:

        s[q, kv]  = score(sum over d of query[q, d] * key[kv, d], b, h, q, kv, ...)
        p[q, :]   = softmax of s[q, :] over the kv with mask(b, h, q, kv, ...)
        out[q, :] = sum over kv of p[q, kv] * value[kv, :]

    Head h reads key and value head h / (Hq / Hk). Without a score region s is
    the plain product; without a mask region every kv counts. A row whose mask
    admits nothing, or whose scores are all -inf, gives zeros. Products and sums
    are accumulated in f32. (Vaswani et al., "Attention Is All You Need", 2017;
    Dao, "FlashAttention-2", 2023.)

    Three forms, by the rank of `query`:
    - 2: [Q, D], [KV, D], [KV, Dv] -> [Q, Dv]; b = h = 0.
    - 4: [B, Q, Hq, D], [B, KV, Hk, D], [B, KV, Hk, Dv] -> [B, Q, Hq, Dv].
    - 3, packed: [T, Hq, D], [T, Hk, D], [T, Hk, Dv] -> [T, Hq, Dv] with
      `offsets` [B + 1]: sequence b owns rows offsets[b] to offsets[b + 1] - 1,
      and q and kv count within the sequence; `length_bound` is a size
      expression that no sequence's length exceeds.

    The regions' first arguments are the score (score region only) and b, h, q,
    kv as i32; then one scalar per capture, read at its map of (b, h, q, kv), or
    a tensor of the last dimensions that its map leaves out (`attn.lookup`). In
    the packed form a map's q and kv stand for the query's and the key's row in
    [T, ..]; the arguments still count within the sequence.

    ```mlir
    %o = attn.attention %q, %k, %v mask() {
    ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):
      %c = arith.cmpi sge, %i, %j : i32
      attn.yield %c : i1
    } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x5xf32> -> tensor<3x5xf32>
    ```

    Constraints:
    1. Ranks and dimensions as in one of the three forms, heads and their sizes
       being numbers; `offsets` and `length_bound` exactly in the packed form.
    2. Hq is a multiple of Hk.
    3. The score region takes (f32, i32, i32, i32, i32, captures...) and yields
       f32.
    4. The mask region takes (i32, i32, i32, i32, captures...) and yields i1.
    5. One map per capture, of four dimensions, each result a dimension or a
       constant, whose size is that of the capture's dimension; q and kv have
       the size T in the packed form.
    6. Regions hold only ops that every back end can vectorize, as in
       `attn.map`.
  }];
  let arguments = (ins Attn_FloatTensor:$query, Attn_FloatTensor:$key,
                       Attn_FloatTensor:$value,
                       Optional<Attn_IndexTensor>:$offsets,
                       Variadic<Attn_Tensor>:$score_captures,
                       Variadic<Attn_Tensor>:$mask_captures,
                       OptionalAttr<AffineMapArrayAttr>:$score_maps,
                       OptionalAttr<AffineMapArrayAttr>:$mask_maps,
                       OptionalAttr<StrAttr>:$length_bound);
  let regions = (region AnyRegion:$score, AnyRegion:$mask);
  let results = (outs Attn_FloatTensor:$result);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`offsets` `(` $offsets^ `:` type($offsets) `)`)?
    (`score` custom<CapturedRegion>($score_captures, type($score_captures),
        $score_maps, $score)^)?
    (`mask` custom<CapturedRegion>($mask_captures, type($mask_captures),
        $mask_maps, $mask)^)?
    (`length_bound` $length_bound^)? attr-dict
    `:` type($query) `,` type($key) `,` type($value) `->` type($result)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    CapturedRegion getScoreRegion();
    CapturedRegion getMaskRegion();
    bool isPacked() { return static_cast<bool>(getOffsets()); }
    int64_t getQueryHeads();
    int64_t getKeyHeads();
    int64_t getHeadSize();
    int64_t getValueSize();
  }];
}

def Attn_SoftmaxOp : Attn_Op<"softmax", [Pure,
    AllTypesMatch<["input", "result"]>]> {
  let summary = "Softmax of rows";
  let description = [{
    Over the last dimension: exp(x - max(x)) / sum(exp(x - max(x))); a row of
    -inf alone gives zeros.

    ```mlir
    %p = attn.softmax %s : tensor<3x3xf32>
    ```

    Constraints:
    1. The input has at least one dimension.
  }];
  let arguments = (ins Attn_FloatTensor:$input);
  let results = (outs Attn_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
  let hasVerifier = 1;
}

def Attn_MatmulOp : Attn_Op<"matmul", [Pure]> {
  let summary = "Products of matrices, one per leading index";
  let description = [{
    result[.., m, n] = sum over k of lhs[.., m, k] * rhs[.., k, n], or
    rhs[.., n, k] with `transpose_rhs`; accumulated in f32.

    ```mlir
    %s = attn.matmul %q, %k transpose_rhs : tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x3xf32>
    ```

    Constraints:
    1. Same rank of at least 2, same leading dimensions, matching M, N and K.
  }];
  let arguments = (ins Attn_FloatTensor:$lhs, Attn_FloatTensor:$rhs,
                       UnitAttr:$transpose_rhs);
  let results = (outs Attn_FloatTensor:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs (`transpose_rhs` $transpose_rhs^)? attr-dict
    `:` type($lhs) `,` type($rhs) `->` type($result)
  }];
  let hasVerifier = 1;
}

#endif // ATTN_ATTENTION
