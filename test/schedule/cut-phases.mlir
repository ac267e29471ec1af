// RUN: attn-opt %s --attn-cut-phases --split-input-file --verify-diagnostics | FileCheck %s
// The diamond: two kernels read one value and share a phase; the one that reads
// both waits. Reading through a view is reading.
!x = tensor<?x6xf32, #attn.sizes<n, 6>>
!heads = tensor<?x2x3xf32, #attn.sizes<n, 2, 3>>
attn.size @n min 1 max 9
kernel.variant @x86_64_v3 target "x86-64-v3" {
  kernel.func @copy(%x: !x) -> (!x) {
    %y = attn.map element(%x at affine_map<(a, b) -> (a, b)> : !x) {
    ^bb0(%e: f32):
      attn.yield %e : f32
    } : !x
    kernel.return %y : !x
  }
  kernel.func @split(%x: !heads) -> (!heads) {
    %y = attn.map element(%x at affine_map<(a, b, c) -> (a, b, c)> : !heads) {
    ^bb0(%e: f32):
      attn.yield %e : f32
    } : !heads
    kernel.return %y : !heads
  }
  kernel.func @sum(%x: !x, %z: !heads) -> (!x) {
    %y = attn.map element(%x at affine_map<(a, b) -> (a, b)> : !x) {
    ^bb0(%e: f32):
      attn.yield %e : f32
    } : !x
    kernel.return %y : !x
  }
  // CHECK-LABEL: kernel.program @diamond
  // CHECK: phase 0 "top"
  // CHECK: phase 1 "left"
  // CHECK: phase 1 "right"
  // CHECK: phase 2 "bottom"
  kernel.program @diamond(%x: !x {attn.name = "x"}) -> (!x {attn.name = "y"}) sizes ["n"] {
    %e0 = kernel.empty : !x
    %top = kernel.dispatch @copy ins(%x : !x) outs(%e0 : !x) phase 0 "top" -> !x
    %e1 = kernel.empty : !x
    %left = kernel.dispatch @copy ins(%top : !x) outs(%e1 : !x) phase 0 "left" -> !x
    %view = kernel.view %top : !x -> !heads
    %e2 = kernel.empty : !heads
    %right = kernel.dispatch @split ins(%view : !heads) outs(%e2 : !heads) phase 0 "right" -> !heads
    %e3 = kernel.empty : !x
    %bottom = kernel.dispatch @sum ins(%left, %right : !x, !heads) outs(%e3 : !x) phase 0 "bottom" -> !x
    kernel.return %bottom : !x
  }
}

// -----

// A serial kernel stands alone. Kernels whose types name a derived size wait for
// the one that finds it, though they read nothing that it writes.
!mask = tensor<?x?xi32, #attn.sizes<batch, seq>>
!rows = tensor<?xi32, #attn.sizes<tokens>>
!bounds = tensor<?xi32, #attn.sizes<batch + 1>>
attn.size @batch min 1 max 9
attn.size @seq min 1 max 9
attn.size @tokens derived "batch * seq"
kernel.variant @x86_64_v3 target "x86-64-v3" {
  kernel.func @positions() -> (!mask) {
    %y = attn.map element() {
      %i = attn.index 1 : i32
      attn.yield %i : i32
    } : !mask
    kernel.return %y : !mask
  }
  kernel.func @pack_index(%m: !mask) -> (!rows, !bounds) serial {
    %r, %b = attn.pack_index %m : !mask -> !rows, !bounds
    kernel.return %r, %b : !rows, !bounds
  }
  kernel.func @pack(%x: !mask, %r: !rows) -> (!rows) {
    %y = attn.pack %x, %r : !mask, !rows -> !rows
    kernel.return %y : !rows
  }
  // CHECK-LABEL: kernel.program @serial
  // CHECK: phase 0 "positions"
  // CHECK: phase 1 "index"
  // CHECK: phase 2 "pack"
  // CHECK: phase 2 "pack mask"
  kernel.program @serial(%m: !mask {attn.name = "m"}) -> (!rows {attn.name = "y"}, !rows {attn.name = "z"}) sizes ["batch", "seq"] {
    %e0 = kernel.empty : !mask
    %p = kernel.dispatch @positions ins() outs(%e0 : !mask) phase 0 "positions" -> !mask
    %e1 = kernel.empty : !rows
    %e2 = kernel.empty : !bounds
    %r, %b = kernel.dispatch @pack_index ins(%m : !mask) outs(%e1, %e2 : !rows, !bounds) phase 0 "index" -> !rows, !bounds
    %e3 = kernel.empty : !rows
    %y = kernel.dispatch @pack ins(%p, %r : !mask, !rows) outs(%e3 : !rows) phase 0 "pack" -> !rows
    %e4 = kernel.empty : !rows
    %z = kernel.dispatch @pack ins(%m, %r : !mask, !rows) outs(%e4 : !rows) phase 0 "pack mask" -> !rows
    kernel.return %y, %z : !rows, !rows
  }
}

