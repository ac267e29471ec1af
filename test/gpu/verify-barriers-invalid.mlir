// RUN: attn-opt %s -split-input-file --attn-verify-barriers -verify-diagnostics

warp.program @no_wait(%p: !llvm.ptr<1>) threads 128 {
  %zero = arith.constant 0 : i32
  %rows = arith.constant 64 : i32
  %stride = arith.constant 64 : i64
  %t = warp.alloc : !warp.tile<64x64xbf16>
  // expected-note @+1 {{it is copied here}}
  warp.copy %p[%zero, %zero] rows %rows columns %rows stride %stride async aligned : !llvm.ptr<1> of bf16 to %t : !warp.tile<64x64xbf16>
  warp.commit
  warp.sync
  // expected-error @+1 {{error[A0528]: this tile is read while its copy is in flight; a warp.wait is missing between}}
  %f = warp.load %t[%zero, %zero] : !warp.tile<64x64xbf16> -> !warp.fragment<lhs, 16x16xbf16>
  warp.return
}

// -----

warp.program @no_sync(%p: !llvm.ptr<1>) threads 128 {
  %zero = arith.constant 0 : i32
  %rows = arith.constant 64 : i32
  %stride = arith.constant 64 : i64
  %t = warp.alloc : !warp.tile<64x64xbf16>
  // expected-note @+1 {{it is copied here}}
  warp.copy %p[%zero, %zero] rows %rows columns %rows stride %stride async aligned : !llvm.ptr<1> of bf16 to %t : !warp.tile<64x64xbf16>
  warp.commit
  warp.wait 0
  // expected-error @+1 {{error[A0528]: this tile is read before other threads' copies are visible; a warp.sync is missing between}}
  %f = warp.load %t[%zero, %zero] : !warp.tile<64x64xbf16> -> !warp.fragment<lhs, 16x16xbf16>
  warp.return
}

// -----

warp.program @nothing(%p: !llvm.ptr<1>) threads 128 {
  %zero = arith.constant 0 : i32
  %rows = arith.constant 64 : i32
  %stride = arith.constant 64 : i64
  %t = warp.alloc : !warp.tile<64x64xbf16>
  // expected-error @+1 {{error[A0528]: this tile is read before anything is copied to it}}
  %f = warp.load %t[%zero, %zero] : !warp.tile<64x64xbf16> -> !warp.fragment<lhs, 16x16xbf16>
  warp.return
}

// -----

warp.program @twice(%p: !llvm.ptr<1>) threads 128 {
  %zero = arith.constant 0 : i32
  %rows = arith.constant 64 : i32
  %stride = arith.constant 64 : i64
  %t = warp.alloc : !warp.tile<64x64xbf16>
  // expected-note @+1 {{it is copied here}}
  warp.copy %p[%zero, %zero] rows %rows columns %rows stride %stride async aligned : !llvm.ptr<1> of bf16 to %t : !warp.tile<64x64xbf16>
  warp.commit
  // expected-error @+1 {{error[A0529]: this copy overwrites a tile that is in flight; a warp.wait is missing between}}
  warp.copy %p[%zero, %zero] rows %rows columns %rows stride %stride async aligned : !llvm.ptr<1> of bf16 to %t : !warp.tile<64x64xbf16>
  %f = warp.load %t[%zero, %zero] : !warp.tile<64x64xbf16> -> !warp.fragment<lhs, 16x16xbf16>
  warp.return
}

// -----

