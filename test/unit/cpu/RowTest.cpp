//===- RowTest.cpp - row regions, maps, embeddings ------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Norms and softmax at every tail of a row and against double precision, chains
// of row ops that need a buffer, maps of every rank, sums of embeddings.
// Buffers stand between guard pages; results have the same bits for every
// number of workers.
//
//===----------------------------------------------------------------------===//
#include "KernelRunner.h"
#include "TargetTest.h"
#include "compiler/package/PackWeights.h"
#include "mlir/IR/MLIRContext.h"
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>

namespace attnc::test {
namespace {

const int64_t kColumns[] = {1,  2,  3,   4,   5,   7,   8,   9,   15,
                            16, 17, 31,  32,  33,  47,  48,  49,  63,
                            64, 65, 127, 128, 130, 384, 387, 768, 1000};
constexpr double kRounding = 1.0 / (1 << 24);

std::string number(int64_t x) { return std::to_string(x); }

struct RowTest : TargetTest {
  std::unique_ptr<KernelRunner> compile(const std::string &kernels) {
    return KernelRunner::compile("attn.size @rows min 0 max 4096\n"
                                 "attn.size @more min 0 max 4096\n"
                                 "kernel.variant @v target \"" +
                                     target().name.str() + "\" {\n" + kernels +
                                     "}\n",
                                 target());
  }

