//===- StateTest.cpp - what sessions keep, and attention with it ----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rows appended call by call to blocks that end at pages that fault, in every
// format: each element is what the format says, whoever the workers are. Then
// attention with them, against double precision on the numbers that are kept,
// with the same bits for any number of workers and any cutting into calls.
//
//===----------------------------------------------------------------------===//
#include "KernelRunner.h"
#include "TargetTest.h"
#include "attn/abi.h"
#include "compiler/schedule/StateLayout.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>
#include <cstring>
#include <random>

namespace attnc::test {
namespace {

constexpr int64_t kBlock = 64;

struct Shape {
  int64_t queryHeads, keyHeads, headSize, valueSize, window;
};

/// The kernels @key and @value, which append, and @attend.
std::string stateKernels(const Target &target, const Shape &shape,
                         const std::string &format) {
  auto n = [](int64_t x) { return std::to_string(x); };
  auto rows = [&](int64_t heads, int64_t size) {
    return "tensor<?x" + n(heads) + "x" + n(size) + "xf32, #attn.sizes<t, " +
           n(heads) + ", " + n(size) + ">>";
  };
  auto state = [&](int64_t size) {
    return "!attn.state<tensor<" + n(shape.keyHeads) + "x" + n(size) + "xf32>" +
           (shape.window ? ", window = " + n(shape.window) : "") + ">";
  };
  auto blocks = [&](bool isKey) {
    return std::string(" {kernel.layout = #kernel.blocks<positions = 64") +
           (isKey ? ", transposed = true" : "") +
           (format == "f32" ? "" : ", format = " + format) + ">}";
  };
  const std::string offsets = "tensor<?xi32, #attn.sizes<b + 1>>";
  const std::string past = "tensor<?xi32, #attn.sizes<b>>";
  std::string text = "attn.size @b min 0 max 64\nattn.size @t min 0 max 4096\n"
                     "kernel.variant @v target \"" +
                     target.name.str() + "\" {\n";
  for (bool isKey : {true, false}) {
    const int64_t size = isKey ? shape.headSize : shape.valueSize;
    const std::string types =
        rows(shape.keyHeads, size) + ", " + offsets + ", " + state(size);
    text += std::string("kernel.func @") + (isKey ? "key" : "value") +
            "(%r: " + rows(shape.keyHeads, size) + ", %o: " + offsets +
            ", %s: " + state(size) + blocks(isKey) +
            ") {\nattn.append %r, %o to %s : " + types + "\nkernel.return\n}\n";
  }
  const std::string query = rows(shape.queryHeads, shape.headSize);
  const std::string result = rows(shape.queryHeads, shape.valueSize);
  return text + "kernel.func @attend(%q: " + query +
         ", %k: " + state(shape.headSize) + blocks(true) +
         ", %v: " + state(shape.valueSize) + blocks(false) +
         ", %o: " + offsets + ", %p: " + past + ") -> " + result +
         " {\n%r = attn.cached_attention %q, %k, %v offsets(%o : " + offsets +
         ") past(%p : " + past +
         ") mask() {\n^bb0(%b: i32, %h: i32, %i: i32, %j: i32):\n%c = "
         "arith.cmpi sge, %i, %j : i32\nattn.yield %c : i1\n} : " +
         query + ", " + state(shape.headSize) + ", " + state(shape.valueSize) +
         " -> " + result + "\nkernel.return %r : " + result + "\n}\n}\n";
}

float toBf16(float number) {
  const uint32_t bits = llvm::bit_cast<uint32_t>(number);
  return llvm::bit_cast<float>((bits + 0x7fff + (bits >> 16 & 1)) &
                               0xffff0000u);
}

/// What `format` keeps of the numbers of one head.
std::vector<float> keep(const std::string &format, std::vector<float> row) {
  float largest = 0;
  for (float x : row)
    largest = std::max(largest, std::fabs(x));
  const float scale = largest * (1.0f / 127.0f);
  const float inverse = largest < 0x1p-100f ? 0 : 127.0f / largest;
  for (float &x : row) {
    if (format == "bf16")
      x = toBf16(x);
    else if (format == "i8")
      x = float(std::nearbyint(double(x) * inverse)) * scale;
  }
  return row;
}

/// A state of a session of some sequences, in blocks between guard pages.
class Store {
public:
  Store(int64_t sequences, int64_t positions, int64_t heads, int64_t size,
        bool transposed, const std::string &format)
      : format(format), transposed(transposed) {
    const bool isNarrow = format != "f32";
    bytes = format == "f32" ? 4 : format == "bf16" ? 2 : 1;
    stride = isNarrow && !transposed ? llvm::alignTo(size, 16) : size;
    headBytes = kBlock * (stride * bytes + (bytes == 1 ? 4 : 0));
    const int64_t count = llvm::divideCeil(positions, kBlock);
    for (int64_t b = 0; b < sequences; ++b) {
      tables.emplace_back();
      for (int64_t i = 0; i < count; ++i) {
        memory.emplace_back(heads * headBytes / 4);
        // As the runtime's: zeros at first, anything later.
        std::memset(memory.back().data(), i % 2 ? 0x7f : 0, heads * headBytes);
        tables.back().push_back(
            static_cast<unsigned char *>(memory.back().data()));
      }
    }
    for (auto &table : tables)
      roots.push_back(table.data());
    view = {roots.data(), 0};
  }

