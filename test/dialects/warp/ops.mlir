// RUN: attn-opt %s | attn-opt | FileCheck %s
// RUN: attn-opt %s --mlir-print-op-generic | attn-opt | FileCheck %s
// The examples of the descriptions, and every clause of the text forms.

// CHECK: warp.program @copy(%{{.*}}: !llvm.ptr<1>) threads 128 {
warp.program @copy(%sizes: !llvm.ptr<1>) threads 128 {
  warp.return
}

// CHECK: warp.program @tiles(%{{.*}}: !llvm.ptr<1>, %{{.*}}: !llvm.ptr<1>) threads 128 shared 16384
warp.program @tiles(%p: !llvm.ptr<1>, %o: !llvm.ptr<1>) threads 128 shared 16384 {
  %i = arith.constant 0 : i32
  %n = arith.constant 64 : i32
  %s = arith.constant 64 : i64
  %zero = arith.constant 0.0 : f32
  // CHECK: warp.alloc at 0 layout(<panel = 0, mask = 7, shift = 0>) : !warp.tile<2x64x64xbf16>
  %k = warp.alloc at 0 layout(<panel = 0, mask = 7, shift = 0>) : !warp.tile<2x64x64xbf16>
  // CHECK: warp.stage %{{.*}}[%{{.*}}] : !warp.tile<2x64x64xbf16> -> !warp.tile<64x64xbf16>
  %now = warp.stage %k[%i] : !warp.tile<2x64x64xbf16> -> !warp.tile<64x64xbf16>
  // CHECK: warp.copy %{{.*}}[%{{.*}}, %{{.*}}] rows %{{.*}} columns %{{.*}} stride %{{.*}} async aligned : !llvm.ptr<1> of bf16 to %{{.*}} : !warp.tile<64x64xbf16>
  warp.copy %p[%i, %i] rows %n columns %n stride %s async aligned : !llvm.ptr<1> of bf16 to %now : !warp.tile<64x64xbf16>
  // CHECK: warp.commit
  warp.commit
  // CHECK: warp.wait 0
  warp.wait 0
  // CHECK: warp.sync
  warp.sync
  // CHECK: warp.load %{{.*}}[%{{.*}}, %{{.*}}] : !warp.tile<64x64xbf16> -> !warp.fragment<lhs, 16x16xbf16>
  %a = warp.load %now[%i, %i] : !warp.tile<64x64xbf16> -> !warp.fragment<lhs, 16x16xbf16>
  // CHECK: warp.load %{{.*}}[%{{.*}}, %{{.*}}] transpose : !warp.tile<64x64xbf16> -> !warp.fragment<rhs, 16x64xbf16>
  %b = warp.load %now[%i, %i] transpose : !warp.tile<64x64xbf16> -> !warp.fragment<rhs, 16x64xbf16>
  // CHECK: warp.splat %{{.*}} : !warp.fragment<acc, 16x64xf32>
  %c = warp.splat %zero : !warp.fragment<acc, 16x64xf32>
  // CHECK: warp.mma %{{.*}}, %{{.*}}, %{{.*}} : !warp.fragment<lhs, 16x16xbf16>, !warp.fragment<rhs, 16x64xbf16>, !warp.fragment<acc, 16x64xf32>
  %d = warp.mma %a, %b, %c : !warp.fragment<lhs, 16x16xbf16>, !warp.fragment<rhs, 16x64xbf16>, !warp.fragment<acc, 16x64xf32>
  // CHECK: warp.reduce max across %{{.*}} : !warp.fragment<acc, 16x64xf32> -> !warp.rows<16>
  %m = warp.reduce max across %d : !warp.fragment<acc, 16x64xf32> -> !warp.rows<16>
  // CHECK: warp.map %{{.*}}, %{{.*}} at(%{{.*}}, %{{.*}}) : !warp.fragment<acc, 16x64xf32>, !warp.rows<16> -> !warp.fragment<acc, 16x64xf32> {
  %e = warp.map %d, %m at (%i, %i) : !warp.fragment<acc, 16x64xf32>, !warp.rows<16> -> !warp.fragment<acc, 16x64xf32> {
  ^bb0(%x: f32, %y: f32, %r: i32, %q: i32):
    %z = arith.subf %x, %y : f32
    warp.yield %z : f32
  }
  // CHECK: warp.convert %{{.*}}[16] : !warp.fragment<acc, 16x64xf32> -> !warp.fragment<lhs, 16x16xbf16>
  %f = warp.convert %e[16] : !warp.fragment<acc, 16x64xf32> -> !warp.fragment<lhs, 16x16xbf16>
  // CHECK: warp.store %{{.*}} to %{{.*}}[%{{.*}}, %{{.*}}] rows %{{.*}} columns %{{.*}} stride %{{.*}} paired : f32 into !llvm.ptr<1>, !warp.fragment<acc, 16x64xf32>
  warp.store %e to %o[%i, %i] rows %n columns %n stride %s paired : f32 into !llvm.ptr<1>, !warp.fragment<acc, 16x64xf32>
  // CHECK: warp.all_reduce add %{{.*}} : f32
  %g = warp.all_reduce add %zero : f32
  warp.return
}

