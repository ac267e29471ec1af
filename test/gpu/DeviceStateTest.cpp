//===- DeviceStateTest.cpp - sessions that remember, on a GPU -------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Blocks of states in the stub driver's memory, which faults when the host
// touches it: what sequences remember through appends, forks, truncations,
// saving and loading, and that nothing is lost or leaked when the driver fails.
//
//===----------------------------------------------------------------------===//
#include "StateToy.h"
#include "ToyParts.h"
#include <gmock/gmock.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace statetoy;
using testing::HasSubstr;

namespace {

using Rows = std::vector<int32_t>;

/// A model with one session, and what it should remember.
class Remembering : public toyparts::Opened {
public:
  explicit Remembering(const attn_options &wanted = statetoy::options())
      : Opened(library, wanted) {}

  /// Appends; zeros are skipped.
  attn_status step(const std::vector<Rows> &rows) {
    size_t seq = 1;
    for (const Rows &row : rows)
      seq = std::max(seq, row.size());
    Rows mask;
    for (const Rows &row : rows) {
      mask.insert(mask.end(), row.begin(), row.end());
      mask.resize((&row - rows.data() + 1) * seq);
    }
    return call(mask.data(), rows, seq);
  }
  attn_status call(void *mask, const std::vector<Rows> &rows, size_t seq) {
    std::vector<float> out(rows.size(), -1);
    void *given[] = {mask, out.data()};
    int64_t sizes[] = {int64_t(rows.size()), int64_t(seq)};
    attn_status result = attnrt_call(session, 0, sizes, given);
    if (result != ATTN_OK)
      return result;
    for (size_t b = 0; b < rows.size(); ++b) {
      for (int32_t row : rows[b])
        if (row)
          known[b].push_back(row);
      float truth = 0;
      for (size_t p = 0; p < known[b].size(); ++p)
        truth += float(p + 1) * float(known[b][p]);
      right &= out[b] == truth;
    }
    return ATTN_OK;
  }
  attn_status fork(int64_t from, int64_t to) {
    attn_status result = attnrt_session_fork(session, from, to);
    if (result == ATTN_OK)
      known[to] = known[from];
    return result;
  }
  attn_status truncate(int64_t sequence, int64_t length) {
    attn_status result = attnrt_session_truncate(session, sequence, length);
    if (result == ATTN_OK)
      known[sequence].resize(length);
    return result;
  }
  attn_status save(int64_t sequence, std::string &bytes) {
    size_t needed = 0;
    attn_status result =
        attnrt_session_save(session, sequence, nullptr, 0, &needed);
    bytes.resize(needed);
    return result == ATTN_OK
               ? attnrt_session_save(session, sequence, bytes.data(), needed,
                                     &needed)
               : result;
  }
  attn_status load(int64_t sequence, const std::string &bytes, Rows rows) {
    attn_status result =
        attnrt_session_load(session, sequence, bytes.data(), bytes.size());
    if (result == ATTN_OK)
      known[sequence] = std::move(rows);
    return result;
  }
  int64_t length(int64_t sequence) {
    int64_t result = -1;
    EXPECT_EQ(attnrt_session_length(session, sequence, &result), ATTN_OK);
    return result;
  }

