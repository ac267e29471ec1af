// RUN: attn-opt %s --attn-lower-kernels --attn-lower-programs --canonicalize | FileCheck %s

!x = tensor<?x6xf32, #attn.sizes<tokens, 6>>
!y = tensor<?x12xf32, #attn.sizes<tokens, 12>>
attn.size @unused min 1 max 5
attn.size @batch min 1 max 9
attn.size @tokens derived "3 * batch"
attn.weight @other from ["other"] : tensor<6xf32>
attn.weight @w from ["w"] : tensor<12x6xf32>
kernel.variant @x86_64_v3 target "x86-64-v3" {
  kernel.func @shift(%x: !x {kernel.layout = #kernel.rows<12>}, %c: tensor<6xf32>) -> (!x) scratch "40 * batch" {
    %y = attn.map element(%x at affine_map<(a, b) -> (a, b)> : !x, %c at affine_map<(a, b) -> (b)> : tensor<6xf32>) {
    ^bb0(%e: f32, %f: f32):
      %s = arith.addf %e, %f : f32
      attn.yield %s : f32
    } : !x
    kernel.return %y : !x
  }
  // Slot 0 holds 12 columns at most, slot 1 six, the caller has the results.
  kernel.program @f(%x: !y {attn.name = "x"}) -> (!x {attn.name = "y"}) sizes ["batch"] slots [["288 * batch", "24 * tokens"], ["24 * tokens"]] {
    %x0 = kernel.argument 0 : !kernel.ref<!y>
    %half = kernel.view %x0 offset 6 : !kernel.ref<!y> -> !kernel.ref<!x>
    %w = kernel.weight @other : !kernel.ref<tensor<6xf32>>
    %c = kernel.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]> : tensor<6xf32> : !kernel.ref<tensor<6xf32>>
    %s1 = kernel.slot 1 : !kernel.ref<!x>
    kernel.dispatch @shift ins(%half, %w : !kernel.ref<!x>, !kernel.ref<tensor<6xf32>>) outs(%s1 : !kernel.ref<!x>) phase 0 "first"
    %y = kernel.argument 1 : !kernel.ref<!x>
    kernel.dispatch @shift ins(%half, %c : !kernel.ref<!x>, !kernel.ref<tensor<6xf32>>) outs(%y : !kernel.ref<!x>) phase 1 "second"
    kernel.return
  }
}

// Nothing of ours is left but functions and data.
// CHECK-NOT: attn.size
// CHECK-NOT: kernel.variant
// CHECK: func.func private @x86_64_v3_shift(

// CHECK: llvm.mlir.global internal constant @x86_64_v3_f_constant_0(dense<[1.000000e+00, {{.*}}]> : tensor<6xf32>) {{{.*}}alignment = 64 : i64{{.*}}} : !llvm.array<6 x f32>

// Fields of the frame are words: arena 1, slot offsets 2, arguments 3, weights 4.
// CHECK-LABEL: func.func @x86_64_v3_f_phase_0(
// CHECK-SAME: %[[FRAME:.*]]: !llvm.ptr, %[[WORKER:.*]]: i32, %[[WORKERS:.*]]: i32)
// CHECK: %[[FIELD:.*]] = llvm.getelementptr %[[FRAME]][3] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK: %[[ARGUMENTS:.*]] = llvm.load %[[FIELD]]
// CHECK: %[[X:.*]] = llvm.load %[[ARGUMENTS]]
// CHECK: %[[HALF:.*]] = llvm.getelementptr %[[X]][24] : (!llvm.ptr) -> !llvm.ptr, i8
// CHECK: llvm.getelementptr %[[FRAME]][4]
// CHECK: %[[OTHER:.*]] = llvm.load
// CHECK: llvm.getelementptr %[[FRAME]][1]
// CHECK: %[[ARENA:.*]] = llvm.load
// CHECK: llvm.getelementptr %[[FRAME]][2]
// CHECK: %[[OFFSETS:.*]] = llvm.load
// CHECK: llvm.getelementptr %[[OFFSETS]][1]
// CHECK: %[[OFFSET:.*]] = llvm.load
// CHECK: %[[SLOT:.*]] = llvm.getelementptr %[[ARENA]][%[[OFFSET]]] : (!llvm.ptr, i64) -> !llvm.ptr, i8
// CHECK: call @x86_64_v3_shift(%[[FRAME]], %[[WORKER]], %[[WORKERS]], %[[HALF]], %{{.*}}, %[[SLOT]])

// CHECK-LABEL: func.func @x86_64_v3_f_phase_1(
// CHECK: llvm.mlir.addressof @x86_64_v3_f_constant_0
// CHECK: call @x86_64_v3_shift(

// The bound of tokens (size 2), then slots of 288 and 24 * 3 bytes per batch,
// then scratch per worker.
// CHECK-LABEL: func.func @x86_64_v3_f_plan(
// CHECK-SAME: %[[SIZES:.*]]: !llvm.ptr, %[[WORKERS:.*]]: i32, %[[OFFSETS:.*]]: !llvm.ptr, %[[OFFSET:.*]]: !llvm.ptr, %[[STRIDE:.*]]: !llvm.ptr) -> i64
// CHECK: llvm.getelementptr %[[SIZES]][1]
// CHECK: %[[BATCH:.*]] = llvm.load
// CHECK: %[[TOKENS:.*]] = arith.muli %[[BATCH]], %c3
// CHECK: %[[BOUND:.*]] = llvm.getelementptr %[[SIZES]][2]
// CHECK: llvm.store %[[TOKENS]], %[[BOUND]]
// CHECK: llvm.store %c0{{.*}}, %[[OFFSETS]]
// Slots are staggered, so that they do not begin at one place of their pages.
// CHECK: %[[FIRST:.*]] = arith.andi %{{.*}}, %c-64
// CHECK: %[[NEXT:.*]] = arith.addi %[[FIRST]], %c320
// CHECK: %[[PLACE:.*]] = llvm.getelementptr %[[OFFSETS]][1]
// CHECK: llvm.store %[[NEXT]], %[[PLACE]]
// CHECK: llvm.store %[[END:.*]], %[[OFFSET]]
// CHECK: llvm.store %[[EACH:.*]], %[[STRIDE]]
// CHECK: arith.extsi %[[WORKERS]]
// CHECK: return