  /// Runs with 1, 2 and 3 workers, expects equal bits, returns the output.
  std::vector<float> run(const KernelRunner &runner, const std::string &kernel,
                         std::vector<int64_t> sizes, std::vector<void *> inputs,
                         size_t outputElements) {
    std::vector<float> first;
    for (int workers : {1, 2, 3}) {
      GuardedBuffer output(outputElements);
      std::fill_n(output.floats(), outputElements, NAN);
      std::vector<void *> arguments = inputs;
      arguments.push_back(output.data());
      runner.run("v_" + kernel, sizes, arguments, workers);
      std::vector<float> got(output.floats(), output.floats() + outputElements);
      if (workers == 1)
        first = got;
      EXPECT_EQ(0, std::memcmp(first.data(), got.data(),
                               outputElements * sizeof(float)))
          << kernel << ": other bits with " << workers << " workers";
    }
    return first;
  }
};

/// Random numbers around `center`, before a guard page.
GuardedBuffer randomBuffer(size_t elements, unsigned seed, float center = 0,
                           float radius = 1) {
  GuardedBuffer buffer(elements);
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(center - radius,
                                                center + radius);
  for (size_t i = 0; i < elements; ++i)
    buffer.floats()[i] = uniform(random);
  return buffer;
}

/// `kernel.func @NAME`: an identity map of [rows, columns] with a row region,
/// whose captures are %c0, %c1, ... : [columns].
std::string rowKernel(const std::string &name, int64_t columns, int captures,
                      const std::string &body) {
  const std::string n = number(columns);
  const std::string type =
      "tensor<?x" + n + "xf32, #attn.sizes<rows, " + n + ">>";
  const std::string row = "tensor<" + n + "xf32>";
  std::string arguments = "%x: " + type, operands, block = "%r: " + row;
  for (int i = 0; i < captures; ++i) {
    const std::string c = "c" + number(i);
    arguments += ", %" + c + ": " + row;
    operands += (i ? ", %" : "%") + c + " at affine_map<(d0) -> ()> : " + row;
    block += ", %r" + c + ": " + row;
  }
  return "kernel.func @" + name + "(" + arguments + ") -> " + type +
         " {\n%y = attn.map element(%x at affine_map<(d0, d1) -> (d0, d1)> : " +
         type + ") {\n^bb0(%a: f32):\nattn.yield %a : f32\n} row(" + operands +
         ") {\n^bb0(" + block + "):\n" + body + "} : " + type +
         "\nkernel.return %y : " + type + "\n}\n";
}

//===-- norms and softmax -------------------------------------------------===//

struct NormKernel {
  std::string name, body; ///< N stands for the row type
  int captures;
  /// What a row becomes.
  std::function<void(const float *x, const float *weight, const float *bias,
                     int64_t n, std::vector<double> &y)>
      reference;
};

void layerNorm(const float *x, const float *weight, const float *bias,
               int64_t n, std::vector<double> &y) {
  double mean = 0, variance = 0;
  for (int64_t i = 0; i < n; ++i)
    mean += x[i] / double(n);
  for (int64_t i = 0; i < n; ++i)
    variance += (x[i] - mean) * (x[i] - mean) / double(n);
  for (int64_t i = 0; i < n; ++i)
    y[i] = (x[i] - mean) / std::sqrt(variance + 1e-5) * weight[i] + bias[i];
}

/// As layer norms see it, with epsilon.
double deviation(const float *x, int64_t n) {
  double mean = 0, variance = 0;
  for (int64_t i = 0; i < n; ++i)
    mean += x[i] / double(n);
  for (int64_t i = 0; i < n; ++i)
    variance += (x[i] - mean) * (x[i] - mean) / double(n);
  return std::sqrt(variance + 1e-5);
}

void rmsNorm(const float *x, const float *weight, const float *, int64_t n,
             std::vector<double> &y) {
  double squares = 0;
  for (int64_t i = 0; i < n; ++i)
    squares += double(x[i]) * x[i] / double(n);
  for (int64_t i = 0; i < n; ++i)
    y[i] = x[i] / std::sqrt(squares + 1e-5) * weight[i];
}

void l2Norm(const float *x, const float *, const float *, int64_t n,
            std::vector<double> &y) {
  double squares = 0;
  for (int64_t i = 0; i < n; ++i)
    squares += double(x[i]) * x[i];
  for (int64_t i = 0; i < n; ++i)
    y[i] = x[i] / std::max(std::sqrt(squares), 1e-12);
}

void softmax(const float *x, const float *, const float *, int64_t n,
             std::vector<double> &y) {
  double highest = -INFINITY, sum = 0;
  for (int64_t i = 0; i < n; ++i)
    highest = std::max(highest, double(x[i]));
  for (int64_t i = 0; i < n; ++i)
    sum += y[i] = std::exp(x[i] - highest);
  for (int64_t i = 0; i < n; ++i)
    y[i] /= sum;
}

const NormKernel kNorms[] = {
    {"layer",
     "%y = attn.norm layer %r weight(%rc0 : N) bias(%rc1 : N) epsilon "
     "1.000000e-05 : N\nattn.yield %y : N\n",
     2, layerNorm},
    {"rms",
     "%y = attn.norm rms %r weight(%rc0 : N) epsilon 1.000000e-05 : N\n"
     "attn.yield %y : N\n",
     1, rmsNorm},
    {"l2", "%y = attn.norm l2 %r epsilon 1.000000e-12 : N\nattn.yield %y : N\n",
     0, l2Norm},
    {"softmax", "%y = attn.softmax %r : N\nattn.yield %y : N\n", 0, softmax},
    // The second norm of a sum with the row before the first one.
    {"residual",
     "%n = attn.norm layer %r weight(%rc0 : N) bias(%rc1 : N) epsilon "
     "1.000000e-05 : N\n"
     "%s = attn.map element(%r at affine_map<(d0) -> (d0)> : N, %n at "
     "affine_map<(d0) -> (d0)> : N) {\n^bb0(%a: f32, %b: f32):\n"
     "%t = arith.addf %a, %b : f32\nattn.yield %t : f32\n} : N\n"
     "attn.yield %s : N\n",
     2,
     [](const float *x, const float *weight, const float *bias, int64_t n,
        std::vector<double> &y) {
       layerNorm(x, weight, bias, n, y);
       for (int64_t i = 0; i < n; ++i)
         y[i] += x[i];
     }},
};

std::string instantiate(std::string body, int64_t columns) {
  const std::string type = "tensor<" + number(columns) + "xf32>";
  for (size_t at = 0; (at = body.find("N", at)) != std::string::npos;
       at += type.size())
    body.replace(at, 1, type);
  return body;
}

TEST_P(RowTest, NormsAndSoftmaxAtEveryTail) {
  for (int64_t columns : kColumns) {
    std::string kernels;
    for (const NormKernel &norm : kNorms)
      kernels += rowKernel(norm.name, columns, norm.captures,
                           instantiate(norm.body, columns));
    auto runner = compile(kernels);
    ASSERT_TRUE(runner);
    const int64_t rows = 5;
    // A mean far from zero is where a one-pass variance goes wrong.
    GuardedBuffer x = randomBuffer(rows * columns, columns, 10, 2);
    GuardedBuffer weight = randomBuffer(columns, 1);
    GuardedBuffer bias = randomBuffer(columns, 2);
    x.freeze();
    std::vector<double> expected(columns);
    for (const NormKernel &norm : kNorms) {
      std::vector<void *> inputs = {x.data(), weight.data(), bias.data()};
      inputs.resize(1 + norm.captures);
      std::vector<float> y =
          run(*runner, norm.name, {rows, 0}, inputs, rows * columns);
      for (int64_t row = 0; row < rows; ++row) {
        norm.reference(x.floats() + row * columns, weight.floats(),
                       bias.floats(), columns, expected);
        // Every element is rounded once before it is divided by the row's
        // deviation.
        const double noise =
            12 / deviation(x.floats() + row * columns, columns);
        for (int64_t i = 0; i < columns; ++i)
          ASSERT_NEAR(expected[i], y[row * columns + i],
                      kRounding * (16 * std::fabs(expected[i]) + 2 * noise))
              << norm.name << " of " << columns << ", row " << row << " column "
              << i;
      }
    }
  }
}

TEST_P(RowTest, SoftmaxOfMinusInfinityGivesZeros) {
  const int64_t columns = 21;
  auto runner = compile(
      rowKernel("softmax", columns, 0, instantiate(kNorms[3].body, columns)));
  ASSERT_TRUE(runner);
  GuardedBuffer x = randomBuffer(2 * columns, 1);
  std::fill_n(x.floats(), columns, -INFINITY);
  x.floats()[columns] = -INFINITY;
  std::vector<float> y =
      run(*runner, "softmax", {2, 0}, {x.data()}, 2 * columns);
  double sum = 0;
  for (int64_t i = 0; i < columns; ++i) {
    EXPECT_EQ(0.0f, y[i]);
    sum += y[columns + i];
  }
  EXPECT_EQ(0.0f, y[columns]);
  EXPECT_NEAR(1.0, sum, 1e-6);
}

//===-- maps --------------------------------------------------------------===//

TEST_P(RowTest, MapsOfEveryRank) {
  auto runner = compile(R"(
kernel.func @scalar(%x: tensor<f32>) -> tensor<f32> {
  %y = attn.map element(%x at affine_map<() -> ()> : tensor<f32>) {
  ^bb0(%a: f32):
    %t = arith.addf %a, %a : f32
    attn.yield %t : f32
  } : tensor<f32>
  kernel.return %y : tensor<f32>
}
kernel.func @vector(%x: tensor<?xf32, #attn.sizes<rows>>) -> tensor<?xi32, #attn.sizes<rows>> {
  %y = attn.map element(%x at affine_map<(d0) -> (d0)> : tensor<?xf32, #attn.sizes<rows>>) {
  ^bb0(%a: f32):
    %zero = arith.constant 0.0 : f32
    %one = arith.constant 1 : i32
    %i = attn.index 0 : i32
    %p = arith.cmpf ogt, %a, %zero : f32
    %t = arith.select %p, %i, %one : i32
    attn.yield %t : i32
  } : tensor<?xi32, #attn.sizes<rows>>
  kernel.return %y : tensor<?xi32, #attn.sizes<rows>>
}
kernel.func @transposed(%x: tensor<?x?x3xf32, #attn.sizes<rows, more, 3>>, %b: tensor<?xf32, #attn.sizes<more>>) -> tensor<3x?x?xf32, #attn.sizes<3, rows, more>> {
  %y = attn.map element(%x at affine_map<(d0, d1, d2) -> (d1, d2, d0)> : tensor<?x?x3xf32, #attn.sizes<rows, more, 3>>, %b at affine_map<(d0, d1, d2) -> (d2)> : tensor<?xf32, #attn.sizes<more>>) {
  ^bb0(%a: f32, %c: f32):
    %i = attn.index 1 : i32
    %f = arith.sitofp %i : i32 to f32
    %t = arith.addf %a, %c : f32
    %u = arith.addf %t, %f : f32
    attn.yield %u : f32
  } : tensor<3x?x?xf32, #attn.sizes<3, rows, more>>
  kernel.return %y : tensor<3x?x?xf32, #attn.sizes<3, rows, more>>
}
)");
  ASSERT_TRUE(runner);
  GuardedBuffer one = randomBuffer(1, 1);
  EXPECT_EQ(2 * one.floats()[0],
            run(*runner, "scalar", {0, 0}, {one.data()}, 1)[0]);
  for (int64_t rows : {0, 1, 15, 16, 33, 4095, 4096, 4097, 9001}) {
    GuardedBuffer x = randomBuffer(rows, rows);
    std::vector<float> y = run(*runner, "vector", {rows, 0}, {x.data()}, rows);
    std::vector<int32_t> bits(rows);
    std::memcpy(bits.data(), y.data(), rows * 4);
    for (int64_t i = 0; i < rows; ++i)
      ASSERT_EQ(x.floats()[i] > 0 ? i : 1, bits[i]) << i << " of " << rows;
  }
  for (int64_t more : {1, 3, 4, 8, 16, 17, 33})
    for (int64_t rows : {1, 5}) {
      GuardedBuffer x = randomBuffer(rows * more * 3, more);
      GuardedBuffer bias = randomBuffer(more, 2);
      x.freeze();
      std::vector<float> y = run(*runner, "transposed", {rows, more},
                                 {x.data(), bias.data()}, 3 * rows * more);
      for (int64_t c = 0, next = 0; c < 3; ++c)
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < more; ++j, ++next)
            ASSERT_EQ(x.floats()[(i * more + j) * 3 + c] + bias.floats()[j] + i,
                      y[next])
                << c << " " << i << " " << j;
    }
}

//===-- embeddings --------------------------------------------------------===//

/// `layout`: of the first table, "" for rows.
std::string embeddingKernel(int64_t columns, const std::string &layout = "") {
  const std::string n = number(columns), row = "tensor<" + n + "xf32>";
  const std::string words = "tensor<99x" + n + "xf32>";
  const std::string types = "tensor<2x" + n + "xf32>";
  const std::string ids = "tensor<?x3xi32, #attn.sizes<rows, 3>>";
  const std::string result =
      "tensor<?x3x" + n + "xf32, #attn.sizes<rows, 3, " + n + ">>";
  return "kernel.func @embedding(%a: " + ids + ", %b: " + ids +
         ", %w: " + words + layout + ", %t: " + types + ", %g: " + row +
         ", %s: tensor<?x3x" + n + "xf32, #attn.sizes<rows, 3, " + n +
         ">>) -> " + result +
         " {\n%y = attn.embedding(%a, %b), (%w, %t) row(%g at "
         "affine_map<(d0, d1) -> ()> : " +
         row + ", %s at affine_map<(d0, d1) -> (d0, d1)> : " + result +
         ") {\n^bb0(%r: " + row + ", %u: " + row + ", %v: " + row +
         "):\n%m = attn.map element(%r at affine_map<(d0) -> (d0)> : " + row +
         ", %u at affine_map<(d0) -> (d0)> : " + row +
         ", %v at affine_map<(d0) -> (d0)> : " + row +
         ") {\n^bb0(%x: f32, %p: f32, %q: f32):\n%o = arith.mulf %x, %p : f32\n"
         "%z = arith.addf %o, %q : f32\nattn.yield %z : f32\n} : " +
         row + "\nattn.yield %m : " + row + "\n} : (" + ids + ", " + ids +
         "), (" + words + ", " + types + ") -> " + result +
         "\nkernel.return %y : " + result + "\n}\n";
}

TEST_P(RowTest, EmbeddingsWithARowRegion) {
  for (int64_t columns : {1, 4, 15, 16, 17, 48, 70, 384}) {
    auto runner = compile(embeddingKernel(columns));
    ASSERT_TRUE(runner);
    for (int64_t rows : {0, 1, 2, 7}) {
      const int64_t count = rows * 3;
      GuardedBuffer words = randomBuffer(99 * columns, 1);
      GuardedBuffer types = randomBuffer(2 * columns, 2);
      GuardedBuffer factors = randomBuffer(columns, 3);
      GuardedBuffer added = randomBuffer(count * columns, 4);
      GuardedBuffer ids(count), kinds(count);
      for (int64_t i = 0; i < count; ++i) {
        ids.ints()[i] = i == 0 ? 98 : (i * 37) % 99;
        kinds.ints()[i] = i % 2;
      }
      words.freeze();
      std::vector<float> y = run(*runner, "embedding", {rows, 0},
                                 {ids.data(), kinds.data(), words.data(),
                                  types.data(), factors.data(), added.data()},
                                 count * columns);
      for (int64_t i = 0; i < count; ++i)
        for (int64_t c = 0; c < columns; ++c) {
          const float sum = words.floats()[ids.ints()[i] * columns + c] +
                            types.floats()[kinds.ints()[i] * columns + c];
          ASSERT_NEAR(sum * double(factors.floats()[c]) +
                          added.floats()[i * columns + c],
                      y[i * columns + c], 4 * kRounding);
        }
    }
  }
}

// A table in the panels of products: every number is as near as its format has
// it, in particular its own and no other's.
TEST_P(RowTest, EmbeddingsOfPackedTables) {
  constexpr int64_t kWords = 99, kWidth = 48;
  mlir::MLIRContext context;
  context.loadDialect<kernel::KernelDialect>();
  for (auto [format, group, tolerance] :
       {std::tuple(kernel::Format::f32, 0, 0.0),
        std::tuple(kernel::Format::bf16, 0, 0x1p-8),
        std::tuple(kernel::Format::i8, 0, 1.5 / 121),
        std::tuple(kernel::Format::i8, 8, 1.5 / 121),
        std::tuple(kernel::Format::i8, 32, 1.5 / 121),
        std::tuple(kernel::Format::i4, 24, 2.8 / 8),
        std::tuple(kernel::Format::i4, 32, 2.8 / 8)}) {
    auto panels =
        kernel::PanelsAttr::get(&context, kWidth, format, int64_t(group));
    std::string text;
    llvm::raw_string_ostream(text) << panels;
    for (int64_t columns : {1, 15, 16, 17, 48, 70, 384}) {
      auto runner =
          compile(embeddingKernel(columns, " {kernel.layout = " + text + "}"));
      ASSERT_TRUE(runner);
      GuardedBuffer words = randomBuffer(kWords * columns, 1);
      const std::vector<uint8_t> bytes = attnc::packPanels(
          {words.floats(), words.size()}, kWords, columns, panels);
      GuardedBuffer packed(bytes.size() / 4);
      std::memcpy(packed.data(), bytes.data(), bytes.size());
      packed.freeze();
      GuardedBuffer types(2 * columns), factors(columns), ids(kWords),
          kinds(kWords);
      GuardedBuffer added(kWords * columns);
      std::fill_n(types.floats(), types.size(), 0.0f);
      std::fill_n(added.floats(), added.size(), 0.0f);
      std::fill_n(factors.floats(), factors.size(), 1.0f);
      std::fill_n(kinds.ints(), kinds.size(), 0);
      std::iota(ids.ints(), ids.ints() + kWords, 0);
      std::vector<float> y = run(*runner, "embedding", {kWords / 3, 0},
                                 {ids.data(), kinds.data(), packed.data(),
                                  types.data(), factors.data(), added.data()},
                                 kWords * columns);
      for (int64_t row = 0; row < kWords; ++row) {
        float largest = 0;
        for (int64_t c = 0; c < columns; ++c)
          largest =
              std::max(largest, std::fabs(words.floats()[row * columns + c]));
        for (int64_t c = 0; c < columns; ++c) {
          const int64_t at = row * columns + c;
          ASSERT_LE(std::fabs(words.floats()[at] - y[at]), largest * tolerance)
              << text << " " << columns << ": " << row << ", " << c;
        }
      }
    }
  }
}

ATTNC_FOR_ALL_TARGETS(RowTest);

} // namespace
} // namespace attnc::test
