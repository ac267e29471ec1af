// Attention over more keys than a softmax is taken over at once.
module attributes {attn.name = "far"} {
  attn.size @seq min 1 max 4096
  attn.entry @attend(%q: tensor<1x?x2x16xf32, #attn.sizes<1, seq, 2, 16>> {attn.name = "q"}) -> (tensor<1x?x2x16xf32, #attn.sizes<1, seq, 2, 16>> {attn.name = "o"}) sizes ["seq"] {
    %o = attn.attention %q, %q, %q score() {
    ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      attn.yield %s : f32
    } : tensor<1x?x2x16xf32, #attn.sizes<1, seq, 2, 16>>, tensor<1x?x2x16xf32, #attn.sizes<1, seq, 2, 16>>, tensor<1x?x2x16xf32, #attn.sizes<1, seq, 2, 16>> -> tensor<1x?x2x16xf32, #attn.sizes<1, seq, 2, 16>>
    attn.return %o : tensor<1x?x2x16xf32, #attn.sizes<1, seq, 2, 16>>
  }
}
