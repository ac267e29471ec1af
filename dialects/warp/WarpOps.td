//===- WarpOps.td - programs, tiles, fragments, barriers -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What every chip from sm_80 on does; products of warp groups and copies by
// tensor maps are in WarpGroupOps.td.
//
//===----------------------------------------------------------------------===//

#ifndef WARP_OPS
#define WARP_OPS

include "WarpDialect.td"

def Warp_ProgramOp : Warp_Op<"program", [Symbol, IsolatedFromAbove,
    FunctionOpInterface, SingleBlock]> {
  let summary = "What a thread block runs";
  let description = [{
    Every one of `threads` threads runs the body. Arguments are pointers to
    global memory or, with `warp.tensor_map`, tensor maps. `shared` is how many
    bytes of shared memory the tiles take, once PlanSharedMemory placed them.

    ```mlir
    warp.program @copy(%sizes: !llvm.ptr<1>) threads 128 {
      warp.return
    }
    ```

    Constraints:
    1. `threads` is a multiple of 32 between 32 and 1024.
    2. The body ends with `warp.return`; arguments are pointers.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       TypeAttrOf<FunctionType>:$function_type,
                       I64Attr:$threads, OptionalAttr<I64Attr>:$shared,
                       OptionalAttr<DictArrayAttr>:$arg_attrs,
                       OptionalAttr<DictArrayAttr>:$res_attrs);
  let regions = (region AnyRegion:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() {
      return getFunctionType().getInputs();
    }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() {
      return getFunctionType().getResults();
    }
    ::mlir::Region *getCallableRegion() { return &getBody(); }
  }];
}

def Warp_ReturnOp : Warp_Op<"return", [Terminator, HasParent<"ProgramOp">]> {
  let summary = "Ends a program";
  let assemblyFormat = "attr-dict";
}

//===-- tiles -------------------------------------------------------------===//

def Warp_AllocOp : Warp_Op<"alloc", [MemoryEffects<[MemAlloc]>]> {
  let summary = "Shared memory for a tile";
  let description = [{
    `panels` asks for panels of 128 bytes, or of 64 where rows are no multiple
    of 128: the forms that tensor maps write and `warp.group_mma` reads.
    PlanSharedMemory sets `offset` and `layout`.

    ```mlir
    %k = warp.alloc : !warp.tile<2x64x64xbf16>
    ```

    Constraints:
    1. Stands directly in the body of a program.
    2. With `panels`, rows are a multiple of 64 bytes and their number one of 8.
    3. `offset` and `layout` are set together; `offset` is a multiple of 128, of
       1024 with `panels`.
  }];
  let arguments = (ins UnitAttr:$panels, OptionalAttr<I64Attr>:$offset,
                       OptionalAttr<Warp_LayoutAttr>:$layout);
  let results = (outs Warp_TileType:$tile);
  let assemblyFormat = [{
    (`panels` $panels^)? (`at` $offset^)? (`layout` `(` $layout^ `)`)? attr-dict `:`
    qualified(type($tile))
  }];
  let hasVerifier = 1;
}

def Warp_StageOp : Warp_Op<"stage", [Pure]> {
  let summary = "One stage of a tile";
  let description = [{
    ```mlir
    %now = warp.stage %k[%i] : !warp.tile<2x64x64xbf16> -> !warp.tile<64x64xbf16>
    ```

    Constraints:
    1. The tile comes from `warp.alloc`, and the result is one stage of it.
  }];
  let arguments = (ins Warp_TileType:$tile, I32:$index);
  let results = (outs Warp_TileType:$result);
  let assemblyFormat = [{
    $tile `[` $index `]` attr-dict `:` qualified(type($tile)) `->`
    qualified(type($result))
  }];
  let hasVerifier = 1;
}

def Warp_CopyOp : Warp_Op<"copy", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Copies rows from global to shared memory";
  let description = [{
    All threads of the block together: tile[r, c] = source[(row + r) * stride +
    column + c], converted from `element` to the tile's type; zero where row + r
    is not below `rows` or column + c not below `columns`. `async` copies without
    passing through registers: such copies have landed once a `warp.wait` says
    so. `aligned` promises that source, stride, `column` and `columns` allow
    accesses of 16 bytes.

    ```mlir
    warp.copy %p[%row, %column] rows %n columns %m stride %s async aligned : bf16 to %tile : !warp.tile<64x64xbf16>
    ```

    Constraints:
    1. `async` needs `aligned` and a tile of the source's type.
    2. The tile is one stage and comes from `warp.alloc` or `warp.stage`.
  }];
  let arguments = (ins Warp_Pointer:$source, I32:$row, I32:$column, I32:$rows,
                       I32:$columns, I64:$stride, TypeAttr:$element,
                       Warp_TileType:$tile, UnitAttr:$async, UnitAttr:$aligned);
  let assemblyFormat = [{
    $source `[` $row `,` $column `]` `rows` $rows `columns` $columns `stride`
    $stride (`async` $async^)? (`aligned` $aligned^)? attr-dict `:`
    type($source) `of` $element `to` $tile `:` qualified(type($tile))
  }];
  let hasVerifier = 1;
}

