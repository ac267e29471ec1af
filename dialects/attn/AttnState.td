//===- AttnState.td - what a session remembers between calls -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ATTN_STATE
#define ATTN_STATE

include "AttnElementwise.td"

def Attn_StateType : TypeDef<Attn_Dialect, "State"> {
  let mnemonic = "state";
  let summary = "Rows that a session keeps, per sequence";
  let description = [{
    A list of rows for every sequence of a session. With `window = W` a reader at
    position q sees only rows after q - W; older ones are forgotten.

    ```mlir
    !attn.state<tensor<4x8xf32>>
    !attn.state<tensor<4x8xf32>, window = 128>
    ```
  }];
  let parameters = (ins "::mlir::RankedTensorType":$row,
                        DefaultValuedParameter<"int64_t", "0">:$window);
  let assemblyFormat = "`<` $row (`,` `window` `=` $window^)? `>`";
}

def Attn_StateResource : Resource<"::attnc::attn::StateResource">;

def Attn_StateOp : Attn_Op<"state", [Symbol,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Declares rows that a session keeps between calls";
  let description = [{
    Keys or values of one layer: for every sequence of the session a list of
    rows, which grows by `attn.append` to at most `positions`. All states of a
    module grow together: sequence b has as many rows in one as in another, its
    length.

    `as` says what a session keeps of the rows: bf16 is the nearest one, ties to
    even; i8 is one scale for the D numbers of a head, their largest magnitude /
    127, and for each a whole number of steps, -127 to 127. It changes nothing in
    what the ops mean: like the formats of products, it is what a library may be
    off by.

    ```mlir
    attn.state @layer.0.key positions 512 : !attn.state<tensor<2x4xf32>>
    attn.state @layer.0.value positions 512 as i8 : !attn.state<tensor<2x4xf32>>
    ```

    Constraints:
    1. A row is [Hk, D] of f32, both numbers; a window is not negative.
    2. 1 <= positions <= 2^30, and every state of a module has the same.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$positions,
                       DefaultValuedAttr<Attn_StateFormat,
                           "::attnc::attn::StateFormat::f32">:$format,
                       TypeAttrOf<Attn_StateType>:$type);
  let assemblyFormat = [{
    $sym_name `positions` $positions (`as` $format^)? `:` $type attr-dict
  }];
  let hasVerifier = 1;
}

def Attn_GetStateOp : Attn_Op<"get_state",
    [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "The handle of a state";
  let description = [{
    ```mlir
    %k = attn.get_state @layer.0.key : !attn.state<tensor<2x4xf32>>
    ```

    Constraints:
    1. The symbol is an `attn.state` of the same type.
  }];
  let arguments = (ins FlatSymbolRefAttr:$state);
  let results = (outs Attn_StateType:$result);
  let assemblyFormat = "$state attr-dict `:` qualified(type($result))";
}

def Attn_PastOp : Attn_Op<"past", [Pure]> {
  let summary = "The lengths of the sequences before this call";
  let description = [{
    result[b] = the number of rows that sequence b had when the call began.

    ```mlir
    %past = attn.past : tensor<?xi32, #attn.sizes<batch>>
    ```

    Constraints:
    1. The result has one dimension.
  }];
  let results = (outs Attn_IndexTensor:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Attn_PackedPositionsOp : Attn_Op<"packed_positions", [Pure]> {
  let summary = "The position of every packed row in its sequence";
  let description = [{
    For the rows t of sequence b, offsets[b] <= t < offsets[b + 1]: result[t] =
    past[b] + t - offsets[b].

    ```mlir
    %p = attn.packed_positions %offsets, %past : tensor<3xi32>, tensor<2xi32> -> tensor<?xi32, #attn.sizes<tokens>>
    ```

    Constraints:
    1. offsets is [B + 1], past [B], the result [T].
  }];
  let arguments = (ins Attn_IndexTensor:$offsets, Attn_IndexTensor:$past);
  let results = (outs Attn_IndexTensor:$result);
  let assemblyFormat = [{
    $offsets `,` $past attr-dict `:` type($offsets) `,` type($past) `->`
    type($result)
  }];
  let hasVerifier = 1;
}

def Attn_AppendOp : Attn_Op<"append",
    [MemoryEffects<[MemWrite<Attn_StateResource>]>]> {
  let summary = "Appends a call's rows to a state";
  let description = [{
    Row t of sequence b, offsets[b] <= t < offsets[b + 1], becomes row past[b] +
    t - offsets[b] of sequence b of the state. The sequences are longer once the
    call is over; readers after the append see its rows already.

    ```mlir
    attn.append %rows, %offsets to %k : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<3xi32>, !attn.state<tensor<2x4xf32>>
    ```

    Constraints:
    1. rows is [T, Hk, D] with the state's row [Hk, D], offsets [B + 1].
    2. An entry that appends does so to every state of the module, once, with the
       offsets of one `attn.pack_index` of an input.
  }];
  let arguments = (ins Attn_FloatTensor:$rows, Attn_IndexTensor:$offsets,
                       Attn_StateType:$state);
  let assemblyFormat = [{
    $rows `,` $offsets `to` $state attr-dict
    `:` type($rows) `,` type($offsets) `,` qualified(type($state))
  }];
  let hasVerifier = 1;
}

def Attn_CachedAttentionOp : Attn_Op<"cached_attention",
    [AttrSizedOperandSegments, MemoryEffects<[MemRead<Attn_StateResource>]>]> {
  let summary = "Attention of packed queries with the rows of two states";
  let description = [{
    As `attn.attention` in its packed form, but keys and values are rows of
    states. With n[b] = offsets[b + 1] - offsets[b], the queries of sequence b
    are at the positions past[b] to past[b] + n[b] - 1, its keys and values at 0
    to past[b] + n[b] - 1; q and kv in the regions are these positions. A window
    W of the states leaves out kv <= q - W, whatever the mask says. Sums are
    accumulated in f32.

    ```mlir
    %o = attn.cached_attention %q, %k, %v offsets(%offsets : tensor<3xi32>) past(%past : tensor<2xi32>) mask() {
    ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):
      %c = arith.cmpi sge, %i, %j : i32
      attn.yield %c : i1
    } : tensor<?x4x8xf32, #attn.sizes<tokens, 4, 8>>, !attn.state<tensor<2x8xf32>>, !attn.state<tensor<2x8xf32>> -> tensor<?x4x8xf32, #attn.sizes<tokens, 4, 8>>
    ```

    Constraints:
    1. query is [T, Hq, D], rows of the key [Hk, D], rows of the value [Hk, Dv],
       the result [T, Hq, Dv], offsets [B + 1], past [B]; both states have the
       same window.
    2. Hq is a multiple of Hk.
    3. The score region takes (f32, i32, i32, i32, i32, captures...) and yields
       f32.
    4. The mask region takes (i32, i32, i32, i32, captures...) and yields i1.
    5. One map per capture, of four dimensions, each result a dimension or a
       constant; captures are indexed by b and h alone.
    6. In an entry, `attn.append`s to both states with the same offsets stand
       before it.
    7. A state is read as keys or as values, not as both.
  }];
  let arguments = (ins Attn_FloatTensor:$query, Attn_StateType:$key,
                       Attn_StateType:$value, Attn_IndexTensor:$offsets,
                       Attn_IndexTensor:$past,
                       Variadic<Attn_Tensor>:$score_captures,
                       Variadic<Attn_Tensor>:$mask_captures,
                       OptionalAttr<AffineMapArrayAttr>:$score_maps,
                       OptionalAttr<AffineMapArrayAttr>:$mask_maps);
  let regions = (region AnyRegion:$score, AnyRegion:$mask);
  let results = (outs Attn_FloatTensor:$result);
  let assemblyFormat = [{
    $query `,` $key `,` $value `offsets` `(` $offsets `:` type($offsets) `)`
    `past` `(` $past `:` type($past) `)`
    (`score` custom<CapturedRegion>($score_captures, type($score_captures),
        $score_maps, $score)^)?
    (`mask` custom<CapturedRegion>($mask_captures, type($mask_captures),
        $mask_maps, $mask)^)?
    attr-dict `:` type($query) `,` qualified(type($key)) `,`
    qualified(type($value)) `->` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    CapturedRegion getScoreRegion();
    CapturedRegion getMaskRegion();
    int64_t getQueryHeads();
    int64_t getKeyHeads();
    int64_t getHeadSize();
    int64_t getValueSize();
    int64_t getWindow();
  }];
}

#endif // ATTN_STATE
