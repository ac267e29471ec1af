// RUN: attn-opt %s -split-input-file -verify-diagnostics
// Turns of groups, each constraint broken.

warp.program @take_turn_c1(%p: !llvm.ptr<1>) threads 384 {
  warp.roles registers 24, 240 produce {
    // expected-error @+1 {{expects to stand within 'consume' of warp.roles, with two to four groups that consume}}
    warp.take_turn
  } consume {
    %y = arith.constant 0 : i32
  }
  warp.return
}

// -----

// One group has its turn always.
warp.program @pass_turn_c1(%p: !llvm.ptr<1>) threads 256 {
  warp.roles registers 24, 240 produce {
    %x = arith.constant 0 : i32
  } consume {
    // expected-error @+1 {{expects to stand within 'consume' of warp.roles, with two to four groups that consume}}
    warp.pass_turn
  }
  warp.return
}
