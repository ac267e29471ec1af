// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v4 --attn-choose-tiles | FileCheck %s --check-prefixes=CHECK,V4
// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v3 --attn-choose-tiles | FileCheck %s --check-prefixes=CHECK,V3
// RUN: attn-opt %s --attn-select-kernels="target=x86-64-v3 gemm=openblas" --attn-choose-tiles | FileCheck %s --check-prefix=BLAS
// RUN: attn-opt %s --attn-select-kernels=target=x86-64 --attn-choose-tiles | FileCheck %s --check-prefix=BLAS

!ids = tensor<?x?xi32, #attn.sizes<batch, seq>>
!x = tensor<?x?x16xf32, #attn.sizes<batch, seq, 16>>
!deep = tensor<?x?x3072xf32, #attn.sizes<batch, seq, 3072>>
!heads = tensor<?x?x2x8xf32, #attn.sizes<batch, seq, 2, 8>>
attn.size @batch min 1 max 64
attn.size @seq min 1 max 512
attn.size @tokens derived "batch * seq"
attn.weight @table from ["table"] : tensor<99x16xf32>
attn.weight @up from ["up"] : tensor<3072x16xf32>
attn.weight @down from ["down"] : tensor<16x3072xf32>

// BLAS: kernel.variant {{.*}} gemm "openblas"
// CHECK: kernel.func @pack_index({{.*}} serial
// An embedding has no tile; products have its table in panels.
// CHECK: kernel.func @embedding_16(%{{.*}}, %{{.*}}: tensor<99x16xf32> {kernel.layout = #kernel.panels<48>}) -> (tensor<?x?x16xf32, #attn.sizes<batch, seq, 16>>) {
// A short contraction is taken at once, a long one in equal parts that fit half
// of L2, in whole chains of 128: 3072 = 2 * 1536 in 1 MiB, 4 * 640 + 512 in
// 256 KiB; the rows of a block take the other half. Where only one vector of
// columns exists, more rows hide the latency of a multiply-add.
// V4: kernel.func @linear_16x3072({{.*}}: tensor<3072x16xf32> {kernel.layout = #kernel.panels<48>}) {{.*}} tile #kernel.tile<rows = 8, columns = 48, depth = 0, block = 192>
// V4: kernel.func @linear_3072x16({{.*}} tile #kernel.tile<rows = 12, columns = 16, depth = 1536, block = 84>
// V3: kernel.func @linear_16x3072({{.*}}: tensor<3072x16xf32> {kernel.layout = #kernel.panels<48>}) {{.*}} tile #kernel.tile<rows = 6, columns = 16, depth = 0, block = 192>
// V3: kernel.func @linear_3072x16({{.*}} tile #kernel.tile<rows = 6, columns = 16, depth = 640, block = 48>
// BLAS: kernel.func @linear_16x3072(%{{.*}}, %{{.*}}: tensor<3072x16xf32>) {{.*}} provider = "openblas"> scratch "98816"
// Scratch grows with the keys, which a padded batch has by its shape.
// CHECK: kernel.func @attention_2x8({{.*}} tile #kernel.tile<rows = {{[0-9]+}}, columns = {{[0-9]+}}, depth = 0, block = 64> scratch "{{[0-9]+}} * seq + {{[0-9]+}}"
// CHECK: kernel.func @linear_16x99(

// One weight in one layout, and in rows for OpenBLAS.
// CHECK-NOT: kernel.weight @table :
// CHECK: %[[TABLE:.*]] = kernel.weight @table layout(#kernel.panels<48>) : tensor<99x16xf32>
// CHECK: kernel.dispatch @embedding_16 ins(%{{.*}}, %[[TABLE]]
// CHECK: %[[PANELS:.*]] = kernel.weight @table layout(#kernel.panels<48>) : tensor<99x16xf32>
// CHECK: kernel.dispatch @linear_16x99 ins(%{{.*}}, %[[PANELS]]
// BLAS-NOT: layout(#kernel.panels<48>)
attn.entry @f(%ids: !ids {attn.name = "ids"}, %mask: !ids {attn.name = "mask"})
    -> (tensor<?x?x99xf32, #attn.sizes<batch, seq, 99>> {attn.name = "logits"},
        tensor<?xi32, #attn.sizes<batch + 1>> {attn.name = "bounds"}) sizes ["batch", "seq"] {
  %rows, %bounds = attn.pack_index %mask : !ids -> tensor<?xi32, #attn.sizes<tokens>>, tensor<?xi32, #attn.sizes<batch + 1>>
  %table = attn.get_weight @table : tensor<99x16xf32>
  %x = attn.embedding(%ids), (%table) : (!ids), (tensor<99x16xf32>) -> !x
  %up = attn.get_weight @up : tensor<3072x16xf32>
  %down = attn.get_weight @down : tensor<16x3072xf32>
  %u = attn.linear %x, %up : !x, tensor<3072x16xf32> -> !deep
  %d = attn.linear %u, %down : !deep, tensor<16x3072xf32> -> !x
  %h = attn.split_heads %d : !x -> !heads
  %a = attn.attention %h, %h, %h : !heads, !heads, !heads -> !heads
  %m = attn.merge_heads %a : !heads -> !x
  %again = attn.get_weight @table : tensor<99x16xf32>
  %l = attn.linear %m, %again : !x, tensor<99x16xf32> -> tensor<?x?x99xf32, #attn.sizes<batch, seq, 99>>
  attn.return %l, %bounds : tensor<?x?x99xf32, #attn.sizes<batch, seq, 99>>, tensor<?xi32, #attn.sizes<batch + 1>>
}
