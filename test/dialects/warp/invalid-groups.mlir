// Constraints of maps and warp groups.
// RUN: attn-opt %s -split-input-file -verify-diagnostics
warp.program @map_c1(%p: !llvm.ptr<1>) threads 128 {
  %zero = arith.constant 0.0 : f32
  %i = arith.constant 0 : i32
  %a = warp.splat %zero : !warp.fragment<acc, 16x16xf32>
  %r = warp.splat %zero : !warp.rows<32>
  // expected-error @+1 {{expects as many rows everywhere}}
  %d = warp.map %a, %r at (%i, %i) : !warp.fragment<acc, 16x16xf32>, !warp.rows<32> -> !warp.fragment<acc, 16x16xf32> {
  ^bb0(%x: f32, %y: f32, %j: i32, %k: i32):
    warp.yield %x : f32
  }
  warp.return
}

// -----

warp.program @map_c2(%p: !llvm.ptr<1>) threads 128 {
  %zero = arith.constant 0.0 : f32
  %i = arith.constant 0 : i32
  %a = warp.splat %zero : !warp.fragment<acc, 16x16xf32>
  %r = warp.splat %zero : !warp.rows<16>
  // expected-error @+1 {{expects rows as inputs where results are rows}}
  %d = warp.map %a, %r at (%i, %i) : !warp.fragment<acc, 16x16xf32>, !warp.rows<16> -> !warp.rows<16> {
  ^bb0(%x: f32, %y: f32, %j: i32):
    warp.yield %x : f32
  }
  warp.return
}

// -----

warp.program @map_c3(%p: !llvm.ptr<1>) threads 128 {
  %zero = arith.constant 0.0 : f32
  %i = arith.constant 0 : i32
  %a = warp.splat %zero : !warp.fragment<acc, 16x16xf32>
  %r = warp.splat %zero : !warp.rows<16>
  // expected-error @+1 {{expects the region to take 2 x f32, then the row and the column as i32}}
  %d = warp.map %a, %r at (%i, %i) : !warp.fragment<acc, 16x16xf32>, !warp.rows<16> -> !warp.fragment<acc, 16x16xf32> {
  ^bb0(%x: f32, %y: f32, %j: i32):
    warp.yield %x : f32
  }
  warp.return
}

// -----

warp.program @map_c3_yield(%p: !llvm.ptr<1>) threads 128 {
  %zero = arith.constant 0.0 : f32
  %i = arith.constant 0 : i32
  %a = warp.splat %zero : !warp.fragment<acc, 16x16xf32>
  %r = warp.splat %zero : !warp.rows<16>
  // expected-error @+1 {{expects the region to yield 1 x f32}}
  %d = warp.map %a, %r at (%i, %i) : !warp.fragment<acc, 16x16xf32>, !warp.rows<16> -> !warp.fragment<acc, 16x16xf32> {
  ^bb0(%x: f32, %y: f32, %j: i32, %k: i32):
    warp.yield %x, %y : f32, f32
  }
  warp.return
}

// -----

warp.program @map_copy_c1(%p: !llvm.ptr<1>) threads 128 {
  %a = warp.alloc panels : !warp.tile<64x64xbf16>
  %b = warp.barrier arrivals 1 : !warp.barrier<1>
  %i = arith.constant 0 : i32
  // expected-error @+1 {{expects two to five coordinates, got 1}}
  warp.map_copy %p[%i] to %a arriving %b[%i] : !llvm.ptr<1>, !warp.tile<64x64xbf16>, !warp.barrier<1>
  warp.return
}

// -----

warp.program @map_copy_c2(%p: !llvm.ptr<1>) threads 128 {
  %a = warp.alloc : !warp.tile<64x64xbf16>
  %b = warp.barrier arrivals 1 : !warp.barrier<1>
  %i = arith.constant 0 : i32
  // expected-error @+1 {{expects a tile in panels}}
  warp.map_copy %p[%i, %i] to %a arriving %b[%i] : !llvm.ptr<1>, !warp.tile<64x64xbf16>, !warp.barrier<1>
  warp.return
}

// -----

warp.program @group_mma_c1(%p: !llvm.ptr<1>) threads 128 {
  %a = warp.alloc panels : !warp.tile<64x64xbf16>
  %b = warp.alloc panels : !warp.tile<64x64xbf16>
  %i = arith.constant 0 : i32
  // expected-error @+1 {{expects a tile with its row, or a fragment lhs of 16 rows without one}}
  %d = warp.group_mma %a, %b : !warp.tile<64x64xbf16>, !warp.tile<64x64xbf16> -> !warp.pending<!warp.fragment<acc, 16x64xf32>>
  warp.return
}

// -----

warp.program @group_mma_c2(%p: !llvm.ptr<1>) threads 128 {
  %a = warp.alloc panels : !warp.tile<64x64xbf16>
  %b = warp.alloc panels : !warp.tile<64x128xbf16>
  %i = arith.constant 0 : i32
  // expected-error @+1 {{expects a result of 16 rows and as many columns as rhs has}}
  %d = warp.group_mma %a[%i], %b : !warp.tile<64x64xbf16>, !warp.tile<64x128xbf16> -> !warp.pending<!warp.fragment<acc, 16x64xf32>>
  warp.return
}

// -----

warp.program @group_mma_c3(%p: !llvm.ptr<1>) threads 128 {
  %a = warp.alloc panels : !warp.tile<64x64xbf16>
  %b = warp.alloc panels : !warp.tile<64x64xbf16>
  %i = arith.constant 0 : i32
  // expected-error @+1 {{expects 'transpose' with a fragment as lhs only}}
  %d = warp.group_mma %a[%i], %b transpose : !warp.tile<64x64xbf16>, !warp.tile<64x64xbf16> -> !warp.pending<!warp.fragment<acc, 16x64xf32>>
  warp.return
}

// -----

warp.program @group_wait_c1(%p: !llvm.ptr<1>) threads 128 {
  %a = warp.alloc panels : !warp.tile<64x64xbf16>
  %b = warp.alloc panels : !warp.tile<64x64xbf16>
  %i = arith.constant 0 : i32
  %d = warp.group_mma %a[%i], %b : !warp.tile<64x64xbf16>, !warp.tile<64x64xbf16> -> !warp.pending<!warp.fragment<acc, 16x64xf32>>
  // expected-error @+1 {{expects a number that is not negative, and as results the fragments of the products}}
  %e = warp.group_wait 0 %d : !warp.pending<!warp.fragment<acc, 16x64xf32>> -> !warp.fragment<acc, 16x32xf32>
  warp.return
}

// -----

warp.program @roles_c1(%p: !llvm.ptr<1>) threads 256 {
  // expected-error @+1 {{expects multiples of 8 registers between 24 and 256, got 20}}
  warp.roles registers 20, 240 produce {
    %x = arith.constant 0 : i32
  } consume {
    %y = arith.constant 0 : i32
  }
  warp.return
}

// -----

warp.program @roles_c2(%p: !llvm.ptr<1>) threads 128 {
  // expected-error @+1 {{expects a program with a multiple of 128 threads, at least 256}}
  warp.roles registers 24, 240 produce {
    %x = arith.constant 0 : i32
  } consume {
    %y = arith.constant 0 : i32
  }
  warp.return
}
