//===- WarpGroupOps.td - warp groups, tensor maps -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What sm_90a adds: copies by tensor maps that arrive at barriers, products of
// four warps that run beside other code, and roles.
//
//===----------------------------------------------------------------------===//

#ifndef WARP_GROUP_OPS
#define WARP_GROUP_OPS

include "WarpDialect.td"

def Warp_BarrierOp : Warp_Op<"barrier", [MemoryEffects<[MemAlloc]>]> {
  let summary = "Barriers in shared memory";
  let description = [{
    One barrier per stage. A phase of a barrier ends after `arrivals` arrivals
    and when all bytes that it expects came in. Every barrier is initialized
    before any thread of the program runs on.

    ```mlir
    %full = warp.barrier arrivals 1 : !warp.barrier<2>
    ```

    Constraints:
    1. Stands directly in the body of a program; `arrivals` is positive.
  }];
  let arguments = (ins I64Attr:$arrivals, OptionalAttr<I64Attr>:$offset);
  let results = (outs Warp_BarrierType:$barrier);
  let assemblyFormat = [{
    `arrivals` $arrivals (`at` $offset^)? attr-dict `:`
    qualified(type($barrier))
  }];
  let hasVerifier = 1;
}

def Warp_ArriveOp : Warp_Op<"arrive", [MemoryEffects<[MemWrite]>]> {
  let summary = "Arrives at a barrier";
  let description = [{
    Every thread that runs it arrives. `expect` adds that many bytes to what the
    phase waits for.

    ```mlir
    warp.arrive %full[%stage] expect 8192 : !warp.barrier<2>
    ```
  }];
  let arguments = (ins Warp_BarrierType:$barrier, I32:$stage,
                       OptionalAttr<I64Attr>:$expect);
  let assemblyFormat = [{
    $barrier `[` $stage `]` (`expect` $expect^)? attr-dict `:`
    qualified(type($barrier))
  }];
}

def Warp_AwaitOp : Warp_Op<"await", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Waits for a phase of a barrier";
  let description = [{
    Waits until the phase of parity `parity` ended; the phase before the first
    counts as ended and has parity 1.

    ```mlir
    warp.await %full[%stage] parity %p : !warp.barrier<2>
    ```
  }];
  let arguments = (ins Warp_BarrierType:$barrier, I32:$stage, I32:$parity);
  let assemblyFormat = [{
    $barrier `[` $stage `]` `parity` $parity attr-dict `:`
    qualified(type($barrier))
  }];
}

def Warp_MapCopyOp : Warp_Op<"map_copy", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Copies a box of a tensor map to shared memory";
  let description = [{
    One thread starts it; the bytes arrive at the barrier. `coordinates` are
    those of the map, innermost first; a panel of the tile takes one box.

    ```mlir
    warp.map_copy %map[%c, %r, %h] to %tile arriving %full[%stage] : !warp.tile<64x64xbf16>, !warp.barrier<2>
    ```

    Constraints:
    1. Two to five coordinates.
    2. The tile is one stage, and in panels.
  }];
  let arguments = (ins Warp_Pointer:$map, Variadic<I32>:$coordinates,
                       Warp_TileType:$tile, Warp_BarrierType:$barrier,
                       I32:$stage);
  let assemblyFormat = [{
    $map `[` $coordinates `]` `to` $tile `arriving` $barrier `[` $stage `]`
    attr-dict `:` type($map) `,` qualified(type($tile)) `,`
    qualified(type($barrier))
  }];
  let hasVerifier = 1;
}

def Warp_ClearOp : Warp_Op<"clear", [MemoryEffects<[MemWrite]>]> {
  let summary = "Zeroes the last rows of a tile";
  let description = [{
    All consuming groups of `warp.roles` together write zeros to rows `row` and
    on, and wait for each other, so that a following `warp.group_mma` of any of
    them sees zeros: rows past the end of a sequence, where a tensor map found
    those of the next one, or nothing. Every group comes here, or none.

    ```mlir
    warp.clear %v from %row : !warp.tile<64x64xbf16>
    ```

    Constraints:
    1. The tile is one stage, and in panels.
  }];
  let arguments = (ins Warp_TileType:$tile, I32:$row);
  let assemblyFormat = "$tile `from` $row attr-dict `:` qualified(type($tile))";
  let hasVerifier = 1;
}