// CHECK: warp.program @f32
warp.program @f32(%p: !llvm.ptr<1>) threads 32 {
  %i = arith.constant 0 : i32
  %zero = arith.constant 0.0 : f32
  %t = warp.alloc : !warp.tile<16x16xf32>
  %a = warp.load %t[%i, %i] : !warp.tile<16x16xf32> -> !warp.fragment<lhs, 16x8xf32>
  // CHECK: warp.load %{{.*}}[%{{.*}}, %{{.*}}] transpose paired : !warp.tile<16x16xf32> -> !warp.fragment<rhs, 8x16xf32>
  %b = warp.load %t[%i, %i] transpose paired : !warp.tile<16x16xf32> -> !warp.fragment<rhs, 8x16xf32>
  %c = warp.splat %zero : !warp.fragment<acc, 16x16xf32>
  // CHECK: warp.mma %{{.*}}, %{{.*}}, %{{.*}} precision tf32 :
  %d = warp.mma %a, %b, %c precision tf32 : !warp.fragment<lhs, 16x8xf32>, !warp.fragment<rhs, 8x16xf32>, !warp.fragment<acc, 16x16xf32>
  warp.return
}

// CHECK: warp.program @groups(%{{.*}}: !llvm.ptr {warp.tensor_map}) threads 384
warp.program @groups(%map: !llvm.ptr {warp.tensor_map}) threads 384 {
  %i = arith.constant 0 : i32
  // CHECK: warp.alloc panels : !warp.tile<128x64xbf16>
  %q = warp.alloc panels : !warp.tile<128x64xbf16>
  %k = warp.alloc panels : !warp.tile<64x64xbf16>
  // CHECK: warp.barrier arrivals 1 : !warp.barrier<2>
  %full = warp.barrier arrivals 1 : !warp.barrier<2>
  // CHECK: warp.roles registers 24, 240 produce {
  warp.roles registers 24, 240 produce {
    // CHECK: warp.arrive %{{.*}}[%{{.*}}] expect 8192 : !warp.barrier<2>
    warp.arrive %full[%i] expect 8192 : !warp.barrier<2>
    // CHECK: warp.map_copy %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] to %{{.*}} arriving %{{.*}}[%{{.*}}] : !llvm.ptr, !warp.tile<64x64xbf16>, !warp.barrier<2>
    warp.map_copy %map[%i, %i, %i] to %k arriving %full[%i] : !llvm.ptr, !warp.tile<64x64xbf16>, !warp.barrier<2>
    // CHECK: } consume {
  } consume {
    // CHECK: warp.await %{{.*}}[%{{.*}}] parity %{{.*}} : !warp.barrier<2>
    warp.await %full[%i] parity %i : !warp.barrier<2>
    // CHECK: warp.clear %{{.*}} from %{{.*}} : !warp.tile<64x64xbf16>
    warp.clear %k from %i : !warp.tile<64x64xbf16>
    // CHECK: warp.take_turn first
    warp.take_turn first
    // CHECK: warp.group_mma %{{.*}}[%{{.*}}], %{{.*}} : !warp.tile<128x64xbf16>, !warp.tile<64x64xbf16> -> !warp.pending<<acc, 16x64xf32>>
    %s = warp.group_mma %q[%i], %k : !warp.tile<128x64xbf16>, !warp.tile<64x64xbf16> -> !warp.pending<!warp.fragment<acc, 16x64xf32>>
    // CHECK: warp.pass_turn last
    warp.pass_turn last
    // CHECK: warp.group_wait 0 %{{.*}} : !warp.pending<<acc, 16x64xf32>> -> !warp.fragment<acc, 16x64xf32>
    %t = warp.group_wait 0 %s : !warp.pending<!warp.fragment<acc, 16x64xf32>> -> !warp.fragment<acc, 16x64xf32>
    %p = warp.convert %t[0] : !warp.fragment<acc, 16x64xf32> -> !warp.fragment<lhs, 16x64xbf16>
    // CHECK: warp.group_mma %{{.*}}, %{{.*}} transpose onto %{{.*}} : !warp.fragment<acc, 16x64xf32> : !warp.fragment<lhs, 16x64xbf16>, !warp.tile<64x64xbf16> -> !warp.pending<<acc, 16x64xf32>>
    %u = warp.group_mma %p, %k transpose onto %t : !warp.fragment<acc, 16x64xf32> : !warp.fragment<lhs, 16x64xbf16>, !warp.tile<64x64xbf16> -> !warp.pending<!warp.fragment<acc, 16x64xf32>>
    // CHECK: warp.group_wait 0 %{{.*}} beside %{{.*}} : !warp.fragment<acc, 16x64xf32> : !warp.pending<<acc, 16x64xf32>> -> !warp.fragment<acc, 16x64xf32>, !warp.fragment<acc, 16x64xf32>
    %v:2 = warp.group_wait 0 %u beside %t : !warp.fragment<acc, 16x64xf32> : !warp.pending<!warp.fragment<acc, 16x64xf32>> -> !warp.fragment<acc, 16x64xf32>, !warp.fragment<acc, 16x64xf32>
  }
  warp.return
}
