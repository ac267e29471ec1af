// One query: eight parts of the keys per head, and a program that adds them up.
// RUN: attn-opt %s --attn-build-programs --canonicalize --cse --attn-verify-barriers | FileCheck %s

// Eight times the sums, maxima and totals of two heads.
// CHECK: kernel.func @decode({{.*}} scratch "4224 * batch"
// CHECK: warp.program @v_decode({{.*}}) threads 32
// CHECK-SAME: warp.grid = {{\[}}["1", 16], ["2", 1], ["8 * batch", 1]], warp.kernel = "decode", warp.scratch
// CHECK: arith.remui
// CHECK: warp.store {{.*}} !warp.fragment<acc, 16x64xf32>
// CHECK: warp.store {{.*}} !warp.fragment<acc, 16x8xf32>
// CHECK: warp.program @v_decode_merge({{.*}}) threads 256
// CHECK-SAME: warp.grid = {{\[}}["2 * batch", 8]], warp.kernel = "decode", warp.scratch
// CHECK-COUNT-8: "llvm.nvvm.ex2.approx.ftz.f"

// Few keys, many queries, or packed ones: one program.
// CHECK: warp.program @v_few(
// CHECK-NOT: warp.program @v_few_merge
// CHECK: warp.program @v_many(
// CHECK-NOT: warp.program @v_many_merge
!q = tensor<?x1x2x64xf32, #attn.sizes<batch, 1, 2, 64>>
!k = tensor<?x?x1x64xf32, #attn.sizes<batch, kv, 1, 64>>
!f = tensor<?x100x1x64xf32, #attn.sizes<batch, 100, 1, 64>>
!m = tensor<?x17x2x64xf32, #attn.sizes<batch, 17, 2, 64>>
attn.size @batch min 1 max 64
attn.size @kv min 1 max 4096
kernel.variant @v target "sm_80" {
  kernel.func @decode(%q: !q, %k: !k, %v: !k) -> (!q) {
    %o = attn.attention %q, %k, %v : !q, !k, !k -> !q
    kernel.return %o : !q
  }
  kernel.func @few(%q: !q, %k: !f, %v: !f) -> (!q) {
    %o = attn.attention %q, %k, %v : !q, !f, !f -> !q
    kernel.return %o : !q
  }
  kernel.func @many(%q: !m, %k: !k, %v: !k) -> (!m) {
    %o = attn.attention %q, %k, %v : !m, !k, !k -> !m
    kernel.return %o : !m
  }
}