  float at(int64_t sequence, int64_t position, int64_t head, int64_t d) const {
    const unsigned char *base =
        tables[sequence][position / kBlock] + head * headBytes;
    const int64_t p = position % kBlock;
    const unsigned char *place =
        base + (transposed ? d * kBlock + p : p * stride + d) * bytes;
    if (bytes == 1) {
      float scale;
      std::memcpy(&scale, base + kBlock * stride + 4 * p, 4);
      return static_cast<int8_t>(*place) * scale;
    }
    uint32_t bits = 0;
    std::memcpy(&bits, place, bytes);
    return llvm::bit_cast<float>(bytes == 2 ? bits << 16 : bits);
  }

  attn_frame_state view;

private:
  std::string format;
  int64_t bytes, stride, headBytes;
  bool transposed;
  std::vector<GuardedBuffer> memory;
  std::vector<std::vector<unsigned char *>> tables;
  std::vector<unsigned char *const *> roots;
};

/// One session's two states and the rows that it was given.
class Session {
public:
  Session(const KernelRunner &runner, const Shape &shape,
          const std::string &format, std::vector<int64_t> lengths)
      : runner(runner), shape(shape), lengths(lengths), past(lengths.size(), 0),
        keys(lengths.size(), most(), shape.keyHeads, shape.headSize, true,
             format),
        values(lengths.size(), most(), shape.keyHeads, shape.valueSize, false,
               format) {}

  /// Number of row `position` of `sequence`: the same in whatever call.
  static float number(int64_t kind, int64_t sequence, int64_t position,
                      int64_t index) {
    std::mt19937 random(kind * 7919 + sequence * 104729 + position * 613 +
                        index * 31 + 1);
    random.discard(2);
    return std::uniform_real_distribution<float>(-1, 1)(random) *
           (index % 7 == 3 ? 3 : 1);
  }

  /// Calls with at most `step` rows of every sequence until all are there;
  /// returns the results by sequence, row after row.
  std::vector<std::vector<float>> run(int64_t step, int workers) {
    std::vector<std::vector<float>> results(lengths.size());
    while (true) {
      std::vector<int32_t> counts;
      int64_t total = 0;
      for (size_t b = 0; b < lengths.size(); ++b) {
        counts.push_back(std::min<int64_t>(step, lengths[b] - past[b]));
        total += counts.back();
      }
      if (total == 0)
        return results;
      call(counts, total, workers, results);
    }
  }

  const Shape &getShape() const { return shape; }
  const Store &getKeys() const { return keys; }
  const Store &getValues() const { return values; }

private:
  int64_t most() const {
    return *std::max_element(lengths.begin(), lengths.end());
  }

  GuardedBuffer makeRows(int64_t kind, const std::vector<int32_t> &counts,
                         int64_t total, int64_t width) {
    GuardedBuffer rows(total * width);
    float *to = rows.floats();
    for (size_t b = 0; b < counts.size(); ++b)
      for (int64_t row = 0; row < counts[b]; ++row)
        for (int64_t i = 0; i < width; ++i)
          *to++ = number(kind, b, past[b] + row, i);
    rows.freeze();
    return rows;
  }

