// Constraints of attn.rope.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

func.func @rope_c1(%x: tensor<2x6xf32>, %t: tensor<2xf32>) {
  // expected-error @+1 {{expects the input to be [.., H, D] with leading dimensions, got [2, 6]}}
  %y = attn.rope %x, %t, %t : tensor<2x6xf32>, tensor<2xf32>
  return
}

// -----

attn.size @h min 1 max 4
func.func @rope_c1_heads(%x: tensor<3x?x6xf32, #attn.sizes<3, h, 6>>, %t: tensor<3x2xf32>) {
  // expected-error @+1 {{expects dimension 1 of the input to be a number ([.., H, D]), got 'h'}}
  %y = attn.rope %x, %t, %t : tensor<3x?x6xf32, #attn.sizes<3, h, 6>>, tensor<3x2xf32>
  return
}

// -----

func.func @rope_c2(%x: tensor<3x2x6xf32>, %t: tensor<4x2xf32>) {
  // expected-error @+1 {{expects cos to be [.., R/2] = [3, 2], got [4, 2]}}
  %y = attn.rope %x, %t, %t : tensor<3x2x6xf32>, tensor<4x2xf32>
  return
}

// -----

func.func @rope_c2_rank(%x: tensor<3x2x6xf32>, %t: tensor<2xf32>) {
  // expected-error @+1 {{expects cos to be [.., R/2], got [2]}}
  %y = attn.rope %x, %t, %t : tensor<3x2x6xf32>, tensor<2xf32>
  return
}

// -----

func.func @rope_c2_angles(%x: tensor<3x2x7xf32>, %t: tensor<3x4xf32>) {
  // expected-error @+1 {{expects 1 to 3 angles for heads of 7, got 4}}
  %y = attn.rope %x, %t, %t : tensor<3x2x7xf32>, tensor<3x4xf32>
  return
}

// -----

attn.size @r min 1 max 4
func.func @rope_c2_static(%x: tensor<3x2x6xf32>, %t: tensor<3x?xf32, #attn.sizes<3, r>>) {
  // expected-error @+1 {{expects dimension 1 of cos to be a number ([.., R/2]), got 'r'}}
  %y = attn.rope %x, %t, %t : tensor<3x2x6xf32>, tensor<3x?xf32, #attn.sizes<3, r>>
  return
}
