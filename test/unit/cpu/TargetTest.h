//===- TargetTest.h - tests that run once per target -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The fixture of tests that compile for every target and run where the machine
// can: derive from TargetTest, then ATTNC_FOR_ALL_TARGETS(MyTest).
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_UNIT_CPU_TARGETTEST_H
#define ATTNC_TEST_UNIT_CPU_TARGETTEST_H

#include "compiler/Target.h"
#include <algorithm>
#include <gtest/gtest.h>

namespace attnc::test {

struct TargetTest : testing::TestWithParam<const Target *> {
  void SetUp() override {
    if (!target().runsHere())
      GTEST_SKIP() << "this machine does not run " << target().name.str();
  }
  static const Target &target() { return *GetParam(); }
};

/// Those that differ in more than products of narrow numbers.
inline std::vector<const Target *> allTargets() {
  std::vector<const Target *> targets;
  for (const Target &target : Target::all())
    if (!target.isForNarrow)
      targets.push_back(&target);
  return targets;
}

inline std::string targetName(const testing::TestParamInfo<const Target *> &p) {
  std::string name = p.param->name.str();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

#define ATTNC_FOR_ALL_TARGETS(TEST)                                            \
  INSTANTIATE_TEST_SUITE_P(Targets, TEST, testing::ValuesIn(allTargets()),     \
                           targetName)

} // namespace attnc::test

#endif // ATTNC_TEST_UNIT_CPU_TARGETTEST_H
