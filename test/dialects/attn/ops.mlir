// The examples of the op descriptions, read, printed and read again.
// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt | FileCheck %s

// CHECK: module attributes {attn.files = ["model.safetensors"], attn.name = "example", attn.stage = "import"}
module attributes {attn.files = ["model.safetensors"], attn.name = "example", attn.stage = "import"} {

// CHECK: attn.size @batch min 1 max 64
attn.size @batch min 1 max 64
attn.size @seq min 1 max 512
// CHECK: attn.size @tokens derived "batch * seq"
attn.size @tokens derived "batch * seq"

// CHECK: attn.weight @layer.0.qkv from ["q.weight", "k.weight", "v.weight"] concat 0 : tensor<1152x384xf32>
attn.weight @layer.0.qkv from ["q.weight", "k.weight", "v.weight"] concat 0 : tensor<1152x384xf32>
// CHECK: attn.weight @transposed from ["w"] transpose digest "00ff" : tensor<3x2xf32>
attn.weight @transposed from ["w"] transpose digest "00ff" : tensor<3x2xf32>
// CHECK: attn.weight @layer.1.qkv from ["qkv.weight"] groups [64, 64, 64] : tensor<1152x384xf32>
attn.weight @layer.1.qkv from ["qkv.weight"] groups [64, 64, 64] : tensor<1152x384xf32>
// CHECK: attn.weight @distances from ["far.weight", "k.weight", "k.bias"] : tensor<6x64x512xf32> {attn.projected}
attn.weight @distances from ["far.weight", "k.weight", "k.bias"] : tensor<6x64x512xf32> {attn.projected}
// CHECK: attn.weight @norm from ["norm.weight"] plus 1.000000e+00 : tensor<384xf32>
attn.weight @norm from ["norm.weight"] plus 1.000000e+00 : tensor<384xf32>

// CHECK: attn.entry @encode(%[[IDS:.*]]: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.default = 0 : i32, attn.name = "input_ids", attn.range = array<i64: 0, 99>})
// CHECK-SAME: -> (tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "copy"}) sizes ["batch", "seq"] {
// CHECK-NEXT: attn.return %[[IDS]] : tensor<?x?xi32, #attn.sizes<batch, seq>>
attn.entry @encode(%ids: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "input_ids", attn.range = array<i64: 0, 99>, attn.default = 0 : i32})
    -> (tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "copy"}) sizes ["batch", "seq"] {
  attn.return %ids : tensor<?x?xi32, #attn.sizes<batch, seq>>
}

// CHECK: attn.entry @nothing() -> () sizes [] {
// CHECK-NEXT: attn.return
attn.entry @nothing() -> () sizes [] {
  attn.return
}

// CHECK-LABEL: @values
func.func @values() {
  // CHECK: attn.get_weight @layer.0.qkv : tensor<1152x384xf32>
  %w = attn.get_weight @layer.0.qkv : tensor<1152x384xf32>
  // CHECK: attn.constant dense<{{\[\[}}1.000000e+00, 2.000000e+00], [3.000000e+00, 4.000000e+00]]> : tensor<2x2xf32>
  %q = attn.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  // CHECK: attn.positions : tensor<?x?xi32, #attn.sizes<batch, seq>>
  %p = attn.positions : tensor<?x?xi32, #attn.sizes<batch, seq>>
  return
}

// CHECK-LABEL: @sequences
func.func @sequences(%mask: tensor<?x?xi32, #attn.sizes<batch, seq>>, %x: tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>>) {
  // CHECK: %[[ROWS:.*]], %[[OFFSETS:.*]] = attn.pack_index %{{.*}} : tensor<?x?xi32, #attn.sizes<batch, seq>> -> tensor<?xi32, #attn.sizes<tokens>>, tensor<?xi32, #attn.sizes<batch + 1>>
  %rows, %offsets = attn.pack_index %mask : tensor<?x?xi32, #attn.sizes<batch, seq>> -> tensor<?xi32, #attn.sizes<tokens>>, tensor<?xi32, #attn.sizes<batch + 1>>
  // CHECK: %[[PACKED:.*]] = attn.pack %{{.*}}, %[[ROWS]] : {{.*}} -> tensor<?x8xf32, #attn.sizes<tokens, 8>>
  %p = attn.pack %x, %rows : tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?x8xf32, #attn.sizes<tokens, 8>>
  // CHECK: attn.unpack %[[PACKED]], %[[ROWS]] : {{.*}} -> tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>>
  %u = attn.unpack %p, %rows : tensor<?x8xf32, #attn.sizes<tokens, 8>>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>>
  // CHECK: attn.pool mean %{{.*}} mask(%{{.*}} : tensor<?x?xi32, #attn.sizes<batch, seq>>) : tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>> -> tensor<?x8xf32, #attn.sizes<batch, 8>>
  %a = attn.pool mean %x mask(%mask : tensor<?x?xi32, #attn.sizes<batch, seq>>) : tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>> -> tensor<?x8xf32, #attn.sizes<batch, 8>>
  // CHECK: attn.pool weighted_mean %[[PACKED]] offsets(%[[OFFSETS]] : tensor<?xi32, #attn.sizes<batch + 1>>)
  %b = attn.pool weighted_mean %p offsets(%offsets : tensor<?xi32, #attn.sizes<batch + 1>>) : tensor<?x8xf32, #attn.sizes<tokens, 8>> -> tensor<?x8xf32, #attn.sizes<batch, 8>>
  return
}

// CHECK-LABEL: @embeddings
func.func @embeddings(%ids: tensor<3xi32>, %words: tensor<99x8xf32>, %table: tensor<16x8xf32>) {
  %positions = attn.positions : tensor<3xi32>
  // CHECK: attn.token_positions %{{.*}} padding 1 : tensor<3xi32>
  %tokens = attn.token_positions %ids padding 1 : tensor<3xi32>
  // CHECK: attn.embedding(%{{.*}}, %{{.*}}), (%{{.*}}, %{{.*}}) : (tensor<3xi32>, tensor<3xi32>), (tensor<99x8xf32>, tensor<16x8xf32>) -> tensor<3x8xf32>
  %e = attn.embedding(%ids, %positions), (%words, %table) : (tensor<3xi32>, tensor<3xi32>), (tensor<99x8xf32>, tensor<16x8xf32>) -> tensor<3x8xf32>
  // CHECK: attn.embedding(%{{.*}}), (%{{.*}}) row () {
  // CHECK-NEXT: ^bb0(%[[ROW:.*]]: tensor<8xf32>):
  // CHECK-NEXT: attn.norm rms %[[ROW]] epsilon
  // CHECK: } : (tensor<3xi32>), (tensor<99x8xf32>) -> tensor<3x8xf32>
  %f = attn.embedding(%ids), (%words) row() {
  ^bb0(%row: tensor<8xf32>):
    %n = attn.norm rms %row epsilon 1.0e-6 : tensor<8xf32>
    attn.yield %n : tensor<8xf32>
  } : (tensor<3xi32>), (tensor<99x8xf32>) -> tensor<3x8xf32>
  return
}

}
