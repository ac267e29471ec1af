// Constraints of programs and what stands in them.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

kernel.variant @v target "x86-64-v3" {
  kernel.func @softmax(%x: tensor<3xf32>) -> tensor<3xf32> {
    %y = attn.softmax %x : tensor<3xf32>
    kernel.return %y : tensor<3xf32>
  }
  kernel.program @program_c1(%x: tensor<3xf32>) -> (tensor<3xf32>) sizes [] {
    %e = kernel.empty : tensor<3xf32>
    %y = kernel.dispatch @softmax ins(%x : tensor<3xf32>) outs(%e : tensor<3xf32>) phase 1 "a" -> tensor<3xf32>
    // expected-error @+1 {{expects phase 1 or later, that of the dispatch before; got 0}}
    %z = kernel.dispatch @softmax ins(%y : tensor<3xf32>) outs(%e : tensor<3xf32>) phase 0 "b" -> tensor<3xf32>
    kernel.return %z : tensor<3xf32>
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects no tensors once it has slots}}
  kernel.program @program_c2() -> () sizes [] slots [] {
    // expected-note @+1 {{'kernel.empty' has one}}
    %e = kernel.empty : tensor<3xf32>
    kernel.return
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  kernel.program @program_c3() -> () sizes [] slots [["64"]] {
    // expected-error @+1 {{expects one of the program's 1 slots, got 1}}
    %s = kernel.slot 1 : !kernel.ref<tensor<3xf32>>
    kernel.return
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{names the size 'n' in 'slots', which no attn.size declares}}
  kernel.program @program_c3_sizes() -> () sizes [] slots [["4 * n"]] {
    kernel.return
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects 'slots' to hold lists of byte sizes as strings, got "64"}}
  kernel.program @program_c3_list() -> () sizes [] slots ["64"] {
    kernel.return
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects to return ('tensor<3xf32>'), got ()}}
  kernel.program @program_c4(%x: tensor<3xf32>) -> (tensor<3xf32>) sizes [] {
    kernel.return
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  kernel.program @weight_c1() -> () sizes [] {
    // expected-error @+1 {{expects @w to be an attn.weight of the module}}
    %w = kernel.weight @w : tensor<3xf32>
    kernel.return
  }
}

// -----

attn.weight @w from ["w"] : tensor<4xf32>
kernel.variant @v target "x86-64-v3" {
  kernel.program @weight_c1_type() -> () sizes [] {
    // expected-error @+1 {{expects the type of @w, 'tensor<4xf32>', got 'tensor<3xf32>'}}
    %w = kernel.weight @w : tensor<3xf32>
    kernel.return
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  kernel.program @constant_c1() -> () sizes [] {
    // expected-error @+1 {{expects a result of its value's type, 'tensor<6xf32>', got 'tensor<5xf32>'}}
    %c = kernel.constant dense<1.0> : tensor<6xf32> : tensor<5xf32>
    kernel.return
  }
}

// -----

func.func @view_c1(%x: tensor<3x24xf32>) {
  // expected-error @+1 {{expects 8 elements from 20 on to fit into rows of 24 (all of [3, 24] after its 1 dimensions in common with [3, 2, 4])}}
  %v = kernel.view %x offset 20 : tensor<3x24xf32> -> tensor<3x2x4xf32>
  return
}

// -----

func.func @view_c1_nameless(%x: tensor<?xf32>) {
  // expected-error @+1 {{expects every dynamic dimension to have a name}}
  %v = kernel.view %x : tensor<?xf32> -> tensor<?xf32>
  return
}
