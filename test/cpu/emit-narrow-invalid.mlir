// RUN: attn-opt %s --attn-lower-kernels --split-input-file --verify-diagnostics

!x = tensor<?x64xf32, #attn.sizes<tokens, 64>>
!w = tensor<96x64xf32>
!y = tensor<?x96xf32, #attn.sizes<tokens, 96>>
attn.size @tokens min 1 max 512
kernel.variant @vnni target "x86-64-v4-vnni" {
  kernel.func @rows(%x: !x, %w: !w {kernel.layout = #kernel.panels<48, i8>}) -> !y tile #kernel.tile<rows = 8, columns = 48, depth = 0> precision #kernel.precision<weights = i8, activations = i8> {
    // expected-error @+1 {{error[A0509]: a kernel with narrow rows needs panels of their format, scratch, and a tile of the whole depth; run --attn-choose-tiles}}
    %y = attn.linear %x, %w : !x, !w -> !y
    kernel.return %y : !y
  }
}

// -----

!x = tensor<?x64xf32, #attn.sizes<tokens, 64>>
!w = tensor<96x64xf32>
!y = tensor<?x96xf32, #attn.sizes<tokens, 96>>
attn.size @tokens min 1 max 512
kernel.variant @v3 target "x86-64-v3" {
  kernel.func @weights(%x: !x, %w: !w {kernel.layout = #kernel.panels<48, i4, group 32>}) -> !y tile #kernel.tile<rows = 6, columns = 16, depth = 0> precision #kernel.precision<weights = i4, activations = f32, group = 32> {
    // expected-error @+1 {{error[A0509]: a kernel with narrow weights needs scratch; run --attn-choose-tiles}}
    %y = attn.linear %x, %w : !x, !w -> !y
    kernel.return %y : !y
  }
}
