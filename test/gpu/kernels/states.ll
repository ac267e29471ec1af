;===- states.ll - a kernel with what a session keeps ---------------------===;
;
; Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
;
;===----------------------------------------------------------------------===;
;
; What test/gpu/StateToy.cpp describes: sequence b gets its mask's elements that
; are not 0 as new rows, and out[b] = sum over its rows p of (p + 1) row[p].
; One thread per sequence; blocks of four positions, three per sequence.
;
;===----------------------------------------------------------------------===;
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"

define ptx_kernel void @remember(ptr addrspace(1) %sizes, ptr addrspace(1) %mask, ptr addrspace(1) %state, ptr addrspace(1) %out) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b = sext i32 %t to i64
  %batch = load i64, ptr addrspace(1) %sizes
  %seq.p = getelementptr i64, ptr addrspace(1) %sizes, i64 1
  %seq = load i64, ptr addrspace(1) %seq.p
  %has.work = icmp slt i64 %b, %batch
  br i1 %has.work, label %begin, label %end
begin:
  %lengths = getelementptr i64, ptr addrspace(1) %sizes, i64 2
  %past.p = getelementptr i32, ptr addrspace(1) %lengths, i64 %b
  %past.32 = load i32, ptr addrspace(1) %past.p
  %past = sext i32 %past.32 to i64
  %tables = load i64, ptr addrspace(1) %state
  %offset.p = getelementptr i64, ptr addrspace(1) %state, i64 1
  %offset = load i64, ptr addrspace(1) %offset.p
  %tables.p = inttoptr i64 %tables to ptr addrspace(1)
  %first = mul i64 %b, 3
  %table = getelementptr i64, ptr addrspace(1) %tables.p, i64 %first
  %row = mul i64 %b, %seq
  br label %fill
fill:
  %s = phi i64 [ 0, %begin ], [ %s.next, %filled ]
  %length = phi i64 [ %past, %begin ], [ %length.next, %filled ]
  %in = icmp slt i64 %s, %seq
  br i1 %in, label %look, label %read
look:
  %i = add i64 %row, %s
  %m.p = getelementptr i32, ptr addrspace(1) %mask, i64 %i
  %m = load i32, ptr addrspace(1) %m.p
  %kept = icmp ne i32 %m, 0
  br i1 %kept, label %write, label %filled
write:
  %w.block = lshr i64 %length, 2
  %w.within = and i64 %length, 3
  %w.entry = getelementptr i64, ptr addrspace(1) %table, i64 %w.block
  %w.base = load i64, ptr addrspace(1) %w.entry
  %w.start = add i64 %w.base, %offset
  %w.ptr = inttoptr i64 %w.start to ptr addrspace(1)
  %w.place = getelementptr i32, ptr addrspace(1) %w.ptr, i64 %w.within
  store i32 %m, ptr addrspace(1) %w.place
  br label %filled
filled:
  %one = zext i1 %kept to i64
  %length.next = add i64 %length, %one
  %s.next = add i64 %s, 1
  br label %fill
read:
  %p = phi i64 [ 0, %fill ], [ %p.next, %sum ]
  %total = phi i32 [ 0, %fill ], [ %total.next, %sum ]
  %more = icmp slt i64 %p, %length
  br i1 %more, label %sum, label %done
sum:
  %block = lshr i64 %p, 2
  %within = and i64 %p, 3
  %entry.p = getelementptr i64, ptr addrspace(1) %table, i64 %block
  %base = load i64, ptr addrspace(1) %entry.p
  %start = add i64 %base, %offset
  %ptr = inttoptr i64 %start to ptr addrspace(1)
  %place = getelementptr i32, ptr addrspace(1) %ptr, i64 %within
  %value = load i32, ptr addrspace(1) %place
  %p.next = add i64 %p, 1
  %factor = trunc i64 %p.next to i32
  %term = mul i32 %value, %factor
  %total.next = add i32 %total, %term
  br label %read
done:
  %out.p = getelementptr float, ptr addrspace(1) %out, i64 %b
  %result = sitofp i32 %total to float
  store float %result, ptr addrspace(1) %out.p
  br label %end
end:
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
