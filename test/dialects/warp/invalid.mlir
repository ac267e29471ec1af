// Constraints of programs, tiles and copies.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{expects a multiple of 32 threads between 32 and 1024, got 48}}
warp.program @program_c1(%p: !llvm.ptr<1>) threads 48 {
  warp.return
}

// -----

// expected-error @+1 {{expects a body that ends with warp.return}}
warp.program @program_c2(%p: !llvm.ptr<1>) threads 128 {
  %i = arith.constant 0 : i32
}

// -----

warp.program @alloc_c1(%p: !llvm.ptr<1>) threads 128 {
  %t = arith.constant true
  scf.if %t {
    // expected-error @+1 {{expects to stand directly in the body of a program}}
    %a = warp.alloc : !warp.tile<16x64xbf16>
  }
  warp.return
}

// -----

warp.program @alloc_c2(%p: !llvm.ptr<1>) threads 128 {
  // expected-error @+1 {{expects panels to hold a multiple of 8 rows of a multiple of 64 bytes}}
  %a = warp.alloc panels : !warp.tile<12x64xbf16>
  warp.return
}

// -----

warp.program @alloc_c3(%p: !llvm.ptr<1>) threads 128 {
  // expected-error @+1 {{expects 'offset' and 'layout' together}}
  %a = warp.alloc at 128 : !warp.tile<16x64xbf16>
  warp.return
}

// -----

warp.program @alloc_c3_aligned(%p: !llvm.ptr<1>) threads 128 {
  // expected-error @+1 {{expects an offset that is a multiple of 128, got 64}}
  %a = warp.alloc at 64 layout(<panel = 0, mask = 7, shift = 0>) : !warp.tile<16x64xbf16>
  warp.return
}

// -----

warp.program @stage_c1(%p: !llvm.ptr<1>) threads 128 {
  %a = warp.alloc : !warp.tile<2x16x64xbf16>
  %i = arith.constant 0 : i32
  // expected-error @+1 {{expects one stage of}}
  %s = warp.stage %a[%i] : !warp.tile<2x16x64xbf16> -> !warp.tile<16x32xbf16>
  warp.return
}

// -----

warp.program @copy_c1(%p: !llvm.ptr<1>) threads 128 {
  %a = warp.alloc : !warp.tile<16x64xbf16>
  %i = arith.constant 0 : i32
  %n = arith.constant 0 : i64
  // expected-error @+1 {{expects 'async' to come with 'aligned' and a tile of the source's type}}
  warp.copy %p[%i, %i] rows %i columns %i stride %n async aligned : !llvm.ptr<1> of f32 to %a : !warp.tile<16x64xbf16>
  warp.return
}

// -----

warp.program @copy_c2(%p: !llvm.ptr<1>) threads 128 {
  %a = warp.alloc : !warp.tile<2x16x64xbf16>
  %i = arith.constant 0 : i32
  %n = arith.constant 0 : i64
  // expected-error @+1 {{expects one stage of a tile, got}}
  warp.copy %p[%i, %i] rows %i columns %i stride %n : !llvm.ptr<1> of f32 to %a : !warp.tile<2x16x64xbf16>
  warp.return
}

// -----

warp.program @wait_c1(%p: !llvm.ptr<1>) threads 128 {
  // expected-error @+1 {{expects a number of groups that is not negative}}
  "warp.wait"() <{pending = -1 : i64}> : () -> ()
  warp.return
}

// -----

warp.program @barrier_c1(%p: !llvm.ptr<1>) threads 128 {
  // expected-error @+1 {{expects to stand directly in the body of a program, with at least one arrival}}
  %b = warp.barrier arrivals 0 : !warp.barrier<2>
  warp.return
}

// -----

warp.program @clear_c1(%p: !llvm.ptr<1>) threads 128 {
  %a = warp.alloc : !warp.tile<64x64xbf16>
  %i = arith.constant 0 : i32
  // expected-error @+1 {{expects a tile in panels}}
  warp.clear %a from %i : !warp.tile<64x64xbf16>
  warp.return
}
