//===- SequenceTest.cpp - packing and pooling -----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// pack_index, pack and unpack as one round trip on ragged batches, with empty
// sequences and with nothing kept at all; every kind of pooling with a mask and
// with offsets, which must give the same bits.
//
//===----------------------------------------------------------------------===//
#include "KernelRunner.h"
#include "TargetTest.h"
#include <cmath>
#include <cstring>
#include <random>

namespace attnc::test {
namespace {

std::string number(int64_t x) { return std::to_string(x); }

/// The kernels of one row length; `columns` of 0 means ids: no third dimension.
std::string packKernels(const Target &target, int64_t columns) {
  const std::string element = columns ? "xf32" : "xi32";
  const std::string n = columns ? "x" + number(columns) : "";
  const std::string named = columns ? ", " + number(columns) : "";
  const std::string padded =
      "tensor<?x?" + n + element + ", #attn.sizes<b, s" + named + ">>";
  const std::string packed =
      "tensor<?" + n + element + ", #attn.sizes<t" + named + ">>";
  const std::string mask = "tensor<?x?xi32, #attn.sizes<b, s>>";
  const std::string rows = "tensor<?xi32, #attn.sizes<t>>";
  const std::string offsets = "tensor<?xi32, #attn.sizes<b + 1>>";
  return "attn.size @b min 0 max 64\nattn.size @t derived \"b * s\"\n"
         "attn.size @s min 0 max 64\nkernel.variant @v target \"" +
         target.name.str() + "\" {\nkernel.func @index(%m: " + mask + ") -> (" +
         rows + ", " + offsets +
         ") serial {\n%r, %o = attn.pack_index %m : " + mask + " -> " + rows +
         ", " + offsets + "\nkernel.return %r, %o : " + rows + ", " + offsets +
         "\n}\nkernel.func @pack(%x: " + padded + ", %r: " + rows + ") -> " +
         packed + " {\n%y = attn.pack %x, %r : " + padded + ", " + rows +
         " -> " + packed + "\nkernel.return %y : " + packed +
         "\n}\nkernel.func @unpack(%x: " + packed + ", %r: " + rows + ") -> " +
         padded + " {\n%y = attn.unpack %x, %r : " + packed + ", " + rows +
         " -> " + padded + "\nkernel.return %y : " + padded + "\n}\n}\n";
}

std::string poolKernels(const Target &target, int64_t columns) {
  const std::string n = number(columns);
  const std::string padded =
      "tensor<?x?x" + n + "xf32, #attn.sizes<b, s, " + n + ">>";
  const std::string packed =
      "tensor<?x" + n + "xf32, #attn.sizes<t, " + n + ">>";
  const std::string mask = "tensor<?x?xi32, #attn.sizes<b, s>>";
  const std::string offsets = "tensor<?xi32, #attn.sizes<b + 1>>";
  const std::string result =
      "tensor<?x" + n + "xf32, #attn.sizes<b, " + n + ">>";
  std::string text = "attn.size @b min 0 max 64\nattn.size @t derived "
                     "\"b * s\"\nattn.size @s min 0 max 64\n"
                     "kernel.variant @v target \"" +
                     target.name.str() + "\" {\n";
  for (const char *kind :
       {"mean", "first", "last", "max", "mean_sqrt_len", "weighted_mean"}) {
    const std::string k = kind;
    text += "kernel.func @padded_" + k + "(%x: " + padded + ", %m: " + mask +
            ") -> " + result + " {\n%y = attn.pool " + k +
            " %x mask(%m : " + mask + ") : " + padded + " -> " + result +
            "\nkernel.return %y : " + result + "\n}\nkernel.func @packed_" + k +
            "(%x: " + packed + ", %o: " + offsets + ") -> " + result +
            " {\n%y = attn.pool " + k + " %x offsets(%o : " + offsets +
            ") : " + packed + " -> " + result +
            "\nkernel.return %y : " + result + "\n}\n";
  }
  return text + "}\n";
}

struct SequenceTest : TargetTest {};

/// A mask [batch, length] of `density` in 4 ones; one sequence without any.
GuardedBuffer makeMask(int64_t batch, int64_t length, int density) {
  GuardedBuffer mask(batch * length);
  std::mt19937 random(batch * 64 + length * 4 + density);
  for (int64_t i = 0; i < batch * length; ++i)
    mask.ints()[i] = i / length == 2               ? 0
                     : int(random() % 4) < density ? 1 + i % 3
                                                   : 0;
  return mask;
}

GuardedBuffer randomBuffer(size_t elements, unsigned seed) {
  GuardedBuffer buffer(elements);
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (size_t i = 0; i < elements; ++i)
    buffer.floats()[i] = uniform(random);
  return buffer;
}

struct Batch {
  int64_t batch, length;
  int density;
};
const Batch kBatches[] = {{1, 1, 4},  {1, 1, 0},  {1, 17, 3}, {4, 9, 2},
                          {5, 33, 3}, {3, 16, 4}, {4, 5, 0},  {0, 3, 4},
                          {3, 0, 4},  {7, 63, 1}};

TEST_P(SequenceTest, PackAndUnpackRoundTrip) {
  for (int64_t columns : {0, 1, 3, 16, 21, 64}) {
    auto runner =
        KernelRunner::compile(packKernels(target(), columns), target());
    ASSERT_TRUE(runner);
    const int64_t width = std::max<int64_t>(columns, 1);
    for (auto [batch, length, density] : kBatches) {
      GuardedBuffer mask = makeMask(batch, length, density);
      std::vector<int32_t> expectedRows, expectedOffsets = {0};
      for (int64_t i = 0; i < batch * length; ++i) {
        if (mask.ints()[i])
          expectedRows.push_back(i);
        if ((i + 1) % length == 0)
          expectedOffsets.push_back(expectedRows.size());
      }
      expectedOffsets.resize(batch + 1, 0);
      const int64_t tokens = expectedRows.size();

      // Only the rows that exist may be written.
      GuardedBuffer rows(tokens), offsets(batch + 1);
      std::vector<int64_t> sizes = {batch, batch * length, length};
      mask.freeze();
      runner->run("v_index", sizes, {mask.data(), rows.data(), offsets.data()});
      ASSERT_EQ(tokens, sizes[1]);
      ASSERT_TRUE(
          std::equal(expectedRows.begin(), expectedRows.end(), rows.ints()));
      ASSERT_TRUE(std::equal(expectedOffsets.begin(), expectedOffsets.end(),
                             offsets.ints()));
      rows.freeze();

      GuardedBuffer x = randomBuffer(batch * length * width, 1);
      x.freeze();
      for (int workers : {1, 2, 3, 8}) {
        GuardedBuffer packed(tokens * width), back(batch * length * width);
        std::fill_n(back.floats(), back.size(), NAN);
        runner->run("v_pack", sizes, {x.data(), rows.data(), packed.data()},
                    workers);
        for (int64_t t = 0; t < tokens; ++t)
          ASSERT_EQ(0, std::memcmp(x.floats() + rows.ints()[t] * width,
                                   packed.floats() + t * width, width * 4));
        packed.freeze();
        runner->run("v_unpack", sizes,
                    {packed.data(), rows.data(), back.data()}, workers);
        const std::vector<float> zeros(width, 0);
        for (int64_t i = 0; i < batch * length; ++i)
          ASSERT_EQ(0, std::memcmp(mask.ints()[i] ? x.floats() + i * width
                                                  : zeros.data(),
                                   back.floats() + i * width, width * 4))
              << "row " << i << " with " << workers << " workers";
      }
    }
  }
}

/// One column of one sequence, by definition.
double poolColumn(const std::string &kind, const std::vector<double> &x) {
  const double n = x.size();
  if (x.empty())
    return 0;
  if (kind == "first")
    return x.front();
  if (kind == "last")
    return x.back();
  if (kind == "max")
    return *std::max_element(x.begin(), x.end());
  double sum = 0, weights = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double weight = kind == "weighted_mean" ? i + 1.0 : 1.0;
    sum += weight * x[i];
    weights += weight;
  }
  return sum / (kind == "mean_sqrt_len" ? std::sqrt(n) : weights);
}

TEST_P(SequenceTest, EveryPooling) {
  for (int64_t columns : {1, 5, 16, 32, 33, 64, 384}) {
    auto runner =
        KernelRunner::compile(poolKernels(target(), columns), target());
    ASSERT_TRUE(runner);
    for (auto [batch, length, density] : kBatches) {
      GuardedBuffer mask = makeMask(batch, length, density);
      GuardedBuffer x = randomBuffer(batch * length * columns, 3);
      GuardedBuffer offsets(batch + 1);
      std::vector<float> kept;
      offsets.ints()[0] = 0;
      for (int64_t b = 0; b < batch; ++b) {
        for (int64_t i = b * length; i < (b + 1) * length; ++i)
          if (mask.ints()[i])
            kept.insert(kept.end(), x.floats() + i * columns,
                        x.floats() + (i + 1) * columns);
          else // what the mask leaves out does not matter
            std::fill_n(x.floats() + i * columns, columns, NAN);
        offsets.ints()[b + 1] = kept.size() / columns;
      }
      GuardedBuffer packed(kept.size());
      std::copy(kept.begin(), kept.end(), packed.floats());
      x.freeze();
      packed.freeze();
      std::vector<int64_t> sizes = {batch, offsets.ints()[batch], length};
      for (const char *kind :
           {"mean", "first", "last", "max", "mean_sqrt_len", "weighted_mean"}) {
        std::vector<float> first;
        for (int workers : {1, 2, 3}) {
          GuardedBuffer y(batch * columns), z(batch * columns);
          runner->run(std::string("v_padded_") + kind, sizes,
                      {x.data(), mask.data(), y.data()}, workers);
          runner->run(std::string("v_packed_") + kind, sizes,
                      {packed.data(), offsets.data(), z.data()}, workers);
          if (workers == 1)
            first.assign(y.floats(), y.floats() + y.size());
          ASSERT_EQ(0, std::memcmp(first.data(), y.data(), y.size() * 4));
          ASSERT_EQ(0, std::memcmp(first.data(), z.data(), y.size() * 4))
              << kind << ": packed differs from padded";
        }
        for (int64_t b = 0; b < batch; ++b)
          for (int64_t c = 0; c < columns; ++c) {
            std::vector<double> column;
            for (int64_t t = offsets.ints()[b]; t < offsets.ints()[b + 1]; ++t)
              column.push_back(kept[t * columns + c]);
            const double scale =
                std::string(kind) == "mean_sqrt_len" ? std::sqrt(length) : 1;
            ASSERT_NEAR(poolColumn(kind, column), first[b * columns + c],
                        scale * 4.0 / (1 << 24))
                << kind << " of " << column.size() << " rows";
          }
      }
    }
  }
}

ATTNC_FOR_ALL_TARGETS(SequenceTest);

} // namespace
} // namespace attnc::test
