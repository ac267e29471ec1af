//===- SeparateAdapters.h - adapters that sessions choose ---*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Several adapters of one model, none of them merged. A product by a tensor
// that any of them changes, y = W x, becomes
//
//   y = (f * W x) + up (down x)
//
// with `down` and `up` of the largest rank of all, and with a factor f for each
// row where one of them is DoRA. Each adapter has tensors of its own for these
// weights; where it leaves one alone, they are zeros and ones. What the program
// computes is the same for all adapters, so that a session chooses by the
// tensors that it reads.
//
// Sessions without an adapter compute the model's own program: an entry with
// such products is another one, which stands for it (kStandsForAttr).
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_SEPARATEADAPTERS_H
#define ATTNC_COMPILER_IMPORT_SEPARATEADAPTERS_H

#include "compiler/import/Import.h"

namespace attnc {

/// Reads the adapters of `given`, each "DIR" or "NAME=DIR", into choices of
/// `weights`. In a module that has no adapters yet, entries with their products
/// are added; a dumped one has them. Products have the ranks of
/// `options.adapterRanks` at least. With `options.joinsProjections` the model's
/// own queries, keys and values will be one product, and are to share their
/// weight. Problems go to the context's engine (A0241 to A0245).
llvm::LogicalResult addSeparateAdapters(mlir::ModuleOp module,
                                        llvm::ArrayRef<std::string> given,
                                        const ImportOptions &options,
                                        WeightTable &weights);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_SEPARATEADAPTERS_H
