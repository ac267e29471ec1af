//===- AttentionProblem.h - attention and what it should give ---*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An attention kernel in one of its forms, with regions: its MLIR text, random
// operands between guard pages, and the result in double precision by the
// definition.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_UNIT_CPU_ATTENTIONPROBLEM_H
#define ATTNC_TEST_UNIT_CPU_ATTENTIONPROBLEM_H

#include "KernelRunner.h"
#include <functional>
#include <random>

namespace attnc::test {

/// Where a score stands.
struct Position {
  int64_t b, h, q, k;
};

/// An operand of a region, indexed by some of "bhqk" (in the packed form, q and
/// k by row).
struct Capture {
  std::string dims;
  bool isInteger = false;
  float least = -1, most = 1; ///< of random elements
  std::vector<int64_t> table; ///< dimensions that stay whole

  size_t tableSize() const;
};

/// `body` computes on %s (score regions), %b, %h, %q, %k, %c0, %c1, ... and
/// yields; `reference` says the same of a score, with all elements of a table
/// where the others have one. A mask's reference gives 0 or 1.
struct Region {
  std::string body;
  std::function<double(double score, Position at, const double *captures)>
      reference;
  std::vector<Capture> captures;

  explicit operator bool() const { return !body.empty(); }
};

/// A mask of the keys up to the query.
Region causal();

struct AttentionKernel {
  enum Form { Single, Padded, Packed };
  Form form = Padded;
  int64_t queryHeads = 1, keyHeads = 1, headSize = 16, valueSize = 16;
  bool oneBuffer = false;  ///< q, k, v are views of one [rows, ...] buffer
  bool isBf16 = false;     ///< products of bf16
  bool usesTiles = false;  ///< by AMX
  int64_t chunkPanels = 0; ///< of keys whose softmax is taken at once; 0: all
  Region score, mask;

  std::string text(const Target &target) const;
  size_t scratchBytes(int64_t keys) const;
};

/// Lengths of one call. The packed form takes `lengths`, the others batch,
/// queries and keys.
struct AttentionSizes {
  int64_t batch = 1, queries = 1, keys = 1;
  std::vector<int64_t> lengths;
};

class AttentionProblem {
public:
  AttentionProblem(const AttentionKernel &kernel, const AttentionSizes &sizes,
                   unsigned seed);
  /// The result for so many workers, as it lies in memory.
  std::vector<float> run(const KernelRunner &runner, int workers) const;
  /// Runs with 1, 2 and 3 workers; expects equal bits and the reference's
  /// values.
  void check(const KernelRunner &runner) const;

  /// Makes all queries behind `first` equal to it, whose results must then have
  /// its bits: they do not depend on a row's place in a block. Of the single
  /// form with one head.
  void checkEqualRows(const KernelRunner &runner, int64_t first) const;

  /// Elements of the operands, for tests that change them.
  float &queryAt(int64_t row, int64_t head, int64_t d) const;
  float &keyAt(int64_t row, int64_t head, int64_t d) const;
  float &valueAt(int64_t row, int64_t head, int64_t d) const;
  std::vector<float *> captureData() const;

private:
  std::vector<double> capturesAt(const Region &region, size_t first,
                                 Position at) const;
  void referenceRow(Position at, int64_t queryRow, int64_t firstKey,
                    int64_t keys, std::vector<double> &result,
                    double &tolerance) const;

  const AttentionKernel &kernel;
  AttentionSizes sizes;
  std::vector<int64_t> starts; ///< packed: offsets
  GuardedBuffer queries, keys, values, offsets;
  std::vector<GuardedBuffer> captures; ///< score's, then mask's
  float *query, *key, *value;
  int64_t queryStride, keyStride, valueStride, queryRows, keyRows;
};

} // namespace attnc::test

#endif // ATTNC_TEST_UNIT_CPU_ATTENTIONPROBLEM_H
