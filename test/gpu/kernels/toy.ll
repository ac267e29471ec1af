;===- toy.ll - the kernels of a small library ----------------------------===;
;
; Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
;
;===----------------------------------------------------------------------===;
;
; What test/gpu/DeviceToy.cpp describes: sums of a table's entries per row,
; times a scale. One thread per row, but for the copy of the table.
;
;===----------------------------------------------------------------------===;
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

@shared = external addrspace(3) global [0 x i8], align 1024

; sizes[2] = how many positions the mask keeps
define ptx_kernel void @count(ptr addrspace(1) %sizes, ptr addrspace(1) %mask) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %is.first = icmp eq i32 %t, 0
  br i1 %is.first, label %begin, label %end
begin:
  %batch = load i64, ptr addrspace(1) %sizes
  %seq.p = getelementptr i64, ptr addrspace(1) %sizes, i64 1
  %seq = load i64, ptr addrspace(1) %seq.p
  %n = mul i64 %batch, %seq
  br label %loop
loop:
  %i = phi i64 [ 0, %begin ], [ %i.next, %loop ]
  %sum = phi i64 [ 0, %begin ], [ %sum.next, %loop ]
  %p = getelementptr i32, ptr addrspace(1) %mask, i64 %i
  %m = load i32, ptr addrspace(1) %p
  %m.64 = sext i32 %m to i64
  %sum.next = add i64 %sum, %m.64
  %i.next = add i64 %i, 1
  %more = icmp slt i64 %i.next, %n
  br i1 %more, label %loop, label %store
store:
  %tokens = getelementptr i64, ptr addrspace(1) %sizes, i64 2
  store i64 %sum.next, ptr addrspace(1) %tokens
  br label %end
end:
  ret void
}

; copied[100] = the table, by a tensor copy of 112 floats; one warp
define ptx_kernel void @copy(ptr byval([128 x i8]) align 64 "nvvm.grid_constant" %map, ptr addrspace(1) %copied) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %barrier = getelementptr i8, ptr addrspace(3) @shared, i32 512
  %is.first = icmp eq i32 %t, 0
  br i1 %is.first, label %begin, label %wait
begin:
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) %barrier, i32 1)
  %s = call i64 @llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta(ptr addrspace(3) %barrier, i32 448)
  %to = addrspacecast ptr addrspace(3) @shared to ptr addrspace(7)
  call void @llvm.nvvm.cp.async.bulk.tensor.g2s.tile.1d(ptr addrspace(7) %to, ptr addrspace(3) %barrier, ptr %map, i32 0, i16 0, i64 0, i1 false, i1 false, i32 0)
  br label %wait
wait:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  call void asm sideeffect "{\0A.reg .pred P1;\0ALAB_WAIT:\0Ambarrier.try_wait.parity.shared.b64 P1, [$0], 0;\0A@P1 bra.uni DONE;\0Abra.uni LAB_WAIT;\0ADONE:\0A}", "r"(ptr addrspace(3) %barrier)
  br label %loop
loop:
  %i = phi i32 [ %t, %wait ], [ %i.next, %next ]
  %inside = icmp slt i32 %i, 100
  br i1 %inside, label %next, label %end
next:
  %from = getelementptr float, ptr addrspace(3) @shared, i32 %i
  %v = load float, ptr addrspace(3) %from
  %q = getelementptr float, ptr addrspace(1) %copied, i32 %i
  store float %v, ptr addrspace(1) %q
  %i.next = add i32 %i, 32
  br label %loop
end:
  ret void
}

; values[row] = sum over kept positions of copied[id], ids clamped
define ptx_kernel void @sum(ptr addrspace(1) %sizes, ptr addrspace(1) %ids, ptr addrspace(1) %mask, ptr addrspace(1) %copied, ptr addrspace(1) %values) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %b.32 = mul i32 %b, 32
  %row.32 = add i32 %b.32, %t
  %row = sext i32 %row.32 to i64
  %batch = load i64, ptr addrspace(1) %sizes
  %seq.p = getelementptr i64, ptr addrspace(1) %sizes, i64 1
  %seq = load i64, ptr addrspace(1) %seq.p
  %inside = icmp slt i64 %row, %batch
  br i1 %inside, label %begin, label %end
