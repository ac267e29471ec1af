// RUN: attn-opt %s --attn-fuse-row-epilogue --split-input-file --verify-diagnostics | FileCheck %s

// The norm's weights may come after the projection; it moves behind them.

// CHECK-LABEL: attn.entry @linear
attn.weight @g from ["g"] : tensor<6xf32>
attn.entry @linear(%x: tensor<2x3x4xf32> {attn.name = "x"}, %w: tensor<6x4xf32> {attn.name = "w"}, %b: tensor<6xf32> {attn.name = "b"})
    -> (tensor<2x3x6xf32> {attn.name = "y"}) sizes [] {
  // CHECK: %[[G:.*]] = attn.get_weight @g
  // CHECK: %[[Y:.*]] = attn.linear %{{.*}}, %{{.*}} row (%[[G]] at #{{.*}} : tensor<6xf32>, %{{.*}} at #{{.*}} : tensor<6xf32>)
  // CHECK-NEXT: ^bb0(%[[ROW:.*]]: tensor<6xf32>, %[[RG:.*]]: tensor<6xf32>, %[[RB:.*]]: tensor<6xf32>):
  // CHECK-NEXT: %[[N:.*]] = attn.norm layer %[[ROW]] weight(%[[RG]] : tensor<6xf32>) bias(%[[RB]] : tensor<6xf32>) epsilon 9.9{{.*}}E-13 : tensor<6xf32>
  // CHECK-NEXT: attn.yield %[[N]]
  // CHECK: attn.return %[[Y]]
  // expected-remark @+1 {{[fuse-row-epilogue] applied: the norm sees the rows where they are made}}
  %y = attn.linear %x, %w : tensor<2x3x4xf32>, tensor<6x4xf32> -> tensor<2x3x6xf32>
  %g = attn.get_weight @g : tensor<6xf32>
  %n = attn.norm layer %y weight(%g : tensor<6xf32>) bias(%b : tensor<6xf32>) epsilon 1.0e-12 : tensor<2x3x6xf32>
  attn.return %n : tensor<2x3x6xf32>
}

// -----

// CHECK-LABEL: attn.entry @embedding_and_map
attn.entry @embedding_and_map(%ids: tensor<3xi32> {attn.name = "ids"}, %t: tensor<9x4xf32> {attn.name = "t"})
    -> (tensor<3x4xf32> {attn.name = "y"}, tensor<3x4xf32> {attn.name = "z"}) sizes [] {
  // CHECK: attn.embedding({{.*}}), ({{.*}}) row () {
  // CHECK: attn.norm l2
  // expected-remark @+1 {{[fuse-row-epilogue] applied}}
  %e = attn.embedding(%ids), (%t) : (tensor<3xi32>), (tensor<9x4xf32>) -> tensor<3x4xf32>
  %n = attn.norm l2 %e epsilon 1.0e-12 : tensor<3x4xf32>
  // CHECK: attn.map element
  // CHECK: row
  // CHECK: attn.norm rms
  // expected-remark @+1 {{[fuse-row-epilogue] applied}}
  %m = attn.map element(%n at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%a: f32):
    %s = math.tanh %a : f32
    attn.yield %s : f32
  } : tensor<3x4xf32>
  %o = attn.norm rms %m epsilon 1.0e-06 : tensor<3x4xf32>
  attn.return %n, %o : tensor<3x4xf32>, tensor<3x4xf32>
}

// -----

// CHECK-LABEL: attn.entry @declined
attn.entry @declined(%x: tensor<3x4xf32> {attn.name = "x"}, %w: tensor<4x4xf32> {attn.name = "w"})
    -> (tensor<3x4xf32> {attn.name = "a"}, tensor<3x4xf32> {attn.name = "b"}) sizes [] {
  // CHECK: attn.norm
  // expected-remark @+1 {{[fuse-row-epilogue] missed: the producer has no row region}}
  %a = attn.norm rms %x epsilon 1.0e-06 : tensor<3x4xf32>
  // CHECK: attn.linear
  // CHECK-NOT: row
  // CHECK: attn.norm
  %l = attn.linear %a, %w : tensor<3x4xf32>, tensor<4x4xf32> -> tensor<3x4xf32>
  // expected-remark @+1 {{[fuse-row-epilogue] missed: the rows have another use}}
  %n = attn.norm rms %l epsilon 1.0e-06 : tensor<3x4xf32>
  // One norm fits, the second does not.
  // CHECK: attn.linear
  // CHECK: row
  // CHECK: attn.norm l2
  // CHECK: }
  // CHECK: attn.norm rms
  // expected-remark @+2 {{[fuse-row-epilogue] applied}}
  // expected-note @+1 {{because of 'attn.linear'}}
  %m = attn.linear %n, %w : tensor<3x4xf32>, tensor<4x4xf32> -> tensor<3x4xf32>
  %b = attn.norm l2 %m epsilon 1.0e-06 : tensor<3x4xf32>
  // expected-remark @+1 {{[fuse-row-epilogue] missed: the producer has a row epilogue already}}
  %c = attn.norm rms %b epsilon 1.0e-06 : tensor<3x4xf32>
  // expected-note @+1 {{because of 'attn.return'}}
  attn.return %l, %c : tensor<3x4xf32>, tensor<3x4xf32>
}

// -----

// CHECK-LABEL: attn.entry @dynamic_rows
attn.size @seq min 1 max 8
attn.entry @dynamic_rows(%x: tensor<3x?xf32, #attn.sizes<3, seq>> {attn.name = "x"})
    -> (tensor<3x?xf32, #attn.sizes<3, seq>> {attn.name = "y"}) sizes ["seq"] {
  // CHECK-NOT: row
  %m = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x?xf32, #attn.sizes<3, seq>>) {
  ^bb0(%a: f32):
    %s = math.tanh %a : f32
    attn.yield %s : f32
  } : tensor<3x?xf32, #attn.sizes<3, seq>>
  // expected-remark @+2 {{[fuse-row-epilogue] missed: the length of the rows is not fixed}}
  // expected-note @+1 {{because of 'attn.norm'}}
  %n = attn.norm l2 %m epsilon 1.0e-12 : tensor<3x?xf32, #attn.sizes<3, seq>>
  attn.return %n : tensor<3x?xf32, #attn.sizes<3, seq>>
}
