//===- KernelForms.h - ops in the forms that kernels have -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The first half of SelectKernels: many ops of `attn` are one kernel seen
// differently. Code generation knows linear, matmul, attention, map, embedding,
// pack_index, pack, unpack and pool; everything else becomes one of these with
// views around it.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_SCHEDULE_KERNELFORMS_H
#define ATTNC_COMPILER_SCHEDULE_KERNELFORMS_H

#include "dialects/attn/Attn.h"

namespace attnc {

/// True for an op that one kernel computes.
bool isKernelForm(mlir::Operation *op);

/// Rewrites the body of an entry so that every op is one that a kernel
/// computes, a `kernel.view`, a `kernel.weight`, a `kernel.constant` or the
/// return; and so that every result is computed by a kernel of its own, in
/// memory without gaps. Reports an op that has no kernel.
mlir::LogicalResult rewriteToKernelForms(attn::EntryOp entry);

} // namespace attnc

#endif // ATTNC_COMPILER_SCHEDULE_KERNELFORMS_H
