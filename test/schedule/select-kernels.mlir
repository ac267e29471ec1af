// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v4 | FileCheck %s

attn.size @batch min 1 max 64
attn.size @seq min 1 max 512
attn.size @tokens derived "batch * seq"
attn.weight @words from ["words"] : tensor<99x8xf32>
attn.weight @qkv from ["q", "k", "v"] concat 0 : tensor<24x8xf32>
attn.weight @out from ["out"] : tensor<8x8xf32>
attn.weight @unused from ["unused"] : tensor<8x8xf32>

// Sizes and weights stay; the entry becomes a program in a variant.
// CHECK: attn.weight @unused
// CHECK-NOT: attn.entry
// CHECK: kernel.variant @x86_64_v4 target "x86-64-v4" {
// CHECK: kernel.func @pack_index(
// CHECK: kernel.func @pack(
// CHECK: kernel.func @embedding_8(
// A projection to heads is one product into one buffer.
// CHECK: kernel.func @linear_8x24(%{{.*}}: tensor<?x8xf32, #attn.sizes<tokens, 8>>, %{{.*}}: tensor<24x8xf32>) -> (tensor<?x24xf32, #attn.sizes<tokens, 24>>)
// CHECK-NEXT: attn.linear
// CHECK-NEXT: kernel.return
// Views of it leave gaps between rows.
// CHECK: kernel.func @attention_2x4(%{{.*}}: tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>> {kernel.layout = #kernel.rows<24>}, %{{.*}}: tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>> {kernel.layout = #kernel.rows<24>}, %{{.*}}: tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>> {kernel.layout = #kernel.rows<24>}, %{{.*}}: tensor<?xi32, #attn.sizes<batch + 1>>)
// CHECK: kernel.func @linear_8x8(
// CHECK: kernel.func @norm_8(
// CHECK: attn.norm layer
// CHECK: kernel.func @unpack(
// CHECK-NOT: kernel.func

// CHECK: kernel.program @encode(
// CHECK-SAME: attn.name = "input_ids"
// CHECK-SAME: sizes ["batch", "seq"]
// CHECK-NOT: @unused
// CHECK: kernel.dispatch @pack_index
// CHECK: kernel.dispatch @pack
// CHECK: kernel.dispatch @embedding_8 {{.*}} "embeddings"
// CHECK: %[[QKV:.*]] = kernel.dispatch @linear_8x24 {{.*}} phase 0 "layer.0.qkv"
// CHECK: kernel.view %[[QKV]] : {{.*}} -> tensor<?x2x4xf32
// CHECK: kernel.view %[[QKV]] offset 8
// CHECK: kernel.view %[[QKV]] offset 16
// CHECK: %[[HEADS:.*]] = kernel.dispatch @attention_2x4
// CHECK: %[[ROWS:.*]] = kernel.view %[[HEADS]] : {{.*}} -> tensor<?x8xf32
// CHECK: kernel.dispatch @linear_8x8 ins(%[[ROWS]],
// The second layer shares the kernels of the first.
// CHECK: kernel.dispatch @linear_8x24
// CHECK: kernel.dispatch @attention_2x4
// CHECK: kernel.dispatch @linear_8x8
// CHECK: %[[NORM:.*]] = kernel.dispatch @norm_8
// CHECK: %[[RESULT:.*]] = kernel.dispatch @unpack
// CHECK: kernel.return %[[RESULT]]
attn.entry @encode(%ids: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "input_ids", attn.range = array<i64: 0, 98>},
                   %mask: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "attention_mask", attn.default = 1 : i32})
    -> (tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>> {attn.name = "last_hidden_state"}) sizes ["batch", "seq"] {
  %rows, %offsets = attn.pack_index %mask : tensor<?x?xi32, #attn.sizes<batch, seq>> -> tensor<?xi32, #attn.sizes<tokens>>, tensor<?xi32, #attn.sizes<batch + 1>>
  %packed = attn.pack %ids, %rows : tensor<?x?xi32, #attn.sizes<batch, seq>>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?xi32, #attn.sizes<tokens>>
  %words = attn.get_weight @words : tensor<99x8xf32>
  %nobody = attn.get_weight @unused : tensor<8x8xf32>
  %x0 = attn.embedding(%packed), (%words) : (tensor<?xi32, #attn.sizes<tokens>>), (tensor<99x8xf32>) -> tensor<?x8xf32, #attn.sizes<tokens, 8>> loc("embeddings")
  %qkv = attn.get_weight @qkv : tensor<24x8xf32>
  %out = attn.get_weight @out : tensor<8x8xf32>
  %q0, %k0, %v0 = attn.qkv_projection %x0, %qkv : tensor<?x8xf32, #attn.sizes<tokens, 8>>, tensor<24x8xf32> -> tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>> loc("layer.0.qkv")
  %a0 = attn.attention %q0, %k0, %v0 offsets(%offsets : tensor<?xi32, #attn.sizes<batch + 1>>) length_bound "seq" : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>> -> tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>
  %x1 = attn.output_projection %a0, %out : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<8x8xf32> -> tensor<?x8xf32, #attn.sizes<tokens, 8>>
  %q1, %k1, %v1 = attn.qkv_projection %x1, %qkv : tensor<?x8xf32, #attn.sizes<tokens, 8>>, tensor<24x8xf32> -> tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>
  %a1 = attn.attention %q1, %k1, %v1 offsets(%offsets : tensor<?xi32, #attn.sizes<batch + 1>>) length_bound "seq" : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>, tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>> -> tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>
  %m1 = attn.merge_heads %a1 : tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>> -> tensor<?x8xf32, #attn.sizes<tokens, 8>>
  %x2 = attn.linear %m1, %out : tensor<?x8xf32, #attn.sizes<tokens, 8>>, tensor<8x8xf32> -> tensor<?x8xf32, #attn.sizes<tokens, 8>>
  %gain = attn.constant dense<1.0> : tensor<8xf32>
  %bias = attn.constant dense<[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]> : tensor<8xf32>
  %n = attn.norm layer %x2 weight(%gain : tensor<8xf32>) bias(%bias : tensor<8xf32>) epsilon 1.0e-12 : tensor<?x8xf32, #attn.sizes<tokens, 8>>
  %y = attn.unpack %n, %rows : tensor<?x8xf32, #attn.sizes<tokens, 8>>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>>
  attn.return %y : tensor<?x?x8xf32, #attn.sizes<batch, seq, 8>>
}
