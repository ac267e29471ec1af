;===- product-sm90.ll - a product with tensor copies and wgmma -----------===;
;
; Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
;
;===----------------------------------------------------------------------===;
;
; c[64][8] = a[64][64 * n] * b[8][64 * n]^T, bf16 with f32 sums. The first warp
; group copies stages of 64 columns, the second multiplies. Two stages of 9216
; bytes (8192 of a, 1024 of b); behind them the mbarriers full[2], empty[2].
;
;===----------------------------------------------------------------------===;
target triple = "nvptx64-nvidia-cuda"

@shared = external addrspace(3) global [0 x i8], align 1024

define ptx_kernel void @product(ptr byval([128 x i8]) align 64 "nvvm.grid_constant" %ta, ptr byval([128 x i8]) align 64 "nvvm.grid_constant" %tb, ptr addrspace(1) %c, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %full.base = getelementptr i8, ptr addrspace(3) @shared, i32 18432
  %empty.base = getelementptr i8, ptr addrspace(3) @shared, i32 18448
  %is.first = icmp eq i32 %t, 0
  br i1 %is.first, label %init, label %ready
init:
  %full.1 = getelementptr i8, ptr addrspace(3) %full.base, i32 8
  %empty.1 = getelementptr i8, ptr addrspace(3) %empty.base, i32 8
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) %full.base, i32 1)
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) %full.1, i32 1)
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) %empty.base, i32 128)
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) %empty.1, i32 128)
  call void @llvm.nvvm.fence.mbarrier_init.release.cluster()
  br label %ready
ready:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %copies = icmp ult i32 %t, 128
  br i1 %copies, label %producer, label %consumer

producer:
  br i1 %is.first, label %produce, label %end
produce:
  %i = phi i32 [ 0, %producer ], [ %i.next, %produce ]
  %ps = and i32 %i, 1
  %pr = lshr i32 %i, 1
  %pr.1 = and i32 %pr, 1
  %pp = xor i32 %pr.1, 1
  %ps.8 = mul i32 %ps, 8
  %p.full = getelementptr i8, ptr addrspace(3) %full.base, i32 %ps.8
  %p.empty = getelementptr i8, ptr addrspace(3) %empty.base, i32 %ps.8
  call void asm sideeffect "{\0A.reg .pred P1;\0ALAB_WAIT:\0Ambarrier.try_wait.parity.shared.b64 P1, [$0], $1;\0A@P1 bra.uni DONE;\0Abra.uni LAB_WAIT;\0ADONE:\0A}", "r,r"(ptr addrspace(3) %p.empty, i32 %pp) ; room
  %state = call i64 @llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta(ptr addrspace(3) %p.full, i32 9216)
  %p.base = mul i32 %ps, 9216
  %p.a = getelementptr i8, ptr addrspace(3) @shared, i32 %p.base
  %p.b = getelementptr i8, ptr addrspace(3) %p.a, i32 8192
  %p.a7 = addrspacecast ptr addrspace(3) %p.a to ptr addrspace(7)
  %p.b7 = addrspacecast ptr addrspace(3) %p.b to ptr addrspace(7)
  %column = mul i32 %i, 64
  call void @llvm.nvvm.cp.async.bulk.tensor.g2s.tile.2d(ptr addrspace(7) %p.a7, ptr addrspace(3) %p.full, ptr %ta, i32 %column, i32 0, i16 0, i64 0, i1 false, i1 false, i32 0)
  call void @llvm.nvvm.cp.async.bulk.tensor.g2s.tile.2d(ptr addrspace(7) %p.b7, ptr addrspace(3) %p.full, ptr %tb, i32 %column, i32 0, i16 0, i64 0, i1 false, i1 false, i32 0)
  %i.next = add i32 %i, 1
  %p.more = icmp slt i32 %i.next, %n
  br i1 %p.more, label %produce, label %end

consumer:
  br label %consume
