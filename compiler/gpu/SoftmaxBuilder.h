//===- SoftmaxBuilder.h - the online softmax of attention -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What every form of attention does with scores: which keys the masks leave to
// visit, and maxima, weights and totals of rows that come in parts.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_GPU_SOFTMAXBUILDER_H
#define ATTNC_COMPILER_GPU_SOFTMAXBUILDER_H

#include "compiler/gpu/ProgramBuilder.h"
#include "compiler/schedule/MaskBounds.h"

namespace attnc::gpu {

class SoftmaxBuilder {
public:
  SoftmaxBuilder(ProgramBuilder &e, const attn::CapturedRegion &score,
                 const attn::CapturedRegion &mask);

protected:
  using Values = llvm::SmallVector<mlir::Value>;
  /// Keys: [begin, fullBegin) and [fullEnd, end) are masked element by element.
  struct Span {
    mlir::Value begin, fullBegin, fullEnd, end;
  };
  /// Query positions of a block's rows, and the keys to choose from.
  struct Reach {
    mlir::Value firstRow, lastRow, begin, end;
  };
  /// The keys that some row sees, from a multiple of `step` on.
  Span findSpan(const Reach &reach, int64_t step);
  bool hasLowerBound() const;

  /// Into how many blocks' sums the columns of the values go.
  int64_t countValueParts(int64_t valueSize);
  warp::FragmentType fragment(warp::Role role, int64_t rows, int64_t columns);
  mlir::Value mapRows(mlir::ValueRange inputs, unsigned results,
                      llvm::function_ref<Values(mlir::ValueRange)> body,
                      Values *all = nullptr);
  mlir::Value scale(mlir::Value acc, mlir::Value rows);
  Values softmax(mlir::Value scores, mlir::Value maxima);
  /// 1 / total of rows whose lanes have a part each; 0 of a row without keys.
  mlir::Value invert(mlir::Value totals);
  /// Columns 0 and 1 of an accumulator: maxima, and totals over all lanes.
  mlir::Value pairUp(mlir::Value maxima, mlir::Value totals);

  ProgramBuilder &e;
  mlir::OpBuilder &b;
  attn::CapturedRegion score, mask;
  llvm::SmallVector<KeyBound> bounds;
  bool boundsSayAll; ///< the mask is its bounds and nothing else
  float scoreScale;  ///< scores are multiplied by it in the exponent
  bool scoreIsScale; ///< and that is all that the score region does
};

} // namespace attnc::gpu

#endif // ATTNC_COMPILER_GPU_SOFTMAXBUILDER_H
