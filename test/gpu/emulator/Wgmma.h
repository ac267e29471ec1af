//===- Wgmma.h - products of four warps, under way --------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The queue of one warp group: operations in order, each complete once all 128
// threads have issued it, executed no later than somebody's wait.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_GPU_EMULATOR_WGMMA_H
#define ATTNC_TEST_GPU_EMULATOR_WGMMA_H

#include "Block.h"

namespace attnc::emulator {

struct Block::GroupOperation {
  GroupMatrix shape;
  int issued = 0; ///< threads
  bool executed = false;
  std::array<std::array<uint32_t, 4>, 128> fragments{};
  /// Per thread its accumulators: values or tokens before, values after.
  std::vector<uint32_t> accumulators;
};

struct Block::WarpGroup {
  uint64_t first = 0; ///< number of the front operation
  uint64_t executed = 0;
  std::deque<GroupOperation> operations;
  std::array<uint64_t, 128> waited{}; ///< per thread: operations waited for
};

} // namespace attnc::emulator

#endif // ATTNC_TEST_GPU_EMULATOR_WGMMA_H
