;===- block-sum.ll - the sum of a block's numbers ------------------------===;
;
; Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
;
;===----------------------------------------------------------------------===;
;
; y[block] = sum of x[block * 128 + 0 .. 127] of those below n. Four warps:
; butterflies within a warp, shared memory between them.
;
;===----------------------------------------------------------------------===;
target triple = "nvptx64-nvidia-cuda"

@partial = internal addrspace(3) global [4 x float] undef, align 16

define ptx_kernel void @block_sum(ptr addrspace(1) %x, ptr addrspace(1) %y, i32 %n) "denormal-fp-math-f32"="preserve-sign" {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %first = mul i32 %b, 128
  %i = add i32 %first, %t
  %inside = icmp slt i32 %i, %n
  br i1 %inside, label %read, label %warp
read:
  %p = getelementptr float, ptr addrspace(1) %x, i32 %i
  %v = load float, ptr addrspace(1) %p, align 4
  br label %warp
warp:
  %s0 = phi float [ 0.0, %0 ], [ %v, %read ]
  %x1 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s0, i32 16, i32 31)
  %s1 = fadd float %s0, %x1
  %x2 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s1, i32 8, i32 31)
  %s2 = fadd float %s1, %x2
  %x3 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s2, i32 4, i32 31)
  %s3 = fadd float %s2, %x3
  %x4 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s3, i32 2, i32 31)
  %s4 = fadd float %s3, %x4
  %x5 = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %s4, i32 1, i32 31)
  %s5 = fadd float %s4, %x5
  %w = lshr i32 %t, 5
  %lane = and i32 %t, 31
  %leads = icmp eq i32 %lane, 0
  br i1 %leads, label %put, label %meet
put:
  %mine = getelementptr float, ptr addrspace(3) @partial, i32 %w
  store float %s5, ptr addrspace(3) %mine, align 4
  br label %meet
meet:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %all = load <4 x float>, ptr addrspace(3) @partial, align 16
  %sum = call float @llvm.vector.reduce.fadd.v4f32(float 0.0, <4 x float> %all)
  %last = icmp eq i32 %t, 0
  br i1 %last, label %write, label %end
write:
  %q = getelementptr float, ptr addrspace(1) %y, i32 %b
  store float %sum, ptr addrspace(1) %q, align 4
  br label %end
end:
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare float @llvm.nvvm.shfl.sync.bfly.f32(i32, float, i32, i32)
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare float @llvm.vector.reduce.fadd.v4f32(float, <4 x float>)
