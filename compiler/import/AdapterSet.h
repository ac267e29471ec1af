//===- AdapterSet.h - several adapters of one model -------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What addSeparateAdapters (SeparateAdapters.h) works on: the adapters'
// folders, read, with the ranks and rows that all of them together ask for.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_ADAPTERSET_H
#define ATTNC_COMPILER_IMPORT_ADAPTERSET_H

#include "compiler/import/Adapter.h"

namespace attnc {

// Sources of the weights of low-rank products: one of these, then the names of
// the tensors that the product belongs to, separated by '|'.
inline constexpr llvm::StringLiteral kAdapterDown = "attn.adapter.down:";
inline constexpr llvm::StringLiteral kAdapterUp = "attn.adapter.up:";
inline constexpr llvm::StringLiteral kAdapterFactor = "attn.adapter.factor:";

/// What to do about an adapter that cannot be kept apart.
inline constexpr llvm::StringLiteral kMergeAdapter =
    "merge the adapter when the library is compiled: --adapter=DIR";

struct SeparateAdapter {
  std::string name, folder;
  unsigned choice = 0; ///< of the table of weights
  AdapterContents contents;

  /// What it does to a tensor; null: nothing.
  const LowRankUpdate *findUpdate(llvm::StringRef tensor) const;
};

class AdapterSet {
public:
  /// Products have at least the `ranks` that are given for single tensors.
  AdapterSet(mlir::ModuleOp module, WeightTable &weights,
             std::map<std::string, int64_t> ranks)
      : module(module), context(*module.getContext()), weights(weights),
        leastRanks(std::move(ranks)) {}

  /// Reads folders, each "DIR" or "NAME=DIR".
  llvm::LogicalResult read(llvm::ArrayRef<std::string> given);
  llvm::ArrayRef<SeparateAdapter> get() const { return adapters; }

  /// The largest rank of all adapters, summed over the tensors; 0 if none
  /// changes them.
  int64_t getRank(llvm::ArrayRef<llvm::StringRef> tensors) const;
  /// True if one of the adapters is DoRA there.
  bool hasFactor(llvm::ArrayRef<llvm::StringRef> tensors) const;

  /// Gives the sources that the module's weights name their tensors: for every
  /// adapter, and for sessions without any.
  llvm::LogicalResult addTensors();
  /// Names the folders in the module.
  void nameFolders();

private:
  llvm::LogicalResult fail(llvm::StringRef code, const llvm::Twine &what,
                           const llvm::Twine &todo);
  int64_t getRank(llvm::StringRef tensor) const;
  int64_t getRows(llvm::StringRef tensor) const;
  int64_t getColumns(llvm::StringRef tensor) const;
  llvm::LogicalResult checkReplacements(const SeparateAdapter &adapter);
  std::vector<float> makeDown(llvm::ArrayRef<llvm::StringRef> tensors,
                              const SeparateAdapter *adapter) const;
  std::vector<float> makeUp(llvm::ArrayRef<llvm::StringRef> tensors,
                            llvm::ArrayRef<float> factors,
                            const SeparateAdapter *adapter) const;
  /// A factor for every row.
  llvm::Expected<std::vector<float>>
  makeFactors(llvm::ArrayRef<llvm::StringRef> tensors,
              const SeparateAdapter *adapter) const;
  llvm::Error addTensor(llvm::StringRef source, const SeparateAdapter *adapter);

  mlir::ModuleOp module;
  mlir::MLIRContext &context;
  WeightTable &weights;
  std::map<std::string, int64_t> leastRanks;
  std::vector<SeparateAdapter> adapters;
};

/// Puts the products of all adapters into a module that has none yet.
/// (AdapterProducts.cpp)
llvm::LogicalResult addAdapterProducts(mlir::ModuleOp module,
                                       const AdapterSet &adapters);

/// Adds entries with the products of all adapters beside those without.
/// (AdaptedEntries.cpp)
llvm::LogicalResult addAdaptedEntries(mlir::ModuleOp module,
                                      const AdapterSet &adapters,
                                      bool joinsProjections);

llvm::SmallVector<llvm::StringRef> getSources(attn::WeightOp weight);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_ADAPTERSET_H
