// Heads of 32 and 96 on sm_90a: rows of 64 and 192 bytes lie in panels of 64
// bytes, one or three, with the swizzle of 64 bytes. Groups take turns.
// RUN: attn-opt %s --attn-choose-tiles --attn-build-programs --canonicalize --cse --attn-verify-barriers | FileCheck %s
// RUN: attn-opt %s --attn-choose-tiles --attn-build-programs --attn-verify-barriers --attn-plan-shared-memory --attn-lower-warp | FileCheck %s --check-prefix=NVVM

!small = tensor<?x?x2x32xf32, #attn.sizes<batch, seq, 2, 32>>
!odd = tensor<?x?x2x96xf32, #attn.sizes<batch, seq, 2, 96>>
!large = tensor<?x?x2x256xf32, #attn.sizes<batch, seq, 2, 256>>
attn.size @batch min 1 max 64
attn.size @seq min 1 max 64

kernel.variant @v target "sm_90a" {
  // CHECK: warp.program @v_small({{.*}}) threads 512
  // CHECK-SAME: warp.maps = [{box = [32, 192, 1, 1], {{.*}} swizzle = 64 : i64
  // CHECK: warp.roles registers 24, 160 produce {
  // CHECK: } consume {
  // The first scores.
  // CHECK: warp.take_turn first
  // CHECK: warp.group_mma
  // CHECK-NEXT: warp.pass_turn
  // Both products of a step, once what they read is there.
  // CHECK: scf.for
  // CHECK-COUNT-2: warp.await
  // CHECK: warp.take_turn
  // CHECK: warp.group_mma
  // CHECK: warp.group_mma {{.*}} transpose onto
  // CHECK-NEXT: warp.pass_turn
  // CHECK: warp.group_wait 1
  // CHECK: warp.group_wait 0
  // CHECK: warp.pass_turn last
  // NVVM-LABEL: llvm.func @v_small
  // NVVM-COUNT-1: "llvm.nvvm.cp.async.bulk.tensor.g2s.tile.4d"
  // Group 0 does not wait for its first turn, group 2 does not pass its last.
  // NVVM: arith.cmpi ne, %[[G:.*]], %{{.*}} : i32
  // NVVM-NEXT: scf.if
  // NVVM-NOT: wgmma
  // NVVM: "bar.sync $0, 256;", "r"
  // NVVM: wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16
  // NVVM: "bar.arrive $0, 256;", "r"
  // NVVM: wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16
  kernel.func @small(%q: !small {kernel.storage = bf16}) -> (!small) {
    %o = attn.attention %q, %q, %q : !small, !small, !small -> !small
    kernel.return %o : !small
  }

  // CHECK: warp.program @v_odd({{.*}}) threads 384
  // CHECK-SAME: warp.maps = [{box = [32, 128, 1, 1], {{.*}} swizzle = 64 : i64
  // CHECK: warp.alloc panels : !warp.tile<2x128x96xbf16>
  // NVVM-LABEL: llvm.func @v_odd
  // NVVM-COUNT-9: "llvm.nvvm.cp.async.bulk.tensor.g2s.tile.4d"
  // Steps of K go through three panels of 8 KiB.
  // NVVM: add.s64 da, $64, 2;{{.*}}add.s64 da, $64, 512;{{.*}}add.s64 da, $64, 514;{{.*}}add.s64 da, $64, 1024;
  // NVVM: wgmma.mma_async.sync.aligned.m64n96k16.f32.bf16.bf16
  kernel.func @odd(%q: !odd {kernel.storage = bf16}) -> (!odd) {
    %o = attn.attention %q, %q, %q : !odd, !odd, !odd -> !odd
    kernel.return %o : !odd
  }

  // Where products take most of the time, turns would hold them up.
  // CHECK: warp.program @v_large({{.*}}) threads 384
  // CHECK-NOT: warp.take_turn
  // CHECK: warp.return
  kernel.func @large(%q: !large {kernel.storage = bf16}) -> (!large) {
    %o = attn.attention %q, %q, %q : !large, !large, !large -> !large
    kernel.return %o : !large
  }
}
