// Regions that read memory for every score need registers for it: two groups of 64 queries with
// 240 registers a thread, where others of this head size get three with 160.
// RUN: attn-opt %s --attn-build-programs --attn-verify-barriers | FileCheck %s

!q = tensor<?x?x2x32xf32, #attn.sizes<batch, seq, 2, 32>>
!m = tensor<?x?xi32, #attn.sizes<batch, seq>>
attn.size @batch min 1 max 64
attn.size @seq min 1 max 512
kernel.variant @v target "sm_90a" {
  // CHECK: warp.program @v_plain({{.*}}) threads 512
  // CHECK: warp.roles registers 24, 160
  kernel.func @plain(%q: !q {kernel.storage = bf16}) -> (!q) {
    %o = attn.attention %q, %q, %q : !q, !q, !q -> !q
    kernel.return %o : !q
  }

  // CHECK: warp.program @v_slopes({{.*}}) threads 512
  kernel.func @slopes(%q: !q {kernel.storage = bf16}, %s: tensor<2xf32>) -> (!q) {
    %o = attn.attention %q, %q, %q score(%s at affine_map<(b, h, i, j) -> (h)> : tensor<2xf32>) {
    ^bb0(%x: f32, %b: i32, %h: i32, %i: i32, %j: i32, %slope: f32):
      %y = arith.addf %x, %slope : f32
      attn.yield %y : f32
    } : !q, !q, !q -> !q
    kernel.return %o : !q
  }

  // CHECK: warp.program @v_padding({{.*}}) threads 384
  // CHECK: warp.roles registers 24, 240
  kernel.func @padding(%q: !q {kernel.storage = bf16}, %m: !m) -> (!q) {
    %o = attn.attention %q, %q, %q mask(%m at affine_map<(b, h, i, j) -> (b, j)> : !m) {
    ^bb0(%b: i32, %h: i32, %i: i32, %j: i32, %kept: i32):
      %none = arith.constant 0 : i32
      %c = arith.cmpi ne, %kept, %none : i32
      attn.yield %c : i1
    } : !q, !q, !q -> !q
    kernel.return %o : !q
  }
}
