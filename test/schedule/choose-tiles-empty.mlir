// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v3 --attn-choose-tiles | FileCheck %s

// Nothing to add up, and heads without elements, have tiles like all others.

attn.size @n min 1 max 9
attn.weight @w from ["w"] : tensor<5x0xf32>
// CHECK: kernel.func @linear_0x5({{.*}} tile #kernel.tile<
// CHECK: kernel.func @attention_2x0({{.*}} tile #kernel.tile<
attn.entry @main(%x: tensor<?x0xf32, #attn.sizes<n, 0>> {attn.name = "x"}, %q: tensor<1x?x2x0xf32, #attn.sizes<1, n, 2, 0>> {attn.name = "q"})
    -> (tensor<?x5xf32, #attn.sizes<n, 5>> {attn.name = "y"}, tensor<1x?x2x0xf32, #attn.sizes<1, n, 2, 0>> {attn.name = "o"}) sizes ["n"] {
  %w = attn.get_weight @w : tensor<5x0xf32>
  %y = attn.linear %x, %w : tensor<?x0xf32, #attn.sizes<n, 0>>, tensor<5x0xf32> -> tensor<?x5xf32, #attn.sizes<n, 5>>
  %o = attn.attention %q, %q, %q : tensor<1x?x2x0xf32, #attn.sizes<1, n, 2, 0>>, tensor<1x?x2x0xf32, #attn.sizes<1, n, 2, 0>>, tensor<1x?x2x0xf32, #attn.sizes<1, n, 2, 0>> -> tensor<1x?x2x0xf32, #attn.sizes<1, n, 2, 0>>
  attn.return %y, %o : tensor<?x5xf32, #attn.sizes<n, 5>>, tensor<1x?x2x0xf32, #attn.sizes<1, n, 2, 0>>
}
