// Ops on weights of few bits, as they are written.
// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s -mlir-print-op-generic | attn-opt | FileCheck %s
// CHECK-LABEL: warp.program @tiles
warp.program @tiles(%p: !llvm.ptr<1>) threads 128 {
  %i = arith.constant 0 : i32
  %n = arith.constant 50 : i32
  %d = arith.constant 64 : i64
  %tile = warp.alloc : !warp.tile<64x64xbf16>
  // CHECK: warp.fetch %{{.*}}[%{{.*}}, %{{.*}}] rows %{{.*}} every 256 scales %{{.*}} every 128 group 32 {bits = 4 : i64, count = 64 : i64} : !llvm.ptr<1>, !llvm.ptr<1> -> !warp.words<8>
  %w = warp.fetch %p[%i, %i] rows %n every 256 scales %p every 128 group 32 {bits = 4 : i64, count = 64 : i64} : !llvm.ptr<1>, !llvm.ptr<1> -> !warp.words<8>
  // CHECK: warp.unpack %{{.*}} to %{{.*}} : !warp.words<8>, !warp.tile<64x64xbf16>
  warp.unpack %w to %tile : !warp.words<8>, !warp.tile<64x64xbf16>
  // CHECK: warp.fetch %{{.*}}[%{{.*}}, %{{.*}}] rows %{{.*}} every 512 every 0 group 0 {bits = 8 : i64, count = 64 : i64} : !llvm.ptr<1> -> !warp.words<8>
  %v = warp.fetch %p[%i, %i] rows %n every 512 every 0 group 0 {bits = 8 : i64, count = 64 : i64} : !llvm.ptr<1> -> !warp.words<8>
  // CHECK: warp.scaled_copy %{{.*}}[%{{.*}}, %{{.*}}] rows %{{.*}} columns %{{.*}} stride %{{.*}} scales %{{.*}} transposed to %{{.*}} : !llvm.ptr<1>, !llvm.ptr<1>, !warp.tile<64x64xbf16>
  warp.scaled_copy %p[%i, %i] rows %n columns %n stride %d scales %p transposed to %tile : !llvm.ptr<1>, !llvm.ptr<1>, !warp.tile<64x64xbf16>
  warp.return
}

// CHECK-LABEL: warp.program @few
warp.program @few(%p: !llvm.ptr<1>) threads 256 {
  %i = arith.constant 0 : i32
  %n = arith.constant 50 : i32
  %d = arith.constant 512 : i64
  %zero = arith.constant 0.0 : f32
  %parts = warp.alloc : !warp.tile<8x256xf32>
  %acc = warp.splat %zero : !warp.fragment<acc, 16x16xf32>
  // CHECK: warp.stream_mma %{{.*}} rows %{{.*}} stride %{{.*}} : f32, %{{.*}}[%{{.*}}, %{{.*}}] columns %{{.*}} every 256 scales %{{.*}} every 128 group 32, %{{.*}} {bits = 4 : i64, depth = 512 : i64, operand = bf16, runs = 2 : i64}
  %s = warp.stream_mma %p rows %n stride %d : f32, %p[%i, %i] columns %n every 256 scales %p every 128 group 32, %acc {bits = 4 : i64, depth = 512 : i64, operand = bf16, runs = 2 : i64} : !llvm.ptr<1>, !llvm.ptr<1>, !warp.fragment<acc, 16x16xf32>, !llvm.ptr<1>
  // CHECK: warp.block_sum %{{.*}} over %{{.*}} : !warp.fragment<acc, 16x16xf32>, !warp.tile<8x256xf32>
  %t = warp.block_sum %s over %parts : !warp.fragment<acc, 16x16xf32>, !warp.tile<8x256xf32>
  warp.return
}
