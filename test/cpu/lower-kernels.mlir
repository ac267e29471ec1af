// RUN: attn-opt %s --attn-lower-kernels --split-input-file --verify-diagnostics | FileCheck %s

// Every kernel of every variant becomes a function beside the variants, which
// stay. Sizes are loaded at the head, by their index in the module; outputs
// never alias inputs.

attn.size @batch min 1 max 64
attn.size @tokens derived "batch * 4"
kernel.variant @wide target "x86-64-v4" {
  kernel.func @product(%a: tensor<?x3xf32, #attn.sizes<tokens, 3>>, %b: tensor<3x3xf32>) -> tensor<?x3xf32, #attn.sizes<tokens, 3>> {
    %y = attn.matmul %a, %b : tensor<?x3xf32, #attn.sizes<tokens, 3>>, tensor<3x3xf32> -> tensor<?x3xf32, #attn.sizes<tokens, 3>>
    kernel.return %y : tensor<?x3xf32, #attn.sizes<tokens, 3>>
  }
}
kernel.variant @narrow target "x86-64" {
  kernel.func @product(%a: tensor<2x3xf32>, %b: tensor<3x3xf32>) -> tensor<2x3xf32> {
    %y = attn.matmul %a, %b : tensor<2x3xf32>, tensor<3x3xf32> -> tensor<2x3xf32>
    kernel.return %y : tensor<2x3xf32>
  }
}

// CHECK: kernel.variant @wide
// CHECK: kernel.variant @narrow
// CHECK-LABEL: func.func private @wide_product(
// CHECK-SAME: %[[FRAME:.*]]: !llvm.ptr, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr {llvm.noalias})
// CHECK-SAME: kernel.target = "x86-64-v4"
// CHECK: %[[FIELD:.*]] = llvm.getelementptr %[[FRAME]][0]
// CHECK: %[[SIZES:.*]] = llvm.load %[[FIELD]]
// CHECK: %[[TOKENS:.*]] = llvm.getelementptr %[[SIZES]][1]
// CHECK: llvm.load %[[TOKENS]] {{.*}} -> i64
// CHECK: llvm.intr.fma({{.*}}) : (vector<16xf32>, vector<16xf32>, vector<16xf32>)

// Without fused multiply-add: mul, then add.
// CHECK-LABEL: func.func private @narrow_product(
// CHECK-NOT: llvm.intr.fma
// CHECK: arith.mulf {{.*}} : vector<4xf32>
// CHECK-NEXT: arith.addf {{.*}} : vector<4xf32>

// -----

// A small constant of the kernel becomes read-only data.
kernel.variant @v target "x86-64-v3" {
  kernel.func @add(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
    %one = attn.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
    %y = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<2x8xf32>, %one at affine_map<(d0, d1) -> (d1)> : tensor<8xf32>) {
    ^bb0(%a: f32, %b: f32):
      %s = arith.addf %a, %b : f32
      attn.yield %s : f32
    } : tensor<2x8xf32>
    kernel.return %y : tensor<2x8xf32>
  }
}

// CHECK: llvm.mlir.global internal constant @v_add_constant_0(dense<[1.000000e+00, {{.*}}]> : tensor<8xf32>) {{.*}}alignment = 64
// CHECK-LABEL: func.func private @v_add(
// CHECK: llvm.mlir.addressof @v_add_constant_0

// -----

kernel.variant @v target "x86-64-v3" {
  kernel.func @softmax(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
    // expected-error @below {{error[A0502]: no CPU kernel computes 'attn.softmax'}}
    %y = attn.softmax %x : tensor<2x8xf32>
    kernel.return %y : tensor<2x8xf32>
  }
}
