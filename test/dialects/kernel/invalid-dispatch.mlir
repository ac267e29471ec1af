// Constraints of dispatches.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

kernel.variant @v target "x86-64-v3" {
  kernel.program @dispatch_c1(%x: tensor<3xf32>) -> () sizes [] {
    // expected-error @+1 {{expects @softmax to be a kernel.func of its variant}}
    %y = kernel.dispatch @softmax ins(%x : tensor<3xf32>) outs(%x : tensor<3xf32>) phase 1 "a" -> tensor<3xf32>
    kernel.return
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  kernel.func @softmax(%x: tensor<3xf32>) -> tensor<3xf32> {
    %y = attn.softmax %x : tensor<3xf32>
    kernel.return %y : tensor<3xf32>
  }
  kernel.program @dispatch_c1_type(%x: tensor<4xf32>, %o: tensor<3xf32>) -> () sizes [] {
    // expected-error @+1 {{expects the inputs of @softmax to be ('tensor<3xf32>'), got ('tensor<4xf32>')}}
    %y = kernel.dispatch @softmax ins(%x : tensor<4xf32>) outs(%o : tensor<3xf32>) phase 1 "a" -> tensor<3xf32>
    kernel.return
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  kernel.func @softmax(%x: tensor<3xf32>) -> tensor<3xf32> {
    %y = attn.softmax %x : tensor<3xf32>
    kernel.return %y : tensor<3xf32>
  }
  kernel.program @dispatch_c1_results(%x: tensor<3xf32>) -> () sizes [] {
    // expected-error @+1 {{expects the results of @softmax to be ('tensor<3xf32>'), got ()}}
    kernel.dispatch @softmax ins(%x : tensor<3xf32>) outs(%x : tensor<3xf32>) phase 1 "a"
    kernel.return
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  kernel.func @softmax(%x: tensor<3xf32>) -> tensor<3xf32> {
    %y = attn.softmax %x : tensor<3xf32>
    kernel.return %y : tensor<3xf32>
  }
  kernel.program @dispatch_c2(%x: tensor<3xf32>, %o: tensor<3xf32>) -> () sizes [] {
    // expected-error @+1 {{'cycles'}}
    %y = kernel.dispatch @softmax ins(%x : tensor<3xf32>) outs(%o : tensor<3xf32>) phase 1 "a" cycles "12 * rows" -> tensor<3xf32>
    kernel.return
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  kernel.func @softmax(%x: tensor<3xf32>) -> tensor<3xf32> {
    %y = attn.softmax %x : tensor<3xf32>
    kernel.return %y : tensor<3xf32>
  }
  kernel.program @dispatch_c2_block(%x: tensor<3xf32>, %o: tensor<3xf32>) -> () sizes [] {
    // expected-error @+1 {{expects a positive number of block_rows, got 0}}
    %y = kernel.dispatch @softmax ins(%x : tensor<3xf32>) outs(%o : tensor<3xf32>) phase 1 "a" block_rows 0 cycles "12" -> tensor<3xf32>
    kernel.return
  }
}
