//===- Tensor.h - values of the interpreter ----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A Tensor is a shape over shared elements, so that ops which only see a value
// differently (split_heads) copy nothing. Numbers are doubles; the matrices of
// a model stay floats, as they were read, because a reader converts them on the
// fly.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_TENSOR_H
#define ATTNC_COMPILER_INTERPRET_TENSOR_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <memory>
#include <vector>

namespace attnc::interpret {

using Shape = llvm::SmallVector<int64_t, 4>;

inline int64_t product(llvm::ArrayRef<int64_t> dims) {
  int64_t result = 1;
  for (int64_t dim : dims)
    result *= dim;
  return result;
}

/// Exactly one of the three is filled.
struct Elements {
  std::vector<double> numbers;
  std::vector<int64_t> integers;
  std::vector<float> singles;
};

struct Tensor {
  Shape shape;
  bool isInteger = false;
  std::shared_ptr<Elements> elements;

  /// Zeros of a shape.
  static Tensor numbers(llvm::ArrayRef<int64_t> shape) {
    auto elements = std::make_shared<Elements>();
    elements->numbers.resize(product(shape));
    return {Shape(shape), false, std::move(elements)};
  }
  static Tensor integers(llvm::ArrayRef<int64_t> shape) {
    auto elements = std::make_shared<Elements>();
    elements->integers.resize(product(shape));
    return {Shape(shape), true, std::move(elements)};
  }

  int64_t numElements() const { return product(shape); }
  int64_t rank() const { return shape.size(); }
  /// Size of the last dimension; 1 for a scalar.
  int64_t columns() const { return shape.empty() ? 1 : shape.back(); }
  /// Everything before the last dimension as one.
  int64_t rows() const {
    return shape.empty() ? 1
                         : product(llvm::ArrayRef<int64_t>(shape).drop_back());
  }
  double *numberData() { return elements->numbers.data(); }
  const double *numberData() const { return elements->numbers.data(); }
  int64_t *integerData() { return elements->integers.data(); }
  const int64_t *integerData() const { return elements->integers.data(); }

  /// The same tensor with elements of its own.
  Tensor copy() const {
    return {shape, isInteger, std::make_shared<Elements>(*elements)};
  }
  /// The same tensor with its numbers as doubles.
  Tensor asNumbers() const {
    if (isInteger || elements->singles.empty())
      return *this;
    auto converted = std::make_shared<Elements>();
    converted->numbers.assign(elements->singles.begin(),
                              elements->singles.end());
    return {shape, false, std::move(converted)};
  }
};

} // namespace attnc::interpret

#endif // ATTNC_COMPILER_INTERPRET_TENSOR_H
