//===- RandomInput.cpp - inputs to time a library with ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One tensor at a time, by its description.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/RandomInput.h"

namespace attnc::tools {

HostTensor makeRandomInput(const LibraryArgument &argument,
                           const std::map<std::string, int64_t> &sizes,
                           std::mt19937 &random) {
  HostTensor tensor;
  tensor.resize(argument.shape(sizes), argument.isInteger);
  if (argument.defaultValue) {
    std::fill(tensor.integers.begin(), tensor.integers.end(),
              *argument.defaultValue);
    return tensor;
  }
  auto [low, high] = argument.range.value_or(std::pair<int64_t, int64_t>(0, 1));
  std::uniform_int_distribution<int32_t> ids(low, high);
  std::normal_distribution<float> normal;
  for (int32_t &value : tensor.integers)
    value = ids(random);
  for (float &value : tensor.numbers)
    value = normal(random);
  return tensor;
}

} // namespace attnc::tools
