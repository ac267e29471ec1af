// Constraints of variants and kernels.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{expects a known target, got 'pdp-11'; known are}}
kernel.variant @variant_c1 target "pdp-11" {
}

// -----

// expected-error @+1 {{expects only kernel.func and kernel.program in its body}}
kernel.variant @variant_c2 target "x86-64-v3" {
  // expected-note @+1 {{got 'attn.size'}}
  attn.size @n min 1 max 2
}

// -----

// expected-error @+1 {{expects positive numbers of its machine, got #kernel.machine<cores = 2, l1 = 0,}}
kernel.variant @variant_c3 target "x86-64-v3" machine #kernel.machine<cores = 2, l1 = 0, l2 = 262144, l3 = 0, fmas = 2, l2Rate = 32, l3Rate = 8, memoryRate = 4, roundTrip = 400> {
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects one computing op of the attn dialect, got none}}
  kernel.func @func_c1(%x: tensor<3xf32>) -> tensor<3xf32> {
    kernel.return %x : tensor<3xf32>
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects one computing op of the attn dialect, got 'attn.softmax' beside 'attn.softmax'}}
  kernel.func @func_c1_two(%x: tensor<3xf32>) -> tensor<3xf32> {
    %y = attn.softmax %x : tensor<3xf32>
    %z = attn.softmax %y : tensor<3xf32>
    kernel.return %z : tensor<3xf32>
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects to return exactly the results of 'attn.softmax', in order}}
  kernel.func @func_c1_result(%x: tensor<3xf32>) -> tensor<3xf32> {
    %y = attn.softmax %x : tensor<3xf32>
    kernel.return %x : tensor<3xf32>
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects to return ('tensor<4xf32>'), as its type says; got ('tensor<3xf32>')}}
  kernel.func @func_c1_type(%x: tensor<3xf32>) -> tensor<4xf32> {
    %y = attn.softmax %x : tensor<3xf32>
    kernel.return %y : tensor<3xf32>
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{names the size 'n' in 'scratch', which no attn.size declares}}
  kernel.func @func_c2(%x: tensor<3xf32>) -> tensor<3xf32> scratch "4 * n" {
    %y = attn.softmax %x : tensor<3xf32>
    kernel.return %y : tensor<3xf32>
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects 'scratch' to be a sum of products of size names and numbers, got '4 / 2'}}
  kernel.func @func_c2_syntax(%x: tensor<3xf32>) -> tensor<3xf32> scratch "4 / 2" {
    %y = attn.softmax %x : tensor<3xf32>
    kernel.return %y : tensor<3xf32>
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects #kernel.panels on f32 tensors of rank 2; argument 0 is 'tensor<3xf32>'}}
  kernel.func @func_c3(%x: tensor<3xf32> {kernel.layout = #kernel.panels<48>}) -> tensor<3xf32> {
    %y = attn.softmax %x : tensor<3xf32>
    kernel.return %y : tensor<3xf32>
  }
}

// -----

kernel.variant @v target "x86-64-v3" {
  // expected-error @+1 {{expects the layout of argument 0 to be #kernel.panels<WIDTH> or #kernel.rows<STRIDE>, positive; got #kernel.rows<0>}}
  kernel.func @func_c3_rows(%x: tensor<3xf32> {kernel.layout = #kernel.rows<0>}) -> tensor<3xf32> {
    %y = attn.softmax %x : tensor<3xf32>
    kernel.return %y : tensor<3xf32>
  }
}
