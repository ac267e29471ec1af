//===- RopeTest.cpp - rotary positions at every tail ----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// attn.rope against double precision, between guard pages: heads of any size,
// rotated whole or in part, in halves and interleaved, as their own tensor and
// inside the rows of a wider product; padded and packed; the same bits for
// every number of workers.
//
//===----------------------------------------------------------------------===//
#include "KernelRunner.h"
#include "TargetTest.h"
#include <cmath>
#include <cstring>
#include <random>

namespace attnc::test {
namespace {

struct Shape {
  int64_t heads, size, angles;
  bool interleaved;
  int64_t stride; ///< elements between rows; 0: no gaps
  bool packed;
};

std::string makeKernel(const Shape &shape, const Target &target) {
  auto number = [](int64_t x) { return std::to_string(x); };
  const std::string leading = shape.packed ? "?x" : "?x?x";
  const std::string names = shape.packed ? "t, " : "b, s, ";
  const std::string rows = "tensor<" + leading + number(shape.heads) + "x" +
                           number(shape.size) + "xf32, #attn.sizes<" + names +
                           number(shape.heads) + ", " + number(shape.size) +
                           ">>";
  const std::string table = "tensor<" + leading + number(shape.angles) +
                            "xf32, #attn.sizes<" + names +
                            number(shape.angles) + ">>";
  const std::string layout = shape.stride ? " {kernel.layout = #kernel.rows<" +
                                                number(shape.stride) + ">}"
                                          : "";
  return "attn.size @b min 0 max 64\nattn.size @s min 0 max 64\n"
         "attn.size @t derived \"b * s\"\n"
         "kernel.variant @v target \"" +
         target.name.str() + "\" {\nkernel.func @rope(%x: " + rows + layout +
         ", %c: " + table + ", %s: " + table + ") -> " + rows +
         " {\n%y = attn.rope %x, %c, %s" +
         (shape.interleaved ? " interleaved" : "") + " : " + rows + ", " +
         table + "\nkernel.return %y : " + rows + "\n}\n}\n";
}

GuardedBuffer randomBuffer(size_t elements, unsigned seed) {
  GuardedBuffer buffer(elements);
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (size_t i = 0; i < elements; ++i)
    buffer.floats()[i] = uniform(random);
  buffer.freeze();
  return buffer;
}

struct RopeTest : TargetTest {};

/// The heads of one row, in double precision.
std::vector<double> rotate(const Shape &shape, const float *row,
                           const float *cos, const float *sin) {
  std::vector<double> result(row, row + shape.heads * shape.size);
  for (int64_t h = 0; h < shape.heads; ++h)
    for (int64_t c = 0; c < shape.angles; ++c) {
      const int64_t first = h * shape.size + (shape.interleaved ? 2 * c : c);
      const int64_t second = first + (shape.interleaved ? 1 : shape.angles);
      const double x = row[first], y = row[second];
      result[first] = x * cos[c] - y * sin[c];
      result[second] = y * cos[c] + x * sin[c];
    }
  return result;
}

void check(const Shape &shape, const Target &target) {
  SCOPED_TRACE(testing::Message() << shape.heads << " heads of " << shape.size
                                  << ", " << shape.angles << " angles"
                                  << (shape.interleaved ? ", interleaved" : "")
                                  << (shape.packed ? ", packed" : "")
                                  << ", stride " << shape.stride);
  auto runner = KernelRunner::compile(makeKernel(shape, target), target);
  ASSERT_TRUE(runner);
  const int64_t width = shape.heads * shape.size;
  const int64_t stride = shape.stride ? shape.stride : width;
  for (int64_t batch : {0, 1, 3})
    for (int64_t length : {1, 5}) {
      const int64_t rows = batch * length;
      // Behind the last row's heads nothing is read.
      GuardedBuffer x = randomBuffer(rows ? (rows - 1) * stride + width : 0, 1);
      GuardedBuffer cos = randomBuffer(rows * shape.angles, 2);
      GuardedBuffer sin = randomBuffer(rows * shape.angles, 3);
      GuardedBuffer y(rows * width), again(rows * width);
      std::vector<int64_t> sizes = {batch, length, rows};
      runner->run("v_rope", sizes,
                  {x.data(), cos.data(), sin.data(), y.data()});
      runner->run("v_rope", sizes,
                  {x.data(), cos.data(), sin.data(), again.data()}, 3);
      ASSERT_EQ(std::memcmp(y.data(), again.data(), rows * width * 4), 0);
      for (int64_t row = 0; row < rows; ++row) {
        std::vector<double> expected = rotate(
            shape, x.floats() + row * stride, cos.floats() + row * shape.angles,
            sin.floats() + row * shape.angles);
        // Two products and a sum of numbers below 1.
        for (int64_t i = 0; i < width; ++i)
          ASSERT_NEAR(y.floats()[row * width + i], expected[i], 1.5e-7)
              << "row " << row << ", element " << i;
      }
    }
}

TEST_P(RopeTest, EveryTail) {
  for (bool interleaved : {false, true}) {
    for (int64_t angles = 1; angles <= 2 * target().lanes() + 1; ++angles)
      check({2, 2 * angles, angles, interleaved, 0, angles % 2 == 1}, target());
  }
}

TEST_P(RopeTest, PartOfAHead) {
  for (bool interleaved : {false, true})
    for (auto [size, angles] : {std::pair<int64_t, int64_t>{3, 1},
                                {10, 4},
                                {33, 8},
                                {64, 8},
                                {80, 16},
                                {65, 32}})
      check({3, size, angles, interleaved, 0, false}, target());
}

TEST_P(RopeTest, InsideRowsOfAProduct) {
  for (bool interleaved : {false, true})
    for (bool packed : {false, true}) {
      check({3, 10, 5, interleaved, 90, packed}, target());
      check({1, 64, 32, interleaved, 192, packed}, target());
      check({5, 7, 2, interleaved, 36, packed}, target());
    }
}

ATTNC_FOR_ALL_TARGETS(RopeTest);

} // namespace
} // namespace attnc::test
