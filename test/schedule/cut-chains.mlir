// RUN: attn-opt %s --attn-cut-phases --split-input-file --verify-diagnostics | FileCheck %s
// A chain: each product needs of a row what was made of that row. Where a
// capture is read at another row, or rows are cut into other tiles, it ends.
!x = tensor<?x6xf32, #attn.sizes<n, 6>>
!w = tensor<6x6xf32>
attn.size @n min 1 max 9
attn.weight @w from ["w"] : !w
kernel.variant @x86_64_v3 target "x86-64-v3" {
  kernel.func @plain(%x: !x, %w: !w) -> (!x) tile #kernel.tile<rows = 6, columns = 16, depth = 0> {
    %y = attn.linear %x, %w : !x, !w -> !x
    kernel.return %y : !x
  }
  kernel.func @residual(%x: !x, %w: !w, %z: !x) -> (!x) tile #kernel.tile<rows = 6, columns = 16, depth = 0> {
    %y = attn.linear %x, %w element(%z at affine_map<(r, c) -> (r, c)> : !x) {
    ^bb0(%s: f32, %e: f32):
      %t = arith.addf %s, %e : f32
      attn.yield %t : f32
    } : !x, !w -> !x
    kernel.return %y : !x
  }
  kernel.func @first_row(%x: !x, %w: !w, %z: !x) -> (!x) tile #kernel.tile<rows = 6, columns = 16, depth = 0> {
    %y = attn.linear %x, %w element(%z at affine_map<(r, c) -> (0, c)> : !x) {
    ^bb0(%s: f32, %e: f32):
      %t = arith.addf %s, %e : f32
      attn.yield %t : f32
    } : !x, !w -> !x
    kernel.return %y : !x
  }
  kernel.func @other(%x: !x, %w: !w) -> (!x) tile #kernel.tile<rows = 3, columns = 16, depth = 0> {
    %y = attn.linear %x, %w : !x, !w -> !x
    kernel.return %y : !x
  }
  // CHECK-LABEL: kernel.program @chain
  // CHECK: phase 0 "up" block_rows 192 cycles "{{.*}}" ->
  // CHECK: phase 1 by_row "down" cycles
  // CHECK: phase 2 "first row"
  // CHECK: phase 3 by_row "again"
  // CHECK: phase 4 "other tiles"
  kernel.program @chain(%x: !x {attn.name = "x"}) -> (!x {attn.name = "y"}) sizes ["n"] {
    %w = kernel.weight @w : !w
    %e0 = kernel.empty : !x
    %up = kernel.dispatch @plain ins(%x, %w : !x, !w) outs(%e0 : !x) phase 0 "up" -> !x
    %e1 = kernel.empty : !x
    %down = kernel.dispatch @residual ins(%up, %w, %up : !x, !w, !x) outs(%e1 : !x) phase 0 "down" -> !x
    %e2 = kernel.empty : !x
    %first = kernel.dispatch @first_row ins(%x, %w, %down : !x, !w, !x) outs(%e2 : !x) phase 0 "first row" -> !x
    %e3 = kernel.empty : !x
    %again = kernel.dispatch @first_row ins(%first, %w, %x : !x, !w, !x) outs(%e3 : !x) phase 0 "again" -> !x
    %e4 = kernel.empty : !x
    %other = kernel.dispatch @other ins(%again, %w : !x, !w) outs(%e4 : !x) phase 0 "other tiles" -> !x
    kernel.return %other : !x
  }
}

// -----