begin:
  %first = mul i64 %row, %seq
  br label %loop
loop:
  %s = phi i64 [ 0, %begin ], [ %s.next, %loop ]
  %sum = phi float [ 0.0, %begin ], [ %sum.next, %loop ]
  %at = add i64 %first, %s
  %id.p = getelementptr i32, ptr addrspace(1) %ids, i64 %at
  %id = load i32, ptr addrspace(1) %id.p
  %id.0 = call i32 @llvm.smax.i32(i32 %id, i32 0)
  %id.1 = call i32 @llvm.smin.i32(i32 %id.0, i32 99)
  %m.p = getelementptr i32, ptr addrspace(1) %mask, i64 %at
  %m = load i32, ptr addrspace(1) %m.p
  %v.p = getelementptr float, ptr addrspace(1) %copied, i32 %id.1
  %v = load float, ptr addrspace(1) %v.p
  %keeps = icmp ne i32 %m, 0
  %term = select i1 %keeps, float %v, float 0.0
  %sum.next = fadd float %sum, %term
  %s.next = add i64 %s, 1
  %more = icmp slt i64 %s.next, %seq
  br i1 %more, label %loop, label %store
store:
  %q = getelementptr float, ptr addrspace(1) %values, i64 %row
  store float %sum.next, ptr addrspace(1) %q
  br label %end
end:
  ret void
}

; out[row][k] = values[row] * scale[k] + bias, scale in bf16 and %columns wide
define ptx_kernel void @scale(ptr addrspace(1) %sizes, ptr addrspace(1) %values, ptr addrspace(1) %scale, ptr addrspace(1) %out, i32 %columns, float %bias) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %b.32 = mul i32 %b, 32
  %row.32 = add i32 %b.32, %t
  %row = sext i32 %row.32 to i64
  %batch = load i64, ptr addrspace(1) %sizes
  %inside = icmp slt i64 %row, %batch
  br i1 %inside, label %begin, label %end
begin:
  %p = getelementptr float, ptr addrspace(1) %values, i64 %row
  %v = load float, ptr addrspace(1) %p
  %columns.64 = sext i32 %columns to i64
  %first = mul i64 %row, %columns.64
  br label %loop
loop:
  %k = phi i64 [ 0, %begin ], [ %k.next, %loop ]
  %s.p = getelementptr bfloat, ptr addrspace(1) %scale, i64 %k
  %s.16 = load bfloat, ptr addrspace(1) %s.p
  %s = fpext bfloat %s.16 to float
  %x = fmul float %v, %s
  %y = fadd float %x, %bias
  %o = add i64 %first, %k
  %q = getelementptr float, ptr addrspace(1) %out, i64 %o
  store float %y, ptr addrspace(1) %q
  %k.next = add i64 %k, 1
  %more = icmp slt i64 %k.next, %columns.64
  br i1 %more, label %loop, label %end
end:
  ret void
}

; total[row] = values[row], counts = sizes[2] as float in every row's last
define ptx_kernel void @total(ptr addrspace(1) %sizes, ptr addrspace(1) %values, ptr addrspace(1) %total, i64 %rows) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %b.32 = mul i32 %b, 32
  %row.32 = add i32 %b.32, %t
  %row = sext i32 %row.32 to i64
  %inside = icmp slt i64 %row, %rows
  br i1 %inside, label %store, label %end
store:
  %p = getelementptr float, ptr addrspace(1) %values, i64 %row
  %v = load float, ptr addrspace(1) %p
  %tokens.p = getelementptr i64, ptr addrspace(1) %sizes, i64 2
  %tokens = load i64, ptr addrspace(1) %tokens.p
  %n = sitofp i64 %tokens to float
  %sum = fadd float %v, %n
  %q = getelementptr float, ptr addrspace(1) %total, i64 %row
  store float %sum, ptr addrspace(1) %q
  br label %end
end:
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3), i32)
declare i64 @llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta(ptr addrspace(3), i32)
declare void @llvm.nvvm.cp.async.bulk.tensor.g2s.tile.1d(ptr addrspace(7), ptr addrspace(3), ptr, i32, i16, i64, i1, i1, i32)
declare i32 @llvm.smax.i32(i32, i32)
declare i32 @llvm.smin.i32(i32, i32)
