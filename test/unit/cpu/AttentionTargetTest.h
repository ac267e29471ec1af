//===- AttentionTargetTest.h - attention on some processors -----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A test of attention by the name of a target, with products in the format that
// this one is fast in. Tiles are emulated where there are none.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_UNIT_CPU_ATTENTIONTARGETTEST_H
#define ATTNC_TEST_UNIT_CPU_ATTENTIONTARGETTEST_H

#include "AttentionProblem.h"
#include "TileEmulator.h"
#include <algorithm>
#include <gtest/gtest.h>

namespace attnc::test {

struct AttentionTargetTest : testing::TestWithParam<const char *> {
  const Target &target = *Target::find(GetParam());
  AttentionKernel kernel;

  void SetUp() override {
    if (!canRunKernels(target))
      GTEST_SKIP() << "this machine does not run " << GetParam();
    kernel.isBf16 = target.hasBf16Products;
    kernel.usesTiles = target.hasTiles;
  }
  std::unique_ptr<KernelRunner> compile() {
    return KernelRunner::compile(kernel.text(target), target);
  }
  static std::string name(const testing::TestParamInfo<const char *> &info) {
    std::string name = info.param;
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
  }
};

} // namespace attnc::test

#endif // ATTNC_TEST_UNIT_CPU_ATTENTIONTARGETTEST_H
