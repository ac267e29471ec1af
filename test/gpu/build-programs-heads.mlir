// Ops on heads: rotary positions on a view with gaps, a product per head, heads
// too large for one block's registers.
// RUN: attn-opt %s --attn-build-programs=products=f16 --canonicalize --cse --attn-verify-barriers | FileCheck %s
// RUN: attn-opt %s --attn-build-programs=products=f32 --canonicalize --cse --attn-verify-barriers | FileCheck %s --check-prefix=EXACT

attn.size @rows min 1 max 64
kernel.variant @v target "sm_80" {
  // Rows of the input are 40 apart; a pair is 4 apart.
  // CHECK: warp.program @v_rope({{.*}}) threads 256
  // CHECK-SAME: warp.grid = {{\[}}["rows", 8]]
  // CHECK: %[[STRIDE:.*]] = arith.constant 40 : i64
  // CHECK: arith.muli %{{.*}}, %[[STRIDE]] : i64
  // CHECK: llvm.intr.fma
  // CHECK: llvm.store %{{.*}} : f32, !llvm.ptr<1>
  kernel.func @rope(%x: tensor<?x2x10xf32, #attn.sizes<rows, 2, 10>> {kernel.layout = #kernel.rows<40>}, %c: tensor<?x4xf32, #attn.sizes<rows, 4>>, %s: tensor<?x4xf32, #attn.sizes<rows, 4>>) -> (tensor<?x2x10xf32, #attn.sizes<rows, 2, 10>>) {
    %y = attn.rope %x, %c, %s : tensor<?x2x10xf32, #attn.sizes<rows, 2, 10>>, tensor<?x4xf32, #attn.sizes<rows, 4>>
    kernel.return %y : tensor<?x2x10xf32, #attn.sizes<rows, 2, 10>>
  }
  // Heads are the third dimension of the grid; the matrix lies K x N.
  // CHECK: warp.program @v_head
  // CHECK-SAME: warp.grid = {{\[}}["rows", 64], ["12", 64], ["2", 1]]
  // CHECK: warp.alloc : !warp.tile<4x32x64xf16>
  // CHECK: warp.load {{.*}} transpose : !warp.tile<32x64xf16>
  kernel.func @head(%x: tensor<?x2x20xf32, #attn.sizes<rows, 2, 20>>, %w: tensor<2x20x12xf32>) -> (tensor<?x2x12xf32, #attn.sizes<rows, 2, 12>>) {
    %y = attn.head_linear %x, %w : tensor<?x2x20xf32, #attn.sizes<rows, 2, 20>>, tensor<2x20x12xf32> -> tensor<?x2x12xf32, #attn.sizes<rows, 2, 12>>
    kernel.return %y : tensor<?x2x12xf32, #attn.sizes<rows, 2, 12>>
  }
  // Exact products: two blocks have half of the values' columns each.
  // EXACT: warp.program @v_large
  // EXACT-SAME: warp.grid = {{\[}}["rows", 64], ["6", 1], ["2", 1]]
  // EXACT: warp.alloc : !warp.tile<16x256xf32>
  // EXACT: warp.alloc : !warp.tile<16x128xf32>
  // CHECK: warp.program @v_large
  // CHECK-SAME: warp.grid = {{\[}}["rows", 128], ["3", 1], ["2", 1]]
  kernel.func @large(%x: tensor<2x?x3x256xf32, #attn.sizes<2, rows, 3, 256>>) -> (tensor<2x?x3x256xf32, #attn.sizes<2, rows, 3, 256>>) {
    %y = attn.attention %x, %x, %x : tensor<2x?x3x256xf32, #attn.sizes<2, rows, 3, 256>>, tensor<2x?x3x256xf32, #attn.sizes<2, rows, 3, 256>>, tensor<2x?x3x256xf32, #attn.sizes<2, rows, 3, 256>> -> tensor<2x?x3x256xf32, #attn.sizes<2, rows, 3, 256>>
    kernel.return %y : tensor<2x?x3x256xf32, #attn.sizes<2, rows, 3, 256>>
  }
}