consume:
  %j = phi i32 [ 0, %consumer ], [ %j.next, %consume ]
  %d0 = phi float [ 0.0, %consumer ], [ %e0, %consume ]
  %d1 = phi float [ 0.0, %consumer ], [ %e1, %consume ]
  %d2 = phi float [ 0.0, %consumer ], [ %e2, %consume ]
  %d3 = phi float [ 0.0, %consumer ], [ %e3, %consume ]
  %cs = and i32 %j, 1
  %cr = lshr i32 %j, 1
  %cp = and i32 %cr, 1
  %cs.8 = mul i32 %cs, 8
  %c.full = getelementptr i8, ptr addrspace(3) %full.base, i32 %cs.8
  %c.empty = getelementptr i8, ptr addrspace(3) %empty.base, i32 %cs.8
  call void asm sideeffect "{\0A.reg .pred P1;\0ALAB_WAIT:\0Ambarrier.try_wait.parity.shared.b64 P1, [$0], $1;\0A@P1 bra.uni DONE;\0Abra.uni LAB_WAIT;\0ADONE:\0A}", "r,r"(ptr addrspace(3) %c.full, i32 %cp) ; data
  %c.base = mul i32 %cs, 9216
  %c.a = getelementptr i8, ptr addrspace(3) @shared, i32 %c.base
  %c.a.address = ptrtoint ptr addrspace(3) %c.a to i64
  %c.a.18 = and i64 %c.a.address, 262143
  %c.a.16 = lshr i64 %c.a.18, 4
  %form.0 = or i64 %c.a.16, 4611686293305360384 ; 128-byte swizzle, SBO 1024, LBO 16
  %form.b = add i64 %form.0, 512
  %e = call {float, float, float, float} asm sideeffect "{\0A.reg .b64 da, db;\0A.reg .pred p;\0Asetp.eq.b32 p, 0, 0;\0Awgmma.fence.sync.aligned;\0Awgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {$0, $1, $2, $3}, $4, $5, p, 1, 1, 0, 0;\0Aadd.s64 da, $4, 2;\0Aadd.s64 db, $5, 2;\0Awgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {$0, $1, $2, $3}, da, db, p, 1, 1, 0, 0;\0Aadd.s64 da, $4, 4;\0Aadd.s64 db, $5, 4;\0Awgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {$0, $1, $2, $3}, da, db, p, 1, 1, 0, 0;\0Aadd.s64 da, $4, 6;\0Aadd.s64 db, $5, 6;\0Awgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {$0, $1, $2, $3}, da, db, p, 1, 1, 0, 0;\0Awgmma.commit_group.sync.aligned;\0A}", "=f,=f,=f,=f,l,l,0,1,2,3"(i64 %form.0, i64 %form.b, float %d0, float %d1, float %d2, float %d3)
  %f0 = extractvalue {float, float, float, float} %e, 0
  %f1 = extractvalue {float, float, float, float} %e, 1
  %f2 = extractvalue {float, float, float, float} %e, 2
  %f3 = extractvalue {float, float, float, float} %e, 3
  %g = call {float, float, float, float} asm sideeffect "wgmma.wait_group.sync.aligned 0;", "=f,=f,=f,=f,0,1,2,3"(float %f0, float %f1, float %f2, float %f3)
  %e0 = extractvalue {float, float, float, float} %g, 0
  %e1 = extractvalue {float, float, float, float} %g, 1
  %e2 = extractvalue {float, float, float, float} %g, 2
  %e3 = extractvalue {float, float, float, float} %g, 3
  call void asm sideeffect "mbarrier.arrive.shared.b64 _, [$0];", "r"(ptr addrspace(3) %c.empty)
  %j.next = add i32 %j, 1
  %c.more = icmp slt i32 %j.next, %n
  br i1 %c.more, label %consume, label %store
store:
  %u = and i32 %t, 127
  %warp = lshr i32 %u, 5
  %lane = and i32 %t, 31
  %group = lshr i32 %lane, 2
  %warp.16 = mul i32 %warp, 16
  %row = add i32 %warp.16, %group
  %quad = and i32 %lane, 3
  %col = mul i32 %quad, 2
  %row.8 = mul i32 %row, 8
  %o = add i32 %row.8, %col
  %p0 = getelementptr float, ptr addrspace(1) %c, i32 %o
  %p1 = getelementptr float, ptr addrspace(1) %p0, i32 1
  %p2 = getelementptr float, ptr addrspace(1) %p0, i32 64
  %p3 = getelementptr float, ptr addrspace(1) %p0, i32 65
  store float %e0, ptr addrspace(1) %p0, align 4
  store float %e1, ptr addrspace(1) %p1, align 4
  store float %e2, ptr addrspace(1) %p2, align 4
  store float %e3, ptr addrspace(1) %p3, align 4
  br label %end
end:
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3), i32)
declare void @llvm.nvvm.fence.mbarrier_init.release.cluster()
declare i64 @llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta(ptr addrspace(3), i32)
declare void @llvm.nvvm.cp.async.bulk.tensor.g2s.tile.2d(ptr addrspace(7), ptr addrspace(3), ptr, i32, i32, i16, i64, i1, i1, i32)
