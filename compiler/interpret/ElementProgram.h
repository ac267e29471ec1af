//===- ElementProgram.h - regions of scalars, run over lanes ---*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An element, score or mask region as a list of steps over registers. A
// register is an array of lanes: consecutive elements along the last dimension
// of the index space. Numbers are doubles; integers are kept as the value of
// their type (i32 sign-extended, i1 as 0 or 1).
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_ELEMENTPROGRAM_H
#define ATTNC_COMPILER_INTERPRET_ELEMENTPROGRAM_H

#include "compiler/interpret/Noise.h"
#include "compiler/interpret/Tensor.h"
#include "dialects/attn/Attn.h"
#include "llvm/ADT/DenseSet.h"
#include <functional>

namespace attnc::interpret {

class ElementProgram {
public:
  static constexpr int64_t kLanes = 256;

  /// The registers of one thread.
  struct Frame {
    std::vector<double> numbers;
    std::vector<int64_t> integers;
    Shape index; ///< of lane 0, by dimension of the index space
    /// First element of every capture: that of the tensor given to the
    /// constructor, unless the caller puts another of the same shape here.
    std::vector<const double *> numberBases;
    std::vector<const int64_t *> integerBases;
    /// Where results of ops get their errors from; none without.
    std::optional<Noise> noise;
    bool hasShortErf = false; ///< erf is that of narrow rows (ShortErf.h)
    uint64_t first = 0;       ///< lane 0 among the elements that noise is for
    /// Lanes of leading argument `argument`.
    double *number(unsigned argument) {
      return numbers.data() + argument * kLanes;
    }
    int64_t *integer(unsigned argument) {
      return integers.data() + argument * kLanes;
    }
  };

  /// `captures` are the values of the region's captures, in order (without
  /// elements if every frame brings its own); `rank` is that of the index
  /// space.
  ElementProgram(const attn::CapturedRegion &region,
                 llvm::ArrayRef<Tensor> captures, unsigned rank);

  Frame makeFrame() const;
  /// Runs `count` <= kLanes lanes from frame.index on; leading arguments were
  /// set by the caller.
  void run(Frame &frame, int64_t count) const;
  /// Lanes of what the region yielded.
  const double *yieldedNumbers(const Frame &frame) const {
    return frame.numbers.data() + yielded * kLanes;
  }
  const int64_t *yieldedIntegers(const Frame &frame) const {
    return frame.integers.data() + yielded * kLanes;
  }
  /// Rough arithmetic operations per lane.
  int64_t cost() const { return 4 + 8 * int64_t(steps.size()); }

private:
  /// A capture: element at offset + sum of strides[d] * index[d].
  struct Source {
    Tensor tensor;
    Shape strides;
    int64_t offset = 0;
    unsigned target = 0;
    Shape wholeStrides; ///< of the dimensions that only attn.lookup indexes
  };
  using Step = std::function<void(Frame &, int64_t count)>;
  /// A result that f32 code rounds.
  struct Rounding {
    unsigned step, target;
    bool isUniform;     ///< one number for all elements
    bool isOfAnInteger; ///< exact where f32 has the integer
  };

  void addSource(const Tensor &capture, mlir::AffineMap map, unsigned target,
                 unsigned rank);
  void addStep(mlir::Operation &op);
  void addRounding(mlir::Operation &op);
  void round(const Rounding &rounding, Frame &frame, int64_t count) const;
  void addNumberStep(mlir::Operation &op);
  void addIntegerStep(mlir::Operation &op);
  void addConstant(mlir::arith::ConstantOp op);
  void addComparison(mlir::arith::CmpFOp op);
  void addComparison(mlir::arith::CmpIOp op);
  void addErf(mlir::math::ErfOp op);
  void addSelect(mlir::arith::SelectOp op);
  void addLookup(attn::LookupOp op);
  unsigned registerOf(mlir::Value value);
  template <typename F> void unary(mlir::Operation &op, F function);
  template <typename F> void binary(mlir::Operation &op, F function);
  template <typename F> void integerBinary(mlir::Operation &op, F function);
  template <typename F> void addConversion(mlir::Operation *op, F read);
  template <typename F> void addExtension(mlir::Operation *op, F read);
  void loadSource(unsigned number, Frame &frame, int64_t count) const;

  llvm::DenseMap<mlir::Value, unsigned> registers;
  unsigned leading; ///< arguments before those of the captures
  std::vector<Source> sources;
  std::vector<Step> steps;
  std::vector<Rounding> roundings;     ///< in the order of steps
  llvm::DenseSet<mlir::Value> uniform; ///< constants, and what is made of them
  std::vector<std::pair<unsigned, double>> numberConstants;
  std::vector<std::pair<unsigned, int64_t>> integerConstants;
  unsigned yielded = 0;
};

} // namespace attnc::interpret

#endif // ATTNC_COMPILER_INTERPRET_ELEMENTPROGRAM_H
