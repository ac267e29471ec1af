//===- HugePageWriterTest.cpp - a file in whole huge pages ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "compiler/package/HugePageWriter.h"
#include "gtest/gtest.h"
#include <random>
#include <thread>

using namespace llvm;

namespace attnc {
namespace {

constexpr uint64_t kPage = HugePageWriter::kPage;

/// What was written where, in order.
class Recorder : public raw_pwrite_stream {
public:
  explicit Recorder(uint64_t bytes)
      : raw_pwrite_stream(/*Unbuffered=*/true), content(bytes) {}

  std::vector<uint8_t> content;
  std::vector<std::pair<uint64_t, uint64_t>> writes; ///< offset and size

private:
  void write_impl(const char *, size_t) override {
    FAIL() << "only at offsets";
  }
  void pwrite_impl(const char *bytes, size_t size, uint64_t offset) override {
    ASSERT_LE(offset + size, content.size());
    std::copy(bytes, bytes + size, content.begin() + offset);
    writes.push_back({offset, size});
  }
  uint64_t current_pos() const override { return content.size(); }
};

std::vector<uint8_t> makeContent(uint64_t bytes) {
  std::mt19937 random(7);
  std::vector<uint8_t> content(bytes);
  for (uint8_t &byte : content)
    byte = random();
  return content;
}

/// Cuts the file at `cuts`, writes the pieces in a random order from two
/// threads, and compares content and writes.
void check(uint64_t bytes, std::vector<uint64_t> cuts, unsigned seed) {
  SCOPED_TRACE("bytes " + std::to_string(bytes) + ", seed " +
               std::to_string(seed));
  const std::vector<uint8_t> content = makeContent(bytes);
  cuts.push_back(0);
  cuts.push_back(bytes);
  llvm::sort(cuts);
  std::vector<size_t> pieces;
  for (size_t i = 0; i + 1 < cuts.size(); ++i)
    pieces.push_back(i);
  std::shuffle(pieces.begin(), pieces.end(), std::mt19937(seed));

  Recorder recorder(bytes);
  HugePageWriter writer(recorder, bytes);
  auto write = [&](size_t first) {
    for (size_t i = first; i < pieces.size(); i += 2) {
      const uint64_t begin = cuts[pieces[i]], end = cuts[pieces[i] + 1];
      writer.write(begin, ArrayRef(content).slice(begin, end - begin));
    }
  };
  EXPECT_EQ(writer.isComplete(), bytes == 0);
  std::thread other(write, 1);
  write(0);
  other.join();
  EXPECT_TRUE(writer.isComplete());
  EXPECT_TRUE(recorder.content == content);
  llvm::sort(recorder.writes);
  uint64_t end = 0;
  for (auto [offset, size] : recorder.writes) {
    EXPECT_EQ(offset, end) << "each byte once";
    EXPECT_EQ(offset % kPage, 0u);
    end = offset + size;
    EXPECT_TRUE(end % kPage == 0 || end == bytes);
  }
  EXPECT_EQ(end, bytes);
}

TEST(HugePageWriter, WritesWholePages) {
  const uint64_t bytes = 5 * kPage + 12345;
  for (unsigned seed = 1; seed <= 4; ++seed) {
    check(bytes, {}, seed);
    check(bytes, {64, 64, kPage - 1, kPage + 1, 3 * kPage + 64}, seed);
    check(bytes, {kPage, 2 * kPage, 5 * kPage, bytes - 1}, seed);
    std::vector<uint64_t> many;
    std::mt19937 random(seed);
    for (int i = 0; i < 200; ++i)
      many.push_back(random() % bytes);
    check(bytes, many, seed);
  }
}

TEST(HugePageWriter, WritesSmallFiles) {
  check(0, {}, 1);
  check(1, {}, 1);
  check(kPage - 1, {17, 4096}, 1);
  check(kPage, {17, 4096}, 1);
  check(kPage + 1, {17, 4096, kPage}, 1);
}

TEST(HugePageWriter, KnowsWhatIsMissing) {
  Recorder recorder(2 * kPage);
  HugePageWriter writer(recorder, 2 * kPage);
  const std::vector<uint8_t> content = makeContent(2 * kPage);
  writer.write(1, ArrayRef(content).drop_front());
  EXPECT_FALSE(writer.isComplete());
  EXPECT_EQ(recorder.writes,
            (std::vector<std::pair<uint64_t, uint64_t>>{{kPage, kPage}}));
  writer.write(0, ArrayRef(content).take_front());
  EXPECT_TRUE(writer.isComplete());
  EXPECT_TRUE(recorder.content == content);
}

} // namespace
} // namespace attnc
