//===- LookupTest.cpp - look-ups in tables, and products of heads ---------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// attn.lookup in score and mask regions, with tables per head, per query, per
// key and for all, indices far beyond them, one and two dimensions, and tables
// of indices; everything between guard pages. The products that make such
// tables, attn.head_linear, at every tail.
//
//===----------------------------------------------------------------------===//
#include "RegionTest.h"
#include <cmath>
#include <cstring>

namespace attnc::test {
namespace {

int64_t hold(int64_t index, int64_t size) {
  return std::min(std::max<int64_t>(index, 0), size - 1);
}

/// A bias by head and distance; distances beyond 4 read the table's ends.
Region byDistance() {
  return {"%four = arith.constant 4 : i32\n"
          "%d = arith.subi %q, %k : i32\n"
          "%n = arith.addi %d, %four : i32\n"
          "%x = attn.lookup %c0[%n] : tensor<9xf32>\n"
          "%r = arith.addf %s, %x : f32\nattn.yield %r : f32",
          [](double score, Position at, const double *c) {
            return score + c[hold(at.q - at.k + 4, 9)];
          },
          {{"h", false, -1, 1, {9}}}};
}

/// One table for all, by distance and head; the indices are as large as can be.
Region twoDimensions() {
  return {"%many = arith.constant 16000000 : i32\n"
          "%d = arith.subi %q, %k : i32\n"
          "%n = arith.muli %d, %many : i32\n"
          "%x = attn.lookup %c0[%n, %h] : tensor<3x4xf32>\n"
          "%r = arith.addf %s, %x : f32\nattn.yield %r : f32",
          [](double score, Position at, const double *c) {
            return score +
                   c[hold((at.q - at.k) * 16000000, 3) * 4 + hold(at.h, 4)];
          },
          {{"", false, -1, 1, {3, 4}}}};
}

/// As in disentangled attention: rows of distances are looked up, then what the
/// query and the key have there.
Region disentangled(const std::string &query, const std::string &key) {
  return {"%six = arith.constant 6 : i32\n"
          "%d = arith.subi %q, %k : i32\n"
          "%n = arith.addi %d, %six : i32\n"
          "%row = attn.lookup %c0[%n] : tensor<13xi32>\n"
          "%x = attn.lookup %c1[%row] : tensor<7xf32>\n"
          "%y = attn.lookup %c2[%row] : tensor<7xf32>\n"
          "%t = arith.addf %s, %x : f32\n"
          "%r = arith.addf %t, %y : f32\nattn.yield %r : f32",
          [](double score, Position at, const double *c) {
            int64_t row = hold(c[hold(at.q - at.k + 6, 13)], 7);
            return score + c[13 + row] + c[20 + row];
          },
          {{"", true, -2, 8, {13}},
           {query, false, -1, 1, {7}},
           {key, false, -1, 1, {7}}}};
}

/// Positions of rows, as captures of rows.
Region farApart() {
  return {"%d = arith.subi %c0, %c1 : i32\n"
          "%f = arith.sitofp %d : i32 to f32\n"
          "%r = arith.addf %s, %f : f32\nattn.yield %r : f32",
          [](double score, Position, const double *c) {
            return score + c[0] - c[1];
          },
          {{"q", true, 0, 3}, {"k", true, 0, 3}}};
}

/// Which keys of its own class a query sees, by a table of conditions.
Region allowed(const std::string &query, const std::string &key) {
  return {"%zero = arith.constant 0 : i32\n"
          "%x = attn.lookup %c0[%c1, %c2] : tensor<3x3xi32>\n"
          "%r = arith.cmpi ne, %x, %zero : i32\nattn.yield %r : i1",
          [](double, Position, const double *c) {
            return c[hold(c[9], 3) * 3 + hold(c[10], 3)] != 0;
          },
          {{"", true, 0, 1, {3, 3}}, {query, true, -1, 3}, {key, true, -1, 3}}};
}

struct LookupTest : RegionTest {};

TEST_P(LookupTest, ByDistance) { checkPadded(byDistance(), {}); }
TEST_P(LookupTest, ByDistancePacked) { checkPacked(byDistance(), {}); }
TEST_P(LookupTest, TwoDimensions) { checkPadded(twoDimensions(), {}); }
TEST_P(LookupTest, Disentangled) {
  checkPadded(disentangled("bqh", "bkh"), {});
}
TEST_P(LookupTest, DisentangledPacked) {
  checkPacked(disentangled("qh", "kh"), {});
}
TEST_P(LookupTest, OneTableForAllLanesAndOnePerKey) {
  checkPadded(disentangled("h", "k"), {});
}
TEST_P(LookupTest, Mask) { checkPadded({}, allowed("bq", "bk")); }
TEST_P(LookupTest, MaskPacked) { checkPacked({}, allowed("q", "k")); }
TEST_P(LookupTest, CapturesOfRows) { checkPacked(farApart(), {}); }

ATTNC_FOR_ALL_TARGETS(LookupTest);

//===-- in maps -----------------------------------------------------------===//

/// Rows shifted by one, zero at the ends: the element that stands below, if the
/// look-up did not have to hold its index.
const char *kShift = R"(
attn.size @b min 1 max 8
attn.size @s min 1 max 64
kernel.variant @v target "TARGET" {
kernel.func @shift(%x: tensor<?x?x5xf32, #attn.sizes<b, s, 5>>, %p: tensor<?xi32, #attn.sizes<s>>) -> tensor<?x?x5xf32, #attn.sizes<b, s, 5>> {
  %y = attn.map element(%x at affine_map<(b, s, c) -> (b)> : tensor<?x?x5xf32, #attn.sizes<b, s, 5>>, %p at affine_map<(b, s, c) -> ()> : tensor<?xi32, #attn.sizes<s>>) {
  ^bb0(%rows: tensor<?x5xf32, #attn.sizes<s, 5>>, %positions: tensor<?xi32, #attn.sizes<s>>):
    %s = attn.index 1 : i32
    %c = attn.index 2 : i32
    %one = arith.constant 1 : i32
    %below = arith.addi %s, %one : i32
    %found = attn.lookup %positions[%below] : tensor<?xi32, #attn.sizes<s>>
    %inside = arith.cmpi eq, %found, %below : i32
    %e = attn.lookup %rows[%below, %c] : tensor<?x5xf32, #attn.sizes<s, 5>>
    %zero = arith.constant 0.0 : f32
    %r = arith.select %inside, %e, %zero : f32
    attn.yield %r : f32
  } : tensor<?x?x5xf32, #attn.sizes<b, s, 5>>
  kernel.return %y : tensor<?x?x5xf32, #attn.sizes<b, s, 5>>
}
}
)";

std::string forTarget(std::string text, const Target &target) {
  return text.replace(text.find("TARGET"), 6, target.name.str());
}

struct LookupMapTest : TargetTest {};

TEST_P(LookupMapTest, TablesOfDynamicSize) {
  auto runner = KernelRunner::compile(forTarget(kShift, target()), target());
  ASSERT_TRUE(runner);
  for (int64_t length : {1, 2, 7, 30}) {
    std::vector<int64_t> sizes = {3, length};
    GuardedBuffer x(3 * length * 5), p(length), y(3 * length * 5);
    for (size_t i = 0; i < x.size(); ++i)
      x.floats()[i] = 1 + i;
    for (int64_t i = 0; i < length; ++i)
      p.ints()[i] = i;
    runner->run("v_shift", sizes, {x.data(), p.data(), y.data()}, 2);
    for (int64_t row = 0; row < 3 * length; ++row)
      for (int64_t c = 0; c < 5; ++c)
        ASSERT_EQ((row + 1) % length ? x.floats()[(row + 1) * 5 + c] : 0,
                  y.floats()[row * 5 + c])
            << row << " of " << length;
  }
}

TEST_P(LookupMapTest, EmptyTablesGiveZero) {
  auto runner = KernelRunner::compile(forTarget(R"(
attn.size @n min 0 max 8
kernel.variant @v target "TARGET" {
kernel.func @empty(%t: tensor<?xf32, #attn.sizes<n>>) -> tensor<19xf32> {
  %y = attn.map element(%t at affine_map<(i) -> ()> : tensor<?xf32, #attn.sizes<n>>) {
  ^bb0(%table: tensor<?xf32, #attn.sizes<n>>):
    %i = attn.index 0 : i32
    %x = attn.lookup %table[%i] : tensor<?xf32, #attn.sizes<n>>
    attn.yield %x : f32
  } : tensor<19xf32>
  kernel.return %y : tensor<19xf32>
}
}
)",
                                                target()),
                                      target());
  ASSERT_TRUE(runner);
  for (int64_t size : {0, 2}) {
    std::vector<int64_t> sizes = {size};
    GuardedBuffer table(size), y(19);
    for (int64_t i = 0; i < size; ++i)
      table.floats()[i] = 5 + i;
    runner->run("v_empty", sizes, {table.data(), y.data()});
    for (int64_t i = 0; i < 19; ++i)
      ASSERT_EQ(size ? table.floats()[std::min<int64_t>(i, 1)] : 0,
                y.floats()[i]);
  }
}

ATTNC_FOR_ALL_TARGETS(LookupMapTest);

//===-- products of heads -------------------------------------------------===//

struct HeadLinearTest : TargetTest {
  /// `gap`: elements between the heads of neighbouring rows.
  void check(int64_t heads, int64_t depth, int64_t columns, int64_t gap) {
    const int64_t width = heads * depth + gap;
    const std::string h = std::to_string(heads), k = std::to_string(depth),
                      n = std::to_string(columns);
    const std::string x = "tensor<?x" + h + "x" + k + "xf32, #attn.sizes<m, " +
                          h + ", " + k + ">>";
    const std::string w = "tensor<" + h + "x" + k + "x" + n + "xf32>";
    const std::string y = "tensor<?x" + h + "x" + n + "xf32, #attn.sizes<m, " +
                          h + ", " + n + ">>";
    auto runner = KernelRunner::compile(
        "attn.size @m min 0 max 4096\nkernel.variant @v target \"" +
            target().name.str() + "\" {\nkernel.func @heads(%x: " + x +
            " {kernel.layout = #kernel.rows<" + std::to_string(width) +
            ">}, %w: " + w + ") -> " + y +
            " {\n%y = attn.head_linear %x, %w : " + x + ", " + w + " -> " + y +
            "\nkernel.return %y : " + y + "\n}\n}\n",
        target());
    ASSERT_TRUE(runner);
    std::mt19937 random(7);
    std::uniform_real_distribution<float> uniform(-1, 1);
    GuardedBuffer weight(heads * depth * columns);
    for (size_t i = 0; i < weight.size(); ++i)
      weight.floats()[i] = uniform(random);
    for (int64_t rows : {0, 1, 3, 8, 9, 63, 64, 65, 130}) {
      // The last row ends with its heads.
      GuardedBuffer input(std::max<int64_t>(rows * width - gap, 0));
      for (size_t i = 0; i < input.size(); ++i)
        input.floats()[i] = uniform(random);
      std::vector<float> first;
      for (int workers : {1, 2, 5}) {
        GuardedBuffer output(rows * heads * columns);
        std::vector<int64_t> sizes = {rows};
        runner->run("v_heads", sizes,
                    {input.data(), weight.data(), output.data()}, workers);
        std::vector<float> values(output.floats(),
                                  output.floats() + output.size());
        if (workers == 1)
          first = values;
        ASSERT_EQ(0,
                  std::memcmp(first.data(), values.data(), 4 * values.size()))
            << workers << " workers";
      }
      for (size_t i = 0; i < first.size(); ++i) {
        const int64_t row = i / (heads * columns), head = i / columns % heads,
                      column = i % columns;
        double sum = 0, terms = 0;
        for (int64_t d = 0; d < depth; ++d) {
          const double term =
              double(input.floats()[row * width + head * depth + d]) *
              weight.floats()[(head * depth + d) * columns + column];
          sum += term;
          terms += std::fabs(term);
        }
        // Every product and every sum rounds once.
        ASSERT_NEAR(sum, first[i], 2 * depth * terms * 0x1p-24)
            << rows << " rows, element " << i;
      }
    }
  }
};

TEST_P(HeadLinearTest, WholeTiles) { check(2, 64, 96, 0); }
TEST_P(HeadLinearTest, Tails) {
  for (int64_t columns : {1, 7, 16, 17, 33, 47, 50})
    check(3, 7, columns, 0);
}
TEST_P(HeadLinearTest, RowsWithGaps) { check(3, 10, 24, 60); }

ATTNC_FOR_ALL_TARGETS(HeadLinearTest);

} // namespace
} // namespace attnc::test
