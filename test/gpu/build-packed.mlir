// Packed attention: a block per sequence and head. Sequences are counted by the
// offsets between them; launch tables hold no negative numbers, so offsets that
// are not counted as `n + 1` get a block more, whose sequence ends as it begins.
// RUN: attn-opt %s --attn-build-programs --canonicalize --cse | FileCheck %s

attn.size @batch min 1 max 4
attn.size @ends min 0 max 5
attn.size @tokens min 0 max 64
!q = tensor<?x2x64xf32, #attn.sizes<tokens, 2, 64>>
!e = tensor<?xi32, #attn.sizes<ends>>
!b = tensor<?xi32, #attn.sizes<batch + 1>>
kernel.variant @v target "sm_80" {
  // CHECK: warp.program @v_counted(
  // CHECK-SAME: warp.grid = {{\[}}["tokens", 128], ["2", 1], ["batch", 1]]
  // CHECK: %[[START:.*]] = llvm.load {{.*}} -> i32
  // CHECK: %[[END:.*]] = llvm.load {{.*}} -> i32
  // CHECK: %[[COUNT:.*]] = arith.subi %[[END]], %[[START]] : i32
  // CHECK: arith.cmpi slt, %{{.*}}, %[[COUNT]] : i32
  kernel.func @counted(%q: !q, %offsets: !b) -> !q {
    %o = attn.attention %q, %q, %q offsets(%offsets : !b) length_bound "tokens" : !q, !q, !q -> !q
    kernel.return %o : !q
  }

  // CHECK: warp.program @v_plain(
  // CHECK-SAME: warp.grid = {{\[}}["tokens", 128], ["2", 1], ["ends", 1]]
  // CHECK: %[[INDEX:.*]] = arith.extsi %{{.*}} : i32 to i64
  // CHECK: %[[NEXT:.*]] = arith.addi %[[INDEX]], %c1_i64
  // CHECK: %[[LAST:.*]] = arith.minsi %[[NEXT]], %{{.*}} : i64
  // CHECK: llvm.getelementptr %{{.*}}[%[[LAST]]]
  kernel.func @plain(%q: !q, %offsets: !e) -> !q {
    %o = attn.attention %q, %q, %q offsets(%offsets : !e) length_bound "tokens" : !q, !q, !q -> !q
    kernel.return %o : !q
  }
}

// Tensor maps find the next sequence's values past the end of one: all groups
// clear them together, and no product begins before all have.
// RUN: attn-opt %s --attn-build-programs --attn-verify-barriers --attn-plan-shared-memory --attn-lower-warp | FileCheck %s --check-prefix=GROUPS
kernel.variant @g target "sm_90a" {
  // GROUPS: llvm.func @g_packed(
  // GROUPS: fence.proxy.async;
  // GROUPS: bar.sync $0, 384;
  // GROUPS: wgmma.mma_async
  kernel.func @packed(%q: !q {kernel.storage = bf16}, %offsets: !b) -> (!q) {
    %o = attn.attention %q, %q, %q offsets(%offsets : !b) length_bound "tokens" : !q, !q, !q -> !q
    kernel.return %o : !q
  }
}
