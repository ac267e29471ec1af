// RUN: attn-opt %s --attn-drop-dead-outputs="outputs=pooled" 2>/dev/null | FileCheck %s
// RUN: attn-opt %s --attn-drop-dead-outputs="outputs=pooled" 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK
// RUN: attn-opt %s --attn-drop-dead-outputs | FileCheck %s --check-prefix=ALL
// RUN: not attn-opt %s --attn-drop-dead-outputs="outputs=pooled,logits" 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// REMARK: [drop-dead-outputs] applied: output 'hidden' is dropped
// REMARK: [drop-dead-outputs] applied: output 'ids' is dropped
// UNKNOWN: error[A0401]: no output is named 'logits'
// UNKNOWN: the outputs are hidden, pooled, ids

// Weights that nothing reads go, whether an output needed them or nothing did.

// CHECK-NOT: @head
// CHECK: attn.weight @w
// CHECK-NOT: @head
// ALL: attn.weight @head
// ALL-NOT: @left_over
attn.weight @head from ["head"] : tensor<8x4xf32>
attn.weight @w from ["w"] : tensor<4x4xf32>
attn.weight @left_over from ["left_over"] : tensor<4x4xf32>

// The argument that only a dropped output read stays: callers pass it.

// CHECK: attn.entry @encode(%[[X:.*]]: tensor<2x3x4xf32> {{.*}}, %[[M:.*]]: tensor<2x3xi32> {{.*}}, %{{.*}}: tensor<8xf32> {{.*}}) -> (tensor<2x4xf32> {attn.name = "pooled"})
// ALL: attn.entry @encode({{.*}}) -> (tensor<2x3x8xf32> {attn.name = "hidden"}, tensor<2x4xf32> {attn.name = "pooled"})
attn.entry @encode(%x: tensor<2x3x4xf32> {attn.name = "x"}, %m: tensor<2x3xi32> {attn.name = "mask"}, %b: tensor<8xf32> {attn.name = "bias"})
    -> (tensor<2x3x8xf32> {attn.name = "hidden"}, tensor<2x4xf32> {attn.name = "pooled"}) sizes [] {
  // CHECK-NEXT: attn.get_weight @w
  // CHECK-NEXT: attn.linear
  // CHECK-NEXT: %[[P:.*]] = attn.pool
  // CHECK-NEXT: attn.return %[[P]] : tensor<2x4xf32>
  %w = attn.get_weight @w : tensor<4x4xf32>
  %y = attn.linear %x, %w : tensor<2x3x4xf32>, tensor<4x4xf32> -> tensor<2x3x4xf32>
  %h = attn.get_weight @head : tensor<8x4xf32>
  %z = attn.linear %y, %h element(%b at affine_map<(d0, d1, d2) -> (d2)> : tensor<8xf32>) {
  ^bb0(%acc: f32, %c: f32):
    %s = arith.addf %acc, %c : f32
    attn.yield %s : f32
  } : tensor<2x3x4xf32>, tensor<8x4xf32> -> tensor<2x3x8xf32>
  %p = attn.pool mean %y mask(%m : tensor<2x3xi32>) : tensor<2x3x4xf32> -> tensor<2x4xf32>
  attn.return %z, %p : tensor<2x3x8xf32>, tensor<2x4xf32>
}

// An entry without outputs goes.

// CHECK-NOT: attn.entry @echo
// ALL: attn.entry @echo
attn.entry @echo(%i: tensor<3xi32> {attn.name = "i"}) -> (tensor<3xi32> {attn.name = "ids"}) sizes [] {
  attn.return %i : tensor<3xi32>
}
