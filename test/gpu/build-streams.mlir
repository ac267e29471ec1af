// Weights stay on the device as the file keeps them. Calls of few rows launch
// another program than those of many.
// RUN: attn-opt %s --attn-build-programs | FileCheck %s
// RUN: attn-opt %s --attn-build-programs --attn-verify-barriers --attn-plan-shared-memory --attn-lower-warp | FileCheck %s --check-prefix=LOWER

// CHECK: kernel.func @linear(%{{.*}}: {{.*}}, %{{.*}}: tensor<64x128xf32> {{{.*}}kernel.storage = i4})
// CHECK: warp.program @v_linear_few(
// CHECK-SAME: warp.where = ["rows", 16, true]
// CHECK: warp.stream_mma %{{.*}} rows %{{.*}} stride %{{.*}} : f32, %{{.*}} every 64 scales %{{.*}} every 64 group 32
// CHECK-SAME: bits = 4 : i64, depth = 128 : i64, operand = bf16
// CHECK: warp.block_sum
// CHECK: warp.program @v_linear(
// CHECK-SAME: warp.where = ["rows", 16, false]
// CHECK: warp.fetch %{{.*}} every 64 scales
// CHECK: warp.mma
// CHECK: warp.unpack

// Sixteen products read what two loads of a row brought.
// LOWER-LABEL: llvm.func @v_linear_few
// LOWER: llvm.load %{{.*}} : !llvm.ptr<1> -> vector<2xi32>
// LOWER: llvm.intr.fma
// LOWER: llvm.nvvm.mma.m16n8k16.row.col.bf16
// LOWER-LABEL: llvm.func @v_linear(
// LOWER: llvm.nvvm.ldmatrix
attn.size @rows min 1 max 64
kernel.variant @v target "sm_80" {
  kernel.func @linear(%x: tensor<?x128xf32, #attn.sizes<rows, 128>>, %w: tensor<64x128xf32> {kernel.layout = #kernel.panels<48, i4, group 32>}) -> (tensor<?x64xf32, #attn.sizes<rows, 64>>) precision #kernel.precision<weights = i4, activations = f32, group = 32> {
    %y = attn.linear %x, %w : tensor<?x128xf32, #attn.sizes<rows, 128>>, tensor<64x128xf32> -> tensor<?x64xf32, #attn.sizes<rows, 64>>
    kernel.return %y : tensor<?x64xf32, #attn.sizes<rows, 64>>
  }
}