  Rows known[kSequences];
  bool right = true;
};

using DeviceStates = toyparts::OnStub;

TEST_F(DeviceStates, SequencesGrowApart) {
  Remembering toy;
  ASSERT_EQ(toy.status, ATTN_OK) << attnrt_last_error();
  for (const std::vector<Rows> &rows :
       {std::vector<Rows>{{1, 2, 3}, {}, {4, 5, 6, 7, 8}},
        {{9}, {10}, {11}},
        {{0, 12}, {13, 0}, {14, 15}, {16}}})
    ASSERT_EQ(toy.step(rows), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(toy.right);
  EXPECT_EQ(toy.length(2), 8);
}

TEST_F(DeviceStates, StepsAreOneGraph) {
  Remembering toy;
  for (int32_t i = 1; i <= kPositions; ++i)
    ASSERT_EQ(toy.step({{i}, {2 * i}}), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(toy.right);
  EXPECT_EQ(stub_calls("cuLaunchKernel"), 1u);
  EXPECT_EQ(stub_calls("cuGraphInstantiateWithFlags"), 1u);
  EXPECT_EQ(stub_calls("cuGraphLaunch"), uint64_t(kPositions - 1));
  EXPECT_EQ(toy.step({{1}}), ATTN_ERROR_CONTEXT_FULL);
  EXPECT_EQ(toy.length(0), kPositions);
}

TEST_F(DeviceStates, ForksPartAfterwards) {
  Remembering toy;
  ASSERT_EQ(toy.step({{1, 2, 3, 4, 5, 6}}), ATTN_OK);
  ASSERT_EQ(toy.fork(0, 1), ATTN_OK);
  ASSERT_EQ(toy.fork(1, 3), ATTN_OK);
  ASSERT_EQ(toy.step({{7}, {8, 9}, {10}, {11}}), ATTN_OK);
  ASSERT_EQ(toy.truncate(1, 5), ATTN_OK);
  ASSERT_EQ(toy.step({{12}, {13}, {14}, {15}}), ATTN_OK);
  EXPECT_TRUE(toy.right);
  EXPECT_GT(stub_calls("cuMemcpyDtoDAsync_v2"), 0u);
}

TEST_F(DeviceStates, SavedAndLoadedElsewhere) {
  Remembering one, other;
  ASSERT_EQ(one.step({{1, 2, 3, 4, 5, 6}}), ATTN_OK);
  std::string bytes;
  ASSERT_EQ(one.save(0, bytes), ATTN_OK) << attnrt_last_error();
  ASSERT_EQ(other.load(2, bytes, one.known[0]), ATTN_OK) << attnrt_last_error();
  ASSERT_EQ(other.step({{}, {}, {7, 8}}), ATTN_OK);
  ASSERT_EQ(one.step({{9}}), ATTN_OK);
  EXPECT_TRUE(one.right && other.right);
  bytes.back() ^= 1;
  EXPECT_EQ(other.load(2, bytes, {}), ATTN_ERROR_INVALID_ARGUMENT);
  ASSERT_EQ(other.step({{}, {}, {1}}), ATTN_OK);
  EXPECT_TRUE(other.right);
}

TEST_F(DeviceStates, WhatWasLoadedMayGo) {
  Remembering toy;
  ASSERT_EQ(toy.step({{1, 2, 3, 4, 5, 6}}), ATTN_OK);
  std::string bytes;
  ASSERT_EQ(toy.save(0, bytes), ATTN_OK) << attnrt_last_error();
  // The driver does not copy what is pinned before its turn.
  stub_pin(bytes.data(), bytes.size());
  attn_status status = toy.load(1, bytes, toy.known[0]);
  stub_unpin(bytes.data());
  std::fill(bytes.begin(), bytes.end(), '\x55');
  ASSERT_EQ(status, ATTN_OK) << attnrt_last_error();
  ASSERT_EQ(toy.step({{7}, {8, 9}}), ATTN_OK);
  EXPECT_TRUE(toy.right);
}

TEST_F(DeviceStates, MasksOnTheGpuAndLeftOut) {
  Remembering toy;
  Rows mask = {5, 0, 6, 7, 0, 0};
  void *memory = stub_device_memory(4 * mask.size());
  stub_write(memory, mask.data(), 4 * mask.size());
  ASSERT_EQ(toy.call(memory, {{5, 0, 6}, {7}}, 3), ATTN_OK)
      << attnrt_last_error();
  ASSERT_EQ(toy.call(nullptr, {{1, 1}, {1, 1}}, 2), ATTN_OK)
      << attnrt_last_error();
  EXPECT_TRUE(toy.right);
  EXPECT_EQ(toy.length(0), 4);
  EXPECT_EQ(toy.length(1), 3);
  stub_device_free(memory);
}

TEST_F(DeviceStates, AMaskOnTheGpuThatDoesNotCome) {
  Rows mask = {5, 0, 6};
  void *memory = stub_device_memory(4 * mask.size());
  stub_write(memory, mask.data(), 4 * mask.size());
  for (const char *function :
       {"cuMemHostAlloc", "cuMemcpyDtoHAsync_v2", "cuStreamSynchronize"}) {
    Remembering fresh;
    stub_fail(function, 0, 2);
    EXPECT_EQ(fresh.call(memory, {{5, 0, 6}}, 3), ATTN_ERROR_OUT_OF_MEMORY)
        << function;
    EXPECT_EQ(fresh.length(0), 0);
    ASSERT_EQ(fresh.call(memory, {{5, 0, 6}}, 3), ATTN_OK)
        << attnrt_last_error();
    EXPECT_TRUE(fresh.right) << function;
  }
  stub_device_free(memory);
}

TEST_F(DeviceStates, SavingNeedsPinnedMemory) {
  Remembering toy;
  ASSERT_EQ(toy.step({{5, 6, 7}}), ATTN_OK) << attnrt_last_error();
  std::string bytes;
  attn_session *other = nullptr;
  ASSERT_EQ(attnrt_session_open(toy.model, &other), ATTN_OK);
  ASSERT_EQ(toy.save(0, bytes), ATTN_OK);
  ASSERT_EQ(attnrt_session_load(other, 0, bytes.data(), bytes.size()), ATTN_OK)
      << attnrt_last_error();
  size_t needed = 0;
  stub_fail("cuMemHostAlloc", 0, 2);
  EXPECT_EQ(attnrt_session_save(other, 0, bytes.data(), bytes.size(), &needed),
            ATTN_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(attnrt_session_save(other, 0, bytes.data(), bytes.size(), &needed),
            ATTN_OK)
      << attnrt_last_error();
  attnrt_session_close(other);
}

TEST_F(DeviceStates, TheCallersStream) {
  attn_options wanted = options();
  wanted.stream = stub_stream();
  {
    Remembering toy(wanted);
    ASSERT_EQ(toy.status, ATTN_OK) << attnrt_last_error();
    ASSERT_EQ(toy.step({{1, 2, 3, 4, 5}}), ATTN_OK);
    ASSERT_EQ(toy.truncate(0, 2), ATTN_OK);
    ASSERT_EQ(toy.step({{6, 7, 8}, {9}}), ATTN_OK);
    EXPECT_TRUE(toy.right);
  }
  stub_stream_free(wanted.stream);
}

TEST_F(DeviceStates, WhatWasReservedIsThere) {
  Remembering toy;
  ASSERT_EQ(attnrt_session_reserve(toy.session, kSequences, kPositions),
            ATTN_OK)
      << attnrt_last_error();
  uint64_t before = stub_calls("cuMemAlloc_v2");
  ASSERT_EQ(toy.step({{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}), ATTN_OK);
  ASSERT_EQ(toy.step({{}, {1, 2, 3}, {}, {4}}), ATTN_OK);
  EXPECT_TRUE(toy.right);
  // The arena grew once, no block was taken.
  EXPECT_LE(stub_calls("cuMemAlloc_v2"), before + 2);
}

TEST_F(DeviceStates, WithoutMemoryNothingChanges) {
  Remembering toy;
  ASSERT_EQ(toy.step({{1, 2, 3}}), ATTN_OK);
  stub_fail("cuMemAlloc_v2", 0, 2);
  EXPECT_EQ(toy.step({{4, 5, 6}}), ATTN_ERROR_OUT_OF_MEMORY);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("the session's state needs"));
  EXPECT_EQ(toy.length(0), 3);
  ASSERT_EQ(toy.step({{4, 5, 6}}), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(toy.right);
  attn_options bounded = options();
  bounded.max_bytes = 3000;
  Remembering small(bounded);
  EXPECT_EQ(small.status, ATTN_ERROR_OUT_OF_MEMORY);
}

TEST_F(DeviceStates, WhatDidNotArriveComesAgain) {
  // Sizes, the mask, the lengths, a table of blocks.
  for (uint64_t nth = 0; nth < 4; ++nth) {
    Remembering toy;
    ASSERT_EQ(toy.step({{1, 2, 3}}), ATTN_OK) << attnrt_last_error();
    stub_fail("cuMemcpyHtoDAsync_v2", nth, 2);
    EXPECT_EQ(toy.step({{4, 5, 6}}), ATTN_ERROR_OUT_OF_MEMORY) << nth;
    EXPECT_TRUE(stub_has_failed()) << nth;
    EXPECT_EQ(toy.length(0), 3);
    ASSERT_EQ(toy.step({{4, 5, 6}}), ATTN_OK) << attnrt_last_error();
    EXPECT_TRUE(toy.right) << nth;
  }
}

TEST_F(DeviceStates, AForkedChildIsRefused) {
  Remembering toy;
  ASSERT_EQ(toy.step({{1, 2}}), ATTN_OK);
  pid_t child = ::fork();
  if (child == 0) {
    std::string bytes;
    bool refused = toy.step({{3}}) == ATTN_ERROR_DEVICE &&
                   toy.save(0, bytes) == ATTN_ERROR_DEVICE;
    uint64_t calls = stub_calls(nullptr);
    attnrt_session_close(toy.session);
    attnrt_close(toy.model);
    toyparts::endChild(refused && stub_calls(nullptr) == calls ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ASSERT_EQ(toy.step({{4}}), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(toy.right);
}

/// All that a session with states does; the status of the first failure.
attn_status everything(bool &right, std::string &error) {
  Remembering toy;
  attn_status status = toy.status;
  auto then = [&](auto action) {
    if (status == ATTN_OK)
      status = action();
  };
  then([&] { return toy.step({{1, 2, 3, 4, 5}, {6}}); });
  then([&] { return toy.fork(0, 2); });
  then([&] { return toy.step({{7}, {8}, {9}}); });
  std::string bytes;
  then([&] { return toy.save(2, bytes); });
  then([&] { return toy.truncate(0, 4); });
  then([&] { return toy.load(3, bytes, toy.known[2]); });
  then([&] { return toy.step({{10}, {11}, {12}, {13}}); });
  right = toy.right;
  error = status == ATTN_OK ? "" : attnrt_last_error();
  return status;
}

TEST_F(DeviceStates, EveryCallOfTheDriverMayFail) {
  bool right = true;
  std::string error;
  ASSERT_EQ(everything(right, error), ATTN_OK) << error;
  ASSERT_TRUE(right);
  uint64_t calls = stub_calls(nullptr);
  ASSERT_GT(calls, 60u);
  for (int code : {999 - 1, 2})
    for (uint64_t nth = 0; nth < calls; ++nth) {
      stub_reset();
      stub_fail(nullptr, nth, code);
      attn_status status = everything(right, error);
      ASSERT_TRUE(stub_has_failed()) << nth;
      EXPECT_TRUE(right) << "call " << nth << " failed and results are wrong";
      if (status != ATTN_OK)
        EXPECT_THAT(error, HasSubstr("remember")) << nth;
      EXPECT_STREQ(stub_report(), "") << "call " << nth << ": " << error;
      stub_reset();
      EXPECT_EQ(everything(right, error), ATTN_OK)
          << "after call " << nth << ": " << error;
    }
}

} // namespace
