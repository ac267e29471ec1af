//===- Evaluation.h - one run of an entry ------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Holds the values and sizes of one run and computes op after op. The ops are
// spread over Evaluate*.cpp.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_EVALUATION_H
#define ATTNC_COMPILER_INTERPRET_EVALUATION_H

#include "compiler/interpret/Interpreter.h"
#include "compiler/interpret/Noise.h"
#include "compiler/interpret/RowProgram.h"
#include "compiler/interpret/SessionState.h"

namespace attnc::interpret {

/// The values of weights by symbol, kept from run to run.
struct WeightCache {
  explicit WeightCache(const WeightTable *table) : table(table) {}

  const WeightTable *table;       ///< null for programs without weights
  std::optional<unsigned> choice; ///< of the table
  llvm::DenseMap<mlir::Operation *, Tensor> tensors;
  NarrowFormats formats;                    ///< of narrow runs
  const ProductFormats *products = nullptr; ///< or of single products
  /// `tensors` in them, to the nearest.
  llvm::DenseMap<mlir::Operation *, Tensor> narrowed;
  /// Whether a weight is looked up and multiplied by.
  llvm::DenseMap<mlir::Attribute, bool> tied;
};

class Evaluation {
public:
  Evaluation(const Parallel &parallel, WeightCache &weights,
             SessionState &session, std::map<std::string, int64_t> sizes,
             Precision precision)
      : parallel(parallel), weights(weights), session(session),
        sizes(std::move(sizes)), precision(precision) {}

  /// Computes the results of an op of an entry's body.
  llvm::Error run(mlir::Operation &op);

  void set(mlir::Value value, Tensor tensor) {
    values[value] = std::move(tensor);
  }
  const Tensor &get(mlir::Value value) const { return values.at(value); }
  void drop(mlir::Value value) { values.erase(value); }
  void setSeed(uint64_t number) { seed = number; }
  /// The run is over: the session's sequences have the rows appended.
  void finish() {
    for (auto [sequence, count] : grown)
      session.advance(sequence, count);
  }

  /// The value of an expression; fails on a size that has none yet.
  llvm::Expected<int64_t> evaluate(const SizeExpr &expr) const;
  /// The shape of a tensor type with the sizes filled in.
  llvm::Expected<Shape> shapeOf(mlir::Type type) const;

private:
  // EvaluateElementwise.cpp
  llvm::Error evaluate(attn::MapOp op);
  llvm::Error evaluate(attn::NormOp op);
  llvm::Error evaluate(attn::SoftmaxOp op);
  // EvaluateProjection.cpp
  llvm::Error evaluate(attn::LinearOp op);
  llvm::Error evaluate(attn::QkvProjectionOp op);
  llvm::Error evaluate(attn::OutputProjectionOp op);
  llvm::Error evaluate(attn::HeadLinearOp op);
  llvm::Error evaluate(attn::SplitHeadsOp op);
  llvm::Error evaluate(attn::MergeHeadsOp op);
  llvm::Error evaluate(attn::MatmulOp op);
  // EvaluateAttention.cpp
  llvm::Error evaluate(attn::AttentionOp op);
  llvm::Error evaluate(attn::CachedAttentionOp op);
  // EvaluateRope.cpp
  llvm::Error evaluate(attn::RopeOp op);
  // EvaluateSequence.cpp
  llvm::Error evaluate(attn::EmbeddingOp op);
  llvm::Error evaluate(attn::PositionsOp op);
  llvm::Error evaluate(attn::TokenPositionsOp op);
  llvm::Error evaluate(attn::PackIndexOp op);
  llvm::Error evaluate(attn::PackOp op);
  llvm::Error evaluate(attn::UnpackOp op);
  llvm::Error evaluate(attn::PoolOp op);
  // EvaluateState.cpp
  llvm::Error evaluate(attn::GetStateOp op);
  llvm::Error evaluate(attn::PastOp op);
  llvm::Error evaluate(attn::PackedPositionsOp op);
  llvm::Error evaluate(attn::AppendOp op);
  // Interpreter.cpp
  llvm::Error evaluate(attn::GetWeightOp op);
  llvm::Error evaluate(attn::ConstantOp op);

  llvm::SmallVector<Tensor> gather(mlir::ValueRange values) const;
  /// Replaces every element by what the element region yields; with `leading`,
  /// the element itself is the region's first argument.
  void finishElements(const attn::CapturedRegion &region, bool leading,
                      Tensor &tensor);
  /// Replaces every row by what the row region yields.
  llvm::Error finishRows(const attn::CapturedRegion &region, Tensor &tensor);
  /// lhs as rows times the transposed weight matrix [N, K].
  Tensor project(const Tensor &input, int64_t depth, mlir::Value weight,
                 llvm::ArrayRef<int64_t> resultShape);
  template <typename Op> llvm::Error evaluateProjection(Op op);
  /// The same elements in the result's shape.
  llvm::Error reshape(mlir::Value input, mlir::Value result);
  /// A weight matrix [N, K] in the run's formats; a declared one is made once
  /// unless its rounding is drawn.
  Tensor narrowWeight(mlir::Value weight);
  bool isTiedTable(mlir::Value value);
  /// Where products have formats of their own, that of a weight's product, or
  /// none.
  ProductFormat findProduct(mlir::Value weight) const;
  /// The rows beside a weight, in the product's format.
  Tensor narrowInput(const Tensor &input, mlir::Value weight, int64_t depth);
  /// Rows of so many numbers in a format.
  Tensor narrowRows(const Tensor &tensor, llvm::StringRef format,
                    int64_t columns, std::optional<Noise> draw);
  bool isNarrow() const {
    return precision == Precision::Narrow ||
           precision == Precision::NarrowDrawn ||
           precision == Precision::Rounded;
  }
  /// Stores a result after checking its shape against the type's; adds errors
  /// to it if the run's precision says so.
  llvm::Error setChecked(mlir::Value value, Tensor tensor);
  /// Errors for one tensor, if the run's precision says so.
  std::optional<Noise> drawNoise();
  /// Whether the library has the short erf where it computes the regions of
  /// `op`.
  bool hasShortErf(mlir::Operation *op) const;
  /// What decides how one tensor is rounded, if the run's precision says so.
  std::optional<Noise> drawRounding();
  /// The same for what attention multiplies.
  std::optional<Noise> drawAttentionRounding();

  const Parallel &parallel;
  WeightCache &weights;
  SessionState &session;
  std::map<size_t, int64_t> grown; ///< rows that sequences got in this run
  std::map<std::string, int64_t> sizes;
  Precision precision;
  uint64_t seed = 0, drawn = 0;
  llvm::DenseMap<mlir::Value, Tensor> values;
};

/// What declares the state behind a handle.
attn::StateOp getDeclaration(mlir::Value state);

/// The index of row `row` in a shape without its last dimension.
Shape indexOfRow(int64_t row, llvm::ArrayRef<int64_t> rowDims);

/// An error at an op: its name, its place in the source and the message.
llvm::Error errorAt(mlir::Operation *op, const llvm::Twine &message);

/// Fails unless `offsets` cuts `rows` rows into sequences: starts with 0, never
/// decreases, ends with `rows`.
llvm::Error checkOffsets(mlir::Operation *op, const Tensor &offsets,
                         int64_t rows);

} // namespace attnc::interpret

#endif // ATTNC_COMPILER_INTERPRET_EVALUATION_H
