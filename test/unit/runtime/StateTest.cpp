//===- StateTest.cpp - what a session remembers
//----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tables and blocks without any kernel: rows are written here as kernels do,
// and read back after forks, windows, truncations, files and full memory.
//
//===----------------------------------------------------------------------===//
#include "State.h"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace {

// Blocks of 4 positions. Two states of 8 bytes a position share a group, a
// third one forgets what is 6 positions back.
constexpr int64_t kBlock = 4, kPositions = 30, kSequences = 3;
const attn_abi_state_group groups[] = {{0, 64}, {6, 64}};
const attn_abi_state stateList[] = {
    {"a", 0, 0, 1, 1, 8, 0}, {"b", 0, 32, 1, 1, 8, 0}, {"c", 1, 0, 1, 1, 8, 0}};
const attn_abi_states states = {kPositions, kBlock,    kSequences, groups,
                                2,          stateList, 3,          "layout"};
const int64_t maskDims[] = {-1, -2};
const attn_abi_argument arguments[] = {
    {"mask", ATTN_I32, 0, 2, maskDims, 0, 1, 0}};
const int32_t sizeList[] = {0, 1};
const attn_abi_entry entry = {"step", sizeList, 2, arguments, 1, 1, 1, 0};

attn_abi_library makeLibrary(const char *content) {
  attn_abi_library library = {};
  library.name = "test";
  library.content_digest = content;
  library.states = &states;
  return library;
}

class States : public testing::Test {
protected:
  States() { EXPECT_EQ(session.open(), ATTN_OK); }

  /// Appends counts[b] rows to sequence b: `value` in every state.
  attn_status append(attnrt::SessionStates &to, std::vector<int> counts,
                     int64_t value, bool commits = true) {
    int64_t longest = 1;
    for (int count : counts)
      longest = std::max<int64_t>(longest, count);
    std::vector<int32_t> mask;
    for (int count : counts)
      for (int64_t s = 0; s < longest; ++s)
        mask.push_back(s < count ? 3 : 0);
    int64_t sizes[] = {static_cast<int64_t>(counts.size()), longest};
    attn_status status = to.prepare(entry, sizes, mask.data());
    if (status != ATTN_OK)
      return status;
    for (size_t b = 0; b < counts.size(); ++b)
      for (int64_t p = to.past()[b]; p < to.past()[b] + counts[b]; ++p)
        for (int state = 0; state < 3; ++state)
          *place(to, state, b, p) = value + state;
    if (commits)
      to.commit();
    return ATTN_OK;
  }
  static int64_t *place(const attnrt::SessionStates &of, int state,
                        int64_t sequence, int64_t position) {
    const attn_frame_state &view = of.views()[state];
    unsigned char *block = view.tables[sequence][position / kBlock];
    return reinterpret_cast<int64_t *>(block + view.offset) + position % kBlock;
  }
  int64_t length(int64_t sequence) {
    int64_t result = -1;
    EXPECT_EQ(session.length(sequence, result), ATTN_OK);
    return result;
  }
  /// The rows of a state that the next query sees.
  std::vector<int64_t> rows(attnrt::SessionStates &of, int state,
                            int64_t sequence) {
    int64_t end = 0;
    EXPECT_EQ(of.length(sequence, end), ATTN_OK);
    std::vector<int64_t> result;
    for (int64_t p = state == 2 ? std::max<int64_t>(0, end - 5) : 0; p < end;
         ++p)
      result.push_back(*place(of, state, sequence, p));
    return result;
  }

  attnrt::Memory memory{nullptr, 0};
  attn_abi_library library = makeLibrary("content");
  attnrt::SessionStates session{memory, library};
};

using Rows = std::vector<int64_t>;

TEST_F(States, BytesOfACallAreKnownBefore) {
  for (auto [batch, rows] : {std::pair<int, int>{1, 1}, {3, 9}, {2, 30}}) {
    attnrt::SessionStates fresh(memory, library);
    ASSERT_EQ(fresh.open(), ATTN_OK);
    const uint64_t before = memory.used();
    ASSERT_EQ(append(fresh, std::vector<int>(batch, rows), 100), ATTN_OK);
    const int64_t sizes[] = {batch, rows};
    EXPECT_EQ(memory.used() - before,
              attnrt::SessionStates::callBytes(library, entry, sizes));
  }
  attn_abi_entry reads = entry;
  reads.growth = 0;
  const int64_t sizes[] = {3, 9};
  EXPECT_EQ(attnrt::SessionStates::callBytes(library, reads, sizes), 0u);
}