def Warp_CommitOp : Warp_Op<"commit", [MemoryEffects<[MemWrite]>]> {
  let summary = "Ends a group of asynchronous copies";
  let description = [{
    The copies since the last `warp.commit` are one group; a group may be empty.
  }];
  let assemblyFormat = "attr-dict";
}

def Warp_WaitOp : Warp_Op<"wait", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Waits until at most `pending` groups of copies are in flight";
  let description = [{
    What landed is visible to the thread that copied it, and to the others after
    the next `warp.sync`.

    ```mlir
    warp.wait 1
    ```

    Constraints:
    1. `pending` is not negative.
  }];
  let arguments = (ins I64Attr:$pending);
  let assemblyFormat = "$pending attr-dict";
  let hasVerifier = 1;
}

def Warp_SyncOp : Warp_Op<"sync", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Waits for all threads of the block";
  let assemblyFormat = "attr-dict";
}

//===-- fragments ---------------------------------------------------------===//

def Warp_LoadOp : Warp_Op<"load", [MemoryEffects<[MemRead]>]> {
  let summary = "Loads an operand of a product from a tile";
  let description = [{
    The warp's fragment begins at (row, column) of the tile. `lhs` takes rows as
    M and columns as K; `rhs` takes rows as N and columns as K or, with
    `transpose`, rows as K and columns as N. `paired` takes the columns K of
    every block of 8 in the order 0, 2, 4, 6, 1, 3, 5, 7, which is the order in
    which an f32 accumulator becomes an operand (`warp.convert`).

    ```mlir
    %b = warp.load %tile[%r, %c] transpose : !warp.tile<64x64xbf16> -> !warp.fragment<rhs, 16x64xbf16>
    ```

    Constraints:
    1. The tile is one stage of the fragment's type.
    2. The fragment is `lhs` or `rhs` and fits the tile; `transpose` and
       `paired` stand on `rhs` only, and `paired` on f32 only.
  }];
  let arguments = (ins Warp_TileType:$tile, I32:$row, I32:$column,
                       UnitAttr:$transpose, UnitAttr:$paired);
  let results = (outs Warp_FragmentType:$result);
  let assemblyFormat = [{
    $tile `[` $row `,` $column `]` (`transpose` $transpose^)?
    (`paired` $paired^)? attr-dict `:` qualified(type($tile)) `->`
    qualified(type($result))
  }];
  let hasVerifier = 1;
}

def Warp_MmaOp : Warp_Op<"mma", [Pure, AllTypesMatch<["acc", "result"]>]> {
  let summary = "result = lhs * rhs + acc";
  let description = [{
    Products of bf16 and f16 are exact and added in f32. f32 operands are
    rounded to tf32 (10 bits of fraction); with `f32` each operand is a tf32 and
    the tf32 of what is left, and three products are added, so that the result
    is nearly that of f32.

    ```mlir
    %d = warp.mma %a, %b, %c : !warp.fragment<lhs, 16x16xbf16>, !warp.fragment<rhs, 16x64xbf16>, !warp.fragment<acc, 16x64xf32>
    ```

    Constraints:
    1. lhs is M x K, rhs K x N and acc M x N, of these roles.
    2. lhs and rhs have one element type; `precision` stands on f32 exactly.
    3. rhs comes from `warp.load`: it is loaded where the product wants it.
  }];
  let arguments = (ins Warp_FragmentType:$lhs, Warp_FragmentType:$rhs,
                       Warp_FragmentType:$acc,
                       OptionalAttr<Warp_PrecisionAttr>:$precision);
  let results = (outs Warp_FragmentType:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs `,` $acc (`precision` $precision^)? attr-dict `:`
    qualified(type($lhs)) `,` qualified(type($rhs)) `,` qualified(type($acc))
  }];
  let hasVerifier = 1;
}

def Warp_SplatOp : Warp_Op<"splat", [Pure]> {
  let summary = "The same number everywhere";
  let description = [{
    ```mlir
    %z = warp.splat %zero : !warp.fragment<acc, 16x64xf32>
    ```

    Constraints:
    1. The result is an accumulator or rows.
  }];
  let arguments = (ins F32:$value);
  let results = (outs Warp_Matrix:$result);
  let assemblyFormat = "$value attr-dict `:` qualified(type($result))";
  let hasVerifier = 1;
}

