// Constraints of states in programs and kernels.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

kernel.variant @v target "x86-64-v3" {
  kernel.program @state_c1() -> () sizes [] slots [] {
    // expected-error @+1 {{expects @k to be an attn.state of the module}}
    %k = kernel.state @k layout(#kernel.blocks<positions = 64>) : !attn.state<tensor<2x4xf32>>
    kernel.return
  }
}

// -----

attn.state @k positions 8 : !attn.state<tensor<2x4xf32>>
kernel.variant @v target "x86-64-v3" {
  kernel.program @state_c1() -> () sizes [] slots [] {
    // expected-error @+1 {{expects the type of @k}}
    %k = kernel.state @k layout(#kernel.blocks<positions = 64, transposed = true>) : !attn.state<tensor<2x5xf32>>
    kernel.return
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects #kernel.blocks on states; argument 0 is 'tensor<5x2x4xf32>'}}
  kernel.func @func_c3(%rows: tensor<5x2x4xf32> {kernel.layout = #kernel.blocks<positions = 64>}, %offsets: tensor<3xi32>, %k: !attn.state<tensor<2x4xf32>>) {
    attn.append %rows, %offsets to %k : tensor<5x2x4xf32>, tensor<3xi32>, !attn.state<tensor<2x4xf32>>
    kernel.return
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects blocks of a positive number of positions on argument 2, got 0}}
  kernel.func @func_c3(%rows: tensor<5x2x4xf32>, %offsets: tensor<3xi32>, %k: !attn.state<tensor<2x4xf32>> {kernel.layout = #kernel.blocks<positions = 0>}) {
    attn.append %rows, %offsets to %k : tensor<5x2x4xf32>, tensor<3xi32>, !attn.state<tensor<2x4xf32>>
    kernel.return
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects blocks of f32, bf16 or i8 on argument 2, got #kernel.blocks<positions = 64, format = i4>}}
  kernel.func @func_c3(%rows: tensor<5x2x4xf32>, %offsets: tensor<3xi32>, %k: !attn.state<tensor<2x4xf32>> {kernel.layout = #kernel.blocks<positions = 64, format = i4>}) {
    attn.append %rows, %offsets to %k : tensor<5x2x4xf32>, tensor<3xi32>, !attn.state<tensor<2x4xf32>>
    kernel.return
  }
}

// -----

attn.state @k positions 8 as i8 : !attn.state<tensor<2x4xf32>>
kernel.variant @v target "x86-64-v3" {
  kernel.program @state_c2() -> () sizes [] slots [] {
    // expected-error @+1 {{expects blocks of what @k keeps, i8, got #kernel.blocks<positions = 64, format = bf16>}}
    %k = kernel.state @k layout(#kernel.blocks<positions = 64, format = bf16>) : !attn.state<tensor<2x4xf32>>
    kernel.return
  }
}
