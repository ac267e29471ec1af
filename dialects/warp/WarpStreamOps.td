//===- WarpStreamOps.td - weights of few bits, read where they lie -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Products with weights that memory keeps as q of scale * q, and products of
// few rows, which read their weights once and straight into registers.
//
//===----------------------------------------------------------------------===//

#ifndef WARP_STREAM_OPS
#define WARP_STREAM_OPS

include "WarpDialect.td"

def Warp_WordsType : Warp_Type<"Words", "words"> {
  let summary = "Words of 32 bits that each thread of a block holds";
  let description = [{
    `!warp.words<8>`: what `warp.fetch` read, and `warp.unpack` makes numbers of.
  }];
  let parameters = (ins "int64_t":$count);
  let assemblyFormat = "`<` $count `>`";
}

def Warp_FetchOp : Warp_Op<"fetch", [MemoryEffects<[MemRead]>]> {
  let summary = "Reads a piece of narrow weights into registers";
  let description = [{
    Rows [row, row + count) of weights [rows, K] of `bits` bits, 64 steps of K from
    `k` on. Rows are `rowBytes` bytes apart and hold whole runs of 64 steps: four
    parts of 2 * bits bytes, of which each word holds 32 / bits neighbouring
    steps, the even ones in its lower half. Word j of part p is number 4j + p of
    the run. All threads of the block together: four of them read a row. With
    `scales`, f32 [K / group][scaleStride], they read the scales of their words as
    well. Past the last row it is read again.

    ```mlir
    %w = warp.fetch %q[%row, %k] rows %n every 256 scales %s every 128 group 32 {bits = 4 : i64, count = 64 : i64} : !llvm.ptr<1>, !llvm.ptr<1> -> !warp.words<8>
    ```

    Constraints:
    1. `bits` is 8 or 4; `count` is positive.
    2. With `scales`, `group` is a positive multiple of the steps of a word, and
       without them 0.
    3. The result holds, for every row that a thread reads, a word for each bit
       of a number / 2, and with `scales` as many scales.
  }];
  let arguments = (ins Warp_Pointer:$weights, I32:$row, I32:$k, I32:$rows,
                       I64Attr:$rowBytes, Optional<Warp_Pointer>:$scales,
                       I64Attr:$scaleStride, I64Attr:$group, I64Attr:$bits,
                       I64Attr:$count);
  let results = (outs Warp_WordsType:$result);
  let assemblyFormat = [{
    $weights `[` $row `,` $k `]` `rows` $rows `every` $rowBytes
    (`scales` $scales^)? `every` $scaleStride `group` $group attr-dict `:`
    type($weights) (`,` type($scales)^)? `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

def Warp_UnpackOp : Warp_Op<"unpack", [MemoryEffects<[MemWrite]>]> {
  let summary = "Writes fetched weights to a tile, as numbers";
  let description = [{
    tile[n, k] is q, or scale * q rounded to the tile's type if scales were
    fetched: of row n and step k of the piece.

    ```mlir
    warp.unpack %w to %tile : !warp.words<8>, !warp.tile<64x64xbf16>
    ```

    Constraints:
    1. The words come from `warp.fetch`.
    2. The tile is one stage of as many rows as were fetched, and of 64 columns
       of bf16, f16 or f32.
  }];
  let arguments = (ins Warp_WordsType:$words, Warp_TileType:$tile);
  let assemblyFormat = [{
    $words `to` $tile attr-dict `:` qualified(type($words)) `,`
    qualified(type($tile))
  }];
  let hasVerifier = 1;
}

def Warp_ScaledCopyOp : Warp_Op<"scaled_copy", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Copies q of i8 from global to shared memory, as numbers";
  let description = [{
    All threads of the block together: tile[r, c] = scale * source[(row + r) *
    stride + column + c], rounded to the tile's type; zero where row + r is not
    below `rows` or column + c not below `columns`. The scale is
    scales[row + r], or, with `transposed`, scales[column + c]. Source, stride,
    `column` and `columns` are multiples of 16 bytes.

    ```mlir
    warp.scaled_copy %p[%row, %column] rows %n columns %m stride %s scales %f to %tile : !llvm.ptr<1>, !llvm.ptr<1>, !warp.tile<64x64xbf16>
    ```

    Constraints:
    1. The tile is one stage, comes from `warp.alloc` or `warp.stage`, and is
       of bf16, f16 or f32.
  }];
  let arguments = (ins Warp_Pointer:$source, I32:$row, I32:$column, I32:$rows,
                       I32:$columns, I64:$stride, Warp_Pointer:$scales,
                       Warp_TileType:$tile, UnitAttr:$transposed);
  let assemblyFormat = [{
    $source `[` $row `,` $column `]` `rows` $rows `columns` $columns `stride`
    $stride `scales` $scales (`transposed` $transposed^)? `to` $tile attr-dict
    `:` type($source) `,` type($scales) `,` qualified(type($tile))
  }];
  let hasVerifier = 1;
}

def Warp_StreamMmaOp : Warp_Op<"stream_mma", [MemoryEffects<[MemRead]>,
    AllTypesMatch<["acc", "result"]>]> {
  let summary = "A product whose operands are read where they lie";
  let description = [{
    result[m, n] = acc[m, n] + the sum over 64 * runs steps of K from `k` on, those
    below `depth`, of x[m, k] * w[column + n, k], by one warp. x are at most 16
    rows of `element`, `stride` elements apart, rounded to `operand`; of the others
    nothing is said. Weights lie as `warp.fetch` says, or are, with 16 bits,
    numbers of `operand`, row-major. With `scales` every `group` steps of K are
    added in f32 and then multiplied by their scale. Weights past the last row
    are those of the last.

    ```mlir
    %s = warp.stream_mma %x rows %m stride %d : bf16, %w[%column, %k] columns %n every 256 scales %f every 128 group 32, %acc {bits = 4 : i64, depth = 512 : i64, operand = bf16, runs = 2 : i64} : !llvm.ptr<1>, !llvm.ptr<1>, !warp.fragment<acc, 16x16xf32>, !llvm.ptr<1>
    ```

    Constraints:
    1. `bits` is 16, 8 or 4; `runs` is positive; `depth` is a multiple of 4, and
       of 8 for 16 bits.
    2. `operand` is bf16 or f16; `element` is f32 or the same.
    3. With `scales`, `bits` is 8 or 4 and `group` has a common divisor with 64
       of at least 16, or 32 for 4 bits; without them it is 0.
    4. The accumulator has 16 rows.
  }];
  let arguments = (ins Warp_Pointer:$lhs, I32:$rows, I64:$stride,
                       TypeAttr:$element, Warp_Pointer:$weights, I32:$column,
                       I32:$k, I32:$columns, I64Attr:$rowBytes,
                       Optional<Warp_Pointer>:$scales, I64Attr:$scaleStride,
                       I64Attr:$group, Warp_FragmentType:$acc, I64Attr:$bits,
                       I64Attr:$depth, I64Attr:$runs, TypeAttr:$operand);
  let results = (outs Warp_FragmentType:$result);
  let assemblyFormat = [{
    $lhs `rows` $rows `stride` $stride `:` $element `,` $weights `[` $column `,`
    $k `]` `columns` $columns `every` $rowBytes (`scales` $scales^)? `every`
    $scaleStride `group` $group `,` $acc attr-dict `:` type($lhs) `,`
    type($weights) `,` qualified(type($acc)) (`,` type($scales)^)?
  }];
  let hasVerifier = 1;
}

def Warp_BlockSumOp : Warp_Op<"block_sum", [MemoryEffects<[MemRead, MemWrite]>,
    AllTypesMatch<["input", "result"]>]> {
  let summary = "Adds a fragment over the warps of a block";
  let description = [{
    Every warp gets the sum, added in the order of the warps. All threads of the
    block run it, once for a tile.

    ```mlir
    %t = warp.block_sum %s over %tile : !warp.fragment<acc, 16x16xf32>, !warp.tile<8x256xf32>
    ```

    Constraints:
    1. The input is an accumulator.
    2. The tile is one stage of f32, of a row for every warp of the program with
       as many columns as the fragment has elements.
  }];
  let arguments = (ins Warp_FragmentType:$input, Warp_TileType:$tile);
  let results = (outs Warp_FragmentType:$result);
  let assemblyFormat = [{
    $input `over` $tile attr-dict `:` qualified(type($input)) `,`
    qualified(type($tile))
  }];
  let hasVerifier = 1;
}

#endif // WARP_STREAM_OPS
