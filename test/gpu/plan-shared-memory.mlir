// Panels come first, barriers last; rows are swizzled by their length.
// RUN: attn-opt %s --attn-plan-shared-memory | FileCheck %s

// CHECK: warp.program @places() threads 128 shared 15376
warp.program @places() threads 128 attributes {kernel.target = "sm_90a"} {
  // Eight rows of 128 bytes fill the banks eight times.
  // CHECK-NEXT: warp.alloc at 8192 layout(<panel = 0, mask = 7, shift = 0>) : !warp.tile<16x64xbf16>
  %a = warp.alloc : !warp.tile<16x64xbf16>
  // Rows of 192 bytes: groups of four chunks, by pairs of rows.
  // CHECK-NEXT: warp.alloc at 10240 layout(<panel = 0, mask = 3, shift = 1>) : !warp.tile<16x96xbf16>
  %b = warp.alloc : !warp.tile<16x96xbf16>
  // CHECK-NEXT: warp.alloc at 13312 layout(<panel = 0, mask = 1, shift = 2>) : !warp.tile<2x16x16xbf16>
  %c = warp.alloc : !warp.tile<2x16x16xbf16>
  // CHECK-NEXT: warp.alloc at 14336 layout(<panel = 0, mask = 3, shift = 1>) : !warp.tile<16x16xf32>
  %d = warp.alloc : !warp.tile<16x16xf32>
  // CHECK-NEXT: warp.alloc panels at 0 layout(<panel = 128, mask = 7, shift = 0>) : !warp.tile<32x128xbf16>
  %e = warp.alloc panels : !warp.tile<32x128xbf16>
  // CHECK-NEXT: warp.barrier arrivals 1 at 15360 : !warp.barrier<2>
  %f = warp.barrier arrivals 1 : !warp.barrier<2>
  warp.return
}
