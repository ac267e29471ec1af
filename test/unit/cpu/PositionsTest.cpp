//===- PositionsTest.cpp - positions counted over what is no padding ------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// attn.token_positions on every length up to 70, with padding before, between
// and after tokens and with nothing else, by any number of workers.
//
//===----------------------------------------------------------------------===//
#include "KernelRunner.h"
#include "TargetTest.h"
#include <random>

namespace attnc::test {
namespace {

std::string positionKernel(const Target &target, int64_t padding) {
  const std::string type = "tensor<?x?xi32, #attn.sizes<b, s>>";
  return "attn.size @b min 0 max 64\nattn.size @s min 0 max 99\n"
         "kernel.variant @v target \"" +
         target.name.str() + "\" {\nkernel.func @count(%i: " + type + ") -> " +
         type + " {\n%p = attn.token_positions %i padding " +
         std::to_string(padding) + " : " + type +
         "\nkernel.return %p : " + type + "\n}\n}\n";
}

struct PositionsTest : TargetTest {};

TEST_P(PositionsTest, EveryLength) {
  for (int32_t padding : {0, 1, 7}) {
    auto runner =
        KernelRunner::compile(positionKernel(target(), padding), target());
    ASSERT_TRUE(runner);
    std::mt19937 random(padding);
    for (int64_t batch : {0, 1, 2, 3, 5})
      for (int64_t length = 0; length <= 70; ++length) {
        GuardedBuffer ids(batch * length);
        std::vector<int32_t> expected;
        for (int64_t row = 0; row < batch; ++row) {
          // The second sequence is padding alone.
          const unsigned density = row == 1 ? 0 : 1 + random() % 4;
          int32_t counted = 0;
          for (int64_t i = 0; i < length; ++i) {
            const bool token = random() % 4 < density;
            ids.ints()[row * length + i] =
                token ? padding + 1 + int32_t(random() % 9) : padding;
            counted += token;
            expected.push_back(token ? padding + counted : padding);
          }
        }
        ids.freeze();
        std::vector<int64_t> sizes = {batch, length};
        for (int workers : {1, 2, 3, 8}) {
          GuardedBuffer positions(batch * length);
          std::fill_n(positions.ints(), positions.size(), -1);
          runner->run("v_count", sizes, {ids.data(), positions.data()},
                      workers);
          ASSERT_TRUE(
              std::equal(expected.begin(), expected.end(), positions.ints()))
              << batch << " x " << length << ", padding " << padding << ", "
              << workers << " workers";
        }
      }
  }
}

ATTNC_FOR_ALL_TARGETS(PositionsTest);

} // namespace
} // namespace attnc::test
