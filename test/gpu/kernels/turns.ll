;===- turns.ll - two groups of four warps that take turns ----------------===;
;
; Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
;
;===----------------------------------------------------------------------===;
;
; In each of n rounds group 0, then group 1, does y = y / 2 + 1 + its number. A
; group waits at a named barrier of its own, at which the other one arrives;
; group 0 does not wait for the first turn, group 1 does not pass the last.
;
;===----------------------------------------------------------------------===;
target triple = "nvptx64-nvidia-cuda"

define ptx_kernel void @turns(ptr addrspace(1) %y, i32 %n) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %g = lshr i32 %t, 7
  %lane = and i32 %t, 127
  %leads = icmp eq i32 %lane, 127
  %is0 = icmp eq i32 %g, 0
  %is1 = icmp eq i32 %g, 1
  %other = xor i32 %g, 1
  %mine = add i32 %g, 8
  %next = add i32 %other, 8
  %number = uitofp i32 %g to float
  %step = fadd float %number, 1.0
  %end = sub i32 %n, 1
  br label %round
round:
  %r = phi i32 [ 0, %0 ], [ %r.next, %passed ]
  %starts = icmp eq i32 %r, 0
  %unwaited = and i1 %starts, %is0
  br i1 %unwaited, label %turn, label %take
take:
  call void asm sideeffect "bar.sync $0, 256;", "r"(i32 %mine) convergent
  br label %turn
turn:
  ; work
  br i1 %leads, label %work, label %done
work:
  %old = load volatile float, ptr addrspace(1) %y, align 4
  %half = fmul float %old, 0.5
  %new = fadd float %half, %step
  store volatile float %new, ptr addrspace(1) %y, align 4
  br label %done
done:
  %ends = icmp eq i32 %r, %end
  %unpassed = and i1 %ends, %is1
  br i1 %unpassed, label %passed, label %pass
pass:
  call void asm sideeffect "bar.arrive $0, 256;", "r"(i32 %next) convergent
  br label %passed
passed:
  %r.next = add i32 %r, 1
  %more = icmp slt i32 %r.next, %n
  br i1 %more, label %round, label %out
out:
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
