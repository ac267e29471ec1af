// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v4-vnni --attn-choose-precision=weights=i8 --attn-choose-tiles | FileCheck %s --check-prefixes=I8,VNNI
// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v3 --attn-choose-precision=weights=i8 --attn-choose-tiles | FileCheck %s --check-prefixes=I8,AVX2
// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v4-bf16 --attn-choose-precision=weights=bf16 --attn-choose-tiles | FileCheck %s --check-prefix=BF16
// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v4-bf16 --attn-choose-precision=weights=i8 --attn-choose-tiles | FileCheck %s --check-prefix=NARROW
// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v4 --attn-choose-precision=weights=bf16 --attn-choose-tiles | FileCheck %s --check-prefix=WIDENED
// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v4 --attn-choose-precision="weights=i4 activations=f32 group=64" --attn-choose-tiles | FileCheck %s --check-prefix=I4
// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v4 --attn-choose-precision="weights=i4 group=64" --attn-choose-tiles | FileCheck %s --check-prefix=ROWS4
// RUN: attn-opt %s --attn-select-kernels=target=amx --attn-choose-precision="weights=i8 activations=i8 group=32" --attn-choose-tiles | FileCheck %s --check-prefix=ROWS8
// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v4 --attn-choose-precision="weights=i8 activations=f32" --attn-choose-tiles | FileCheck %s --check-prefix=ONLY
// RUN: attn-opt %s --attn-select-kernels=target=x86-64-v4 --attn-choose-precision --attn-choose-tiles | FileCheck %s --check-prefix=F32
// RUN: not attn-opt %s --attn-select-kernels=target=x86-64-v4 --attn-choose-precision=weights=f8 2>&1 | FileCheck %s --check-prefix=FORMAT
// RUN: not attn-opt %s --attn-select-kernels=target=x86-64-v4 --attn-choose-precision="weights=bf16 activations=i8" 2>&1 | FileCheck %s --check-prefix=MIXED
// RUN: not attn-opt %s --attn-select-kernels=target=x86-64-v4 --attn-choose-precision="weights=i4 group=12" 2>&1 | FileCheck %s --check-prefix=GROUP
// RUN: not attn-opt %s --attn-select-kernels="target=x86-64-v4 gemm=openblas" --attn-choose-precision=weights=i8 2>&1 | FileCheck %s --check-prefix=BLAS

// FORMAT: error[A0415]: weights of 'f8' are not known; expected f32, bf16, i8 or i4
// MIXED: error[A0415]: activations of 'i8' do not go with weights of bf16
// GROUP: error[A0415]: groups of 12 are no multiple of 8
// BLAS: error[A0415]: @x86_64_v4 multiplies by OpenBLAS, which takes weights of f32 alone

!x = tensor<?x100xf32, #attn.sizes<tokens, 100>>
!u = tensor<?x96xf32, #attn.sizes<tokens, 96>>
!q = tensor<?x8xf32, #attn.sizes<tokens, 8>>
!few = tensor<?x2xf32, #attn.sizes<tokens, 2>>
attn.size @tokens min 1 max 512
attn.weight @up from ["up"] : tensor<96x100xf32>
attn.weight @head from ["head"] : tensor<2x96xf32>

// Rows of 100 are padded to 128 steps, in blocks of 192, with a scale and a zero:
// 192 * (128 + 8) bytes. i16 takes twice the bytes.
// I8: kernel.func @linear_100x96({{.*}}: tensor<96x100xf32> {kernel.layout = #kernel.panels<48, i8>})
// VNNI-SAME: tile #kernel.tile<rows = 8, columns = 48, depth = 0, block = 192> precision #kernel.precision<weights = i8, activations = i8> scratch "26112"
// AVX2-SAME: tile #kernel.tile<rows = 4, columns = 16, depth = 0, block = 192> precision #kernel.precision<weights = i8, activations = i8> scratch "50688"
// Products of a few columns gain nothing.
// I8: kernel.func @linear_96x2({{.*}} {kernel.layout = #kernel.panels<48>}) {{.*}} tile #kernel.tile<rows = {{[0-9]+}}, columns = {{[0-9]+}}, depth = 0, block = {{[0-9]+}}> {
// I8: kernel.weight @up layout(#kernel.panels<48, i8>)
// I8: kernel.weight @head layout(#kernel.panels<48>)

// Rows become bf16 where that is faster, and stay f32 elsewhere, with scratch for
// 100 * 48 weights as f32.
// BF16: kernel.func @linear_100x96({{.*}} {kernel.layout = #kernel.panels<48, bf16>}) {{.*}} precision #kernel.precision<weights = bf16, activations = bf16> scratch "49152"
// WIDENED: kernel.func @linear_100x96({{.*}} {kernel.layout = #kernel.panels<48, bf16>}) {{.*}} precision #kernel.precision<weights = bf16, activations = f32> scratch "19200" {
// I4: kernel.func @linear_100x96({{.*}} {kernel.layout = #kernel.panels<48, i4, group 64>}) {{.*}} precision #kernel.precision<weights = i4, activations = f32, group = 64> scratch "19200" {
// Rows in the groups of the weights: 16 numbers more, and for each group its scale
// and a sum. Tiles of AMX have no part in it.
// ROWS4: kernel.func @linear_100x96({{.*}} {kernel.layout = #kernel.panels<48, i4, group 64>}) {{.*}} tile #kernel.tile<rows = [[ROWS:[0-9]+]], columns = 48, depth = 0, block = {{[0-9]+}}> precision #kernel.precision<weights = i4, activations = i8, group = 64> scratch
// ROWS8: kernel.func @linear_100x96({{.*}} {kernel.layout = #kernel.panels<48, i8, group 32>}) {{.*}} tile #kernel.tile<rows = 8, columns = 48, depth = 0, block = 192> precision #kernel.precision<weights = i8, activations = i8, group = 32> scratch "43008"
// ONLY: kernel.func @linear_100x96({{.*}} {kernel.layout = #kernel.panels<48, i8>}) {{.*}} precision #kernel.precision<weights = i8, activations = f32> scratch "19200" {
// F32-NOT: precision
// Attention multiplies bf16 where rows of products do, or i8.
// BF16: kernel.func @attention_{{[^ ]*}}({{.*}} precision #kernel.precision<weights = bf16, activations = bf16>
// NARROW: kernel.func @attention_{{[^ ]*}}({{.*}} precision #kernel.precision<weights = bf16, activations = bf16>
// WIDENED-NOT: kernel.func @attention_{{.*}} precision
attn.entry @f(%x: !x {attn.name = "x"}) -> (!few {attn.name = "y"}) sizes ["tokens"] {
  %up = attn.get_weight @up : tensor<96x100xf32>
  %head = attn.get_weight @head : tensor<2x96xf32>
  %u = attn.linear %x, %up : !x, tensor<96x100xf32> -> !u
  %y = attn.linear %u, %head : !u, tensor<2x96xf32> -> !few
  attn.return %y : !few
}
attn.entry @g(%q: !q {attn.name = "q"}) -> (!q {attn.name = "o"}) sizes ["tokens"] {
  %o = attn.attention %q, %q, %q : !q, !q, !q -> !q
  attn.return %o : !q
}
