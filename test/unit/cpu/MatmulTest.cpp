//===- MatmulTest.cpp - products of matrices at every tail ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// attn.matmul with all dimensions known at run time, both forms, several
// matrices: exact within rounding, between guard pages, and the same bits for
// every number of workers.
//
//===----------------------------------------------------------------------===//
#include "KernelRunner.h"
#include "TargetTest.h"
#include <cmath>
#include <cstring>
#include <random>

using namespace attnc;
using namespace attnc::test;

namespace {

/// Matrices, rows, columns, depth: the sizes of the kernel in this order.
using Sizes = std::vector<int64_t>;

const char *kText = R"(
attn.size @p min 1 max 64
attn.size @m min 1 max 64
attn.size @n min 1 max 64
attn.size @k min 1 max 64
kernel.variant @v target "TARGET" {
kernel.func @plain(%a: tensor<?x2x?x?xf32, #attn.sizes<p, 2, m, k>>, %b: tensor<?x2x?x?xf32, #attn.sizes<p, 2, k, n>>) -> tensor<?x2x?x?xf32, #attn.sizes<p, 2, m, n>> {
  %y = attn.matmul %a, %b : tensor<?x2x?x?xf32, #attn.sizes<p, 2, m, k>>, tensor<?x2x?x?xf32, #attn.sizes<p, 2, k, n>> -> tensor<?x2x?x?xf32, #attn.sizes<p, 2, m, n>>
  kernel.return %y : tensor<?x2x?x?xf32, #attn.sizes<p, 2, m, n>>
}
kernel.func @transposed(%a: tensor<?x2x?x?xf32, #attn.sizes<p, 2, m, k>>, %b: tensor<?x2x?x?xf32, #attn.sizes<p, 2, n, k>>) -> tensor<?x2x?x?xf32, #attn.sizes<p, 2, m, n>> {
  %y = attn.matmul %a, %b transpose_rhs : tensor<?x2x?x?xf32, #attn.sizes<p, 2, m, k>>, tensor<?x2x?x?xf32, #attn.sizes<p, 2, n, k>> -> tensor<?x2x?x?xf32, #attn.sizes<p, 2, m, n>>
  kernel.return %y : tensor<?x2x?x?xf32, #attn.sizes<p, 2, m, n>>
}
}
)";

const Sizes kSizes[] = {{1, 1, 1, 1},   {1, 5, 15, 3},   {2, 6, 16, 4},
                        {1, 7, 17, 16}, {3, 12, 32, 17}, {1, 13, 33, 31},
                        {2, 3, 4, 64},  {1, 64, 65, 33}, {4, 2, 100, 1}};

GuardedBuffer randomBuffer(size_t count, unsigned seed) {
  GuardedBuffer buffer(count);
  std::mt19937 engine(seed);
  for (size_t i = 0; i < count; ++i)
    buffer.floats()[i] = static_cast<int32_t>(engine()) * 0x1p-31f;
  buffer.freeze();
  return buffer;
}

struct Matmul : TargetTest {
  void SetUp() override {
    TargetTest::SetUp();
    if (IsSkipped())
      return;
    std::string text = kText;
    text.replace(text.find("TARGET"), 6, target().name.str());
    runner = KernelRunner::compile(text, target());
    ASSERT_NE(runner, nullptr);
  }

  std::vector<float> run(const char *kernel, Sizes sizes,
                         const GuardedBuffer &a, const GuardedBuffer &b,
                         int workers) {
    GuardedBuffer out(sizes[0] * 2 * sizes[1] * sizes[2]);
    std::fill_n(out.floats(), out.size(), NAN);
    runner->run(kernel, sizes, {a.data(), b.data(), out.data()}, workers);
    return {out.floats(), out.floats() + out.size()};
  }

  void check(bool transposed, const Sizes &sizes) {
    const int64_t matrices = 2 * sizes[0], m = sizes[1], n = sizes[2],
                  k = sizes[3];
    GuardedBuffer a = randomBuffer(matrices * m * k, 1);
    GuardedBuffer b = randomBuffer(matrices * k * n, 2);
    const char *kernel = transposed ? "v_transposed" : "v_plain";
    std::vector<float> one = run(kernel, sizes, a, b, 1);
    for (int workers : {2, 3, 50}) {
      std::vector<float> many = run(kernel, sizes, a, b, workers);
      ASSERT_EQ(std::memcmp(one.data(), many.data(), 4 * one.size()), 0)
          << kernel << " by " << workers << " workers";
    }
    for (size_t index = 0; index < one.size(); ++index) {
      const int64_t matrix = index / (m * n), row = index / n % m,
                    column = index % n;
      const float *left = a.floats() + (matrix * m + row) * k;
      const float *right = b.floats() + matrix * n * k;
      double sum = 0, magnitude = 0;
      for (int64_t i = 0; i < k; ++i) {
        const double product =
            double(left[i]) *
            right[transposed ? column * k + i : i * n + column];
        sum += product;
        magnitude += std::fabs(product);
      }
      // Every product and every sum rounds once.
      ASSERT_NEAR(one[index], sum, 2 * k * magnitude * 0x1p-24)
          << kernel << " " << m << "x" << n << "x" << k << " at " << index;
    }
  }

  std::unique_ptr<KernelRunner> runner;
};

TEST_P(Matmul, RowsTimesColumns) {
  for (const Sizes &sizes : kSizes)
    check(false, sizes);
}

TEST_P(Matmul, RowsTimesRows) {
  for (const Sizes &sizes : kSizes)
    check(true, sizes);
}

ATTNC_FOR_ALL_TARGETS(Matmul);

} // namespace
