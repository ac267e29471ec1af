// Panels come first, barriers last; rows are swizzled by their length.
// RUN: attn-opt %s --attn-plan-shared-memory | FileCheck %s

// CHECK: warp.program @places() threads 128 shared 18448
warp.program @places() threads 128 attributes {kernel.target = "sm_90a"} {
  // Eight rows of 128 bytes fill the banks eight times.
  // CHECK-NEXT: warp.alloc at 11264 layout(<panel = 0, mask = 7, shift = 0>) : !warp.tile<16x64xbf16>
  %a = warp.alloc : !warp.tile<16x64xbf16>
  // Rows of 192 bytes: groups of four chunks, by pairs of rows.
  // CHECK-NEXT: warp.alloc at 13312 layout(<panel = 0, mask = 3, shift = 1>) : !warp.tile<16x96xbf16>
  %b = warp.alloc : !warp.tile<16x96xbf16>
  // CHECK-NEXT: warp.alloc at 16384 layout(<panel = 0, mask = 1, shift = 2>) : !warp.tile<2x16x16xbf16>
  %c = warp.alloc : !warp.tile<2x16x16xbf16>
  // CHECK-NEXT: warp.alloc at 17408 layout(<panel = 0, mask = 3, shift = 1>) : !warp.tile<16x16xf32>
  %d = warp.alloc : !warp.tile<16x16xf32>
  // CHECK-NEXT: warp.alloc panels at 0 layout(<panel = 128, mask = 7, shift = 0>) : !warp.tile<32x128xbf16>
  %e = warp.alloc panels : !warp.tile<32x128xbf16>
  // Panels of 64 bytes: four chunks, by pairs of rows.
  // CHECK-NEXT: warp.alloc panels at 8192 layout(<panel = 64, mask = 3, shift = 1>) : !warp.tile<16x96xbf16>
  %g = warp.alloc panels : !warp.tile<16x96xbf16>
  // CHECK-NEXT: warp.barrier arrivals 1 at 18432 : !warp.barrier<2>
  %f = warp.barrier arrivals 1 : !warp.barrier<2>
  warp.return
}
