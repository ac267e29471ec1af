//===- ConcatenateWeights.h - several weights as one -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Weights are symbols with recipes, so concatenating them is a new recipe over
// the same sources; small constants are concatenated element by element.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_OPTIMIZE_CONCATENATEWEIGHTS_H
#define ATTNC_COMPILER_OPTIMIZE_CONCATENATEWEIGHTS_H

#include "dialects/attn/Attn.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include <string>

namespace attnc {

/// Plans the concatenation of weights along dimension 0.
class WeightConcatenation {
public:
  /// `parts` are results of attn.get_weight, or all of attn.constant.
  WeightConcatenation(mlir::ModuleOp module, llvm::ArrayRef<mlir::Value> parts)
      : module(module), parts(parts) {}

  /// True if all parts can be concatenated; otherwise says why not, and because
  /// of which op (null for an argument).
  bool isPossible(mlir::Operation *&culprit, std::string &why);

  /// Makes the concatenated value; a weight of the same recipe is reused.
  /// `name` replaces what the parts' names differ in.
  mlir::Value build(mlir::OpBuilder &builder, mlir::Location loc,
                    llvm::StringRef name);

private:
  attn::WeightOp getWeight(mlir::Value part);
  mlir::RankedTensorType getType();
  mlir::Value buildConstant(mlir::OpBuilder &builder, mlir::Location loc);
  attn::WeightOp findOrMakeWeight(llvm::StringRef name, mlir::Location loc);

  mlir::ModuleOp module;
  llvm::SmallVector<mlir::Value> parts;
};

} // namespace attnc

#endif // ATTNC_COMPILER_OPTIMIZE_CONCATENATEWEIGHTS_H
