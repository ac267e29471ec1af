// States of a session: blocks through tables, attention with what came before.
// RUN: attn-opt %s --attn-build-programs --canonicalize --cse --attn-verify-barriers | FileCheck %s
// RUN: attn-opt %s --attn-build-programs --attn-plan-shared-memory --attn-lower-warp | FileCheck %s --check-prefix=LOWERED

!q = tensor<?x4x64xf32, #attn.sizes<tokens, 4, 64>>
!r = tensor<?x2x64xf32, #attn.sizes<tokens, 2, 64>>
!ends = tensor<?xi32, #attn.sizes<batch + 1>>
!past = tensor<?xi32, #attn.sizes<batch>>
!rows = tensor<?xi32, #attn.sizes<tokens>>
!s = !attn.state<tensor<2x64xf32>>
!w = !attn.state<tensor<2x64xf32>, window = 100>
attn.size @batch min 1 max 64
attn.size @seq min 1 max 512
attn.size @tokens derived "batch * seq"
attn.state @keys positions 512 : !s
attn.state @values positions 512 : !s
attn.state @window_keys positions 512 : !w
attn.state @window_values positions 512 : !w
// Of eight parts and four warps: sums, maxima and totals of 16 rows a sequence.
// CHECK: kernel.func @attend({{.*}} scratch "135168 * batch"
kernel.variant @v target "sm_80" {
  // The lengths stand behind the three sizes.
  // CHECK: warp.program @v_past(%[[SIZES:.*]]: !llvm.ptr<1>, %{{.*}}: !llvm.ptr<1>) threads 128
  // CHECK: llvm.getelementptr %[[SIZES]][3] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i64
  kernel.func @past() -> (!past) {
    %past = attn.past : !past
    kernel.return %past : !past
  }

  // Seven halvings find one of 64 sequences.
  // CHECK: warp.program @v_positions
  // CHECK-SAME: warp.grid = {{\[}}["tokens", 128]]
  // CHECK: %[[STEPS:.*]] = arith.constant 8 : i32
  // CHECK: scf.for {{.*}} to %[[STEPS]]
  kernel.func @positions(%ends: !ends, %past: !past) -> (!rows) {
    %p = attn.packed_positions %ends, %past : !ends, !past -> !rows
    kernel.return %p : !rows
  }

  // Keys lie transposed: 64 elements from one of a row to the next.
  // CHECK: warp.program @v_append
  // CHECK: llvm.inttoptr
  kernel.func @append(%rows: !r, %ends: !ends, %k: !s {kernel.layout = #kernel.blocks<positions = 64, transposed = true>}) {
    attn.append %rows, %ends to %k : !r, !ends, !s
    kernel.return
  }

  // Two key heads, eight blocks of positions, four queries at most.
  // CHECK: warp.program @v_attend_parts({{.*}}) threads 128
  // CHECK-SAME: warp.grid = {{\[}}["8", 1], ["2", 1], ["4 * batch", 1]]
  // CHECK: warp.alloc : !warp.tile<16x64xf32>
  // CHECK: warp.alloc : !warp.tile<2x64x64xf32>
  // CHECK: scf.if
  // CHECK: warp.copy {{.*}} async aligned
  // CHECK: warp.mma {{.*}} precision tf32
  // CHECK: warp.store {{.*}} !warp.fragment<acc, 16x64xf32>
  // CHECK: warp.store {{.*}} !warp.fragment<acc, 16x8xf32>
  // CHECK: {warp.guard}
  // CHECK: warp.program @v_attend_merge({{.*}}) threads 256
  // CHECK-SAME: warp.grid = {{\[}}["16 * batch", 8]]
  // CHECK: warp.program @v_attend_prompt({{.*}}) threads 256
  // CHECK: warp.alloc : !warp.tile<128x64xbf16>
  // LOWERED-DAG: llvm.func @v_attend_parts
  // LOWERED-DAG: llvm.func @v_attend_merge
  // LOWERED-DAG: llvm.func @v_attend_prompt
  kernel.func @attend(%q: !q, %k: !s {kernel.layout = #kernel.blocks<positions = 64, transposed = true>}, %v: !s {kernel.layout = #kernel.blocks<positions = 64>}, %ends: !ends, %past: !past) -> (!q) {
    %o = attn.cached_attention %q, %k, %v offsets(%ends : !ends) past(%past : !past) mask() {
    ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):
      %c = arith.cmpi sge, %i, %j : i32
      attn.yield %c : i1
    } : !q, !s, !s -> !q
    kernel.return %o : !q
  }

  // A window leaves out keys whatever the mask says: kv > q - 100.
  // CHECK: warp.program @v_window_parts
  // CHECK: arith.constant -99 : i32
  // CHECK: arith.constant 100 : i32
  kernel.func @window(%q: !q, %k: !w {kernel.layout = #kernel.blocks<positions = 64, transposed = true>}, %v: !w {kernel.layout = #kernel.blocks<positions = 64>}, %ends: !ends, %past: !past) -> (!q) {
    %o = attn.cached_attention %q, %k, %v offsets(%ends : !ends) past(%past : !past) : !q, !w, !w -> !q
    kernel.return %o : !q
  }
}