def Warp_MapOp : Warp_Op<"map", [SingleBlock, RecursiveMemoryEffects]> {
  let summary = "Computes every element from those of its place";
  let description = [{
    The region takes one f32 per input, an accumulator's element or the number
    of its row, then row and column of the element, counted from `row` and
    `column`, as i32. Without an accumulator among the results, there is no
    column. It yields one f32 per result, and sees values from outside.

    ```mlir
    %p = warp.map %s, %m at (%r, %c) : !warp.fragment<acc, 16x64xf32>, !warp.rows<16> -> !warp.fragment<acc, 16x64xf32> {
    ^bb0(%x: f32, %y: f32, %i: i32, %j: i32):
      %d = arith.subf %x, %y : f32
      warp.yield %d : f32
    }
    ```

    Constraints:
    1. Inputs and results are accumulators of one shape or rows of as many rows;
       there is a result, and results are all accumulators or all rows.
    2. With rows as results, inputs are rows.
    3. The region's arguments and what it yields are as described.
  }];
  let arguments = (ins Variadic<Warp_Matrix>:$inputs, I32:$row, I32:$column);
  let regions = (region SizedRegion<1>:$body);
  let results = (outs Variadic<Warp_Matrix>:$results);
  let assemblyFormat = [{
    ($inputs^)? `at` `(` $row `,` $column `)` attr-dict `:`
    custom<QualifiedTypes>(type($inputs)) `->`
    custom<QualifiedTypes>(type($results)) $body
  }];
  let hasVerifier = 1;
}

def Warp_YieldOp : Warp_Op<"yield", [Pure, Terminator,
    ParentOneOf<["MapOp"]>]> {
  let summary = "The results of a region";
  let arguments = (ins Variadic<F32>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

def Warp_ReduceOp : Warp_Op<"reduce", [Pure]> {
  let summary = "Combines the elements of every row";
  let description = [{
    Of the columns that a thread holds, or with `across` of whole rows: then all
    four lanes of a row get the same number. Rows as input are combined across
    lanes.

    ```mlir
    %m = warp.reduce max across %s : !warp.fragment<acc, 16x64xf32> -> !warp.rows<16>
    ```

    Constraints:
    1. The input is an accumulator, or rows with `across`, of as many rows as
       the result.
  }];
  let arguments = (ins Warp_CombineAttr:$combine, UnitAttr:$across,
                       Warp_Matrix:$input);
  let results = (outs Warp_RowsType:$result);
  let assemblyFormat = [{
    $combine (`across` $across^)? $input attr-dict `:` qualified(type($input))
    `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

def Warp_ConvertOp : Warp_Op<"convert", [Pure]> {
  let summary = "A sum becomes the left operand of a product";
  let description = [{
    Columns [column, column + K) of the accumulator, converted to the operand's
    type, without leaving the thread's registers. For f32, the operand's columns
    are permuted within blocks of 8: the right operand is loaded `paired`.

    ```mlir
    %a = warp.convert %p[16] : !warp.fragment<acc, 16x64xf32> -> !warp.fragment<lhs, 16x16xbf16>
    ```

    Constraints:
    1. The input is an accumulator, the result `lhs` of as many rows, whose
       columns are whole blocks within the input's.
  }];
  let arguments = (ins Warp_FragmentType:$input, I64Attr:$column);
  let results = (outs Warp_FragmentType:$result);
  let assemblyFormat = [{
    $input `[` $column `]` attr-dict `:` qualified(type($input)) `->`
    qualified(type($result))
  }];
  let hasVerifier = 1;
}

def Warp_StoreOp : Warp_Op<"store", [MemoryEffects<[MemWrite]>]> {
  let summary = "Stores an accumulator to global memory";
  let description = [{
    target[(row + i) * stride + column + j] = value[i, j] converted to
    `element`, where row + i is below `rows` and column + j below `columns`.
    `paired` promises that two neighbouring columns, from an even one on, may be
    stored at once.

    ```mlir
    warp.store %o to %p[%row, %column] rows %n columns %m stride %s paired : f32 into !llvm.ptr<1>, !warp.fragment<acc, 16x64xf32>
    ```

    Constraints:
    1. The value is an accumulator.
  }];
  let arguments = (ins Warp_FragmentType:$value, Warp_Pointer:$target,
                       I32:$row, I32:$column, I32:$rows, I32:$columns,
                       I64:$stride, TypeAttr:$element, UnitAttr:$paired);
  let assemblyFormat = [{
    $value `to` $target `[` $row `,` $column `]` `rows` $rows `columns` $columns
    `stride` $stride (`paired` $paired^)? attr-dict `:` $element `into`
    type($target) `,` qualified(type($value))
  }];
  let hasVerifier = 1;
}

//===-- one value per thread ----------------------------------------------===//

def Warp_AllReduceOp : Warp_Op<"all_reduce", [Pure,
    AllTypesMatch<["input", "result"]>]> {
  let summary = "Combines a number over the 32 threads of a warp";
  let description = [{
    Every lane gets the result; numbers are combined in one fixed order.

    ```mlir
    %s = warp.all_reduce add %x : f32
    ```
  }];
  let arguments = (ins Warp_CombineAttr:$combine, F32:$input);
  let results = (outs F32:$result);
  let assemblyFormat = "$combine $input attr-dict `:` type($input)";
}

include "WarpGroupOps.td"
include "WarpStreamOps.td"

#endif // WARP_OPS
