// RUN: attn-opt %s --attn-fuse-embedding --split-input-file --verify-diagnostics | FileCheck %s

// (words + types) + positions, over two maps.

// CHECK-LABEL: attn.entry @chain
// CHECK-SAME: (%[[I:.*]]: tensor<3xi32> {{.*}}, %[[W:.*]]: tensor<9x4xf32> {{.*}}, %[[T:.*]]: tensor<2x4xf32> {{.*}}, %[[P:.*]]: tensor<8x4xf32> {{.*}})
attn.entry @chain(%ids: tensor<3xi32> {attn.name = "ids"}, %words: tensor<9x4xf32> {attn.name = "w"}, %types: tensor<2x4xf32> {attn.name = "t"}, %table: tensor<8x4xf32> {attn.name = "p"})
    -> (tensor<3x4xf32> {attn.name = "y"}) sizes [] {
  // CHECK: %[[POS:.*]] = attn.positions
  // CHECK-NEXT: %[[E:.*]] = attn.embedding(%[[I]], %[[I]], %[[POS]]), (%[[W]], %[[T]], %[[P]])
  // CHECK-NEXT: attn.return %[[E]]
  %pos = attn.positions : tensor<3xi32>
  %a = attn.embedding(%ids), (%words) : (tensor<3xi32>), (tensor<9x4xf32>) -> tensor<3x4xf32>
  %b = attn.embedding(%ids), (%types) : (tensor<3xi32>), (tensor<2x4xf32>) -> tensor<3x4xf32>
  %c = attn.embedding(%pos), (%table) : (tensor<3xi32>), (tensor<8x4xf32>) -> tensor<3x4xf32>
  // expected-remark @+1 {{[fuse-embedding] applied: the sum of 2 embeddings is one op}}
  %s = attn.map element(%a at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>, %b at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %r = arith.addf %x, %y : f32
    attn.yield %r : f32
  } : tensor<3x4xf32>
  // The sum is the right operand here; addition commutes.
  // expected-remark @+1 {{[fuse-embedding] applied: the sum of 3 embeddings is one op}}
  %t = attn.map element(%c at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>, %s at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %r = arith.addf %x, %y : f32
    attn.yield %r : f32
  } : tensor<3x4xf32>
  attn.return %t : tensor<3x4xf32>
}

// -----

// One map may add three; a + (b + c) begins with b + c.

// CHECK-LABEL: attn.entry @inner_first
// CHECK-SAME: (%{{.*}}: tensor<3xi32> {{.*}}, %[[A:.*]]: tensor<9x4xf32> {{.*}}, %[[B:.*]]: tensor<8x4xf32> {{.*}}, %[[C:.*]]: tensor<7x4xf32> {{.*}})
attn.entry @inner_first(%ids: tensor<3xi32> {attn.name = "ids"}, %ta: tensor<9x4xf32> {attn.name = "a"}, %tb: tensor<8x4xf32> {attn.name = "b"}, %tc: tensor<7x4xf32> {attn.name = "c"})
    -> (tensor<3x4xf32> {attn.name = "y"}) sizes [] {
  // CHECK: attn.embedding({{.*}}), (%[[B]], %[[C]], %[[A]])
  %a = attn.embedding(%ids), (%ta) : (tensor<3xi32>), (tensor<9x4xf32>) -> tensor<3x4xf32>
  %b = attn.embedding(%ids), (%tb) : (tensor<3xi32>), (tensor<8x4xf32>) -> tensor<3x4xf32>
  %c = attn.embedding(%ids), (%tc) : (tensor<3xi32>), (tensor<7x4xf32>) -> tensor<3x4xf32>
  // expected-remark @+1 {{[fuse-embedding] applied: the sum of 3 embeddings is one op}}
  %s = attn.map element(%a at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>, %b at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>, %c at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %r = arith.addf %y, %z : f32
    %t = arith.addf %x, %r : f32
    attn.yield %t : f32
  } : tensor<3x4xf32>
  attn.return %s : tensor<3x4xf32>
}

// -----

// (a + b) + (c + d) has no left-to-right order.

