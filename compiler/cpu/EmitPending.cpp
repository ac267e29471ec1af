//===- EmitPending.cpp - kernels whose emitters are being written
//----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Weak definitions that report an error; an emitter's own file overrides them.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Emitter.h"

using namespace mlir;

namespace attnc::cpu {
#define PENDING(NAME, OP)                                                      \
  __attribute__((weak)) LogicalResult KernelEmitter::NAME(attn::OP op) {       \
    return op.emitError("no CPU kernel yet");                                  \
  }
PENDING(emitMatmul, MatmulOp)
PENDING(emitAttention, AttentionOp)
PENDING(emitMap, MapOp)
PENDING(emitEmbedding, EmbeddingOp)
PENDING(emitPackIndex, PackIndexOp)
PENDING(emitPack, PackOp)
PENDING(emitUnpack, UnpackOp)
PENDING(emitPool, PoolOp)
__attribute__((weak)) void KernelEmitter::emitRow(const attn::CapturedRegion &,
                                                  Value, int64_t,
                                                  ArrayRef<Value>) {
  emitError(loc, "no row code yet");
}
} // namespace attnc::cpu
