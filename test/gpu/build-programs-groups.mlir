// On sm_90a, operands that lie in memory as bf16 go through tensor maps to warp
// groups; f32 in memory takes the way of sm_80.
// RUN: attn-opt %s --attn-choose-tiles --attn-build-programs --canonicalize --cse --attn-verify-barriers | FileCheck %s
// RUN: attn-opt %s --attn-choose-tiles --attn-build-programs --attn-verify-barriers --attn-plan-shared-memory --attn-lower-warp | FileCheck %s --check-prefix=NVVM

!q = tensor<?x?x2x128xf32, #attn.sizes<batch, seq, 2, 128>>
!k = tensor<?x?x1x128xf32, #attn.sizes<batch, seq, 1, 128>>
attn.size @batch min 1 max 64
attn.size @seq min 1 max 64

// One map per operand: columns, rows, heads, batches; a box is one panel.
// CHECK: warp.program @v_attention({{.*}}: !llvm.ptr {warp.tensor_map}, {{.*}}: !llvm.ptr {warp.tensor_map}, {{.*}}: !llvm.ptr {warp.tensor_map}) threads 384
// CHECK-SAME: warp.maps = [{box = [64, 128, 1, 1], extents = ["128", "seq", "2", "batch"], operand = 0 : i64, strides = ["256", "128", "256 * seq"], swizzle = 128 : i64, type = bf16}
// CHECK-DAG: warp.alloc panels : !warp.tile<128x128xbf16>
// CHECK-DAG: warp.alloc panels : !warp.tile<2x128x128xbf16>
// CHECK-DAG: warp.barrier arrivals 256 : !warp.barrier<2>
// CHECK: warp.roles registers 24, 240 produce {
// CHECK: warp.arrive %{{.*}} expect 32768
// CHECK: warp.map_copy
// CHECK: } consume {
// Queries have arrived before a block without keys ends.
// CHECK: scf.if
// CHECK-NEXT: warp.await
// CHECK: } else {
// The product of the next scores runs beside that of the weights before.
// CHECK: scf.for
// CHECK: %[[S:.*]] = warp.group_mma
// CHECK: %[[O:.*]] = warp.group_mma {{.*}} transpose onto
// CHECK: warp.group_wait 1 %[[S]]
// CHECK: "llvm.nvvm.ex2.approx.ftz.f"
// CHECK: warp.group_wait 0 %[[O]] beside
// NVVM: llvm.func @v_attention({{.*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}
// NVVM: "llvm.nvvm.mbarrier.init.shared"
// NVVM: "llvm.nvvm.setmaxnreg.dec.sync.aligned.u32"
// NVVM-COUNT-2: "llvm.nvvm.cp.async.bulk.tensor.g2s.tile.4d"
// NVVM: "llvm.nvvm.setmaxnreg.inc.sync.aligned.u32"
// NVVM: wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16
// NVVM: wgmma.wait_group.sync.aligned 1;
kernel.variant @v target "sm_90a" {
  kernel.func @attention(%q: !q {kernel.storage = bf16}, %k: !k {kernel.storage = bf16}, %v: !k {kernel.storage = bf16}) -> (!q) {
    %o = attn.attention %q, %k, %v : !q, !k, !k -> !q
    kernel.return %o : !q
  }

  // A stage is 128 rows of both operands; sums stay in flight over the loop.
  // CHECK: warp.program @v_linear(
  // CHECK-SAME: warp.maps = [{box = [64, 128], extents = ["200", "batch * seq"], operand = 0 : i64, strides = ["200"]
  // CHECK: warp.alloc panels : !warp.tile<4x128x64xbf16>
  // CHECK: warp.arrive %{{.*}} expect 32768
  // CHECK-COUNT-2: warp.map_copy
  // CHECK: scf.for {{.*}} -> (!warp.pending<<acc, 16x128xf32>>)
  // CHECK: warp.group_mma {{.*}} onto
  // CHECK: warp.group_wait 1
  // CHECK: warp.group_wait 0
  // CHECK: warp.store
  kernel.func @linear(%x: tensor<?x?x200xf32, #attn.sizes<batch, seq, 200>> {kernel.storage = bf16}, %w: tensor<160x200xf32>) -> (tensor<?x?x160xf32, #attn.sizes<batch, seq, 160>>) {
    %y = attn.linear %x, %w : tensor<?x?x200xf32, #attn.sizes<batch, seq, 200>>, tensor<160x200xf32> -> tensor<?x?x160xf32, #attn.sizes<batch, seq, 160>>
    kernel.return %y : tensor<?x?x160xf32, #attn.sizes<batch, seq, 160>>
  }

  // CHECK: warp.program @v_wide({{.*}}) threads 256
  // CHECK-NOT: warp.roles
  kernel.func @wide(%q: !q, %k: !k, %v: !k) -> (!q) {
    %o = attn.attention %q, %k, %v : !q, !k, !k -> !q
    kernel.return %o : !q
  }
}
