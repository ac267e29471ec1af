//===- Kernels.h - the tests' kernels and how they are run ------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels are LLVM IR in kernels/. A fault is a change of their text: tests say
// what is replaced by what, and expect that somebody notices.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_GPU_KERNELS_H
#define ATTNC_TEST_GPU_KERNELS_H

#include "test/gpu/emulator/Emulator.h"
#include "test/gpu/emulator/TensorMap.h"
#include <string>
#include <vector>

namespace attnc::emulator {

/// Memory that a kernel may touch, and nothing beside it.
template <typename T> class Buffer {
public:
  explicit Buffer(size_t count) : values(count) {
    addMemory(values.data(), sizeof(T) * count);
  }
  ~Buffer() { removeMemory(values.data()); }
  Buffer(const Buffer &) = delete;
  T &operator[](size_t index) { return values[index]; }
  T *data() { return values.data(); }
  size_t size() const { return values.size(); }

private:
  std::vector<T> values;
};

struct Replacement {
  std::string from, to;
};

/// The text of kernels/`name`, changed once for each replacement; fails the
/// test if the text to replace is not there.
std::string kernelText(const std::string &name,
                       const std::vector<Replacement> &faults = {});

/// What a kernel did: an error of the emulator, or how far its result is from
/// the truth. NaN counts as 1e30.
struct Outcome {
  std::string error;
  double difference = 0;
  Counts counts;

  bool isRight(double tolerance) const {
    return error.empty() && difference <= tolerance;
  }
};

/// block-sum.ll on n numbers.
Outcome runBlockSum(const std::string &text, int n, const Options &options);
/// product-sm80.ll with k columns.
Outcome runProduct80(const std::string &text, int k, const Options &options);
/// product-sm90.ll with n stages of 64 columns.
Outcome runProduct90(const std::string &text, int n, const Options &options);
/// turns.ll with n rounds.
Outcome runTurns(const std::string &text, int n, const Options &options);

} // namespace attnc::emulator

#endif // ATTNC_TEST_GPU_KERNELS_H
