// RUN: attn-opt %s --attn-pack-tokens --split-input-file --verify-diagnostics | FileCheck %s

// A guard in a projection's element region goes too; fixed sizes pack as well.
// A derived size of the same bound is reused.

// CHECK: attn.size @kept derived "6"
// CHECK-NOT: attn.size
attn.size @kept derived "6"
// CHECK-LABEL: attn.entry @in_projection
// expected-remark @+1 {{[pack-tokens] applied}}
attn.entry @in_projection(%x: tensor<2x3x4xf32> {attn.name = "x"}, %m: tensor<2x3xi32> {attn.name = "m"}, %w: tensor<5x4xf32> {attn.name = "w"})
    -> (tensor<2x3x5xf32> {attn.name = "y"}) sizes [] {
  // CHECK: %[[ROWS:.*]], %{{.*}} = attn.pack_index {{.*}} -> tensor<?xi32, #attn.sizes<kept>>, tensor<3xi32>
  // CHECK: %[[X:.*]] = attn.pack %{{.*}}, %[[ROWS]]
  // CHECK: %[[Y:.*]] = attn.linear %[[X]], %{{.*}} element () {
  // CHECK-NEXT: ^bb0(%[[ACC:.*]]: f32):
  // CHECK-NEXT: %[[T:.*]] = math.tanh %[[ACC]]
  // CHECK-NEXT: attn.yield %[[T]]
  // CHECK: attn.unpack %[[Y]], %[[ROWS]] : {{.*}} -> tensor<2x3x5xf32>
  %y = attn.linear %x, %w element(%m at affine_map<(d0, d1, d2) -> (d0, d1)> : tensor<2x3xi32>) {
  ^bb0(%acc: f32, %a: i32):
    %t = math.tanh %acc : f32
    %z = arith.constant 0 : i32
    %c = arith.cmpi ne, %a, %z : i32
    %f = arith.constant 0.0 : f32
    %s = arith.select %c, %t, %f : f32
    attn.yield %s : f32
  } : tensor<2x3x4xf32>, tensor<5x4xf32> -> tensor<2x3x5xf32>
  attn.return %y : tensor<2x3x5xf32>
}

// -----

// The name is taken: another one is found. An op that no output needs is no
// reason to decline.

// CHECK: attn.size @tokens min 1 max 4
// CHECK: attn.size @[[NAME:.*]] derived "2 * tokens"
attn.size @tokens min 1 max 4
// CHECK-LABEL: attn.entry @name_taken
// expected-remark @+1 {{[pack-tokens] applied}}
attn.entry @name_taken(%x: tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>> {attn.name = "x"}, %m: tensor<?x2xi32, #attn.sizes<tokens, 2>> {attn.name = "m"})
    -> (tensor<?x4xf32, #attn.sizes<tokens, 4>> {attn.name = "y"}) sizes ["tokens"] {
  // CHECK-NOT: attn.matmul
  // CHECK: attn.norm l2 %{{.*}} epsilon {{.*}} : tensor<?x4xf32, #attn.sizes<[[NAME]], 4>>
  // CHECK: attn.pool max {{.*}} offsets
  %dead = attn.matmul %x, %x transpose_rhs : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>> -> tensor<?x2x2xf32, #attn.sizes<tokens, 2, 2>>
  %n = attn.norm l2 %x epsilon 1.0e-12 : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>
  %p = attn.pool max %n mask(%m : tensor<?x2xi32, #attn.sizes<tokens, 2>>) : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>> -> tensor<?x4xf32, #attn.sizes<tokens, 4>>
  attn.return %p : tensor<?x4xf32, #attn.sizes<tokens, 4>>
}
