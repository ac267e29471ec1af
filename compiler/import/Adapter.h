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
// take the place of the model's. Here they are merged, tensor by tensor, when
// the library is packaged.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_ADAPTER_H
#define ATTNC_COMPILER_IMPORT_ADAPTER_H

#include "compiler/import/Weights.h"
#include "mlir/IR/MLIRContext.h"

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
};

/// Reads the adapter of `folder` and lets it change what `weights` gives.
/// Problems go to the context's engine (A0241 to A0243).
llvm::LogicalResult addAdapter(mlir::MLIRContext &context,
                               llvm::StringRef folder, WeightTable &weights);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_ADAPTER_H
