// RUN: attn-opt %s --attn-lower-kernels | FileCheck %s

// Row regions run in place on the row that was just written.

attn.size @rows min 1 max 64
kernel.variant @v target "x86-64-v4" {
  // 70 columns: a loop over 64, then one masked vector of 6.
  kernel.func @layer(%x: tensor<?x70xf32, #attn.sizes<rows, 70>>, %g: tensor<70xf32>, %b: tensor<70xf32>) -> tensor<?x70xf32, #attn.sizes<rows, 70>> {
    %y = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<?x70xf32, #attn.sizes<rows, 70>>) {
    ^bb0(%a: f32):
      attn.yield %a : f32
    } row(%g at affine_map<(d0) -> ()> : tensor<70xf32>, %b at affine_map<(d0) -> ()> : tensor<70xf32>) {
    ^bb0(%r: tensor<70xf32>, %weight: tensor<70xf32>, %bias: tensor<70xf32>):
      %n = attn.norm layer %r weight(%weight : tensor<70xf32>) bias(%bias : tensor<70xf32>) epsilon 1.000000e-12 : tensor<70xf32>
      attn.yield %n : tensor<70xf32>
    } : tensor<?x70xf32, #attn.sizes<rows, 70>>
    kernel.return %y : tensor<?x70xf32, #attn.sizes<rows, 70>>
  }
  // The row before the norm is needed after it: the norm goes to a buffer.
  kernel.func @residual(%x: tensor<?x70xf32, #attn.sizes<rows, 70>>) -> tensor<?x70xf32, #attn.sizes<rows, 70>> {
    %y = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<?x70xf32, #attn.sizes<rows, 70>>) {
    ^bb0(%a: f32):
      attn.yield %a : f32
    } row() {
    ^bb0(%r: tensor<70xf32>):
      %n = attn.norm l2 %r epsilon 1.000000e-12 : tensor<70xf32>
      %s = attn.map element(%r at affine_map<(d0) -> (d0)> : tensor<70xf32>, %n at affine_map<(d0) -> (d0)> : tensor<70xf32>) {
      ^bb0(%a: f32, %c: f32):
        %t = arith.addf %a, %c : f32
        attn.yield %t : f32
      } : tensor<70xf32>
      attn.yield %s : tensor<70xf32>
    } : tensor<?x70xf32, #attn.sizes<rows, 70>>
    kernel.return %y : tensor<?x70xf32, #attn.sizes<rows, 70>>
  }
}

// CHECK-LABEL: func.func private @v_layer(
// CHECK-NOT: llvm.alloca
// CHECK: llvm.intr.masked.store
// The sum in four vectors, then halves upon halves.
// CHECK: scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c64_i64 iter_args(
// CHECK-COUNT-4: arith.addf
// CHECK: vector.shuffle
// Squares of what is centred, and what the mean was off by.
// CHECK: scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c64_i64 iter_args(
// CHECK: arith.subf
// CHECK: arith.addf
// CHECK: llvm.intr.fma
// Exact operations.
// CHECK: math.sqrt %{{.*}} : f32
// CHECK: arith.divf %{{.*}} : f32
// CHECK: scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c16_i64
// CHECK-COUNT-2: llvm.intr.fma
// CHECK: llvm.intr.masked.store

// CHECK-LABEL: func.func private @v_residual(
// CHECK: %[[COUNT:.*]] = arith.constant 70 : i64
// CHECK: %[[BUFFER:.*]] = llvm.alloca %[[COUNT]] x f32
// CHECK: math.sqrt
// CHECK: arith.divf %{{.*}} : vector<16xf32>
// CHECK: llvm.getelementptr %[[BUFFER]]