// Weights that L3 does not hold are read from memory by every block: blocks are
// as large as they may be, not as half of L2 holds.
!x = tensor<?x2048xf32, #attn.sizes<n, 2048>>
!w = tensor<2048x2048xf32>
attn.size @n min 1 max 9
attn.weight @w from ["w"] : !w
kernel.variant @x86_64_v3 target "x86-64-v3" {
  kernel.func @plain(%x: !x, %w: !w) -> (!x) tile #kernel.tile<rows = 6, columns = 16, depth = 0> {
    %y = attn.linear %x, %w : !x, !w -> !x
    kernel.return %y : !x
  }
  // CHECK-LABEL: kernel.program @large
  // CHECK: phase 0 "up" block_rows 192 cycles "{{.*}}" ->
  // CHECK: phase 1 by_row "down" cycles
  kernel.program @large(%x: !x {attn.name = "x"}) -> (!x {attn.name = "y"}) sizes ["n"] {
    %w = kernel.weight @w : !w
    %e0 = kernel.empty : !x
    %up = kernel.dispatch @plain ins(%x, %w : !x, !w) outs(%e0 : !x) phase 0 "up" -> !x
    %e1 = kernel.empty : !x
    %down = kernel.dispatch @plain ins(%up, %w : !x, !w) outs(%e1 : !x) phase 0 "down" -> !x
    kernel.return %down : !x
  }
}

// -----

// Attention with a cache may leave something in scratch for the worker that is
// last, so what writes there afterwards waits; before it, it need not.
!past = tensor<?xi32, #attn.sizes<batch>>
!ends = tensor<?xi32, #attn.sizes<batch + 1>>
!q = tensor<?x2x4xf32, #attn.sizes<n, 2, 4>>
!x = tensor<?x6xf32, #attn.sizes<n, 6>>
!w = tensor<6x6xf32>
!s = !attn.state<tensor<2x4xf32>>
attn.state @k positions 512 : !s
attn.state @v positions 512 : !s
attn.size @batch min 1 max 4
attn.size @n min 1 max 9
attn.weight @w from ["w"] : !w
kernel.variant @x86_64_v3 target "x86-64-v3" {
  kernel.func @attend(%q: !q, %k: !s {kernel.layout = #kernel.blocks<positions = 64, transposed = true>}, %v: !s {kernel.layout = #kernel.blocks<positions = 64>}, %ends: !ends, %past: !past) -> (!q) scratch "4096" {
    %o = attn.cached_attention %q, %k, %v offsets(%ends : !ends) past(%past : !past) : !q, !s, !s -> !q
    kernel.return %o : !q
  }
  kernel.func @plain(%x: !x, %w: !w) -> (!x) {
    %y = attn.linear %x, %w : !x, !w -> !x
    kernel.return %y : !x
  }
  kernel.func @widening(%x: !x, %w: !w) -> (!x) scratch "4096" {
    %y = attn.linear %x, %w : !x, !w -> !x
    kernel.return %y : !x
  }
  // CHECK-LABEL: kernel.program @parallel
  // CHECK: phase 0 "before"
  // CHECK: phase 0 "attention"
  // CHECK: phase 0 "plain"
  // CHECK: phase 1 "after"
  kernel.program @parallel(%q: !q {attn.name = "q"}, %x: !x {attn.name = "x"}, %ends: !ends {attn.name = "ends"}, %past: !past {attn.name = "past"}) -> (!q {attn.name = "o"}, !x {attn.name = "a"}, !x {attn.name = "b"}, !x {attn.name = "c"}) sizes ["batch", "n"] {
    %w = kernel.weight @w : !w
    %k = kernel.state @k layout(#kernel.blocks<positions = 64, transposed = true>) : !s
    %v = kernel.state @v layout(#kernel.blocks<positions = 64>) : !s
    %e0 = kernel.empty : !x
    %a = kernel.dispatch @widening ins(%x, %w : !x, !w) outs(%e0 : !x) phase 0 "before" -> !x
    %e1 = kernel.empty : !q
    %o = kernel.dispatch @attend ins(%q, %k, %v, %ends, %past : !q, !s, !s, !ends, !past) outs(%e1 : !q) phase 0 "attention" -> !q
    %e2 = kernel.empty : !x
    %b = kernel.dispatch @plain ins(%x, %w : !x, !w) outs(%e2 : !x) phase 0 "plain" -> !x
    %e3 = kernel.empty : !x
    %c = kernel.dispatch @widening ins(%x, %w : !x, !w) outs(%e3 : !x) phase 0 "after" -> !x
    kernel.return %o, %a, %b, %c : !q, !x, !x, !x
  }
}
