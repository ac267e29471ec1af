//===- Parallel.h - loops over threads ---------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Cuts a loop into contiguous parts, one per thread. What a part computes does
// not depend on where the cuts are.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_PARALLEL_H
#define ATTNC_COMPILER_INTERPRET_PARALLEL_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include <cstdint>

namespace attnc::interpret {

class Parallel {
public:
  /// 0: as many as the machine has.
  explicit Parallel(unsigned threads);

  /// Calls `body(begin, end)` for parts that cover [0, count). `cost` is the
  /// work of one index in arithmetic operations: little work is not spread.
  void forRange(int64_t count, int64_t cost,
                llvm::function_ref<void(int64_t, int64_t)> body) const;

private:
  unsigned threads;
};

} // namespace attnc::interpret

#endif // ATTNC_COMPILER_INTERPRET_PARALLEL_H
