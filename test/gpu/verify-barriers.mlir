// What is in order passes unchanged: a ring of stages, a tile that is filled
// anew while another is read, roles.
// RUN: attn-opt %s --attn-verify-barriers | FileCheck %s

// CHECK: warp.program @ring
warp.program @ring(%sizes: !llvm.ptr<1>, %p: !llvm.ptr<1>) threads 128 {
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
      warp.copy %p[%i, %zero] rows %rows columns %rows stride %stride async aligned : !llvm.ptr<1> of bf16 to %s : !warp.tile<64x64xbf16>
    }
    scf.if %early {
      warp.commit
    }
  }
  scf.for %i = %zero to %count step %one : i32 {
    warp.wait 1
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
    %f = warp.load %s[%zero, %zero] : !warp.tile<64x64xbf16> -> !warp.fragment<lhs, 16x16xbf16>
  }
  warp.return
}

// CHECK: warp.program @roles
warp.program @roles(%sizes: !llvm.ptr<1>, %map: !llvm.ptr {warp.tensor_map}) threads 256 {
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %two = arith.constant 2 : i32
  %count64 = llvm.load %sizes : !llvm.ptr<1> -> i64
  %count = arith.trunci %count64 : i64 to i32
  %t = warp.alloc panels : !warp.tile<2x64x64xbf16>
  %full = warp.barrier arrivals 1 : !warp.barrier<2>
  %empty = warp.barrier arrivals 128 : !warp.barrier<2>
  warp.roles registers 24, 240 produce {
    scf.for %i = %zero to %count step %one : i32 {
      %stage = arith.remui %i, %two : i32
      %round = arith.divui %i, %two : i32
      %bit = arith.andi %round, %one : i32
      %parity = arith.xori %bit, %one : i32
      %s = warp.stage %t[%stage] : !warp.tile<2x64x64xbf16> -> !warp.tile<64x64xbf16>
      warp.await %empty[%stage] parity %parity : !warp.barrier<2>
      warp.arrive %full[%stage] expect 8192 : !warp.barrier<2>
      warp.map_copy %map[%zero, %i] to %s arriving %full[%stage] : !llvm.ptr, !warp.tile<64x64xbf16>, !warp.barrier<2>
    }
  } consume {
    scf.for %i = %zero to %count step %one : i32 {
      %stage = arith.remui %i, %two : i32
      %round = arith.divui %i, %two : i32
      %parity = arith.andi %round, %one : i32
      %s = warp.stage %t[%stage] : !warp.tile<2x64x64xbf16> -> !warp.tile<64x64xbf16>
      warp.await %full[%stage] parity %parity : !warp.barrier<2>
      %d = warp.group_mma %s[%zero], %s : !warp.tile<64x64xbf16>, !warp.tile<64x64xbf16> -> !warp.pending<!warp.fragment<acc, 16x64xf32>>
      %e = warp.group_wait 0 %d : !warp.pending<!warp.fragment<acc, 16x64xf32>> -> !warp.fragment<acc, 16x64xf32>
      warp.arrive %empty[%stage] : !warp.barrier<2>
    }
  }
  warp.return
}
