// RUN: attn-opt %s --attn-lower-kernels --attn-lower-programs=redzones --canonicalize | FileCheck %s

!x = tensor<?x6xf32, #attn.sizes<batch, 6>>
attn.size @batch min 1 max 9
kernel.variant @v target "x86-64-v3" {
  kernel.func @copy(%x: !x) -> (!x) {
    %y = attn.map element(%x at affine_map<(a, b) -> (a, b)> : !x) {
    ^bb0(%e: f32):
      attn.yield %e : f32
    } : !x
    kernel.return %y : !x
  }
  kernel.program @f(%x: !x {attn.name = "x"}) -> (!x {attn.name = "y"}) sizes ["batch"] slots [["24 * batch"], ["24 * batch"]] {
    %x0 = kernel.argument 0 : !kernel.ref<!x>
    %s = kernel.slot 0 : !kernel.ref<!x>
    kernel.dispatch @copy ins(%x0 : !kernel.ref<!x>) outs(%s : !kernel.ref<!x>) phase 0 "first"
    %y = kernel.argument 1 : !kernel.ref<!x>
    kernel.dispatch @copy ins(%s : !kernel.ref<!x>) outs(%y : !kernel.ref<!x>) phase 1 "second"
    kernel.return
  }
}

// CHECK-DAG: func.func private @__asan_poison_memory_region(!llvm.ptr, i64)
// CHECK-DAG: func.func private @__asan_unpoison_memory_region(!llvm.ptr, i64)

// A phase marks what follows its own scratch, and clears it at its end.
// CHECK-LABEL: func.func @v_f_phase_0(
// CHECK: call @__asan_unpoison_memory_region(%[[OWN:[0-9]+]], %[[USED:[0-9]+]])
// CHECK: %[[END:[0-9]+]] = llvm.getelementptr %[[OWN]][%[[USED]]]
// CHECK: call @__asan_poison_memory_region(%[[END]], %c64_i64)
// CHECK: call @v_copy
// CHECK: call @__asan_unpoison_memory_region(%{{.*}}, %c64_i64)
// CHECK: return

// 64 bytes more than the slot rounded up to 64.
// CHECK-LABEL: func.func @v_f_plan(
// CHECK: arith.addi %{{.*}}, %c127_i64
// CHECK: arith.andi %{{.*}}, %c-64_i64

// From each slot's last byte to the next slot, and from the last to the scratch.
// CHECK-LABEL: func.func @v_f_poison(
// CHECK: call @__asan_unpoison_memory_region
// CHECK-COUNT-2: call @__asan_poison_memory_region
// CHECK: return

// CHECK-LABEL: func.func @v_f_unpoison(
// CHECK: call @__asan_unpoison_memory_region
// CHECK-NOT: call
// CHECK: return
