// Kernels become programs: a product with its epilogues, attention under a
// causal mask, constants and scratch.
// RUN: attn-opt %s -split-input-file --attn-choose-tiles --attn-build-programs --canonicalize --cse | FileCheck %s
// RUN: attn-opt %s -split-input-file --attn-choose-tiles --attn-build-programs=products=tf32 --canonicalize --cse | FileCheck %s --check-prefix=TF32

// The weight is bf16 on the device; the sums, the bias and the result are f32.
// CHECK: kernel.func @linear({{.*}}: tensor<96x64xf32> {kernel.layout = #kernel.panels<48>, kernel.storage = bf16}
// CHECK: warp.program @v_linear(%[[SIZES:.*]]: !llvm.ptr<1>, %[[X:.*]]: !llvm.ptr<1>, %[[W:.*]]: !llvm.ptr<1>, %[[BIAS:.*]]: !llvm.ptr<1>, %[[NORM:.*]]: !llvm.ptr<1>, %[[Y:.*]]: !llvm.ptr<1>) threads 128
// CHECK-SAME: warp.grid = {{\[}}["rows", 64], ["96", 64]], warp.kernel = "linear"
// CHECK-DAG: %[[A:.*]] = warp.alloc : !warp.tile<4x64x32xbf16>
// CHECK-DAG: %[[B:.*]] = warp.alloc : !warp.tile<4x64x32xbf16>
// Rows of f32 are converted on their way, weights are copied as they are.
// CHECK: warp.copy %[[X]][{{.*}} aligned : !llvm.ptr<1> of f32 to
// CHECK: warp.copy %[[W]][{{.*}} async aligned : !llvm.ptr<1> of bf16 to
// CHECK: %[[SUMS:.*]] = scf.for {{.*}} iter_args({{.*}}) -> (!warp.fragment<acc, 32x32xf32>)
// CHECK: warp.wait 2
// CHECK-NEXT: warp.sync
// CHECK: warp.mma {{.*}} : !warp.fragment<lhs, 32x16xbf16>, !warp.fragment<rhs, 16x32xbf16>, !warp.fragment<acc, 32x32xf32>
// CHECK: warp.map %[[SUMS]] at
// CHECK: llvm.load
// CHECK: arith.addf
// CHECK: warp.store {{.*}} to %[[Y]]
// The norm needs whole rows: a second program.
// CHECK: warp.program @v_linear_rows(
// CHECK-SAME: warp.grid = {{\[}}["rows", 8]], warp.kernel = "linear"
// CHECK: warp.all_reduce add
// CHECK: math.sqrt
// TF32-NOT: kernel.storage
// TF32: warp.alloc : !warp.tile<4x64x16xf32>
// TF32: warp.mma {{.*}} precision tf32
attn.size @rows min 1 max 64
kernel.variant @v target "sm_80" {
  kernel.func @linear(%x: tensor<?x64xf32, #attn.sizes<rows, 64>>, %w: tensor<96x64xf32>, %b: tensor<96xf32>, %g: tensor<96xf32>) -> (tensor<?x96xf32, #attn.sizes<rows, 96>>) {
    %y = attn.linear %x, %w element(%b at affine_map<(d0, d1) -> (d1)> : tensor<96xf32>) {
    ^bb0(%acc: f32, %bias: f32):
      %s = arith.addf %acc, %bias : f32
      attn.yield %s : f32
    } row(%g at affine_map<(d0) -> ()> : tensor<96xf32>) {
    ^bb0(%r: tensor<96xf32>, %weight: tensor<96xf32>):
      %n = attn.norm layer %r weight(%weight : tensor<96xf32>) epsilon 1.000000e-12 : tensor<96xf32>
      attn.yield %n : tensor<96xf32>
    } : tensor<?x64xf32, #attn.sizes<rows, 64>>, tensor<96x64xf32> -> tensor<?x96xf32, #attn.sizes<rows, 96>>
    kernel.return %y : tensor<?x96xf32, #attn.sizes<rows, 96>>
  }
}

