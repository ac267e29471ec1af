// Constraints of fragments.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

warp.program @load_c1(%p: !llvm.ptr<1>) threads 128 {
  %a = warp.alloc : !warp.tile<16x64xbf16>
  %i = arith.constant 0 : i32
  // expected-error @+1 {{expects a fragment of 'bf16'}}
  %f = warp.load %a[%i, %i] : !warp.tile<16x64xbf16> -> !warp.fragment<lhs, 16x16xf16>
  warp.return
}

// -----

warp.program @load_c2(%p: !llvm.ptr<1>) threads 128 {
  %a = warp.alloc : !warp.tile<16x64xbf16>
  %i = arith.constant 0 : i32
  // expected-error @+1 {{expects 'transpose' and 'paired' on rhs only}}
  %f = warp.load %a[%i, %i] transpose : !warp.tile<16x64xbf16> -> !warp.fragment<lhs, 16x16xbf16>
  warp.return
}

// -----

warp.program @load_c2_fits(%p: !llvm.ptr<1>) threads 128 {
  %a = warp.alloc : !warp.tile<16x64xbf16>
  %i = arith.constant 0 : i32
  // expected-error @+1 {{does not fit}}
  %f = warp.load %a[%i, %i] : !warp.tile<16x64xbf16> -> !warp.fragment<rhs, 16x32xbf16>
  warp.return
}

// -----

warp.program @mma_c1(%p: !llvm.ptr<1>) threads 128 {
  %a = warp.alloc : !warp.tile<16x64xbf16>
  %i = arith.constant 0 : i32
  %zero = arith.constant 0.0 : f32
  %l = warp.load %a[%i, %i] : !warp.tile<16x64xbf16> -> !warp.fragment<lhs, 16x16xbf16>
  %r = warp.load %a[%i, %i] : !warp.tile<16x64xbf16> -> !warp.fragment<rhs, 32x16xbf16>
  %c = warp.splat %zero : !warp.fragment<acc, 16x16xf32>
  // expected-error @+1 {{expects lhs of M x K, rhs of K x N and acc of M x N}}
  %d = warp.mma %l, %r, %c : !warp.fragment<lhs, 16x16xbf16>, !warp.fragment<rhs, 32x16xbf16>, !warp.fragment<acc, 16x16xf32>
  warp.return
}

// -----

warp.program @mma_c2(%p: !llvm.ptr<1>) threads 128 {
  %a = warp.alloc : !warp.tile<16x64xf32>
  %i = arith.constant 0 : i32
  %zero = arith.constant 0.0 : f32
  %l = warp.load %a[%i, %i] : !warp.tile<16x64xf32> -> !warp.fragment<lhs, 16x16xf32>
  %r = warp.load %a[%i, %i] : !warp.tile<16x64xf32> -> !warp.fragment<rhs, 16x16xf32>
  %c = warp.splat %zero : !warp.fragment<acc, 16x16xf32>
  // expected-error @+1 {{expects operands of one type, and 'precision' exactly where they are f32}}
  %d = warp.mma %l, %r, %c : !warp.fragment<lhs, 16x16xf32>, !warp.fragment<rhs, 16x16xf32>, !warp.fragment<acc, 16x16xf32>
  warp.return
}

// -----

warp.program @mma_c3(%p: !llvm.ptr<1>) threads 128 {
  %a = warp.alloc : !warp.tile<16x64xbf16>
  %i = arith.constant 0 : i32
  %zero = arith.constant 0.0 : f32
  %l = warp.load %a[%i, %i] : !warp.tile<16x64xbf16> -> !warp.fragment<lhs, 16x16xbf16>
  %r = warp.load %a[%i, %i] : !warp.tile<16x64xbf16> -> !warp.fragment<rhs, 16x16xbf16>
  %c = warp.splat %zero : !warp.fragment<acc, 16x16xf32>
  %d = scf.for %j = %i to %i step %i iter_args(%rr = %r) -> (!warp.fragment<rhs, 16x16xbf16>) : i32 {
    // expected-error @+1 {{expects a right operand that warp.load gives}}
    %e = warp.mma %l, %rr, %c : !warp.fragment<lhs, 16x16xbf16>, !warp.fragment<rhs, 16x16xbf16>, !warp.fragment<acc, 16x16xf32>
    scf.yield %r : !warp.fragment<rhs, 16x16xbf16>
  }
  warp.return
}

// -----

warp.program @splat_c1(%p: !llvm.ptr<1>) threads 128 {
  %zero = arith.constant 0.0 : f32
  // expected-error @+1 {{expects an accumulator or rows}}
  %a = warp.splat %zero : !warp.fragment<lhs, 16x16xbf16>
  warp.return
}

// -----

warp.program @reduce_c1(%p: !llvm.ptr<1>) threads 128 {
  %zero = arith.constant 0.0 : f32
  %a = warp.splat %zero : !warp.rows<16>
  // expected-error @+1 {{expects an accumulator, or rows with 'across', of as many rows as the result}}
  %d = warp.reduce add %a : !warp.rows<16> -> !warp.rows<16>
  warp.return
}

// -----

warp.program @convert_c1(%p: !llvm.ptr<1>) threads 128 {
  %zero = arith.constant 0.0 : f32
  %a = warp.splat %zero : !warp.fragment<acc, 16x32xf32>
  // expected-error @+1 {{expects lhs of whole blocks of columns within}}
  %d = warp.convert %a[24] : !warp.fragment<acc, 16x32xf32> -> !warp.fragment<lhs, 16x16xbf16>
  warp.return
}

// -----

warp.program @store_c1(%p: !llvm.ptr<1>) threads 128 {
  %a = warp.alloc : !warp.tile<16x64xbf16>
  %i = arith.constant 0 : i32
  %n = arith.constant 0 : i64
  %f = warp.load %a[%i, %i] : !warp.tile<16x64xbf16> -> !warp.fragment<lhs, 16x16xbf16>
  // expected-error @+1 {{expects an accumulator}}
  warp.store %f to %p[%i, %i] rows %i columns %i stride %n : f32 into !llvm.ptr<1>, !warp.fragment<lhs, 16x16xbf16>
  warp.return
}