TEST_F(States, SequencesGrowApart) {
  EXPECT_EQ(append(session, {3, 0, 5}, 100), ATTN_OK);
  EXPECT_EQ(append(session, {2, 1}, 200), ATTN_OK);
  EXPECT_EQ(length(0), 5);
  EXPECT_EQ(length(1), 1);
  EXPECT_EQ(length(2), 5);
  EXPECT_EQ(rows(session, 0, 0), (Rows{100, 100, 100, 200, 200}));
  EXPECT_EQ(rows(session, 1, 0), (Rows{101, 101, 101, 201, 201}));
  EXPECT_EQ(rows(session, 2, 1), (Rows{202}));
}

TEST_F(States, ACallThatFailsChangesNothing) {
  EXPECT_EQ(append(session, {3}, 100), ATTN_OK);
  EXPECT_EQ(append(session, {4}, 200, /*commits=*/false), ATTN_OK);
  EXPECT_EQ(length(0), 3);
  EXPECT_EQ(append(session, {1, 31}, 300), ATTN_ERROR_CONTEXT_FULL);
  EXPECT_EQ(append(session, {28}, 300), ATTN_ERROR_CONTEXT_FULL);
  EXPECT_EQ(length(0), 3);
  EXPECT_EQ(append(session, {27}, 400), ATTN_OK);
  EXPECT_EQ(length(0), kPositions);
  EXPECT_EQ(rows(session, 0, 0)[2], 100);
  EXPECT_EQ(rows(session, 0, 0)[3], 400);
}

TEST_F(States, ForksShareUntilTheyPart) {
  EXPECT_EQ(append(session, {6}, 100), ATTN_OK);
  EXPECT_EQ(session.fork(0, 1), ATTN_OK);
  EXPECT_EQ(session.fork(1, 2), ATTN_OK);
  EXPECT_EQ(place(session, 0, 0, 5), place(session, 0, 2, 5));
  EXPECT_EQ(append(session, {1, 2}, 200), ATTN_OK);
  EXPECT_EQ(place(session, 0, 0, 1), place(session, 0, 1, 1));
  EXPECT_NE(place(session, 0, 0, 5), place(session, 0, 1, 5));
  EXPECT_EQ(rows(session, 0, 0), (Rows{100, 100, 100, 100, 100, 100, 200}));
  EXPECT_EQ(rows(session, 0, 2), (Rows{100, 100, 100, 100, 100, 100}));
  EXPECT_EQ(rows(session, 2, 1), (Rows{102, 102, 102, 202, 202}));
  // The last one to hold a block gives it back: nothing more is taken.
  session.reset();
  uint64_t used = memory.used();
  EXPECT_EQ(append(session, {6, 2}, 300), ATTN_OK);
  EXPECT_EQ(memory.used(), used);
}

