// Constraints of ops on weights of few bits.
// RUN: attn-opt %s -split-input-file -verify-diagnostics
warp.program @fetch_c1(%p: !llvm.ptr<1>) threads 128 {
  %i = arith.constant 0 : i32
  %d = arith.constant 64 : i64
  %zero = arith.constant 0.0 : f32
  // expected-error @+1 {{expects weights of 8 or 4 bits and a positive number of rows, got 16 bits and 64 rows}}
  %w = warp.fetch %p[%i, %i] rows %i every 64 every 64 group 0 {bits = 16 : i64, count = 64 : i64} : !llvm.ptr<1> -> !warp.words<8>
  warp.return
}

// -----

warp.program @fetch_c2(%p: !llvm.ptr<1>) threads 128 {
  %i = arith.constant 0 : i32
  %d = arith.constant 64 : i64
  %zero = arith.constant 0.0 : f32
  // expected-error @+1 {{expects groups of whole words exactly where there are scales, got groups of 6}}
  %w = warp.fetch %p[%i, %i] rows %i every 64 scales %p every 64 group 6 {bits = 8 : i64, count = 64 : i64} : !llvm.ptr<1>, !llvm.ptr<1> -> !warp.words<16>
  warp.return
}

// -----

warp.program @fetch_c3(%p: !llvm.ptr<1>) threads 128 {
  %i = arith.constant 0 : i32
  %d = arith.constant 64 : i64
  %zero = arith.constant 0.0 : f32
  // expected-error @+1 {{expects a thread to hold 8 words, got '!warp.words<4>'}}
  %w = warp.fetch %p[%i, %i] rows %i every 64 every 64 group 0 {bits = 8 : i64, count = 64 : i64} : !llvm.ptr<1> -> !warp.words<4>
  warp.return
}

// -----

warp.program @unpack_c1(%p: !llvm.ptr<1>) threads 128 {
  %i = arith.constant 0 : i32
  %d = arith.constant 64 : i64
  %zero = arith.constant 0.0 : f32
  %tile = warp.alloc : !warp.tile<64x64xbf16>
  %f = warp.fetch %p[%i, %i] rows %i every 64 every 64 group 0 {bits = 8 : i64, count = 64 : i64} : !llvm.ptr<1> -> !warp.words<8>
  %one = arith.constant 1 : i32
  %r = scf.for %k = %i to %one step %one iter_args(%w = %f) -> (!warp.words<8>) : i32 {
    // expected-error @+1 {{expects words that warp.fetch reads}}
    warp.unpack %w to %tile : !warp.words<8>, !warp.tile<64x64xbf16>
    scf.yield %w : !warp.words<8>
  }
  warp.return
}

// -----

warp.program @unpack_c2(%p: !llvm.ptr<1>) threads 128 {
  %i = arith.constant 0 : i32
  %d = arith.constant 64 : i64
  %zero = arith.constant 0.0 : f32
  %tile = warp.alloc : !warp.tile<64x32xbf16>
  %w = warp.fetch %p[%i, %i] rows %i every 64 every 64 group 0 {bits = 8 : i64, count = 64 : i64} : !llvm.ptr<1> -> !warp.words<8>
  // expected-error @+1 {{expects one stage of 64 rows and 64 columns of bf16, f16 or f32, got '!warp.tile<64x32xbf16>'}}
  warp.unpack %w to %tile : !warp.words<8>, !warp.tile<64x32xbf16>
  warp.return
}

// -----

warp.program @scaled_copy_c1(%p: !llvm.ptr<1>) threads 128 {
  %i = arith.constant 0 : i32
  %d = arith.constant 64 : i64
  %zero = arith.constant 0.0 : f32
  %tile = warp.alloc : !warp.tile<2x64x64xbf16>
  // expected-error @+1 {{expects one stage of bf16, f16 or f32 from warp.alloc or warp.stage, got '!warp.tile<2x64x64xbf16>'}}
  warp.scaled_copy %p[%i, %i] rows %i columns %i stride %d scales %p to %tile : !llvm.ptr<1>, !llvm.ptr<1>, !warp.tile<2x64x64xbf16>
  warp.return
}

// -----

