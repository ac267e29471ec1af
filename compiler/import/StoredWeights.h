//===- StoredWeights.h - weights kept as their file has them -*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// GGUF's blocks are what #kernel.panels of i8 and i4 in groups are: whole
// numbers of steps with a scale, and in some formats an offset; bf16 of any
// file is what those of bf16 are. Such weights can stay so, value for value,
// instead of becoming f32 (kernel::PrecisionAttr::getStored):
//
//   in the file                            in the library           bits
//   bf16                                   bf16                     16
//   Q8_0                                   i8, groups of 32         8.5
//   Q4_0                                   i4, groups of 32         4.5
//   Q4_1                                   i4, 32, f16 affine       5
//   Q4_K (its scales: halves by 6 bits)    i4, 32, f32 affine       6
//   Q6_K (its scales: halves by 8 bits)    i8, groups of 16, f32    10
//   several of these, joined by rows       i8, 16, f32 affine       12
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_STOREDWEIGHTS_H
#define ATTNC_COMPILER_IMPORT_STOREDWEIGHTS_H

#include "compiler/import/Weights.h"

namespace attnc {

/// How all of a matrix lies in its files: "bf16", one of the formats of GGUF's
/// blocks ("q8_0", "q4_0", "q4_1", "q4_k", "q6_k"), "blocks" where its sources
/// have several of these; else empty. With blocks its recipe may join rows, and
/// do nothing else.
llvm::StringRef getStoredFormat(const WeightTable &table,
                                attn::WeightOp weight);

/// Gives every weight of the module that has such a format `attn.stored`.
void markStoredWeights(const WeightTable &table, mlir::ModuleOp module);

/// Rows of a matrix as its blocks have them: a number is step * scale + offset,
/// rounded once, with its group's scale and offset.
struct StoredBlocks {
  std::vector<int8_t> steps;          ///< [rows][columns]
  std::vector<float> scales, offsets; ///< [rows][columns / group]
};

/// The rows [first, last) of a weight that lies in blocks, in groups of
/// `group` columns, of which every group of its files is a multiple.
StoredBlocks readStoredBlocks(const WeightTable &table, attn::WeightOp weight,
                              int64_t first, int64_t last, int64_t group);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_STOREDWEIGHTS_H
