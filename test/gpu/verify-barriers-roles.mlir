// RUN: attn-opt %s -split-input-file --attn-verify-barriers -verify-diagnostics
// Each differs in one line from the roles of verify-barriers.mlir.

warp.program @reads_too_early(%sizes: !llvm.ptr<1>, %map: !llvm.ptr {warp.tensor_map}) threads 256 {
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
      // expected-note @+1 {{it is copied here}}
      warp.map_copy %map[%zero, %i] to %s arriving %full[%stage] : !llvm.ptr, !warp.tile<64x64xbf16>, !warp.barrier<2>
    }
  } consume {
    scf.for %i = %zero to %count step %one : i32 {
      %stage = arith.remui %i, %two : i32
      %round = arith.divui %i, %two : i32
      %parity = arith.andi %round, %one : i32
      %s = warp.stage %t[%stage] : !warp.tile<2x64x64xbf16> -> !warp.tile<64x64xbf16>
      // expected-error @+1 {{error[A0528]: this tile is read before its copy arrived; a warp.await of its barrier is missing}}
      %d = warp.group_mma %s[%zero], %s : !warp.tile<64x64xbf16>, !warp.tile<64x64xbf16> -> !warp.pending<!warp.fragment<acc, 16x64xf32>>
      %e = warp.group_wait 0 %d : !warp.pending<!warp.fragment<acc, 16x64xf32>> -> !warp.fragment<acc, 16x64xf32>
      warp.arrive %empty[%stage] : !warp.barrier<2>
    }
  }
  warp.return
}

// -----

warp.program @arrives_too_early(%sizes: !llvm.ptr<1>, %map: !llvm.ptr {warp.tensor_map}) threads 256 {
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
      // expected-error @+1 {{error[A0529]: this copy overwrites a tile that is in use; the producer has to wait for an arrival that comes after}}
      warp.map_copy %map[%zero, %i] to %s arriving %full[%stage] : !llvm.ptr, !warp.tile<64x64xbf16>, !warp.barrier<2>
    }
  } consume {
    scf.for %i = %zero to %count step %one : i32 {
      %stage = arith.remui %i, %two : i32
      %round = arith.divui %i, %two : i32
      %parity = arith.andi %round, %one : i32
      %s = warp.stage %t[%stage] : !warp.tile<2x64x64xbf16> -> !warp.tile<64x64xbf16>
      warp.await %full[%stage] parity %parity : !warp.barrier<2>
      // expected-note @+1 {{it is used here}}
      %d = warp.group_mma %s[%zero], %s : !warp.tile<64x64xbf16>, !warp.tile<64x64xbf16> -> !warp.pending<!warp.fragment<acc, 16x64xf32>>
      warp.arrive %empty[%stage] : !warp.barrier<2>
      %e = warp.group_wait 0 %d : !warp.pending<!warp.fragment<acc, 16x64xf32>> -> !warp.fragment<acc, 16x64xf32>
    }
  }
  warp.return
}

// -----

warp.program @waits_for_ever(%sizes: !llvm.ptr<1>, %map: !llvm.ptr {warp.tensor_map}) threads 256 {
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
      // expected-error @+1 {{error[A0533]: this wait never ends: nobody arrives at the phase, or passes the turn, that it waits for}}
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
    }
  }
  warp.return
}
