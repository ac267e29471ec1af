// Groups that clear a tile together: what VerifyBarriers takes, and what it finds
// where one line lies elsewhere.
// RUN: attn-opt %s -split-input-file --attn-verify-barriers -verify-diagnostics

warp.program @together(%sizes: !llvm.ptr<1>, %map: !llvm.ptr {warp.tensor_map}) threads 384 {
  %zero = arith.constant 0 : i32
  %rows = arith.constant 64 : i32
  %count64 = llvm.load %sizes : !llvm.ptr<1> -> i64
  %count = arith.trunci %count64 : i64 to i32
  %t = warp.alloc panels : !warp.tile<64x64xbf16>
  %full = warp.barrier arrivals 1 : !warp.barrier<1>
  warp.roles registers 24, 240 produce {
    warp.arrive %full[%zero] expect 8192 : !warp.barrier<1>
    warp.map_copy %map[%zero, %zero] to %t arriving %full[%zero] : !llvm.ptr, !warp.tile<64x64xbf16>, !warp.barrier<1>
  } consume {
    warp.await %full[%zero] parity %zero : !warp.barrier<1>
    %short = arith.cmpi slt, %count, %rows : i32
    scf.if %short {
      warp.clear %t from %count : !warp.tile<64x64xbf16>
    }
    warp.take_turn first
    %d = warp.group_mma %t[%zero], %t : !warp.tile<64x64xbf16>, !warp.tile<64x64xbf16> -> !warp.pending<!warp.fragment<acc, 16x64xf32>>
    warp.pass_turn last
    %e = warp.group_wait 0 %d : !warp.pending<!warp.fragment<acc, 16x64xf32>> -> !warp.fragment<acc, 16x64xf32>
  }
  warp.return
}

// -----

warp.program @not_there(%sizes: !llvm.ptr<1>, %map: !llvm.ptr {warp.tensor_map}) threads 384 {
  %zero = arith.constant 0 : i32
  %rows = arith.constant 64 : i32
  %count64 = llvm.load %sizes : !llvm.ptr<1> -> i64
  %count = arith.trunci %count64 : i64 to i32
  %t = warp.alloc panels : !warp.tile<64x64xbf16>
  %full = warp.barrier arrivals 1 : !warp.barrier<1>
  warp.roles registers 24, 240 produce {
    warp.arrive %full[%zero] expect 8192 : !warp.barrier<1>
    // expected-note @+1 {{it is copied here}}
    warp.map_copy %map[%zero, %zero] to %t arriving %full[%zero] : !llvm.ptr, !warp.tile<64x64xbf16>, !warp.barrier<1>
  } consume {
    %short = arith.cmpi slt, %count, %rows : i32
    scf.if %short {
      // expected-error @+1 {{error[A0528]: this tile is cleared before its copy arrived; a warp.await of its barrier is missing}}
      warp.clear %t from %count : !warp.tile<64x64xbf16>
    }
    warp.await %full[%zero] parity %zero : !warp.barrier<1>
    %d = warp.group_mma %t[%zero], %t : !warp.tile<64x64xbf16>, !warp.tile<64x64xbf16> -> !warp.pending<!warp.fragment<acc, 16x64xf32>>
    %e = warp.group_wait 0 %d : !warp.pending<!warp.fragment<acc, 16x64xf32>> -> !warp.fragment<acc, 16x64xf32>
  }
  warp.return
}

// -----

warp.program @after_a_product(%sizes: !llvm.ptr<1>, %map: !llvm.ptr {warp.tensor_map}) threads 384 {
  %zero = arith.constant 0 : i32
  %rows = arith.constant 64 : i32
  %count64 = llvm.load %sizes : !llvm.ptr<1> -> i64
  %count = arith.trunci %count64 : i64 to i32
  %t = warp.alloc panels : !warp.tile<64x64xbf16>
  %full = warp.barrier arrivals 1 : !warp.barrier<1>
  warp.roles registers 24, 240 produce {
    warp.arrive %full[%zero] expect 8192 : !warp.barrier<1>
    warp.map_copy %map[%zero, %zero] to %t arriving %full[%zero] : !llvm.ptr, !warp.tile<64x64xbf16>, !warp.barrier<1>
  } consume {
    warp.await %full[%zero] parity %zero : !warp.barrier<1>
    // Its own has ended, that of the other group may not have.
    // expected-note @+1 {{it is used here}}
    %d = warp.group_mma %t[%zero], %t : !warp.tile<64x64xbf16>, !warp.tile<64x64xbf16> -> !warp.pending<!warp.fragment<acc, 16x64xf32>>
    %e = warp.group_wait 0 %d : !warp.pending<!warp.fragment<acc, 16x64xf32>> -> !warp.fragment<acc, 16x64xf32>
    %short = arith.cmpi slt, %count, %rows : i32
    scf.if %short {
      // expected-error @+1 {{error[A0529]: this tile is cleared while another group may still read it; the clear belongs before all products}}
      warp.clear %t from %count : !warp.tile<64x64xbf16>
    }
  }
  warp.return
}

// -----

warp.program @within_a_turn(%sizes: !llvm.ptr<1>, %map: !llvm.ptr {warp.tensor_map}) threads 384 {
  %zero = arith.constant 0 : i32
  %rows = arith.constant 64 : i32
  %count64 = llvm.load %sizes : !llvm.ptr<1> -> i64
  %count = arith.trunci %count64 : i64 to i32
  %t = warp.alloc panels : !warp.tile<64x64xbf16>
  %full = warp.barrier arrivals 1 : !warp.barrier<1>
  warp.roles registers 24, 240 produce {
    warp.arrive %full[%zero] expect 8192 : !warp.barrier<1>
    warp.map_copy %map[%zero, %zero] to %t arriving %full[%zero] : !llvm.ptr, !warp.tile<64x64xbf16>, !warp.barrier<1>
  } consume {
    warp.await %full[%zero] parity %zero : !warp.barrier<1>
    warp.take_turn first
    %short = arith.cmpi slt, %count, %rows : i32
    scf.if %short {
      // expected-error @+1 {{error[A0533]: this wait never ends: nobody arrives at the phase, or passes the turn, that it waits for}}
      warp.clear %t from %count : !warp.tile<64x64xbf16>
    }
    %d = warp.group_mma %t[%zero], %t : !warp.tile<64x64xbf16>, !warp.tile<64x64xbf16> -> !warp.pending<!warp.fragment<acc, 16x64xf32>>
    warp.pass_turn last
    %e = warp.group_wait 0 %d : !warp.pending<!warp.fragment<acc, 16x64xf32>> -> !warp.fragment<acc, 16x64xf32>
  }
  warp.return
}
