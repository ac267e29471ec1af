// RUN: attn-opt %s --attn-choose-cache=format=i8 --attn-select-kernels=target=x86-64-v3 | FileCheck %s --check-prefix=I8
// RUN: attn-opt %s --attn-choose-cache=format=bf16 | FileCheck %s --check-prefix=BF16
// RUN: attn-opt %s --attn-choose-cache | FileCheck %s --check-prefix=F32
// RUN: not attn-opt %s --attn-choose-cache=format=i4 2>&1 | FileCheck %s --check-prefix=FORMAT
// RUN: echo 'attn.size @n min 1 max 2' | not attn-opt --attn-choose-cache=format=i8 2>&1 | FileCheck %s --check-prefix=NONE

// FORMAT: error[A0416]: a cache of 'i4' is not known; expected f32, bf16 or i8
// NONE: error[A0416]: a cache of i8 for a program that keeps nothing between calls; leave out --cache

// States that are narrow by themselves stay so.
// I8: attn.state @k positions 512 as i8 : !attn.state<tensor<2x4xf32>>
// I8: attn.state @v positions 512 as bf16 : !attn.state<tensor<2x6xf32>>
// BF16: attn.state @k positions 512 as bf16
// BF16: attn.state @v positions 512 as bf16
// F32: attn.state @k positions 512 :
// F32: attn.state @v positions 512 as bf16
attn.state @k positions 512 : !attn.state<tensor<2x4xf32>>
attn.state @v positions 512 as bf16 : !attn.state<tensor<2x6xf32>>
attn.size @batch min 1 max 4
attn.size @seq min 1 max 16
attn.size @tokens derived "batch * seq"

!mask = tensor<?x?xi32, #attn.sizes<batch, seq>>
!offsets = tensor<?xi32, #attn.sizes<batch + 1>>
!key = tensor<?x2x4xf32, #attn.sizes<tokens, 2, 4>>
!value = tensor<?x2x6xf32, #attn.sizes<tokens, 2, 6>>

// The kernels' blocks are what the states keep; keys lie transposed.
// I8: kernel.func @append_2x4({{.*}}#kernel.blocks<positions = 64, transposed = true, format = i8>})
// I8: kernel.func @append_2x6({{.*}}#kernel.blocks<positions = 64, format = bf16>})
// I8: kernel.func @cached_attention_2x4({{.*}}#kernel.blocks<positions = 64, transposed = true, format = i8>}{{.*}}#kernel.blocks<positions = 64, format = bf16>}
// I8: kernel.state @k layout(#kernel.blocks<positions = 64, transposed = true, format = i8>)
attn.entry @step(%mask: !mask {attn.name = "mask"},
    %query: tensor<?x?x2x4xf32, #attn.sizes<batch, seq, 2, 4>> {attn.name = "query"},
    %value: tensor<?x?x2x6xf32, #attn.sizes<batch, seq, 2, 6>> {attn.name = "value"})
    -> (tensor<?x?x2x6xf32, #attn.sizes<batch, seq, 2, 6>> {attn.name = "out"}) sizes ["batch", "seq"] {
  %rows, %offsets = attn.pack_index %mask : !mask -> tensor<?xi32, #attn.sizes<tokens>>, !offsets
  %past = attn.past : tensor<?xi32, #attn.sizes<batch>>
  %q = attn.pack %query, %rows : tensor<?x?x2x4xf32, #attn.sizes<batch, seq, 2, 4>>, tensor<?xi32, #attn.sizes<tokens>> -> !key
  %v = attn.pack %value, %rows : tensor<?x?x2x6xf32, #attn.sizes<batch, seq, 2, 6>>, tensor<?xi32, #attn.sizes<tokens>> -> !value
  %ks = attn.get_state @k : !attn.state<tensor<2x4xf32>>
  %vs = attn.get_state @v : !attn.state<tensor<2x6xf32>>
  attn.append %q, %offsets to %ks : !key, !offsets, !attn.state<tensor<2x4xf32>>
  attn.append %v, %offsets to %vs : !value, !offsets, !attn.state<tensor<2x6xf32>>
  %o = attn.cached_attention %q, %ks, %vs offsets(%offsets : !offsets) past(%past : tensor<?xi32, #attn.sizes<batch>>) : !key, !attn.state<tensor<2x4xf32>>, !attn.state<tensor<2x6xf32>> -> !value
  %out = attn.unpack %o, %rows : !value, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?x?x2x6xf32, #attn.sizes<batch, seq, 2, 6>>
  attn.return %out : tensor<?x?x2x6xf32, #attn.sizes<batch, seq, 2, 6>>
}