warp.program @still_read(%p: !llvm.ptr<1>) threads 128 {
  %zero = arith.constant 0 : i32
  %rows = arith.constant 64 : i32
  %stride = arith.constant 64 : i64
  %t = warp.alloc : !warp.tile<64x64xbf16>
  warp.copy %p[%zero, %zero] rows %rows columns %rows stride %stride async aligned : !llvm.ptr<1> of bf16 to %t : !warp.tile<64x64xbf16>
  warp.commit
  warp.wait 0
  warp.sync
  // expected-note @+1 {{it is read here}}
  %f = warp.load %t[%zero, %zero] : !warp.tile<64x64xbf16> -> !warp.fragment<lhs, 16x16xbf16>
  // expected-error @+1 {{error[A0529]: this copy overwrites a tile that other threads may still read; a warp.sync is missing between}}
  warp.copy %p[%zero, %zero] rows %rows columns %rows stride %stride async aligned : !llvm.ptr<1> of bf16 to %t : !warp.tile<64x64xbf16>
  warp.return
}

// -----

warp.program @ring_waits_too_little(%sizes: !llvm.ptr<1>, %p: !llvm.ptr<1>) threads 128 {
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %three = arith.constant 3 : i32
  %rows = arith.constant 64 : i32
  %stride = arith.constant 64 : i64
  %count64 = llvm.load %sizes : !llvm.ptr<1> -> i64
  %count = arith.trunci %count64 : i64 to i32
  %t = warp.alloc : !warp.tile<3x64x64xbf16>
  scf.for %i = %zero to %three step %one : i32 {
    %last = arith.cmpi slt, %i, %count : i32
    %some = arith.constant 2 : i32
    %early = arith.cmpi slt, %i, %some : i32
    %both = arith.andi %last, %early : i1
    scf.if %both {
      %s = warp.stage %t[%i] : !warp.tile<3x64x64xbf16> -> !warp.tile<64x64xbf16>
      // expected-note @+1 {{it is copied here}}
      warp.copy %p[%i, %zero] rows %rows columns %rows stride %stride async aligned : !llvm.ptr<1> of bf16 to %s : !warp.tile<64x64xbf16>
    }
    scf.if %early {
      warp.commit
    }
  }
  scf.for %i = %zero to %count step %one : i32 {
    warp.wait 2
    warp.sync
    %two = arith.constant 2 : i32
    %ahead = arith.addi %i, %two : i32
    %more = arith.cmpi slt, %ahead, %count : i32
    scf.if %more {
      %next = arith.remui %ahead, %three : i32
      %s = warp.stage %t[%next] : !warp.tile<3x64x64xbf16> -> !warp.tile<64x64xbf16>
      warp.copy %p[%i, %zero] rows %rows columns %rows stride %stride async aligned : !llvm.ptr<1> of bf16 to %s : !warp.tile<64x64xbf16>
    }
    warp.commit
    %now = arith.remui %i, %three : i32
    %s = warp.stage %t[%now] : !warp.tile<3x64x64xbf16> -> !warp.tile<64x64xbf16>
    // expected-error @+1 {{error[A0528]: this tile is read while its copy is in flight; a warp.wait is missing between}}
    %f = warp.load %s[%zero, %zero] : !warp.tile<64x64xbf16> -> !warp.fragment<lhs, 16x16xbf16>
  }
  warp.return
}

// -----

// Around all that a block does: followed whatever the numbers say.
warp.program @guarded(%p: !llvm.ptr<1>) threads 128 {
  %zero = arith.constant 0 : i32
  %rows = arith.constant 64 : i32
  %stride = arith.constant 64 : i64
  %t = warp.alloc : !warp.tile<64x64xbf16>
  %never = arith.cmpi slt, %rows, %zero : i32
  scf.if %never {
    // expected-note @+1 {{it is copied here}}
    warp.copy %p[%zero, %zero] rows %rows columns %rows stride %stride async aligned : !llvm.ptr<1> of bf16 to %t : !warp.tile<64x64xbf16>
    warp.commit
    warp.wait 0
    // expected-error @+1 {{error[A0528]: this tile is read before other threads' copies are visible; a warp.sync is missing between}}
    %f = warp.load %t[%zero, %zero] : !warp.tile<64x64xbf16> -> !warp.fragment<lhs, 16x16xbf16>
  } {warp.guard}
  warp.return
}