// -----

// Two heads read one of keys. The scale moves into the exponent; the loop over
// keys that all rows see evaluates no mask, the one behind it does.
// CHECK: warp.program @v_attention({{.*}}) threads 256
// CHECK-SAME: warp.grid = {{\[}}["seq", 128], ["2", 1], ["batch", 1]]
// CHECK-DAG: warp.alloc : !warp.tile<128x64xbf16>
// CHECK-DAG: warp.alloc : !warp.tile<64x64xbf16>
// CHECK: scf.for {{.*}} -> (!warp.fragment<acc, 16x64xf32>, !warp.rows<16>, !warp.rows<16>)
// CHECK-NOT: arith.cmpi sge
// CHECK: "llvm.nvvm.ex2.approx.ftz.f"
// CHECK: warp.convert
// CHECK: scf.for {{.*}} -> (!warp.fragment<acc, 16x64xf32>, !warp.rows<16>, !warp.rows<16>)
// CHECK: warp.map {{.*}} -> !warp.fragment<acc, 16x64xf32> {
// CHECK: arith.cmpi sge
// CHECK: arith.select
// CHECK: warp.store
!q = tensor<?x?x2x64xf32, #attn.sizes<batch, seq, 2, 64>>
!k = tensor<?x?x1x64xf32, #attn.sizes<batch, seq, 1, 64>>
attn.size @batch min 1 max 64
attn.size @seq min 1 max 64
kernel.variant @v target "sm_80" {
  kernel.func @attention(%q: !q, %k: !k, %v: !k) -> (!q) {
    %o = attn.attention %q, %k, %v score() {
    ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      %c = arith.constant 0.125 : f32
      %t = arith.mulf %s, %c : f32
      attn.yield %t : f32
    } mask() {
    ^bb0(%b: i32, %h: i32, %i: i32, %j: i32):
      %c = arith.cmpi sge, %i, %j : i32
      attn.yield %c : i1
    } : !q, !k, !k -> !q
    kernel.return %o : !q
  }
}

// -----

// A constant of the program stands in the kernel that reads it.
// CHECK: kernel.func @map{{.*}}(%{{.*}}: tensor<4xf32>) -> (tensor<4xf32>)
// CHECK-NEXT: attn.constant dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00]>
// CHECK: kernel.dispatch @map{{.*}} ins(%{{[0-9]+}} :
// CHECK: llvm.mlir.global internal constant @v_map{{.*}}_constant_0({{.*}}) {addr_space = 1 : i32, alignment = 64 : i64}
// CHECK: warp.program @v_map
// CHECK: llvm.mlir.addressof @v_map{{.*}}_constant_0
kernel.variant @v target "sm_80" {
  kernel.func @map(%x: tensor<4xf32>, %c: tensor<4xf32>) -> (tensor<4xf32>) {
    %y = attn.map element(%x at affine_map<(d0) -> (d0)> : tensor<4xf32>, %c at affine_map<(d0) -> (d0)> : tensor<4xf32>) {
    ^bb0(%a: f32, %b: f32):
      %s = arith.mulf %a, %b : f32
      attn.yield %s : f32
    } : tensor<4xf32>
    kernel.return %y : tensor<4xf32>
  }
  kernel.program @f(%arg: tensor<4xf32> {attn.name = "x"}) -> (tensor<4xf32> {attn.name = "y"}) sizes [] slots [] {
    %x = kernel.argument 0 : <tensor<4xf32>>
    %c = kernel.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32> : !kernel.ref<tensor<4xf32>>
    %y = kernel.argument 1 : <tensor<4xf32>>
    kernel.dispatch @map ins(%x, %c : !kernel.ref<tensor<4xf32>>, !kernel.ref<tensor<4xf32>>) outs(%y : !kernel.ref<tensor<4xf32>>) phase 0 "y"
    kernel.return
  }
}
