//===- Adapter.h - low-rank updates of a model's weights ---*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An adapter folder in PEFT's format (adapter_config.json and
// adapter_model.safetensors) changes tensors of the model that it was trained
// for: LoRA (Hu et al., 2021) adds a product of two narrow matrices, DoRA (Liu
// et al., 2024) then sets the length of every row, and whole tensors of heads
// take the place of the model's. Here they are read, and merged, tensor by
// tensor, when the library is packaged; SeparateAdapters.h keeps them apart.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_ADAPTER_H
#define ATTNC_COMPILER_IMPORT_ADAPTER_H

#include "compiler/import/Weights.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include <map>

namespace attnc {

/// Of a tensor W [out, in], or [in, out] where `transposed`:
/// W + scale * up * down, and with `magnitude` every row of [out, in] brought
/// to that length.
struct LowRankUpdate {
  std::vector<float> down, up;  ///< [rank, in], [out, rank]
  std::vector<float> magnitude; ///< [out], or empty
  int64_t rank = 0, in = 0, out = 0;
  double scale = 0;
  bool transposed = false;
  std::string digest; ///< of all of the above

  /// Changes W, `elements` as they lie.
  void apply(llvm::MutableArrayRef<float> elements) const;
  /// What rows of [out, in] are multiplied by after the addition; 1 without
  /// `magnitude`.
  std::vector<double> getRowFactors(llvm::ArrayRef<float> elements) const;

private:
  /// Row `o` of W + scale * up * down, and its factor.
  double addRow(const float *base, int64_t o,
                llvm::MutableArrayRef<double> row) const;
  int64_t rowStep() const { return transposed ? 1 : in; }
  int64_t columnStep() const { return transposed ? out : 1; }
};

/// An adapter's folder, by the model's tensors.
struct AdapterContents {
  std::map<std::string, LowRankUpdate> updates;
  std::map<std::string, WeightEntry> replacements; ///< views into `tensors`
  WeightTable tensors;
};

/// Reads the adapter of `folder`, made for the model of `weights`. Problems go
/// to the context's engine (A0241 to A0243).
llvm::LogicalResult readAdapter(mlir::MLIRContext &context,
                                llvm::StringRef folder,
                                const WeightTable &weights,
                                AdapterContents &contents);

/// The model's tensors that an adapter changes.
std::vector<std::string> listChanges(const AdapterContents &contents);

/// Reads the adapter of `folder` and lets it change what `weights` gives.
/// `changes` become the tensors that it changes.
llvm::LogicalResult addAdapter(mlir::MLIRContext &context,
                               llvm::StringRef folder, WeightTable &weights,
                               std::vector<std::string> &changes);

/// Refuses changes of a word table that is a head's matrix too, and of tensors
/// whose place it takes: in PEFT they change one of the two.
llvm::LogicalResult checkSharedTables(mlir::ModuleOp module,
                                      llvm::StringRef folder,
                                      const WeightTable &weights,
                                      llvm::ArrayRef<std::string> changes);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_ADAPTER_H
