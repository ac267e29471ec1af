//===- GuardedOutput.h - a buffer that compiled code writes -----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the comparison hands to a library as an output: whoever writes behind
// its end is seen, and so is an element that nobody writes.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_GUARDEDOUTPUT_H
#define ATTNC_COMPILER_INTERPRET_GUARDEDOUTPUT_H

#include "compiler/interpret/Verify.h"

namespace attnc::interpret {

/// An output of the library: elements, then words that must stay as they are.
class GuardedOutput {
public:
  explicit GuardedOutput(int64_t elements)
      : count(elements), words(elements + kGuard, kPattern) {}
  VerifyBuffer buffer() { return {words.data(), 4 * size_t(count)}; }
  const float *numbers() const {
    return reinterpret_cast<const float *>(words.data());
  }
  const int32_t *integers() const {
    return reinterpret_cast<const int32_t *>(words.data());
  }
  bool isGuardIntact() const {
    return std::all_of(words.begin() + count, words.end(),
                       [](uint32_t word) { return word == kPattern; });
  }
  /// The same bits; among NaNs any sign and payload, for which of its operands
  /// an instruction hands on is the register allocator's choice.
  bool isSame(const GuardedOutput &other, bool isFloat) const {
    auto isNaN = [](uint32_t word) {
      return (word & 0x7FFFFFFF) > 0x7F800000 && word != kPattern;
    };
    return std::equal(words.begin(), words.end(), other.words.begin(),
                      other.words.end(), [&](uint32_t left, uint32_t right) {
                        return left == right ||
                               (isFloat && isNaN(left) && isNaN(right));
                      });
  }

private:
  static constexpr int64_t kGuard = 64;
  /// A NaN: elements that nobody writes are seen, too.
  static constexpr uint32_t kPattern = 0x7FE5A5A5;
  int64_t count;
  std::vector<uint32_t> words;
};

} // namespace attnc::interpret

#endif // ATTNC_COMPILER_INTERPRET_GUARDEDOUTPUT_H
