// One attention, small enough to follow by hand.
//
// Three tokens, d_k = 4, d_v = 5, and Q = K. An entry shows the attention
// weights softmax(Q K^T / sqrt(d_k)), computed step by step, and the output of
// attn.attention, which computes weights and product in one kernel.
//
//   attnc compile examples/01-one-attention/attention.mlir -o out
//   attnc run out/libattention.so --entry plain
//   attnc run out/libattention.so --entry scaled     (Q and K times 0.1)
//   attnc run out/libattention.so --entry causal     (the same, causal)
//
// What they print. The first row of PLAIN weighs exp(15), exp(35) and exp(55):
// the last token takes all.
//
// PLAIN: weights[3][3]
// PLAIN-NEXT:   0.000000 0.000000 1.000000
// PLAIN-NEXT:   0.000000 0.000000 1.000000
// PLAIN-NEXT:   0.000000 0.000000 1.000000
// PLAIN-NEXT: output[3][5]
// PLAIN-NEXT:   3.000000 1.000000 0.000000 1.000000 0.000000
// PLAIN-NEXT:   3.000000 1.000000 0.000000 1.000000 0.000000
// PLAIN-NEXT:   3.000000 1.000000 0.000000 1.000000 0.000000
//
// SCALED: weights[3][3]
// SCALED-NEXT:   0.269307 0.328933 0.401760
// SCALED-NEXT:   0.181447 0.305199 0.513354
// SCALED-NEXT:   0.115182 0.266803 0.618015
// SCALED-NEXT: output[3][5]
// SCALED-NEXT:   1.474586 0.730693 0.538615 1.059625 0.598240
// SCALED-NEXT:   1.721508 0.818553 0.362894 1.123752 0.486646
// SCALED-NEXT:   1.969226 0.884818 0.230364 1.151622 0.381985
//
// CAUSAL: weights[3][3]
// CAUSAL-NEXT:   1.000000 0.000000 0.000000
// CAUSAL-NEXT:   0.372852 0.627148 0.000000
// CAUSAL-NEXT:   0.115182 0.266803 0.618015
// CAUSAL-NEXT: output[3][5]
// CAUSAL-NEXT:   1.000000 0.000000 2.000000 0.000000 1.000000
// CAUSAL-NEXT:   0.372852 0.627148 0.745704 1.254296 1.000000
// CAUSAL-NEXT:   1.969226 0.884818 0.230364 1.151622 0.381985

module attributes {attn.name = "attention"} {
attn.entry @plain() -> (tensor<3x3xf32> {attn.name = "weights"}, tensor<3x5xf32> {attn.name = "output"}) sizes [] {
  %q = attn.constant dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0, 10.0, 11.0, 12.0]]> : tensor<3x4xf32>
  %k = attn.constant dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0, 10.0, 11.0, 12.0]]> : tensor<3x4xf32>
  %v = attn.constant dense<[[1.0, 0.0, 2.0, 0.0, 1.0], [0.0, 1.0, 0.0, 2.0, 1.0], [3.0, 1.0, 0.0, 1.0, 0.0]]> : tensor<3x5xf32>
  // Step by step, to see the weights.
  %products = attn.matmul %q, %k transpose_rhs : tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x3xf32>
  %scores = attn.map element(%products at affine_map<(i, j) -> (i, j)> : tensor<3x3xf32>) {
  ^bb0(%s: f32):
    %half = arith.constant 0.5 : f32
    %scaled = arith.mulf %s, %half : f32
    attn.yield %scaled : f32
  } : tensor<3x3xf32>
  %weights = attn.softmax %scores : tensor<3x3xf32>
  // The same in one op, which becomes one kernel.
  %output = attn.attention %q, %k, %v score() {
  ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32):
    %half = arith.constant 0.5 : f32
    %scaled = arith.mulf %s, %half : f32
    attn.yield %scaled : f32
  } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x5xf32> -> tensor<3x5xf32>
  attn.return %weights, %output : tensor<3x3xf32>, tensor<3x5xf32>
}

attn.entry @scaled() -> (tensor<3x3xf32> {attn.name = "weights"}, tensor<3x5xf32> {attn.name = "output"}) sizes [] {
  %q = attn.constant dense<[[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8], [0.9, 1.0, 1.1, 1.2]]> : tensor<3x4xf32>
  %k = attn.constant dense<[[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8], [0.9, 1.0, 1.1, 1.2]]> : tensor<3x4xf32>
  %v = attn.constant dense<[[1.0, 0.0, 2.0, 0.0, 1.0], [0.0, 1.0, 0.0, 2.0, 1.0], [3.0, 1.0, 0.0, 1.0, 0.0]]> : tensor<3x5xf32>
  // Step by step, to see the weights.
  %products = attn.matmul %q, %k transpose_rhs : tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x3xf32>
  %scores = attn.map element(%products at affine_map<(i, j) -> (i, j)> : tensor<3x3xf32>) {
  ^bb0(%s: f32):
    %half = arith.constant 0.5 : f32
    %scaled = arith.mulf %s, %half : f32
    attn.yield %scaled : f32
  } : tensor<3x3xf32>
  %weights = attn.softmax %scores : tensor<3x3xf32>
  // The same in one op, which becomes one kernel.
  %output = attn.attention %q, %k, %v score() {
  ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32):
    %half = arith.constant 0.5 : f32
    %scaled = arith.mulf %s, %half : f32
    attn.yield %scaled : f32
  } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x5xf32> -> tensor<3x5xf32>
  attn.return %weights, %output : tensor<3x3xf32>, tensor<3x5xf32>
}

attn.entry @causal() -> (tensor<3x3xf32> {attn.name = "weights"}, tensor<3x5xf32> {attn.name = "output"}) sizes [] {
  %q = attn.constant dense<[[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8], [0.9, 1.0, 1.1, 1.2]]> : tensor<3x4xf32>
  %k = attn.constant dense<[[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8], [0.9, 1.0, 1.1, 1.2]]> : tensor<3x4xf32>
  %v = attn.constant dense<[[1.0, 0.0, 2.0, 0.0, 1.0], [0.0, 1.0, 0.0, 2.0, 1.0], [3.0, 1.0, 0.0, 1.0, 0.0]]> : tensor<3x5xf32>
  // Step by step, to see the weights.
  %products = attn.matmul %q, %k transpose_rhs : tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x3xf32>
  %scores = attn.map element(%products at affine_map<(i, j) -> (i, j)> : tensor<3x3xf32>) {
  ^bb0(%s: f32):
    %half = arith.constant 0.5 : f32
    %scaled = arith.mulf %s, %half : f32
    %i = attn.index 0 : i32
    %j = attn.index 1 : i32
    %admitted = arith.cmpi sle, %j, %i : i32
    %never = arith.constant 0xFF800000 : f32
    %masked = arith.select %admitted, %scaled, %never : f32
    attn.yield %masked : f32
  } : tensor<3x3xf32>
  %weights = attn.softmax %scores : tensor<3x3xf32>
  // The same in one op, which becomes one kernel.
  %output = attn.attention %q, %k, %v score() {
  ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32):
    %half = arith.constant 0.5 : f32
    %scaled = arith.mulf %s, %half : f32
    attn.yield %scaled : f32
  } mask() {
  ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):
    %admitted = arith.cmpi sle, %j, %i : i32
    attn.yield %admitted : i1
  } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x5xf32> -> tensor<3x5xf32>
  attn.return %weights, %output : tensor<3x3xf32>, tensor<3x5xf32>
}

}
