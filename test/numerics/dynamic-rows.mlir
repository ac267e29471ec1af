// Rows whose length is known at run time only: softmax and norm in parts, as
// they are compiled when attention is not raised.

// REQUIRES: attnc, avx2
// RUN: attnc compile -q %s -o %t --name m --target x86-64-v3 -O0
// RUN: attnc verify %t/libm.so %s
// RUN: attnc compile -q %s -o %t --name m --target x86-64 -O0
// RUN: attnc verify %t/libm.so %s

module attributes {attn.name = "dyn"} {
attn.size @batch min 1 max 4
attn.size @seq min 1 max 100
attn.entry @f(%q: tensor<?x3x?x8xf32, #attn.sizes<batch, 3, seq, 8>> {attn.name = "q"}, %k: tensor<?x3x?x8xf32, #attn.sizes<batch, 3, seq, 8>> {attn.name = "k"}, %v: tensor<?x3x?x8xf32, #attn.sizes<batch, 3, seq, 8>> {attn.name = "v"})
  -> (tensor<?x3x?x8xf32, #attn.sizes<batch, 3, seq, 8>> {attn.name = "o"}) sizes ["batch", "seq"] {
  %s = attn.matmul %q, %k transpose_rhs : tensor<?x3x?x8xf32, #attn.sizes<batch, 3, seq, 8>>, tensor<?x3x?x8xf32, #attn.sizes<batch, 3, seq, 8>> -> tensor<?x3x?x?xf32, #attn.sizes<batch, 3, seq, seq>>
  %p = attn.softmax %s : tensor<?x3x?x?xf32, #attn.sizes<batch, 3, seq, seq>>
  %o = attn.matmul %p, %v : tensor<?x3x?x?xf32, #attn.sizes<batch, 3, seq, seq>>, tensor<?x3x?x8xf32, #attn.sizes<batch, 3, seq, 8>> -> tensor<?x3x?x8xf32, #attn.sizes<batch, 3, seq, 8>>
  attn.return %o : tensor<?x3x?x8xf32, #attn.sizes<batch, 3, seq, 8>>
}
attn.entry @norm(%x: tensor<?x?xf32, #attn.sizes<batch, seq>> {attn.name = "x"})
  -> (tensor<?x?xf32, #attn.sizes<batch, seq>> {attn.name = "y"}) sizes ["batch", "seq"] {
  %y = attn.norm layer %x epsilon 1.0e-5 : tensor<?x?xf32, #attn.sizes<batch, seq>>
  attn.return %y : tensor<?x?xf32, #attn.sizes<batch, seq>>
}
}
