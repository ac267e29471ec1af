// What a session keeps of its rows, as text and back; f32 is not written.
// RUN: attn-opt %s | attn-opt | FileCheck %s

// CHECK: attn.state @k positions 512 : !attn.state<tensor<2x4xf32>>
attn.state @k positions 512 as f32 : !attn.state<tensor<2x4xf32>>
// CHECK: attn.state @v positions 512 as bf16 : !attn.state<tensor<2x6xf32>, window = 128>
attn.state @v positions 512 as bf16 : !attn.state<tensor<2x6xf32>, window = 128>
// CHECK: attn.state @w positions 512 as i8 : !attn.state<tensor<2x6xf32>>
attn.state @w positions 512 as i8 : !attn.state<tensor<2x6xf32>>
// CHECK: attn.weight @q from ["q"] : tensor<64x32xf32> {attn.stored = "q4_0"}
attn.weight @q from ["q"] : tensor<64x32xf32> {attn.stored = "q4_0"}
