;===- product-sm80.ll - a product with cp.async, ldmatrix and mma.sync ---===;
;
; Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
; SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
;
;===----------------------------------------------------------------------===;
;
; c[16][16] = a[16][k] * b[16][k]^T, f16 with f32 sums. Two warps: the first
; copies tiles of a, the second of b, in two stages; each computes 8 columns.
; A stage is 512 bytes of a, then 512 of b.
;
;===----------------------------------------------------------------------===;
target triple = "nvptx64-nvidia-cuda"

@shared = external addrspace(3) global [0 x i8], align 1024

define ptx_kernel void @product(ptr addrspace(1) %a, ptr addrspace(1) %b, ptr addrspace(1) %c, i32 %k) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %lane = and i32 %t, 31
  %w = lshr i32 %t, 5
  %is.a = icmp eq i32 %w, 0
  %source = select i1 %is.a, ptr addrspace(1) %a, ptr addrspace(1) %b
  %row = lshr i32 %lane, 1
  %chunk = and i32 %lane, 1
  %row.k = mul i32 %row, %k
  %chunk.8 = mul i32 %chunk, 8
  %from.0 = add i32 %row.k, %chunk.8
  %from = getelementptr half, ptr addrspace(1) %source, i32 %from.0
  %to.w = mul i32 %w, 512
  %to.lane = mul i32 %lane, 16
  %to.0 = add i32 %to.w, %to.lane
  %to = getelementptr i8, ptr addrspace(3) @shared, i32 %to.0
  ; where ldmatrix reads
  %a.row = and i32 %lane, 15
  %a.row.32 = mul i32 %a.row, 32
  %a.half = lshr i32 %lane, 4
  %a.half.16 = mul i32 %a.half, 16
  %a.at = add i32 %a.row.32, %a.half.16
  %b.row = and i32 %lane, 7
  %b.row.w = mul i32 %w, 8
  %b.row.all = add i32 %b.row, %b.row.w
  %b.row.32 = mul i32 %b.row.all, 32
  %b.half.0 = lshr i32 %lane, 3
  %b.half = and i32 %b.half.0, 1
  %b.half.16 = mul i32 %b.half, 16
  %b.at.0 = add i32 %b.row.32, %b.half.16
  %b.at = add i32 %b.at.0, 512
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %to, ptr addrspace(1) %from)
  call void @llvm.nvvm.cp.async.commit.group()
  br label %loop
loop:
  %at = phi i32 [ 0, %entry ], [ %next, %compute ]
  %stage = phi i32 [ 0, %entry ], [ %other, %compute ]
  %d0 = phi float [ 0.0, %entry ], [ %e0, %compute ]
  %d1 = phi float [ 0.0, %entry ], [ %e1, %compute ]
  %d2 = phi float [ 0.0, %entry ], [ %e2, %compute ]
  %d3 = phi float [ 0.0, %entry ], [ %e3, %compute ]
  %other = xor i32 %stage, 1024
  %next = add i32 %at, 16
  %more = icmp slt i32 %next, %k
  br i1 %more, label %copy, label %compute
copy:
  %from.next = getelementptr half, ptr addrspace(1) %from, i32 %next
  %to.next = getelementptr i8, ptr addrspace(3) %to, i32 %other
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %to.next, ptr addrspace(1) %from.next)
  br label %compute
compute:
  call void @llvm.nvvm.cp.async.commit.group()
  call void @llvm.nvvm.cp.async.wait.group(i32 1)
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0) ; landed
  %a.off = add i32 %a.at, %stage
  %b.off = add i32 %b.at, %stage
  %a.p = getelementptr i8, ptr addrspace(3) @shared, i32 %a.off
  %b.p = getelementptr i8, ptr addrspace(3) @shared, i32 %b.off
  %fa = call {i32, i32, i32, i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %a.p)
  %fb = call {i32, i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.b16.p3(ptr addrspace(3) %b.p)
  %i0 = extractvalue {i32, i32, i32, i32} %fa, 0
  %i1 = extractvalue {i32, i32, i32, i32} %fa, 1
  %i2 = extractvalue {i32, i32, i32, i32} %fa, 2
  %i3 = extractvalue {i32, i32, i32, i32} %fa, 3
  %j0 = extractvalue {i32, i32} %fb, 0
  %j1 = extractvalue {i32, i32} %fb, 1
  %h0 = bitcast i32 %i0 to <2 x half>
  %h1 = bitcast i32 %i1 to <2 x half>
  %h2 = bitcast i32 %i2 to <2 x half>
  %h3 = bitcast i32 %i3 to <2 x half>
  %g0 = bitcast i32 %j0 to <2 x half>
  %g1 = bitcast i32 %j1 to <2 x half>
  %e = call {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.f32.f32(<2 x half> %h0, <2 x half> %h1, <2 x half> %h2, <2 x half> %h3, <2 x half> %g0, <2 x half> %g1, float %d0, float %d1, float %d2, float %d3)
  %e0 = extractvalue {float, float, float, float} %e, 0
  %e1 = extractvalue {float, float, float, float} %e, 1
  %e2 = extractvalue {float, float, float, float} %e, 2
  %e3 = extractvalue {float, float, float, float} %e, 3
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0) ; used up
  br i1 %more, label %loop, label %store
store:
  %g = lshr i32 %lane, 2
  %q = and i32 %lane, 3
  %q.2 = mul i32 %q, 2
  %col = add i32 %q.2, %b.row.w
  %g.16 = mul i32 %g, 16
  %o0 = add i32 %g.16, %col
  %o1 = add i32 %o0, 128
  %p0 = getelementptr float, ptr addrspace(1) %c, i32 %o0
  %p1 = getelementptr float, ptr addrspace(1) %c, i32 %o1
  %v0.0 = insertelement <2 x float> poison, float %e0, i32 0
  %v0 = insertelement <2 x float> %v0.0, float %e1, i32 1
  %v1.0 = insertelement <2 x float> poison, float %e2, i32 0
  %v1 = insertelement <2 x float> %v1.0, float %e3, i32 1
  store <2 x float> %v0, ptr addrspace(1) %p0, align 8
  store <2 x float> %v1, ptr addrspace(1) %p1, align 8
  ret void
}

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3), ptr addrspace(1))
declare void @llvm.nvvm.cp.async.commit.group()
declare void @llvm.nvvm.cp.async.wait.group(i32)
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare {i32, i32, i32, i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3))
declare {i32, i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.b16.p3(ptr addrspace(3))
declare {float, float, float, float} @llvm.nvvm.mma.m16n8k16.row.col.f32.f32(<2 x half>, <2 x half>, <2 x half>, <2 x half>, <2 x half>, <2 x half>, float, float, float, float)
