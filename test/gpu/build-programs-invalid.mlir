// RUN: attn-opt %s -split-input-file --attn-build-programs -verify-diagnostics
// RUN: not attn-opt %s -split-input-file --attn-build-programs=products=i8 2>&1 | FileCheck %s

// CHECK: error[A0527]: no products of 'i8' on a GPU; expected bf16, f16, tf32 or f32
attn.size @n min 1 max 9000
kernel.variant @v target "sm_80" {
  kernel.func @softmax(%x: tensor<?x?xf32, #attn.sizes<n, n>>) -> (tensor<?x?xf32, #attn.sizes<n, n>>) {
    // expected-error @+1 {{error[A0521]: a row region that reads a row twice needs rows of at most 2048 columns on a GPU, not 'n'; compile for a processor}}
    %y = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : tensor<?x?xf32, #attn.sizes<n, n>>) {
    ^bb0(%a: f32):
      attn.yield %a : f32
    } row() {
    ^bb0(%r: tensor<?xf32, #attn.sizes<n>>):
      %s = attn.softmax %r : tensor<?xf32, #attn.sizes<n>>
      %t = attn.map element(%s at affine_map<(d0) -> (d0)> : tensor<?xf32, #attn.sizes<n>>, %r at affine_map<(d0) -> (d0)> : tensor<?xf32, #attn.sizes<n>>) {
      ^bb0(%a: f32, %b: f32):
        %u = arith.addf %a, %b : f32
        attn.yield %u : f32
      } : tensor<?xf32, #attn.sizes<n>>
      attn.yield %t : tensor<?xf32, #attn.sizes<n>>
    } : tensor<?x?xf32, #attn.sizes<n, n>>
    kernel.return %y : tensor<?x?xf32, #attn.sizes<n, n>>
  }
}

// -----

!row = tensor<?x8xf32, #attn.sizes<n, 8>>
attn.size @n min 1 max 64
kernel.variant @v target "sm_80" {
  kernel.func @softmax(%x: !row) -> (!row) {
    // expected-error @+1 {{error[A0520]: no kernel for GPUs computes 'attn.softmax'; compile for a processor}}
    %y = attn.softmax %x : !row
    kernel.return %y : !row
  }
}
