//===- Tuning.h - kernels whose tile may be overruled -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `attnc compile --tune` needs of a scheduled program: names for kernels
// that outlive the program, and the tiles worth measuring.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_SCHEDULE_TUNING_H
#define ATTNC_COMPILER_SCHEDULE_TUNING_H

#include "compiler/schedule/CostModel.h"

namespace attnc {

/// Attribute of a module: tiles by signature, which ChooseTiles takes instead
/// of the cost model's, and removes.
inline constexpr llvm::StringLiteral kTuningAttr = "kernel.tuning";
/// Attribute of a module whose library is for devices too: embeddings read
/// plain rows everywhere. ChooseTiles removes it.
inline constexpr llvm::StringLiteral kPlainTablesAttr = "kernel.plain_tables";

/// Names a kernel by what it computes: "linear_384x1536-5f0c1b9a", from its
/// symbol and a digest of types, formats and body. What ChooseTiles sets does
/// not count.
std::string getSignature(kernel::FuncOp kernel);

/// Eight hexadecimal digits that stand for a text.
std::string getDigest(llvm::StringRef text);

/// The tiles between which the model cannot decide, its own choice first; empty
/// for kernels that have none.
llvm::SmallVector<kernel::TileAttr> getTileCandidates(kernel::FuncOp kernel,
                                                      const CostModel &model);

/// A tile that comes from a file, as the kernel takes it: the keys that a
/// softmax is taken over at once are the model's, on whatever machine the tile
/// was measured. Nothing if the kernel cannot be cut so.
std::optional<kernel::TileAttr>
adopt(kernel::TileAttr tile, kernel::FuncOp kernel, const CostModel &model);

/// What the cost model knows a product by.
CostModel::Product getProduct(kernel::FuncOp kernel, attn::LinearOp op);
/// And attention.
CostModel::Attention getAttention(kernel::FuncOp kernel, attn::AttentionOp op);
/// Keys that a row may see: of the longest sequence.
SizeExpr getKeys(attn::AttentionOp op);

} // namespace attnc

#endif // ATTNC_COMPILER_SCHEDULE_TUNING_H
