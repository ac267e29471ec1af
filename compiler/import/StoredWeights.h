//===- StoredWeights.h - weights kept as their file has them -*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// GGUF's Q8_0 and Q4_0 are what #kernel.panels of i8 and i4 in groups of 32
// are: 32 whole numbers of steps with a scale; bf16 of any file is what those
// of bf16 are. Such weights can stay so, value for value, instead of becoming
// f32.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_STOREDWEIGHTS_H
#define ATTNC_COMPILER_IMPORT_STOREDWEIGHTS_H

#include "compiler/import/Weights.h"

namespace attnc {

/// Numbers that share a scale in Q8_0 and Q4_0.
constexpr int64_t kStoredGroup = 32;

/// "bf16", "i8" or "i4" if all of a matrix lies so in its files; else empty.
/// With blocks its recipe may join rows, and do nothing else.
llvm::StringRef getStoredFormat(const WeightTable &table,
                                attn::WeightOp weight);

/// Gives every weight of the module that has such a format `attn.stored`.
void markStoredWeights(const WeightTable &table, mlir::ModuleOp module);

/// The scales of a weight in blocks, [rows][columns / 32].
std::vector<float> readStoredScales(const WeightTable &table,
                                    attn::WeightOp weight);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_STOREDWEIGHTS_H
