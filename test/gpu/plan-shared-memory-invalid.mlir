// RUN: attn-opt %s -split-input-file --attn-plan-shared-memory -verify-diagnostics

// expected-error @+1 {{error[A0526]: the tiles of this kernel take 262144 bytes of shared memory; sm_80 gives a block 166912; choose smaller tiles}}
warp.program @large() threads 128 attributes {kernel.target = "sm_80"} {
  %a = warp.alloc : !warp.tile<4x512x64xbf16>
  warp.return
}

// -----

// expected-error @+1 {{error[A0525]: a program names the GPU that it is for in 'kernel.target'; got unit}}
warp.program @unnamed() threads 128 {
  warp.return
}
