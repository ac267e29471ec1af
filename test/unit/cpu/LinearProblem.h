//===- LinearProblem.h - linear kernels and what they give ------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The text of linear kernels of any shape and precision, their inputs, and
// their result in double precision. Where weights or rows are narrow, that is
// the result of the numbers that they stand for, read from the panels as
// #kernel.panels describes them.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_UNIT_CPU_LINEARPROBLEM_H
#define ATTNC_TEST_UNIT_CPU_LINEARPROBLEM_H

#include "KernelRunner.h"
#include "compiler/import/StoredWeights.h"
#include "compiler/schedule/CostModel.h"
#include <optional>

namespace attnc::test {

/// What happens to the products.
enum class Finish {
  None,      ///< nothing
  Residual,  ///< + bias[n] + residual[m, n]
  Gelu,      ///< gelu(x + bias[n])
  LayerNorm, ///< x + bias[n], then layer norm with weight and bias
};

struct LinearShape {
  int64_t columns, depth;
  Finish finish = Finish::None;
  int64_t blockDepth = 0;
  int64_t inputStride = 0; ///< 0: rows without gaps
  kernel::Format weights = kernel::Format::f32;
  kernel::Format activations = kernel::Format::f32;
  bool grouped = false; ///< weights of i8 with a scale for each group
  int64_t group = 32;   ///< where weights are in groups
  kernel::Scales scales = kernel::Scales::f16; ///< of groups
};

/// The targets that multiply bytes and run here; tiles are emulated on vectors
/// of AVX-512.
std::vector<const Target *> getByteTargets();
bool sameBits(const float *a, const float *b, size_t count);

/// "linear_N_K_..."
std::string getKernelName(const LinearShape &shape);
/// A module with a kernel per shape, in variant @v, its size "tokens".
std::string makeModule(const std::vector<LinearShape> &shapes,
                       const Target &target, bool openBlas);

/// One shape with numbers for `rows` rows.
class LinearProblem {
public:
  LinearProblem(const LinearShape &shape, int64_t rows, const Target &target,
                bool openBlas);

  /// Runs the kernel between guard pages; the bytes of the result.
  std::vector<float> run(const KernelRunner &runner, int workers) const;
  /// Runs it on row `row` alone.
  std::vector<float> runRow(const KernelRunner &runner, int64_t row) const;
  /// Fails the test where a result is further from the exact one than rounding
  /// of every product and sum explains.
  void check(const std::vector<float> &result) const;
  /// The numbers of a row of the input.
  float *inputRow(int64_t row) { return input.data() + row * stride; }

private:
  std::vector<float> runRows(const KernelRunner &runner, int64_t first,
                             int64_t count, int workers) const;
  void checkRow(const float *result, int64_t row) const;
  void narrow();
  /// Weights as a model's file has them: any steps, scales and offsets.
  StoredBlocks makeBlocks() const;
  /// A number of these, by the text of #kernel.panels: its steps are the upper
  /// bits of `upper`.
  double readOfGroup(const uint8_t *panel, int64_t lane, int64_t group,
                     uint32_t upper) const;
  /// Row `row` as it is multiplied.
  std::vector<double> narrowRow(int64_t row) const;

  LinearShape shape;
  int64_t rows, stride;
  std::vector<float> input, weight, packed, bias, residual, scale, shift;
  std::vector<double> weightValues; ///< what `packed` stands for
  size_t scratchBytes;
};

} // namespace attnc::test

#endif // ATTNC_TEST_UNIT_CPU_LINEARPROBLEM_H
