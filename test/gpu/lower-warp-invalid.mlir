// RUN: attn-opt %s -split-input-file --attn-lower-warp -verify-diagnostics

// expected-error @+1 {{error[A0522]: shared memory of a program is not planned; run --attn-plan-shared-memory}}
warp.program @unplanned() threads 32 {
  warp.return
}

// -----

warp.program @while() threads 32 shared 0 {
  %true = arith.constant true
  // expected-error @+1 {{error[A0523]: a program may hold loops and branches of scf, not 'scf.while'}}
  scf.while : () -> () {
    scf.condition(%true)
  } do {
    scf.yield
  }
  warp.return
}

// -----

warp.program @branch() threads 32 shared 0 {
  %true = arith.constant true
  %zero = arith.constant 0.0 : f32
  %a = warp.splat %zero : !warp.rows<16>
  // expected-error @+1 {{error[A0524]: a branch cannot give fragments; select their elements in warp.map}}
  %b = scf.if %true -> (!warp.rows<16>) {
    scf.yield %a : !warp.rows<16>
  } else {
    scf.yield %a : !warp.rows<16>
  }
  warp.return
}
