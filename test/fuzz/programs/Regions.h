//===- Regions.h - random regions -------------------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Element, row, score and mask regions. Arithmetic on numbers is continuous
// and bounded in growth: where a condition picks between numbers, it compares
// integers, or the two sides meet. So a difference beyond rounding is a mistake
// of the compiler.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_FUZZ_PROGRAMS_REGIONS_H
#define ATTNC_TEST_FUZZ_PROGRAMS_REGIONS_H

#include "ProgramWriter.h"

namespace attnc::fuzz {

/// An element region over `space`. `accumulator`: the first argument is the
/// number that the op computed. `integer`: yields i32 that may be an id.
/// `rank` of the index space of attn.index.
RegionText makeElementRegion(Random &random, const Dims &space,
                             bool accumulator, bool integer = false);

/// A row region under rows of `space`'s last dimension.
RegionText makeRowRegion(Random &random, const Dims &space);

enum class AttentionForm { Single, Padded, Packed, Cached };
/// Dimensions of b, h, q, kv.
RegionText makeScoreRegion(Random &random, AttentionForm form,
                           const Dims &space);
RegionText makeMaskRegion(Random &random, AttentionForm form,
                          const Dims &space);

/// "layer %x weight(..) ... epsilon 1e-5" without the type; `%x` as given,
/// weight and bias as asked for.
std::string makeNorm(Random &random, const std::string &input,
                     const std::function<std::string()> &vector);

} // namespace attnc::fuzz

#endif // ATTNC_TEST_FUZZ_PROGRAMS_REGIONS_H