// -----

// Products with a row region count the workers that are done, of which there is
// one number in a phase.
!x = tensor<?x6xf32, #attn.sizes<n, 6>>
!w = tensor<6x6xf32>
attn.size @n min 1 max 9
attn.weight @w from ["w"] : !w
kernel.variant @x86_64_v3 target "x86-64-v3" {
  kernel.func @plain(%x: !x, %w: !w) -> (!x) {
    %y = attn.linear %x, %w : !x, !w -> !x
    kernel.return %y : !x
  }
  kernel.func @norm(%x: !x, %w: !w) -> (!x) {
    %y = attn.linear %x, %w row() {
    ^bb0(%r: tensor<6xf32>):
      %n = attn.norm rms %r epsilon 1.0e-5 : tensor<6xf32>
      attn.yield %n : tensor<6xf32>
    } : !x, !w -> !x
    kernel.return %y : !x
  }
  // CHECK-LABEL: kernel.program @towers
  // CHECK: phase 0 "left"
  // CHECK: phase 0 "middle"
  // CHECK: phase 1 "right"
  kernel.program @towers(%x: !x {attn.name = "x"}) -> (!x {attn.name = "a"}, !x {attn.name = "b"}, !x {attn.name = "c"}) sizes ["n"] {
    %w = kernel.weight @w : !w
    %e0 = kernel.empty : !x
    %a = kernel.dispatch @norm ins(%x, %w : !x, !w) outs(%e0 : !x) phase 0 "left" -> !x
    %e1 = kernel.empty : !x
    %b = kernel.dispatch @plain ins(%x, %w : !x, !w) outs(%e1 : !x) phase 0 "middle" -> !x
    %e2 = kernel.empty : !x
    %c = kernel.dispatch @norm ins(%x, %w : !x, !w) outs(%e2 : !x) phase 0 "right" -> !x
    kernel.return %a, %b, %c : !x, !x, !x
  }
}

// -----

// Nothing has found how many tokens there are.
!rows = tensor<?xi32, #attn.sizes<tokens>>
attn.size @n min 1 max 9
attn.size @tokens derived "n"
kernel.variant @x86_64_v3 target "x86-64-v3" {
  kernel.func @positions() -> (!rows) {
    %y = attn.map element() {
      %i = attn.index 0 : i32
      attn.yield %i : i32
    } : !rows
    kernel.return %y : !rows
  }
  kernel.program @early() -> (!rows {attn.name = "y"}) sizes ["n"] {
    %e = kernel.empty : !rows
    // expected-error@below {{error[A0413]: the size 'tokens' is read before attn.pack_index has found it}}
    %y = kernel.dispatch @positions ins() outs(%e : !rows) phase 0 "positions" -> !rows
    kernel.return %y : !rows
  }
}
