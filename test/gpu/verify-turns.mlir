// Groups that take turns: the order that VerifyBarriers wants, and what it finds
// where one line of it differs.
// RUN: attn-opt %s -split-input-file --attn-verify-barriers -verify-diagnostics

warp.program @three_groups(%sizes: !llvm.ptr<1>) threads 512 {
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %count64 = llvm.load %sizes : !llvm.ptr<1> -> i64
  %count = arith.trunci %count64 : i64 to i32
  warp.roles registers 24, 160 produce {
    %x = arith.constant 0 : i32
  } consume {
    warp.take_turn first
    warp.pass_turn
    scf.for %i = %zero to %count step %one : i32 {
      warp.take_turn
      warp.pass_turn
    }
    warp.take_turn
    warp.pass_turn last
  }
  warp.return
}

// -----

warp.program @never_passed(%sizes: !llvm.ptr<1>) threads 512 {
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %count64 = llvm.load %sizes : !llvm.ptr<1> -> i64
  %count = arith.trunci %count64 : i64 to i32
  warp.roles registers 24, 160 produce {
    %x = arith.constant 0 : i32
  } consume {
    warp.take_turn first
    warp.pass_turn
    scf.for %i = %zero to %count step %one : i32 {
      warp.take_turn
    }
    // expected-error @+1 {{error[A0536]: this group has its turn already; a warp.pass_turn is missing between}}
    warp.take_turn
    warp.pass_turn last
  }
  warp.return
}

// -----

warp.program @kept(%sizes: !llvm.ptr<1>) threads 512 {
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %count64 = llvm.load %sizes : !llvm.ptr<1> -> i64
  %count = arith.trunci %count64 : i64 to i32
  warp.roles registers 24, 160 produce {
    %x = arith.constant 0 : i32
  } consume {
    warp.take_turn first
    warp.pass_turn
    // expected-error @+1 {{error[A0533]: this wait never ends: nobody arrives at the phase, or passes the turn, that it waits for}}
    warp.take_turn
  }
  warp.return
}

// -----


warp.program @not_taken(%sizes: !llvm.ptr<1>) threads 512 {
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %count64 = llvm.load %sizes : !llvm.ptr<1> -> i64
  %count = arith.trunci %count64 : i64 to i32
  warp.roles registers 24, 160 produce {
    %x = arith.constant 0 : i32
  } consume {
    warp.take_turn first
    warp.pass_turn
    scf.for %i = %zero to %count step %one : i32 {
      // expected-error @+1 {{error[A0536]: this group passes a turn that it does not have; a warp.take_turn is missing before}}
      warp.pass_turn
    }
    warp.take_turn
    warp.pass_turn last
  }
  warp.return
}

// -----

// Group 0 would wait for what nobody passes.
warp.program @first_unmarked(%sizes: !llvm.ptr<1>) threads 512 {
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %count64 = llvm.load %sizes : !llvm.ptr<1> -> i64
  %count = arith.trunci %count64 : i64 to i32
  warp.roles registers 24, 160 produce {
    %x = arith.constant 0 : i32
  } consume {
    // expected-error @+1 {{error[A0536]: 'first' stands at the first turn of a group, and this is turn 1}}
    warp.take_turn
    warp.pass_turn last
  }
  warp.return
}

// -----

// An arrival would be left over.
warp.program @last_unmarked(%sizes: !llvm.ptr<1>) threads 512 {
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %count64 = llvm.load %sizes : !llvm.ptr<1> -> i64
  %count = arith.trunci %count64 : i64 to i32
  warp.roles registers 24, 160 produce {
    %x = arith.constant 0 : i32
  } consume {
    warp.take_turn first
    // expected-error @+1 {{error[A0536]: 'last' stands at the last turn of a group, and this one is}}
    warp.pass_turn
  }
  warp.return
}

// -----

// For some lengths only: the turn of the loop is the last where it runs.
warp.program @last_too_early(%sizes: !llvm.ptr<1>) threads 512 {
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %count64 = llvm.load %sizes : !llvm.ptr<1> -> i64
  %count = arith.trunci %count64 : i64 to i32
  warp.roles registers 24, 160 produce {
    %x = arith.constant 0 : i32
  } consume {
    warp.take_turn first
    // expected-error @+1 {{error[A0536]: 'last' stands at the last turn of a group, and this one is not}}
    warp.pass_turn last
    scf.for %i = %zero to %count step %one : i32 {
      warp.take_turn
      warp.pass_turn
    }
  }
  warp.return
}
