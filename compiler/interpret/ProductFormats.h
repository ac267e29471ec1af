//===- ProductFormats.h - what a library multiplies in ----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The format of every product with a weight: what the reference needs to repeat
// a library's own roundings.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_PRODUCTFORMATS_H
#define ATTNC_COMPILER_INTERPRET_PRODUCTFORMATS_H

#include "dialects/kernel/Kernel.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/JSON.h"
#include <optional>

namespace attnc {

/// What a product does to its sides, and to what follows.
struct ProductFormat {
  kernel::PrecisionAttr precision; ///< null: f32
  bool hasShortErf = false;        ///< in its regions (ShortErf.h)
  bool hasPlainTable = false;      ///< embeddings look its weight up in f32
};

/// By tensor of the model's files; products that are not here are of f32.
/// Columns are rounded by themselves, so that it does not matter in which order
/// weights were concatenated.
using ProductFormats = llvm::StringMap<ProductFormat>;

/// From the member "products" of a variant in a library's description, for
/// sessions with an adapter or without; nothing if it is not of the form that
/// DescribeProducts.cpp writes.
std::optional<ProductFormats> readProductFormats(mlir::MLIRContext *context,
                                                 const llvm::json::Array &list,
                                                 bool isAdapted = false);

namespace interpret {

/// What a library keeps of `columns` columns of `depth` weights each.
std::vector<double> keepWeights(llvm::ArrayRef<float> weights, int64_t columns,
                                int64_t depth, kernel::PrecisionAttr precision);

} // namespace interpret
} // namespace attnc

#endif // ATTNC_COMPILER_INTERPRET_PRODUCTFORMATS_H
