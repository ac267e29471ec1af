// Fragments become registers: copies, operands, products, maps, reductions.
// RUN: attn-opt %s --attn-lower-warp --canonicalize --cse | FileCheck %s

// CHECK: llvm.mlir.global external @attnc_shared() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
// CHECK: llvm.func @product(%[[P:.*]]: !llvm.ptr<1>, %[[O:.*]]: !llvm.ptr<1>) attributes {
// CHECK-SAME: nvvm.kernel, nvvm.maxntid = array<i32: 32, 1, 1>
// CHECK-NOT: warp.program
warp.program @product(%p: !llvm.ptr<1>, %o: !llvm.ptr<1>) threads 32 shared 2048 {
  %i = arith.constant 0 : i32
  %n = arith.constant 16 : i32
  %s = arith.constant 64 : i64
  %zero = arith.constant 0.0 : f32
  %t = warp.alloc at 0 layout(<panel = 0, mask = 7, shift = 0>) : !warp.tile<16x64xbf16>
  // 128 chunks of 16 bytes, four for each thread; the chunk is xored with the row.
  // CHECK: arith.xori
  // CHECK-COUNT-4: llvm.call_intrinsic "llvm.nvvm.cp.async.cg.shared.global.16.s"
  warp.copy %p[%i, %i] rows %n columns %n stride %s async aligned : !llvm.ptr<1> of bf16 to %t : !warp.tile<16x64xbf16>
  // CHECK: "llvm.nvvm.cp.async.commit.group"
  warp.commit
  // CHECK: "llvm.nvvm.cp.async.wait.group"
  warp.wait 0
  // CHECK: "llvm.nvvm.barrier.cta.sync.aligned.all"
  warp.sync
  // CHECK: "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3"
  %a = warp.load %t[%i, %i] : !warp.tile<16x64xbf16> -> !warp.fragment<lhs, 16x16xbf16>
  // The right operand is loaded where the product wants it.
  // CHECK: "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3"
  %b = warp.load %t[%i, %i] : !warp.tile<16x64xbf16> -> !warp.fragment<rhs, 16x16xbf16>
  %c = warp.splat %zero : !warp.fragment<acc, 16x16xf32>
  // CHECK-COUNT-2: "llvm.nvvm.mma.m16n8k16.row.col.bf16"
  %d = warp.mma %a, %b, %c : !warp.fragment<lhs, 16x16xbf16>, !warp.fragment<rhs, 16x16xbf16>, !warp.fragment<acc, 16x16xf32>
  // CHECK-COUNT-4: nvvm.shfl.sync  bfly
  %m = warp.reduce max across %d : !warp.fragment<acc, 16x16xf32> -> !warp.rows<16>
  // CHECK-COUNT-8: arith.subf
  // CHECK-NOT: arith.subf
  %e = warp.map %d, %m at (%i, %i) : !warp.fragment<acc, 16x16xf32>, !warp.rows<16> -> !warp.fragment<acc, 16x16xf32> {
  ^bb0(%x: f32, %y: f32, %r: i32, %q: i32):
    %z = arith.subf %x, %y : f32
    warp.yield %z : f32
  }
  // CHECK-COUNT-4: llvm.store {{.*}} : vector<2xf32>, !llvm.ptr<1>
  warp.store %e to %o[%i, %i] rows %n columns %n stride %s paired : f32 into !llvm.ptr<1>, !warp.fragment<acc, 16x16xf32>
  warp.return
}

// A loop carries registers.
// CHECK: llvm.func @loop
// CHECK: %{{.*}}:8 = scf.for {{.*}} -> (f32, f32, f32, f32, f32, f32, f32, f32)
// CHECK-COUNT-6: "llvm.nvvm.mma.m16n8k8.row.col.tf32"
warp.program @loop(%p: !llvm.ptr<1>, %o: !llvm.ptr<1>) threads 32 shared 2048 {
  %i = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %n = arith.constant 16 : i32
  %s = arith.constant 32 : i64
  %zero = arith.constant 0.0 : f32
  %t = warp.alloc at 0 layout(<panel = 0, mask = 7, shift = 0>) : !warp.tile<16x32xf32>
  warp.copy %p[%i, %i] rows %n columns %n stride %s : !llvm.ptr<1> of f32 to %t : !warp.tile<16x32xf32>
  warp.sync
  %c = warp.splat %zero : !warp.fragment<acc, 16x16xf32>
  %d = scf.for %j = %i to %n step %one iter_args(%x = %c) -> (!warp.fragment<acc, 16x16xf32>) : i32 {
    %a = warp.load %t[%i, %i] : !warp.tile<16x32xf32> -> !warp.fragment<lhs, 16x8xf32>
    %b = warp.load %t[%i, %i] : !warp.tile<16x32xf32> -> !warp.fragment<rhs, 8x16xf32>
    %y = warp.mma %a, %b, %x precision f32 : !warp.fragment<lhs, 16x8xf32>, !warp.fragment<rhs, 8x16xf32>, !warp.fragment<acc, 16x16xf32>
    scf.yield %y : !warp.fragment<acc, 16x16xf32>
  }
  warp.store %d to %o[%i, %i] rows %n columns %n stride %s : f32 into !llvm.ptr<1>, !warp.fragment<acc, 16x16xf32>
  warp.return
}
