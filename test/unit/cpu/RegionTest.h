//===- RegionTest.h - a region in both forms of attention -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The fixture of tests of score and mask regions: a region is compiled into a
// kernel and compared with the definition at every tail of its lanes and tiles.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_UNIT_CPU_REGIONTEST_H
#define ATTNC_TEST_UNIT_CPU_REGIONTEST_H

#include "AttentionProblem.h"
#include "TargetTest.h"

namespace attnc::test {

struct RegionTest : TargetTest {
  std::unique_ptr<KernelRunner> compile(const AttentionKernel &kernel) {
    return KernelRunner::compile(kernel.text(target()), target());
  }

  void checkPadded(const Region &score, const Region &mask) {
    AttentionKernel kernel;
    kernel.queryHeads = 4;
    kernel.keyHeads = 2;
    kernel.headSize = 20;
    kernel.valueSize = 16;
    kernel.score = score;
    kernel.mask = mask;
    auto runner = compile(kernel);
    ASSERT_TRUE(runner);
    for (int64_t length : {1, 5, 8, 16, 17, 33, 49, 65, 128})
      for (auto [queries, keys] :
           {std::pair(length, length), std::pair(int64_t(13), length),
            std::pair(length, int64_t(29))}) {
        AttentionProblem(kernel, {2, queries, keys, {}}, length).check(*runner);
        if (HasFatalFailure())
          return;
      }
  }

  void checkPacked(const Region &score, const Region &mask) {
    AttentionKernel kernel;
    kernel.form = AttentionKernel::Packed;
    kernel.queryHeads = kernel.keyHeads = 3;
    kernel.oneBuffer = true;
    kernel.score = score;
    kernel.mask = mask;
    auto runner = compile(kernel);
    ASSERT_TRUE(runner);
    AttentionProblem(kernel, {0, 0, 0, {65, 1, 0, 17, 128}}, 9).check(*runner);
  }
};

} // namespace attnc::test

#endif // ATTNC_TEST_UNIT_CPU_REGIONTEST_H
