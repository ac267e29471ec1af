// attn.rope: read, printed and read again.
// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt | FileCheck %s

attn.size @batch min 1 max 4
attn.size @seq min 1 max 16

// CHECK-LABEL: @halves
func.func @halves(%x: tensor<3x2x6xf32>, %cos: tensor<3x2xf32>, %sin: tensor<3x2xf32>) {
  // CHECK: attn.rope %{{.*}}, %{{.*}}, %{{[a-z0-9]*}} : tensor<3x2x6xf32>, tensor<3x2xf32>
  %y = attn.rope %x, %cos, %sin : tensor<3x2x6xf32>, tensor<3x2xf32>
  return
}

// CHECK-LABEL: @interleaved
func.func @interleaved(%x: tensor<?x?x2x6xf32, #attn.sizes<batch, seq, 2, 6>>, %cos: tensor<?x?x3xf32, #attn.sizes<batch, seq, 3>>, %sin: tensor<?x?x3xf32, #attn.sizes<batch, seq, 3>>) {
  // CHECK: attn.rope %{{.*}}, %{{.*}}, %{{.*}} interleaved : tensor<?x?x2x6xf32, #attn.sizes<batch, seq, 2, 6>>, tensor<?x?x3xf32, #attn.sizes<batch, seq, 3>>
  %y = attn.rope %x, %cos, %sin interleaved : tensor<?x?x2x6xf32, #attn.sizes<batch, seq, 2, 6>>, tensor<?x?x3xf32, #attn.sizes<batch, seq, 3>>
  return
}