warp.program @stream_mma_c1(%p: !llvm.ptr<1>) threads 128 {
  %i = arith.constant 0 : i32
  %d = arith.constant 64 : i64
  %zero = arith.constant 0.0 : f32
  %acc = warp.splat %zero : !warp.fragment<acc, 16x16xf32>
  // expected-error @+1 {{expects weights of 16, 8 or 4 bits and a positive number of runs, got 2 bits and 1 runs}}
  %s = warp.stream_mma %p rows %i stride %d : f32, %p[%i, %i] columns %i every 64 every 64 group 0, %acc {bits = 2 : i64, depth = 64 : i64, operand = bf16, runs = 1 : i64} : !llvm.ptr<1>, !llvm.ptr<1>, !warp.fragment<acc, 16x16xf32>
  warp.return
}

// -----

warp.program @stream_mma_c2(%p: !llvm.ptr<1>) threads 128 {
  %i = arith.constant 0 : i32
  %d = arith.constant 64 : i64
  %zero = arith.constant 0.0 : f32
  %acc = warp.splat %zero : !warp.fragment<acc, 16x16xf32>
  // expected-error @+1 {{expects operands of bf16 or f16, and rows of f32 or the same, got 'bf16' and 'f16'}}
  %s = warp.stream_mma %p rows %i stride %d : f16, %p[%i, %i] columns %i every 64 every 64 group 0, %acc {bits = 8 : i64, depth = 64 : i64, operand = bf16, runs = 1 : i64} : !llvm.ptr<1>, !llvm.ptr<1>, !warp.fragment<acc, 16x16xf32>
  warp.return
}

// -----

warp.program @stream_mma_c3(%p: !llvm.ptr<1>) threads 128 {
  %i = arith.constant 0 : i32
  %d = arith.constant 64 : i64
  %zero = arith.constant 0.0 : f32
  %acc = warp.splat %zero : !warp.fragment<acc, 16x16xf32>
  // expected-error @+1 {{expects groups of whole products exactly where there are scales, got groups of 16 and 4 bits}}
  %s = warp.stream_mma %p rows %i stride %d : f32, %p[%i, %i] columns %i every 64 scales %p every 64 group 16, %acc {bits = 4 : i64, depth = 64 : i64, operand = bf16, runs = 1 : i64} : !llvm.ptr<1>, !llvm.ptr<1>, !warp.fragment<acc, 16x16xf32>, !llvm.ptr<1>
  warp.return
}

// -----

warp.program @stream_mma_c4(%p: !llvm.ptr<1>) threads 128 {
  %i = arith.constant 0 : i32
  %d = arith.constant 64 : i64
  %zero = arith.constant 0.0 : f32
  %acc = warp.splat %zero : !warp.fragment<acc, 32x16xf32>
  // expected-error @+1 {{expects an accumulator of 16 rows, got '!warp.fragment<acc, 32x16xf32>'}}
  %s = warp.stream_mma %p rows %i stride %d : f32, %p[%i, %i] columns %i every 64 every 64 group 0, %acc {bits = 8 : i64, depth = 64 : i64, operand = bf16, runs = 1 : i64} : !llvm.ptr<1>, !llvm.ptr<1>, !warp.fragment<acc, 32x16xf32>
  warp.return
}

// -----

warp.program @block_sum_c1(%p: !llvm.ptr<1>) threads 128 {
  %i = arith.constant 0 : i32
  %d = arith.constant 64 : i64
  %zero = arith.constant 0.0 : f32
  %tile = warp.alloc : !warp.tile<4x256xf32>
  %t2 = warp.alloc : !warp.tile<64x64xbf16>
  %l = warp.load %t2[%i, %i] : !warp.tile<64x64xbf16> -> !warp.fragment<lhs, 16x16xbf16>
  // expected-error @+1 {{expects an accumulator, got '!warp.fragment<lhs, 16x16xbf16>'}}
  %s = warp.block_sum %l over %tile : !warp.fragment<lhs, 16x16xbf16>, !warp.tile<4x256xf32>
  warp.return
}

// -----

warp.program @block_sum_c2(%p: !llvm.ptr<1>) threads 128 {
  %i = arith.constant 0 : i32
  %d = arith.constant 64 : i64
  %zero = arith.constant 0.0 : f32
  %acc = warp.splat %zero : !warp.fragment<acc, 16x16xf32>
  %tile = warp.alloc : !warp.tile<2x256xf32>
  // expected-error @+1 {{expects a tile of f32 with a row of 256 columns for every warp, got '!warp.tile<2x256xf32>'}}
  %s = warp.block_sum %acc over %tile : !warp.fragment<acc, 16x16xf32>, !warp.tile<2x256xf32>
  warp.return
}
