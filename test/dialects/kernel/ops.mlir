// The examples of the op descriptions, read, printed and read again.
// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt | FileCheck %s

attn.size @batch min 1 max 64
attn.size @seq min 1 max 512
attn.size @tokens derived "batch * seq"
attn.weight @w from ["w"] : tensor<6x4xf32>

// CHECK: kernel.variant @x86_64_v4 target "x86-64-v4" {
kernel.variant @x86_64_v4 target "x86-64-v4" {
  // CHECK: kernel.func @linear_0(%[[X:.*]]: tensor<?x4xf32, #attn.sizes<tokens, 4>>, %[[W:.*]]: tensor<6x4xf32> {kernel.layout = #kernel.panels<48>})
  // CHECK-SAME: -> (tensor<?x6xf32, #attn.sizes<tokens, 6>>) tile #kernel.tile<rows = 8, columns = 48, depth = 0> scratch "4 * batch" serial {
  // CHECK-NEXT: %[[Y:.*]] = attn.linear %[[X]], %[[W]]
  // CHECK-NEXT: kernel.return %[[Y]] : tensor<?x6xf32, #attn.sizes<tokens, 6>>
  kernel.func @linear_0(%x: tensor<?x4xf32, #attn.sizes<tokens, 4>>, %w: tensor<6x4xf32> {kernel.layout = #kernel.panels<48>})
      -> tensor<?x6xf32, #attn.sizes<tokens, 6>> tile #kernel.tile<rows = 8, columns = 48, depth = 0> scratch "4 * batch" serial {
    %y = attn.linear %x, %w : tensor<?x4xf32, #attn.sizes<tokens, 4>>, tensor<6x4xf32> -> tensor<?x6xf32, #attn.sizes<tokens, 6>>
    kernel.return %y : tensor<?x6xf32, #attn.sizes<tokens, 6>>
  }
  // CHECK: kernel.func @softmax(%{{.*}}: tensor<3x6xf32> {kernel.layout = #kernel.rows<24>}) -> (tensor<3x6xf32>) {
  kernel.func @softmax(%x: tensor<3x6xf32> {kernel.layout = #kernel.rows<24>}) -> tensor<3x6xf32> {
    %y = attn.softmax %x : tensor<3x6xf32>
    kernel.return %y : tensor<3x6xf32>
  }

  // CHECK: kernel.program @tensors(%[[A:.*]]: tensor<3x24xf32> {attn.name = "a"}) -> (tensor<3x6xf32> {attn.name = "b"}) sizes ["batch", "seq"] {
  // CHECK-NEXT: kernel.weight @w layout(#kernel.panels<48>) : tensor<6x4xf32>
  // CHECK-NEXT: kernel.constant dense<1.000000e+00> : tensor<6xf32> : tensor<6xf32>
  // CHECK-NEXT: %[[PART:.*]] = kernel.view %[[A]] offset 8 : tensor<3x24xf32> -> tensor<3x6xf32>
  // CHECK-NEXT: kernel.view %[[PART]] : tensor<3x6xf32> -> tensor<3x2x3xf32>
  // CHECK-NEXT: %[[EMPTY:.*]] = kernel.empty : tensor<3x6xf32>
  // CHECK-NEXT: %[[OUT:.*]] = kernel.dispatch @softmax ins(%[[PART]] : tensor<3x6xf32>) outs(%[[EMPTY]] : tensor<3x6xf32>) phase 2 "layer.0.weights" -> tensor<3x6xf32>
  // CHECK-NEXT: kernel.return %[[OUT]] : tensor<3x6xf32>
  kernel.program @tensors(%a: tensor<3x24xf32> {attn.name = "a"}) -> (tensor<3x6xf32> {attn.name = "b"}) sizes ["batch", "seq"] {
    %w = kernel.weight @w layout(#kernel.panels<48>) : tensor<6x4xf32>
    %c = kernel.constant dense<1.0> : tensor<6xf32> : tensor<6xf32>
    %x = kernel.view %a offset 8 : tensor<3x24xf32> -> tensor<3x6xf32>
    %h = kernel.view %x : tensor<3x6xf32> -> tensor<3x2x3xf32>
    %e = kernel.empty : tensor<3x6xf32>
    %y = kernel.dispatch @softmax ins(%x : tensor<3x6xf32>) outs(%e : tensor<3x6xf32>) phase 2 "layer.0.weights" -> tensor<3x6xf32>
    kernel.return %y : tensor<3x6xf32>
  }

  // CHECK: kernel.program @slots(%{{.*}}: tensor<3x6xf32> {attn.name = "a"}) -> (tensor<3x6xf32> {attn.name = "b"}) sizes ["batch", "seq"] slots {{\[}}["4 * batch * seq", "64"], ["128"]] {
  // CHECK-NEXT: %[[IN:.*]] = kernel.argument 0 : <tensor<3x6xf32>>
  // CHECK-NEXT: %[[SLOT:.*]] = kernel.slot 1 : <tensor<3x6xf32>>
  // CHECK-NEXT: kernel.dispatch @softmax ins(%[[IN]] : !kernel.ref<tensor<3x6xf32>>) outs(%[[SLOT]] : !kernel.ref<tensor<3x6xf32>>) phase 0 "a"
  // CHECK-NEXT: kernel.return
  kernel.program @slots(%a: tensor<3x6xf32> {attn.name = "a"}) -> (tensor<3x6xf32> {attn.name = "b"}) sizes ["batch", "seq"] slots [["4 * batch * seq", "64"], ["128"]] {
    %x = kernel.argument 0 : !kernel.ref<tensor<3x6xf32>>
    %s = kernel.slot 1 : !kernel.ref<tensor<3x6xf32>>
    kernel.dispatch @softmax ins(%x : !kernel.ref<tensor<3x6xf32>>) outs(%s : !kernel.ref<tensor<3x6xf32>>) phase 0 "a"
    kernel.return
  }
}

// CHECK: kernel.variant @other target "x86-64-v3" gemm "openblas" {
kernel.variant @other target "x86-64-v3" gemm "openblas" {
}