// CHECK-LABEL: attn.entry @pairs
attn.entry @pairs(%ids: tensor<3xi32> {attn.name = "ids"}, %t: tensor<9x4xf32> {attn.name = "t"}, %u: tensor<9x4xf32> {attn.name = "u"})
    -> (tensor<3x4xf32> {attn.name = "y"}) sizes [] {
  // CHECK: attn.embedding
  // CHECK: attn.embedding
  // CHECK: attn.map
  %a = attn.embedding(%ids, %ids), (%t, %u) : (tensor<3xi32>, tensor<3xi32>), (tensor<9x4xf32>, tensor<9x4xf32>) -> tensor<3x4xf32>
  // expected-note @+1 {{because of 'attn.embedding'}}
  %b = attn.embedding(%ids, %ids), (%u, %t) : (tensor<3xi32>, tensor<3xi32>), (tensor<9x4xf32>, tensor<9x4xf32>) -> tensor<3x4xf32>
  // expected-remark @+1 {{[fuse-embedding] missed: the additions would change their order}}
  %s = attn.map element(%a at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>, %b at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %r = arith.addf %x, %y : f32
    attn.yield %r : f32
  } : tensor<3x4xf32>
  attn.return %s : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: attn.entry @declined
attn.entry @declined(%ids: tensor<3xi32> {attn.name = "ids"}, %t: tensor<9x4xf32> {attn.name = "t"}, %x: tensor<3x4xf32> {attn.name = "x"})
    -> (tensor<3x4xf32> {attn.name = "y"}, tensor<3x4xf32> {attn.name = "z"}, tensor<3x4xf32> {attn.name = "w"}) sizes [] {
  // CHECK-COUNT-3: attn.map
  %a = attn.embedding(%ids), (%t) : (tensor<3xi32>), (tensor<9x4xf32>) -> tensor<3x4xf32>
  // expected-remark @+1 {{[fuse-embedding] missed: an embedding has another use}}
  %s = attn.map element(%a at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>, %x at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %r = arith.addf %p, %q : f32
    attn.yield %r : f32
  } : tensor<3x4xf32>
  // expected-remark @+2 {{[fuse-embedding] missed: the map is not a sum from left to right}}
  // expected-note @+1 {{because of 'attn.map'}}
  %u = attn.map element(%a at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%p: f32):
    %r = math.tanh %p : f32
    attn.yield %r : f32
  } : tensor<3x4xf32>
  %b = attn.embedding(%ids), (%t) : (tensor<3xi32>), (tensor<9x4xf32>) -> tensor<3x4xf32>
  // expected-remark @+2 {{[fuse-embedding] missed: a summand is not an embedding}}
  // expected-note @+1 {{because of 'attn.map'}}
  %v = attn.map element(%b at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>, %x at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %r = arith.addf %p, %q : f32
    attn.yield %r : f32
  } : tensor<3x4xf32>
  attn.return %s, %u, %v : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>
}

// -----

// CHECK-LABEL: attn.entry @row_region_reads
// CHECK-COUNT-2: attn.embedding
attn.entry @row_region_reads(%ids: tensor<3xi32> {attn.name = "ids"}, %t: tensor<9x4xf32> {attn.name = "t"}) -> (tensor<3x4xf32> {attn.name = "y"}) sizes [] {
  // expected-note @+1 {{because of 'attn.embedding'}}
  %a = attn.embedding(%ids), (%t) : (tensor<3xi32>), (tensor<9x4xf32>) -> tensor<3x4xf32>
  %b = attn.embedding(%ids, %ids), (%t, %t) : (tensor<3xi32>, tensor<3xi32>), (tensor<9x4xf32>, tensor<9x4xf32>) -> tensor<3x4xf32>
  // expected-remark @+1 {{[fuse-embedding] missed: the row region reads an embedding, too}}
  %y = attn.map element(%b at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>, %a at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %r = arith.addf %p, %q : f32
    attn.yield %r : f32
  } row(%a at affine_map<(d0) -> (d0)> : tensor<3x4xf32>) {
  ^bb0(%row: tensor<4xf32>, %w: tensor<4xf32>):
    %n = attn.norm layer %row weight(%w : tensor<4xf32>) epsilon 1.0e-5 : tensor<4xf32>
    attn.yield %n : tensor<4xf32>
  } : tensor<3x4xf32>
  attn.return %y : tensor<3x4xf32>
}
