//===- Random.h - choices that a seed decides -------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// SplitMix64: the same choices for the same seed on every machine and with
// every C++ library.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_FUZZ_PROGRAMS_RANDOM_H
#define ATTNC_TEST_FUZZ_PROGRAMS_RANDOM_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace attnc::fuzz {

class Random {
public:
  explicit Random(uint64_t seed) : state(seed * 0x9E3779B97F4A7C15u + 1) {}

  uint64_t next() {
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  /// In [0, count).
  int64_t below(int64_t count) { return next() % uint64_t(count); }
  /// In [from, to].
  int64_t between(int64_t from, int64_t to) {
    return from + below(to - from + 1);
  }
  /// In [0, 1).
  double unit() { return double(next() >> 11) * 0x1p-53; }
  double normal() {
    return std::sqrt(-2 * std::log(1 - unit())) *
           std::cos(6.283185307179586 * unit());
  }
  bool chance(double probability) { return unit() < probability; }
  template <typename T> T pick(std::initializer_list<T> list) {
    return list.begin()[below(list.size())];
  }
  template <typename T> const T &pick(const std::vector<T> &list) {
    return list[below(list.size())];
  }

private:
  uint64_t state;
};

} // namespace attnc::fuzz

#endif // ATTNC_TEST_FUZZ_PROGRAMS_RANDOM_H
