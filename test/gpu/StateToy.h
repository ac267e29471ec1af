//===- StateToy.h - a library for a GPU with states -------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One entry, `step`, that appends: sequence b of [batch][seq] masks gets a row
// for every element that is not 0, the element itself. out[b] is the sum over
// its rows p, old and new, of (p + 1) times the row.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_GPU_STATETOY_H
#define ATTNC_TEST_GPU_STATETOY_H

#include "attn/abi.h"

namespace statetoy {

constexpr int64_t kSequences = 4, kPositions = 10, kBlock = 4;

extern const attn_abi_library library;

attn_options options();

} // namespace statetoy

#endif // ATTNC_TEST_GPU_STATETOY_H