  void call(const std::vector<int32_t> &counts, int64_t total, int workers,
            std::vector<std::vector<float>> &results) {
    const int64_t batch = counts.size();
    GuardedBuffer offsets(batch + 1), before(batch);
    offsets.ints()[0] = 0;
    for (int64_t b = 0; b < batch; ++b) {
      offsets.ints()[b + 1] = offsets.ints()[b] + counts[b];
      before.ints()[b] = past[b];
    }
    offsets.freeze();
    before.freeze();
    GuardedBuffer query =
        makeRows(0, counts, total, shape.queryHeads * shape.headSize);
    GuardedBuffer key =
        makeRows(1, counts, total, shape.keyHeads * shape.headSize);
    GuardedBuffer value =
        makeRows(2, counts, total, shape.keyHeads * shape.valueSize);
    const int64_t width = shape.queryHeads * shape.valueSize;
    GuardedBuffer out(total * width);
    std::vector<int64_t> sizes = {batch, total};
    runner.run("v_key", sizes, {key.data(), offsets.data(), &keys.view},
               workers, 0, before.ints());
    runner.run("v_value", sizes, {value.data(), offsets.data(), &values.view},
               workers, 0, before.ints());
    // As getCachedAttentionScratch.
    const size_t part = llvm::alignTo(shape.valueSize, 16) + 2 * 16;
    const size_t scratch =
        4 * 8 *
        (llvm::alignTo(shape.headSize, 16) + kCachedAttentionChunk +
         (2 + kCachedAttentionUnits) * part);
    runner.run("v_attend", sizes,
               {query.data(), &keys.view, &values.view, offsets.data(),
                before.data(), out.data()},
               workers, scratch, before.ints());
    const float *from = out.floats();
    for (int64_t b = 0; b < batch; ++b) {
      results[b].insert(results[b].end(), from, from + counts[b] * width);
      from += counts[b] * width;
      past[b] += counts[b];
    }
  }

