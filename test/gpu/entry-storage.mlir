// Callers' tensors of bf16: kernels read and write them as such, and on sm_90a
// attention over them goes through tensor maps.
// REQUIRES: attnc
// RUN: rm -rf %t && attnc compile %s --target=sm_90a -o %t --name own --dump-ir=%t/ir
// RUN: cat %t/ir/*-warp.mlir | FileCheck %s --check-prefix=WARP
// RUN: FileCheck %s --check-prefix=HEADER --input-file=%t/own.h
// RUN: attnc info %t/libown.so | FileCheck %s --check-prefix=INFO
// RUN: not attnc compile %s --target=x86-64-v3 -o %t.out 2>&1 | FileCheck %s --check-prefix=CPU
// RUN: not attnc compile %s --target=x86-64-v3,sm_90a -o %t.out 2>&1 | FileCheck %s --check-prefix=CPU
// CPU: error[A0537]: input "q" of @f is 'bf16' in memory, which variants for GPUs know; processors take f32

!q = tensor<?x?x4x64xf32, #attn.sizes<batch, seq, 4, 64>>
attn.size @batch min 1 max 64
attn.size @seq min 1 max 4096

// WARP: kernel.func @{{.*}} {kernel.storage = bf16}, {{.*}}tensor<4xf32>{{.*}}) -> ({{.*}} {kernel.storage = f16})
// WARP: warp.program @{{.*}} threads 512
// WARP-SAME: swizzle = 128 : i64, type = bf16}
// HEADER: q: bf16[batch][seq][4][64]
// HEADER: const uint16_t *q,
// HEADER-NEXT: const float *bias,
// HEADER-NEXT: uint16_t *out
// INFO: q: bf16[batch][seq][4][64]
attn.entry @f(%q: !q {attn.name = "q", attn.storage = bf16}, %bias: tensor<4xf32> {attn.name = "bias"}) -> (!q {attn.name = "out", attn.storage = f16}) sizes ["batch", "seq"] {
  %o = attn.attention %q, %q, %q score(%bias at affine_map<(b, h, i, j) -> (h)> : tensor<4xf32>) {
  ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %e: f32):
    %x = arith.addf %s, %e : f32
    attn.yield %x : f32
  } : !q, !q, !q -> !q
  attn.return %o : !q
}
