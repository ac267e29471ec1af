//===- AdaptersTest.cpp - sessions with one of several adapters -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The toy with two adapters: one has another "scale", one changes nothing. And
// the toy with an entry of its own for sessions with an adapter.
//
//===----------------------------------------------------------------------===//
#include "Toybox.h"

#include <algorithm>
#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

using namespace toy;
using testing::HasSubstr;

namespace {

constexpr int32_t kTwice[] = {0, 2}, kSame[] = {0, 1};
constexpr attn_abi_adapter kAdapters[] = {{"twice", kTwice}, {"same", kSame}};
constexpr attn_abi_adapters kChoices = {kAdapters, 2, 2};

class AdaptersTest : public testing::Test {
protected:
  AdaptersTest() : weights(makeWeights()) {
    library.adapters = &kChoices;
    library.weights = weightTable;
    library.weight_count = 3;
    options.weights_data = weights.data();
    options.weights_size = weights.size();
  }

  /// The toy's weights, and its scale again, twice as large.
  static AlignedBytes makeWeights() {
    WeightsWriter writer;
    WeightsWriter::Item other = writer.item("scale");
    other.name = "adapter/twice/scale";
    float numbers[kWidth];
    std::memcpy(numbers, other.data.data(), sizeof(numbers));
    for (float &number : numbers)
      number *= 2;
    std::memcpy(other.data.data(), numbers, sizeof(numbers));
    // Tensors begin at multiples of 64 bytes.
    WeightsWriter::Item gap{"attn.padding.scale", "U8", "", {}};
    gap.data.resize((64 - writer.item("scale").data.size() % 64) % 64);
    gap.shape = "[" + std::to_string(gap.data.size()) + "]";
    if (!gap.data.empty())
      writer.items.push_back(gap);
    writer.items.push_back(other);
    return AlignedBytes(writer.bytes());
  }

  /// Runs a call; true if every row is `factor` times the toy's own.
  static bool gives(attn_session *session, float factor) {
    Call call(3, 7);
    if (call.run(session) != ATTN_OK)
      return false;
    for (float &number : call.out)
      number /= factor;
    return call.isRight();
  }

  attn_abi_library library = toy::library;
  attn_options options = rightOptions();
  AlignedBytes weights;
  const attn_abi_weight weightTable[3] = {
      toy::library.weights[0],
      toy::library.weights[1],
      {"adapter/twice/scale", ATTN_F32, kWidth * sizeof(float)}};
};

TEST_F(AdaptersTest, SessionsChoose) {
  Opened opened(options, library);
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  attn_session *other = nullptr;
  ASSERT_EQ(attnrt_session_open(opened.model, &other), ATTN_OK);
  EXPECT_TRUE(gives(opened.session, 1));
  ASSERT_EQ(attnrt_session_adapter(opened.session, "twice"), ATTN_OK);
  EXPECT_TRUE(gives(opened.session, 2));
  // Nobody else is meant.
  EXPECT_TRUE(gives(other, 1));
  ASSERT_EQ(attnrt_session_adapter(other, "twice"), ATTN_OK);
  ASSERT_EQ(attnrt_session_adapter(opened.session, "same"), ATTN_OK);
  EXPECT_TRUE(gives(opened.session, 1));
  EXPECT_TRUE(gives(other, 2));
  ASSERT_EQ(attnrt_session_adapter(other, nullptr), ATTN_OK);
  EXPECT_TRUE(gives(other, 1));
  attnrt_session_close(other);
}

TEST_F(AdaptersTest, Refusals) {
  Opened opened(options, library);
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  ASSERT_EQ(attnrt_session_adapter(opened.session, "twice"), ATTN_OK);
  EXPECT_EQ(attnrt_session_adapter(nullptr, "twice"),
            ATTN_ERROR_INVALID_ARGUMENT);
  for (const char *name : {"", "Twice", "twice ", "scale"}) {
    EXPECT_EQ(attnrt_session_adapter(opened.session, name),
              ATTN_ERROR_INVALID_ARGUMENT);
    EXPECT_THAT(attnrt_last_error(),
                HasSubstr("no adapter is named '" + std::string(name) +
                          "'; this library has 2, the first of them 'twice'"));
  }
  EXPECT_TRUE(gives(opened.session, 2));
  Opened plain(rightOptions());
  EXPECT_EQ(attnrt_session_adapter(plain.session, "twice"),
            ATTN_ERROR_UNAVAILABLE);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("this library has no adapters"));
}

/// What an executor's tasks wait for.
struct Held {
  Gate gate;
  static void run(void *context, int32_t count, void (*task)(void *, int32_t),
                  void *given) {
    static_cast<Held *>(context)->gate.wait();
    for (int32_t i = 0; i < count; ++i)
      task(given, i);
  }
};

TEST_F(AdaptersTest, NotWithinACall) {
  Held held;
  attn_executor executor = {&held, 1, Held::run};
  options.executor = &executor;
  options.threads = 0; // the executor has its own
  Opened opened(options, library);
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  bool right = false;
  std::thread caller([&] { right = gives(opened.session, 1); });
  held.gate.awaitArrival();
  EXPECT_EQ(attnrt_session_adapter(opened.session, "twice"),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("another call is using"));
  held.gate.open();
  caller.join();
  EXPECT_TRUE(right);
  EXPECT_EQ(attnrt_session_adapter(opened.session, "twice"), ATTN_OK);
  EXPECT_TRUE(gives(opened.session, 2));
}

