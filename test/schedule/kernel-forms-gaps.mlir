// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v3 | FileCheck %s

// Heads that a projection made have gaps between rows of heads. A linear reads
// each head as a row of its own: it gets a copy without gaps.
!x = tensor<?x6xf32, #attn.sizes<n, 6>>
!heads = tensor<?x4x8xf32, #attn.sizes<n, 4, 8>>
!y = tensor<?x4x5xf32, #attn.sizes<n, 4, 5>>
attn.size @n min 1 max 9
attn.weight @qkv from ["qkv"] : tensor<96x6xf32>
attn.weight @w from ["w"] : tensor<5x8xf32>
// CHECK: kernel.func @map_8(%{{.*}} {kernel.layout = #kernel.rows<96>})
// CHECK: kernel.func @linear_8x5(%{{[a-z0-9]+}}: tensor<?x4x8xf32, #attn.sizes<n, 4, 8>>, %
// CHECK: kernel.program @main
// CHECK: %[[VIEW:.*]] = kernel.view %{{.*}} offset 32
// CHECK: %[[COPY:.*]] = kernel.dispatch @map_8 ins(%[[VIEW]]
// CHECK: kernel.dispatch @linear_8x5 ins(%[[COPY]],
attn.entry @main(%x: !x {attn.name = "x"}) -> (!y {attn.name = "y"}) sizes ["n"] {
  %qkv = attn.get_weight @qkv : tensor<96x6xf32>
  %w = attn.get_weight @w : tensor<5x8xf32>
  %q, %k, %v = attn.qkv_projection %x, %qkv : !x, tensor<96x6xf32> -> !heads, !heads, !heads
  %y = attn.linear %k, %w : !heads, tensor<5x8xf32> -> !y
  attn.return %y : !y
}
