// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v3 --split-input-file | FileCheck %s

// Norm and softmax on their own are row regions of the identity; positions are
// a map of the index.
!x = tensor<?x8xf32, #attn.sizes<n, 8>>
attn.size @n min 1 max 9
// CHECK-LABEL: kernel.variant
// CHECK: kernel.func @norm_8(
// CHECK: attn.map element
// CHECK: row (%{{.*}} at #{{.*}} : tensor<8xf32>)
// CHECK: attn.norm rms %{{.*}} weight(
// CHECK: kernel.func @softmax_8(
// CHECK: row () {
// CHECK: attn.softmax %{{.*}} : tensor<8xf32>
// CHECK: kernel.func @map_n() -> (tensor<?xi32, #attn.sizes<n>>)
// CHECK: attn.index 0
// CHECK: kernel.program @rows
// CHECK: %[[GAIN:.*]] = kernel.constant dense<1.000000e+00>
// CHECK: kernel.dispatch @norm_8 ins(%{{.*}}, %[[GAIN]]
attn.entry @rows(%x: !x {attn.name = "x"})
    -> (!x {attn.name = "y"}, tensor<?xi32, #attn.sizes<n>> {attn.name = "p"}) sizes ["n"] {
  %gain = attn.constant dense<1.0> : tensor<8xf32>
  %a = attn.norm rms %x weight(%gain : tensor<8xf32>) epsilon 1.0e-6 : !x
  %b = attn.softmax %a : !x
  %p = attn.positions : tensor<?xi32, #attn.sizes<n>>
  attn.return %b, %p : !x, tensor<?xi32, #attn.sizes<n>>
}

// -----

// A product with a matrix that is no weight of the model: matmul on all rows,
// then a map with the epilogue.
!x = tensor<?x3x4xf32, #attn.sizes<n, 3, 4>>
attn.size @n min 1 max 9
// CHECK-LABEL: kernel.variant
// CHECK: kernel.func @matmul_4x4(%{{.*}}: tensor<?x4xf32, #attn.sizes<3 * n, 4>>, %{{.*}}: tensor<4x4xf32>)
// CHECK: attn.matmul %{{.*}} transpose_rhs
// CHECK: kernel.func @map_4(
// CHECK: kernel.program @product
// CHECK: %[[ROWS:.*]] = kernel.view %{{.*}} : tensor<?x3x4xf32, {{.*}}> -> tensor<?x4xf32, #attn.sizes<3 * n, 4>>
// CHECK: %[[PRODUCT:.*]] = kernel.dispatch @matmul_4x4 ins(%[[ROWS]],
// CHECK: %[[BACK:.*]] = kernel.view %[[PRODUCT]] : {{.*}} -> tensor<?x3x4xf32
// CHECK: kernel.dispatch @map_4 ins(%[[BACK]]
attn.entry @product(%x: !x {attn.name = "x"}, %w: tensor<4x4xf32> {attn.name = "w"})
    -> (!x {attn.name = "y"}) sizes ["n"] {
  %bias = attn.constant dense<2.0> : tensor<4xf32>
  %y = attn.linear %x, %w element(%bias at affine_map<(a, b, c) -> (c)> : tensor<4xf32>) {
  ^bb0(%acc: f32, %b: f32):
    %s = arith.addf %acc, %b : f32
    attn.yield %s : f32
  } : !x, tensor<4x4xf32> -> !x
  attn.return %y : !x
}

// -----

// An argument, a view and a value returned twice are copied; the same kernel
// copies both tensors of one type.
!x = tensor<?x6xf32, #attn.sizes<n, 6>>
attn.size @n min 1 max 9
attn.weight @w from ["w"] : tensor<6x6xf32>
// CHECK-LABEL: kernel.variant
// CHECK: kernel.program @copies(%[[X:.*]]: tensor
// CHECK: %[[Y:.*]] = kernel.dispatch @linear_6x6
// CHECK: %[[VIEW:.*]] = kernel.view %[[Y]]
// CHECK: %[[ARGUMENT:.*]] = kernel.dispatch @map_6 ins(%[[X]] {{.*}} "same"
// CHECK: %[[SPLIT:.*]] = kernel.dispatch @map_3 ins(%[[VIEW]] {{.*}} "split"
// CHECK: %[[TWICE:.*]] = kernel.dispatch @map_6 ins(%[[Y]] {{.*}} "twice"
// CHECK: kernel.return %[[ARGUMENT]], %[[SPLIT]], %[[Y]], %[[TWICE]]
attn.entry @copies(%x: !x {attn.name = "x"})
    -> (!x {attn.name = "same"}, tensor<?x2x3xf32, #attn.sizes<n, 2, 3>> {attn.name = "split"},
        !x {attn.name = "once"}, !x {attn.name = "twice"}) sizes ["n"] {
  %w = attn.get_weight @w : tensor<6x6xf32>
  %y = attn.linear %x, %w : !x, tensor<6x6xf32> -> !x
  %split = attn.split_heads %y : !x -> tensor<?x2x3xf32, #attn.sizes<n, 2, 3>>
  attn.return %x, %split, %y, %y : !x, tensor<?x2x3xf32, #attn.sizes<n, 2, 3>>, !x, !x
}

// -----

// Two ops that differ in an attribute or in a region do not share a kernel.
!x = tensor<?x8xf32, #attn.sizes<n, 8>>
attn.size @n min 1 max 9
// CHECK-LABEL: kernel.variant
// CHECK: kernel.func @norm_8(
// CHECK: kernel.func @norm_8_0(
// CHECK-NOT: kernel.func
// CHECK: kernel.dispatch @norm_8 {{.*}} "first"
// CHECK: kernel.dispatch @norm_8_0 {{.*}} "other epsilon"
// CHECK: kernel.dispatch @norm_8 {{.*}} "first again"
attn.entry @norms(%x: !x {attn.name = "x"}) -> (!x {attn.name = "y"}) sizes ["n"] {
  %a = attn.norm l2 %x epsilon 1.0e-6 : !x loc("first")
  %b = attn.norm l2 %a epsilon 1.0e-5 : !x loc("other epsilon")
  %c = attn.norm l2 %b epsilon 1.0e-6 : !x loc("first again")
  attn.return %c : !x
}
