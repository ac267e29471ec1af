//===- RopeTest.cpp - what attn.rope computes -----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rotations by angles whose sines and cosines are whole numbers, so that
// every element of the result tells where it came from.
//
//===----------------------------------------------------------------------===//
#include "ProgramTest.h"

namespace attnc {
namespace {

class RopeTest : public ProgramTest {
protected:
  /// Two rows of two heads of five elements. Angles: 0 and a quarter in the
  /// first row, a half and three quarters in the second.
  TensorValue rotate(llvm::StringRef form) {
    return compute((R"(
    %x = attn.constant dense<[[[1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0]],
                              [[11.0, 12.0, 13.0, 14.0, 15.0], [16.0, 17.0, 18.0, 19.0, 20.0]]]> : tensor<2x2x5xf32>
    %c = attn.constant dense<[[1.0, 0.0], [-1.0, 0.0]]> : tensor<2x2xf32>
    %s = attn.constant dense<[[0.0, 1.0], [0.0, -1.0]]> : tensor<2x2xf32>
    %y = attn.rope %x, %c, %s )" +
                    form + " : tensor<2x2x5xf32>, tensor<2x2xf32>")
                       .str(),
                   "tensor<2x2x5xf32>");
  }
};

TEST_F(RopeTest, HalvesOfEveryHead) {
  // (1, 3) and (2, 4), then 5 as it was.
  expectNumbers(rotate(""), {1,   -4, 3,   2,   5,  6,   -9, 8,   7,   10,
                             -11, 14, -13, -12, 15, -16, 19, -18, -17, 20});
}

TEST_F(RopeTest, NeighboursOfEveryHead) {
  // (1, 2) and (3, 4), then 5 as it was.
  expectNumbers(rotate("interleaved"),
                {1,   2,   -4, 3,   5,  6,   7,   -9, 8,   10,
                 -11, -12, 14, -13, 15, -16, -17, 19, -18, 20});
}

} // namespace
} // namespace attnc