// "scale" of sessions with an adapter has many slots more, the last of which it
// writes to, and turns the signs of "out" around.
constexpr int32_t kMoreSlots = 3000;

int64_t planMore(int64_t *sizes, int32_t workers, int64_t *offsets,
                 int64_t *scratchOffset, int64_t *scratchStride) {
  const attn_abi_schedule &own = toy::library.variants[1].schedules[Scale];
  const int64_t bytes =
      own.plan(sizes, workers, offsets, scratchOffset, scratchStride);
  for (int32_t i = 0; i < kMoreSlots; ++i)
    offsets[own.slot_count + i] = bytes + 64 * i;
  return bytes + int64_t(64) * kMoreSlots;
}

void negate(const attn_frame *frame, int32_t, int32_t) {
  const attn_abi_schedule &own = toy::library.variants[1].schedules[Scale];
  const int64_t last = frame->slot_offsets[own.slot_count + kMoreSlots - 1];
  std::memset(frame->arena + last, 0xff, 64);
  float *out = static_cast<float *>(frame->arguments[2]);
  for (int64_t i = 0; i < frame->sizes[0] * kWidth; ++i)
    out[i] = -out[i];
}

class AdaptedEntriesTest : public AdaptersTest {
protected:
  AdaptedEntriesTest() {
    std::copy_n(toy::library.entries, 2, entries);
    entries[2] = entries[Scale];
    entries[Scale].adapted = 1 + 2;
    std::copy_n(toy::library.variants[1].schedules, 2, schedules);
    schedules[2] = schedules[Scale];
    std::copy_n(schedules[Scale].phases, 3, phases);
    phases[3] = {negate, "negate", ATTN_PHASE_SERIAL, {}, {}};
    schedules[2].phases = phases;
    schedules[2].phase_count = 4;
    schedules[2].slot_count += kMoreSlots;
    schedules[2].plan = planMore;
    variant = {"x86-64", 0, schedules, nullptr};
    library.entries = entries;
    library.adapted_count = 1;
    library.variants = &variant;
    library.variant_count = 1;
  }

  attn_abi_phase phases[4];
  attn_abi_schedule schedules[3];
  attn_abi_entry entries[3];
  attn_abi_variant variant;
};

TEST_F(AdaptedEntriesTest, RunInThePlaceOfOthers) {
  Counter counter;
  options.allocator = &counter.allocator;
  Opened opened(options, library);
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(gives(opened.session, 1));
  EXPECT_LT(counter.largest, 64 * kMoreSlots);
  ASSERT_EQ(attnrt_session_adapter(opened.session, "twice"), ATTN_OK);
  EXPECT_TRUE(gives(opened.session, -2));
  EXPECT_GT(counter.largest, 64 * kMoreSlots);
  ASSERT_EQ(attnrt_session_adapter(opened.session, "same"), ATTN_OK);
  EXPECT_TRUE(gives(opened.session, -1));
  ASSERT_EQ(attnrt_session_adapter(opened.session, nullptr), ATTN_OK);
  EXPECT_TRUE(gives(opened.session, 1));
}

TEST_F(AdaptedEntriesTest, HaveNoNames) {
  Opened opened(options, library);
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  ASSERT_EQ(attnrt_session_adapter(opened.session, "twice"), ATTN_OK);
  // The caller's name is that of the first.
  Call call(3, 7);
  const attn_buffer inputs[] = {
      {call.ids.data(), call.ids.size() * sizeof(int32_t)},
      {call.mask.data(), call.mask.size() * sizeof(int32_t)}};
  const attn_buffer outputs[] = {
      {call.out.data(), call.out.size() * sizeof(float)},
      {call.total.data(), call.total.size() * sizeof(float)}};
  ASSERT_EQ(attnrt_call_by_name(opened.session, "scale", call.sizes, 2, inputs,
                                2, outputs, 2),
            ATTN_OK)
      << attnrt_last_error();
  for (float &number : call.out)
    number /= -2;
  EXPECT_TRUE(call.isRight());
  uint64_t bytes = 0;
  EXPECT_EQ(
      attnrt_session_bytes_by_name(opened.model, "none", call.sizes, 2, &bytes),
      ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_STREQ(attnrt_last_error(),
               "toy: no entry \"none\"; this library has: scale, embed");
  // What a session takes that has none.
  EXPECT_EQ(attnrt_session_bytes(opened.model, Scale, call.sizes, &bytes),
            ATTN_OK);
  EXPECT_LT(bytes, 64 * kMoreSlots);
}

TEST_F(AdaptedEntriesTest, IndicesAreChecked) {
  Opened opened(options, library);
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  ASSERT_EQ(attnrt_session_adapter(opened.session, "twice"), ATTN_OK);
  Call call(3, 7);
  for (int32_t entry : {-1, 3, INT32_MAX})
    EXPECT_EQ(attnrt_call(opened.session, entry, call.sizes, nullptr),
              ATTN_ERROR_INVALID_ARGUMENT);
}

} // namespace