def Warp_GroupMmaOp : Warp_Op<"group_mma", [AttrSizedOperandSegments,
    MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "A product of four warps that runs beside other code";
  let description = [{
    With 64 rows per group of four warps, 16 of which each warp holds: lhs is a
    tile in panels whose rows begin at `lhsRow`, or a fragment; rhs is a tile in
    panels, N x K or, with `transpose`, K x N. `acc`, in flight or not, is added to; without it
    the product starts from zero. The result, and `acc`, are in flight until
    `warp.group_wait`.

    ```mlir
    %s = warp.group_mma %q[%row], %k : !warp.tile<128x64xbf16>, !warp.tile<64x64xbf16> -> !warp.pending<!warp.fragment<acc, 16x64xf32>>
    ```

    Constraints:
    1. lhs is a tile with `lhsRow`, or a fragment `lhs` of 16 rows without it;
       tiles are one stage, in panels, of bf16 or f16.
    2. K agrees, and the result has 16 rows and as many columns as rhs has N, a
       multiple of 8 of at most 256.
    3. `transpose` stands with a fragment as lhs.
  }];
  let arguments = (ins AnyTypeOf<[Warp_TileType, Warp_FragmentType]>:$lhs,
                       Optional<I32>:$lhsRow, Warp_TileType:$rhs,
                       Optional<AnyTypeOf<[Warp_FragmentType,
                                           Warp_PendingType]>>:$acc,
                       UnitAttr:$transpose);
  let results = (outs Warp_PendingType:$result);
  let assemblyFormat = [{
    $lhs (`[` $lhsRow^ `]`)? `,` $rhs (`transpose` $transpose^)?
    (`onto` $acc^ `:` qualified(type($acc)))? attr-dict `:`
    qualified(type($lhs)) `,` qualified(type($rhs)) `->`
    qualified(type($result))
  }];
  let hasVerifier = 1;
}

def Warp_GroupWaitOp : Warp_Op<"group_wait", [AttrSizedOperandSegments,
    MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Waits for products in flight";
  let description = [{
    Waits until at most `pending` of the group's products are in flight, and
    gives the sums of those that ended, or a product that may be in flight
    still as it was. `beside` are fragments that are computed
    before the wait, whatever the order of other code.

    ```mlir
    %t = warp.group_wait 0 %s : !warp.pending<!warp.fragment<acc, 16x64xf32>> -> !warp.fragment<acc, 16x64xf32>
    ```

    Constraints:
    1. `pending` is not negative; results are the fragments of the products, or
       the products, then those beside.
  }];
  let arguments = (ins I64Attr:$pending, Variadic<Warp_PendingType>:$products,
                       Variadic<Warp_FragmentType>:$beside);
  let results = (outs Variadic<AnyTypeOf<[Warp_FragmentType,
                                          Warp_PendingType]>>:$results);
  let assemblyFormat = [{
    $pending $products (`beside` $beside^ `:` custom<QualifiedTypes>(type($beside)))?
    attr-dict `:` custom<QualifiedTypes>(type($products)) `->`
    custom<QualifiedTypes>(type($results))
  }];
  let hasVerifier = 1;
}

def Warp_TakeTurnOp : Warp_Op<"take_turn", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Waits for the turn of a group of four warps";
  let description = [{
    The groups that consume take turns, one after the other in the order of
    their numbers and again from the first on: from here until `warp.pass_turn`
    no other group has the turn. Products that are issued within turns do not
    compete for the tensor cores, and what each group computes outside runs
    beside the others' products. `first` marks a group's first turn, which
    nobody passes to group 0.

    A turn is a named barrier of two groups: the one that waits, and the one
    before it that passes.

    ```mlir
    warp.take_turn first
    ```

    Constraints:
    1. Stands within `consume` of `warp.roles`, in a program of two to four
       groups that consume.
  }];
  let arguments = (ins UnitAttr:$first);
  let assemblyFormat = "(`first` $first^)? attr-dict";
  let hasVerifier = 1;
}

def Warp_PassTurnOp : Warp_Op<"pass_turn", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "Gives the turn to the next group";
  let description = [{
    The group that has the turn gives it to the next one, and does not wait.
    `last` marks a group's last turn, which the last group gives to nobody.

    ```mlir
    warp.pass_turn last
    ```

    Constraints:
    1. Stands within `consume` of `warp.roles`, in a program of two to four
       groups that consume.
  }];
  let arguments = (ins UnitAttr:$last);
  let assemblyFormat = "(`last` $last^)? attr-dict";
  let hasVerifier = 1;
}

def Warp_RolesOp : Warp_Op<"roles", [NoTerminator, RecursiveMemoryEffects]> {
  let summary = "The first four warps produce, the others consume";
  let description = [{
    One thread of the first group of four warps runs `produce`; all threads of
    the other groups run `consume`. Registers are handed over: each producing
    thread keeps `producerRegisters`, each consuming one gets
    `consumerRegisters`.

    ```mlir
    warp.roles registers 24, 240 produce {
    } consume {
    }
    ```

    Constraints:
    1. Registers are multiples of 8 between 24 and 256.
    2. The program has a multiple of 128 threads, and at least 256.
  }];
  let arguments = (ins I64Attr:$producerRegisters, I64Attr:$consumerRegisters);
  let regions = (region SizedRegion<1>:$produce, SizedRegion<1>:$consume);
  let assemblyFormat = [{
    `registers` $producerRegisters `,` $consumerRegisters `produce` $produce
    `consume` $consume attr-dict
  }];
  let hasVerifier = 1;
}

#endif // WARP_GROUP_OPS
