// Tensors of the arena in bf16, those of callers in f32; a kernel that is
// dispatched on both becomes two.
// RUN: attn-opt %s --attn-build-programs=activations=bf16 | FileCheck %s
// RUN: not attn-opt %s --attn-build-programs=activations=i8 2>&1 | FileCheck %s --check-prefix=NONE

// NONE: error[A0527]: no activations of 'i8' on a GPU; expected f32, bf16 or f16
// CHECK: kernel.func @map(%{{.*}}: tensor<4xf32>) -> (tensor<4xf32> {kernel.storage = bf16})
// CHECK: kernel.func @map_0(%{{.*}}: tensor<4xf32> {kernel.storage = bf16}) -> (tensor<4xf32>)
// CHECK: kernel.dispatch @map ins
// CHECK: kernel.dispatch @map_0 ins
// CHECK: warp.program @v_map(
// CHECK: arith.truncf %{{.*}} : f32 to bf16
// CHECK: llvm.store %{{.*}} : bf16, !llvm.ptr<1>
// CHECK: warp.program @v_map_0(
// CHECK: llvm.load %{{.*}} : !llvm.ptr<1> -> bf16
kernel.variant @v target "sm_80" {
  kernel.func @map(%x: tensor<4xf32>) -> (tensor<4xf32>) {
    %y = attn.map element(%x at affine_map<(d0) -> (d0)> : tensor<4xf32>) {
    ^bb0(%a: f32):
      %s = arith.mulf %a, %a : f32
      attn.yield %s : f32
    } : tensor<4xf32>
    kernel.return %y : tensor<4xf32>
  }
  kernel.program @f(%arg: tensor<4xf32> {attn.name = "x"}) -> (tensor<4xf32> {attn.name = "y"}) sizes [] slots [["16"]] {
    %x = kernel.argument 0 : <tensor<4xf32>>
    %t = kernel.slot 0 : <tensor<4xf32>>
    kernel.dispatch @map ins(%x : !kernel.ref<tensor<4xf32>>) outs(%t : !kernel.ref<tensor<4xf32>>) phase 0 "t"
    %y = kernel.argument 1 : <tensor<4xf32>>
    kernel.dispatch @map ins(%t : !kernel.ref<tensor<4xf32>>) outs(%y : !kernel.ref<tensor<4xf32>>) phase 1 "y"
    kernel.return
  }
}