TEST_F(States, WindowsRecycleBlocks) {
  uint64_t before = 0;
  for (int i = 0; i < 28; ++i) {
    EXPECT_EQ(append(session, {1}, 100 + 10 * i), ATTN_OK);
    if (i == 12)
      before = memory.used();
  }
  // Four blocks more, of the group without a window alone.
  EXPECT_EQ(memory.used() - before, 3 * (64 + 64));
  EXPECT_EQ(rows(session, 2, 0), (Rows{332, 342, 352, 362, 372}));
  EXPECT_EQ(session.truncate(0, 20), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(length(0), 28);
  EXPECT_EQ(session.truncate(0, 27), ATTN_OK);
  EXPECT_EQ(append(session, {1}, 900), ATTN_OK);
  EXPECT_EQ(rows(session, 2, 0), (Rows{332, 342, 352, 362, 902}));
  EXPECT_EQ(session.truncate(0, 0), ATTN_OK);
}

TEST_F(States, SavedSequencesComeBack) {
  EXPECT_EQ(append(session, {11, 3}, 100), ATTN_OK);
  size_t needed = 0;
  EXPECT_EQ(session.save(0, nullptr, 0, &needed), ATTN_OK);
  std::vector<unsigned char> data(needed);
  EXPECT_EQ(session.save(0, data.data(), needed - 1, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(session.save(0, data.data(), needed, nullptr), ATTN_OK);
  EXPECT_EQ(session.load(1, data.data(), data.size()), ATTN_OK);
  EXPECT_EQ(rows(session, 1, 1), Rows(11, 101));
  EXPECT_EQ(rows(session, 2, 1), Rows(5, 102));
  EXPECT_EQ(append(session, {1, 1}, 200), ATTN_OK);
  EXPECT_EQ(rows(session, 2, 1), (Rows{102, 102, 102, 102, 202}));

  attn_abi_library other = makeLibrary("other");
  attnrt::SessionStates foreign(memory, other);
  EXPECT_EQ(foreign.open(), ATTN_OK);
  EXPECT_EQ(foreign.load(0, data.data(), data.size()), ATTN_ERROR_WEIGHTS);
  for (size_t at = 0; at < data.size(); ++at) {
    std::vector<unsigned char> damaged = data;
    damaged[at] ^= 0x10;
    EXPECT_NE(session.load(0, damaged.data(), damaged.size()), ATTN_OK) << at;
  }
  for (size_t size = 0; size < data.size(); size += 7)
    EXPECT_NE(session.load(0, data.data(), size), ATTN_OK) << size;
  EXPECT_EQ(length(0), 12);
}

/// Blocks go from sequence to sequence, what is in them does not.
TEST_F(States, SavedSequencesHoldNothingOfOthers) {
  constexpr int64_t kSecret = 0x5EC2E7;
  const auto holdsSecret = [](const std::vector<unsigned char> &data) {
    for (int64_t value = kSecret; value < kSecret + 3; ++value) {
      unsigned char word[8];
      memcpy(word, &value, 8);
      if (std::search(data.begin(), data.end(), word, word + 8) != data.end())
        return true;
    }
    return false;
  };
  const auto save = [&](int64_t sequence) {
    size_t needed = 0;
    EXPECT_EQ(session.save(sequence, nullptr, 0, &needed), ATTN_OK);
    std::vector<unsigned char> data(needed);
    EXPECT_EQ(session.save(sequence, data.data(), needed, nullptr), ATTN_OK);
    return data;
  };
  EXPECT_EQ(append(session, {14}, kSecret), ATTN_OK);
  EXPECT_TRUE(holdsSecret(save(0)));
  EXPECT_EQ(session.fork(0, 1), ATTN_OK);
  session.reset();
  // From the blocks that were given back, and from memory that is reserved.
  EXPECT_EQ(append(session, {1, 5}, 100), ATTN_OK);
  EXPECT_FALSE(holdsSecret(save(0)));
  EXPECT_FALSE(holdsSecret(save(1)));
  EXPECT_EQ(session.reserve(3, 14), ATTN_OK);
  EXPECT_EQ(append(session, {0, 0, 9}, 200), ATTN_OK);
  EXPECT_FALSE(holdsSecret(save(2)));
}

/// What was cut off, or belonged to a call that failed, is in no saved file.
TEST_F(States, SavedSequencesEndAtTheirLength) {
  const auto save = [&](int64_t sequence) {
    size_t needed = 0;
    EXPECT_EQ(session.save(sequence, nullptr, 0, &needed), ATTN_OK);
    std::vector<unsigned char> data(needed);
    EXPECT_EQ(session.save(sequence, data.data(), needed, nullptr), ATTN_OK);
    return data;
  };
  EXPECT_EQ(append(session, {5}, 100), ATTN_OK);
  const std::vector<unsigned char> before = save(0);
  EXPECT_EQ(append(session, {2}, 700, /*commits=*/false), ATTN_OK);
  EXPECT_EQ(save(0), before);
  EXPECT_EQ(append(session, {3}, 900), ATTN_OK);
  EXPECT_EQ(session.truncate(0, 5), ATTN_OK);
  EXPECT_EQ(save(0), before);
  // The session itself keeps what it may need again.
  EXPECT_EQ(rows(session, 0, 0), Rows(5, 100));
}

/// Two heads, each of three lines of two bytes a position and scales of four.
TEST_F(States, SavedSequencesEndInEveryLine) {
  constexpr int64_t kHeads = 2, kLines = 3, kWidth = 2, kScale = 4, kOffset = 8,
                    kLength = 3;
  constexpr int64_t kHead = kBlock * (kLines * kWidth + kScale);
  static const attn_abi_state_group group = {0, 128};
  static const attn_abi_state laid = {"laid", 0,      kOffset, kHeads,
                                      kLines, kWidth, kScale};
  static const attn_abi_states described = {
      kPositions, kBlock, kSequences, &group, 1, &laid, 1, "lines"};
  attn_abi_library library = makeLibrary("content");
  library.states = &described;
  attnrt::SessionStates states(memory, library);
  ASSERT_EQ(states.open(), ATTN_OK);
  const int64_t sizes[] = {1, kLength};
  const int32_t mask[kLength] = {1, 1, 1};
  ASSERT_EQ(states.prepare(entry, sizes, mask), ATTN_OK);
  memset(states.views()[0].tables[0][0], 0xFF, 128);
  states.commit();
  size_t needed = 0;
  ASSERT_EQ(states.save(0, nullptr, 0, &needed), ATTN_OK);
  std::vector<unsigned char> data(needed);
  ASSERT_EQ(states.save(0, data.data(), needed, nullptr), ATTN_OK);
  const unsigned char *block = data.data() + needed - 128;
  for (int64_t at = 0; at < kHeads * kHead; ++at) {
    const int64_t inHead = at % kHead, scales = kBlock * kLines * kWidth;
    const int64_t position = inHead < scales
                                 ? inHead % (kBlock * kWidth) / kWidth
                                 : (inHead - scales) / kScale;
    EXPECT_EQ(block[kOffset + at], position < kLength ? 0xFF : 0) << at;
  }
  EXPECT_EQ(block[0], 0xFF); // another state's
  EXPECT_EQ(block[kOffset + kHeads * kHead], 0xFF);
  EXPECT_EQ(states.load(1, data.data(), needed), ATTN_OK);
}

TEST_F(States, NothingIsTakenAfterReserve) {
  EXPECT_EQ(session.reserve(2, 30), ATTN_OK);
  uint64_t used = memory.used();
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(append(session, {5, 5}, i), ATTN_OK);
  EXPECT_EQ(memory.used(), used);
  session.reset();
  EXPECT_EQ(append(session, {30, 30}, 7), ATTN_OK);
  EXPECT_EQ(memory.used(), used);
}

TEST_F(States, FullMemoryLeavesSequencesAsTheyWere) {
  attnrt::Memory little(nullptr, 1500);
  attnrt::SessionStates small(little, library);
  EXPECT_EQ(small.open(), ATTN_OK);
  EXPECT_EQ(append(small, {4}, 100), ATTN_OK);
  attn_status status = ATTN_OK;
  int64_t before = 0;
  while (status == ATTN_OK) {
    EXPECT_EQ(small.length(0, before), ATTN_OK);
    status = append(small, {1}, 200);
  }
  EXPECT_EQ(status, ATTN_ERROR_OUT_OF_MEMORY);
  int64_t after = 0;
  EXPECT_EQ(small.length(0, after), ATTN_OK);
  EXPECT_EQ(after, before);
  EXPECT_EQ(rows(small, 0, 0)[3], 100);
  EXPECT_EQ(small.fork(0, 2), ATTN_ERROR_OUT_OF_MEMORY);
  small.reset();
  EXPECT_EQ(append(small, {4}, 300), ATTN_OK);
}

TEST_F(States, SequencesAreNumbered) {
  EXPECT_EQ(session.fork(0, 3), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(session.fork(-1, 0), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(session.truncate(0, 1), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(session.reserve(4, 1), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(session.reserve(1, 31), ATTN_ERROR_INVALID_ARGUMENT);
  attn_abi_library plain = makeLibrary("plain");
  plain.states = nullptr;
  attnrt::SessionStates none(memory, plain);
  EXPECT_EQ(none.open(), ATTN_OK);
  EXPECT_EQ(none.fork(0, 1), ATTN_ERROR_UNAVAILABLE);
  none.reset();
}

} // namespace