  const KernelRunner &runner;
  Shape shape;
  std::vector<int64_t> lengths;
  std::vector<int32_t> past;
  Store keys, values;
};

// Scores reach some 30, half a step of which in f32 is 1e-6. Of the 64
// additions that make a score each may be off by that, which adds up like a
// root: 8e-6, and so much is a weight off by. Sums of weights and values double
// it.
constexpr double kTolerance = 2e-5;

/// One row of the result in double precision, from the numbers that are kept.
std::vector<double> attend(const Session &session, int64_t sequence,
                           int64_t position, int64_t head) {
  const Shape &shape = session.getShape();
  const int64_t keyHead = head / (shape.queryHeads / shape.keyHeads);
  const int64_t first =
      shape.window ? std::max<int64_t>(0, position - shape.window + 1) : 0;
  std::vector<double> scores, result(shape.valueSize);
  double highest = -INFINITY, sum = 0;
  for (int64_t p = first; p <= position; ++p) {
    double score = 0;
    for (int64_t d = 0; d < shape.headSize; ++d)
      score += double(Session::number(0, sequence, position,
                                      head * shape.headSize + d)) *
               session.getKeys().at(sequence, p, keyHead, d);
    scores.push_back(score);
    highest = std::max(highest, score);
  }
  for (int64_t p = first; p <= position; ++p) {
    const double weight = std::exp(scores[p - first] - highest);
    sum += weight;
    for (int64_t d = 0; d < shape.valueSize; ++d)
      result[d] += weight * session.getValues().at(sequence, p, keyHead, d);
  }
  for (double &x : result)
    x /= sum;
  return result;
}

void expectKept(const Store &store, const std::string &format, int64_t kind,
                const std::vector<int64_t> &lengths, int64_t heads,
                int64_t size) {
  for (size_t b = 0; b < lengths.size(); ++b)
    for (int64_t p = 0; p < lengths[b]; ++p)
      for (int64_t head = 0; head < heads; ++head) {
        std::vector<float> row;
        for (int64_t d = 0; d < size; ++d)
          row.push_back(Session::number(kind, b, p, head * size + d));
        std::vector<float> expected = keep(format, row);
        for (int64_t d = 0; d < size; ++d)
          ASSERT_EQ(expected[d], store.at(b, p, head, d))
              << format << ", sequence " << b << ", position " << p << ", head "
              << head << ", element " << d;
      }
}

struct StateTest : TargetTest {};

TEST_P(StateTest, EveryFormat) {
  const Shape shapes[] = {{2, 2, 16, 16, 0},
                          {4, 2, 20, 7, 0},
                          {6, 1, 64, 64, 0},
                          {3, 3, 5, 33, 70}};
  for (const char *format : {"f32", "bf16", "i8"})
    for (const Shape &shape : shapes) {
      SCOPED_TRACE(std::string(format) + ", head size " +
                   std::to_string(shape.headSize));
      auto runner = KernelRunner::compile(stateKernels(target(), shape, format),
                                          target());
      ASSERT_TRUE(runner);
      const std::vector<int64_t> lengths = {1, 130, 0, 65};
      Session whole(*runner, shape, format, lengths);
      auto expected = whole.run(1000, 1);
      expectKept(whole.getKeys(), format, 1, lengths, shape.keyHeads,
                 shape.headSize);
      expectKept(whole.getValues(), format, 2, lengths, shape.keyHeads,
                 shape.valueSize);
      const int64_t width = shape.queryHeads * shape.valueSize;
      for (size_t b = 0; b < lengths.size(); ++b)
        for (int64_t p = 0; p < lengths[b]; p += p < 60 ? 13 : 1)
          for (int64_t head = 0; head < shape.queryHeads; ++head) {
            std::vector<double> row = attend(whole, b, p, head);
            for (int64_t d = 0; d < shape.valueSize; ++d)
              ASSERT_NEAR(row[d],
                          expected[b][p * width + head * shape.valueSize + d],
                          kTolerance)
                  << "sequence " << b << ", position " << p;
          }
      for (auto [step, workers] : {std::pair<int64_t, int>{1000, 3},
                                   {1, 1},
                                   {1, 2},
                                   {17, 8},
                                   {64, 2}}) {
        Session other(*runner, shape, format, lengths);
        auto got = other.run(step, workers);
        for (size_t b = 0; b < lengths.size(); ++b)
          ASSERT_TRUE(got[b].empty() ||
                      std::memcmp(got[b].data(), expected[b].data(),
                                  got[b].size() * 4) == 0)
              << "sequence " << b << ", " << step << " rows a call, " << workers
              << " workers";
      }
    }
}

/// A context of several chunks.
TEST_P(StateTest, LongContext) {
  const Shape shape = {2, 1, 16, 16, 0};
  for (const char *format : {"f32", "i8"}) {
    auto runner =
        KernelRunner::compile(stateKernels(target(), shape, format), target());
    ASSERT_TRUE(runner);
    Session session(*runner, shape, format, {1100});
    auto expected = session.run(550, 2);
    for (int64_t p : {511, 512, 513, 1023, 1024, 1099})
      for (int64_t head : {0, 1}) {
        std::vector<double> row = attend(session, 0, p, head);
        for (int64_t d = 0; d < 16; ++d)
          ASSERT_NEAR(row[d], expected[0][(p * 2 + head) * 16 + d], kTolerance);
      }
    // The last call has few rows of one head: workers share out its chunks.
    for (auto [step, workers] :
         {std::pair<int64_t, int>{1099, 2}, {1099, 3}, {1097, 2}, {1098, 8}}) {
      Session other(*runner, shape, format, {1100});
      auto got = other.run(step, workers);
      ASSERT_EQ(
          std::memcmp(got[0].data(), expected[0].data(), got[0].size() * 4), 0)
          << step << " rows a call, " << workers << " workers";
    }
  }
}

/// Zeros, numbers too small to count, and a NaN, which stays in its own head.
TEST_P(StateTest, UnusualNumbers) {
  const Shape shape = {1, 1, 4, 4, 0};
  for (const char *format : {"bf16", "i8"}) {
    auto runner =
        KernelRunner::compile(stateKernels(target(), shape, format), target());
    ASSERT_TRUE(runner);
    Store values(1, 4, 1, 4, false, format);
    const float rows[] = {0,           -0.0f, 0,   0,        0x1p-120f, 0,
                          -0x1p-121f,  0,     NAN, 1,        2,         3,
                          0x1.fep127f, 1,     -1,  0x1p-140f};
    GuardedBuffer given(16), offsets(2), past(1);
    std::memcpy(given.data(), rows, sizeof(rows));
    offsets.ints()[0] = past.ints()[0] = 0;
    offsets.ints()[1] = 4;
    std::vector<int64_t> sizes = {1, 4};
    runner->run("v_value", sizes, {given.data(), offsets.data(), &values.view},
                1, 0, past.ints());
    for (int64_t d = 0; d < 4; ++d)
      EXPECT_EQ(values.at(0, 0, 0, d), 0) << format;
    EXPECT_TRUE(std::isnan(values.at(0, 2, 0, 0))) << format;
    EXPECT_TRUE(std::isfinite(values.at(0, 3, 0, 0))) << format;
    if (std::string(format) == "i8") {
      for (int64_t d = 0; d < 4; ++d)
        EXPECT_EQ(values.at(0, 1, 0, d), 0);
    } else {
      EXPECT_EQ(values.at(0, 1, 0, 0), 0x1p-120f);
      EXPECT_EQ(values.at(0, 2, 0, 3), 3);
      // Denormals are rounded like all others.
      EXPECT_EQ(values.at(0, 3, 0, 3), toBf16(0x1p-140f));
    }
  }
}

ATTNC_FOR_ALL_TARGETS(StateTest);

} // namespace
} // namespace attnc::test
