//===- RowProgram.h - regions of rows, run row by row ----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A row region as a list of steps (norm, softmax, map) over slots that hold
// whole rows, and the two row functions that ops outside of regions share.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_ROWPROGRAM_H
#define ATTNC_COMPILER_INTERPRET_ROWPROGRAM_H

#include "compiler/interpret/ElementProgram.h"
#include "compiler/interpret/Noise.h"

namespace attnc::interpret {

/// attn.norm of one row; weight and bias may be null. What is normalized gets
/// an error of `noise`, of which `number` * columns elements were drawn: a bias
/// may take most of it away.
void normalizeRow(attn::NormKind kind, double epsilon, const double *weight,
                  const double *bias, const double *from, double *to,
                  int64_t columns, const std::optional<Noise> &noise,
                  int64_t number);

/// attn.softmax of one row; a row of -inf alone gives zeros.
void softmaxRow(const double *from, double *to, int64_t columns);

class RowProgram {
public:
  /// What one thread works in.
  struct Frame {
    std::vector<std::vector<double>> storage;
    std::vector<const double *> slots;
    std::vector<ElementProgram::Frame> elements;
    int64_t number = 0;         ///< of the row
    std::optional<Noise> noise; ///< of the step that runs
  };

  using ShapeOf = llvm::function_ref<Shape(mlir::Type)>;

  /// `shapeOf` gives the shape of a tensor type, sizes filled in.
  RowProgram(const attn::CapturedRegion &region,
             llvm::ArrayRef<Tensor> captures, ShapeOf shapeOf);

  Frame makeFrame() const;
  /// Replaces row `number`, that of the given leading indices, by what the
  /// region yields. Every result but the last gets an error of `noise`, and so
  /// do the scalars of its maps and what its norms normalize.
  void run(Frame &frame, double *row, llvm::ArrayRef<int64_t> index,
           int64_t number, const std::optional<Noise> &noise) const;
  /// Rough arithmetic operations per element.
  int64_t cost() const { return 4 + 40 * int64_t(steps.size()); }

private:
  /// A capture: its rows start at offset + sum of strides[d] * index[d].
  struct Source {
    Tensor tensor;
    Shape strides;
    int64_t offset = 0;
  };
  using Step = std::function<void(Frame &)>;

  void addSource(const Tensor &capture, mlir::AffineMap map);
  void addStep(mlir::Operation &op, ShapeOf shapeOf);
  void addMap(attn::MapOp op, ShapeOf shapeOf);
  unsigned addSlot(mlir::Value value, ShapeOf shapeOf);

  llvm::DenseMap<mlir::Value, unsigned> slots;
  std::vector<int64_t> slotSizes; ///< 0 for the row and captures
  std::vector<Source> sources;
  std::vector<std::shared_ptr<ElementProgram>> maps;
  std::vector<Step> steps;
  unsigned yielded = 0;
  int64_t columns = 0;
};

} // namespace attnc::interpret

#endif // ATTNC_COMPILER_INTERPRET_ROWPROGRAM_H
