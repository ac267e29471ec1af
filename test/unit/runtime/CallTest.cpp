//===- CallTest.cpp - what a call refuses and what it fills in ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sizes, pointers, elements and names, each wrong in turn; optional arguments;
// and that a refused call leaves the outputs as they were.
//
//===----------------------------------------------------------------------===//
#include "Toybox.h"

#include "attn/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xmmintrin.h>

using namespace toy;
using testing::HasSubstr;

namespace {

class CallTest : public testing::Test {
protected:
  CallTest() : opened(rightOptions()), call(3, 7) {}

  void expectRefused(const char *message) {
    EXPECT_EQ(call.run(opened.session), ATTN_ERROR_INVALID_ARGUMENT);
    EXPECT_THAT(attnrt_last_error(), HasSubstr(message));
    for (float value : call.out)
      EXPECT_EQ(value, -1);
    for (float value : call.total)
      EXPECT_EQ(value, -1);
  }

  attn_status byName(const char *entry, size_t sizes, size_t idBytes,
                     size_t outBytes, size_t inputCount = 2,
                     size_t outputCount = 2) {
    attn_buffer inputs[] = {{call.arguments[0], idBytes}, {nullptr, 0}};
    attn_buffer outputs[] = {{call.arguments[2], outBytes}, {nullptr, 0}};
    call.arguments[1] = call.arguments[3] = nullptr;
    return attnrt_call_by_name(opened.session, entry, call.sizes, sizes, inputs,
                               inputCount, outputs, outputCount);
  }

  Opened opened;
  Call call;
};

TEST_F(CallTest, RightAtAllSizes) {
  for (int64_t batch = 1; batch <= kBatch; ++batch)
    for (int64_t seq : {int64_t(1), int64_t(2), int64_t(33), kSeq}) {
      Call sized(batch, seq);
      ASSERT_EQ(sized.run(opened.session), ATTN_OK) << attnrt_last_error();
      EXPECT_TRUE(sized.isRight()) << batch << " x " << seq;
    }
}

TEST_F(CallTest, Sizes) {
  for (int64_t batch :
       {int64_t(0), int64_t(-1), kBatch + 1, INT64_MAX, INT64_MIN}) {
    call.sizes[0] = batch;
    expectRefused(
        ("batch is " + std::to_string(batch) + "; expected 1 to 64").c_str());
  }
  call.sizes[0] = 3;
  call.sizes[1] = kSeq + 1;
  expectRefused("seq is 65; expected 1 to 64");
  EXPECT_EQ(attnrt_call(opened.session, Scale, nullptr, call.arguments),
            ATTN_ERROR_INVALID_ARGUMENT);
}

TEST_F(CallTest, Nulls) {
  EXPECT_EQ(attnrt_call(nullptr, Scale, call.sizes, call.arguments),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(attnrt_call(opened.session, Scale, call.sizes, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
  for (int32_t entry : {-1, 2, INT32_MAX})
    EXPECT_EQ(attnrt_call(opened.session, entry, call.sizes, call.arguments),
              ATTN_ERROR_INVALID_ARGUMENT);
  call.arguments[0] = nullptr;
  expectRefused("ids is NULL; expected 84 bytes");
  call.arguments[0] = call.ids.data();
  call.arguments[2] = nullptr;
  EXPECT_EQ(call.run(opened.session), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("out is NULL"));
}

TEST_F(CallTest, Misaligned) {
  call.arguments[0] = reinterpret_cast<char *>(call.ids.data()) + 2;
  expectRefused("divisible by 4");
}

TEST_F(CallTest, ElementsOutOfRange) {
  // At every place of a vectorized loop's body and tail.
  for (size_t at = 0; at < call.ids.size(); ++at)
    for (int32_t value : {-1, 100, INT32_MAX, INT32_MIN}) {
      int32_t before = call.ids[at];
      call.ids[at] = value;
      expectRefused(("ids[" + std::to_string(at) + "] is " +
                     std::to_string(value) + "; expected 0 to 99")
                        .c_str());
      call.ids[at] = before;
    }
  call.mask[20] = 2;
  expectRefused("mask[20] is 2; expected 0 to 1");
  call.mask[20] = 1;
  EXPECT_EQ(call.run(opened.session), ATTN_OK);
  EXPECT_TRUE(call.isRight());
}

TEST_F(CallTest, FirstElementOutOfRangeIsNamed) {
  Call large(kBatch, kSeq);
  large.ids[3000] = large.ids[2999] = -5;
  EXPECT_EQ(large.run(opened.session), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("ids[2999] is -5"));
}

TEST_F(CallTest, OptionalArguments) {
  call.arguments[1] = nullptr;
  EXPECT_EQ(call.run(opened.session), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(call.isRight());
  call.arguments[3] = nullptr;
  EXPECT_EQ(call.run(opened.session), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(call.isRight());
}

TEST_F(CallTest, ByName) {
  EXPECT_EQ(byName("scale", 2, 84, 48), ATTN_OK) << attnrt_last_error();
  EXPECT_TRUE(call.isRight());
}

TEST_F(CallTest, ByNameRefuses) {
  struct {
    const char *entry;
    size_t sizes, idBytes, outBytes, inputs, outputs;
    const char *message;
  } cases[] = {
      {"scales", 2, 84, 48, 2, 2,
       "no entry \"scales\"; this library has: "
       "scale, embed"},
      {nullptr, 2, 84, 48, 2, 2, "entry is NULL"},
      {"scale", 1, 84, 48, 2, 2, "1 sizes were given; expected 2"},
      {"scale", 2, 80, 48, 2, 2, "ids has 80 bytes; expected 84"},
      {"scale", 2, 84, 49, 2, 2, "out has 49 bytes; expected 48"},
      {"scale", 2, 84, 48, 1, 2, "1 inputs were given; expected 2"},
      {"scale", 2, 84, 48, 2, 3, "3 outputs were given; expected 2"},
  };
  for (const auto &wrong : cases) {
    EXPECT_EQ(byName(wrong.entry, wrong.sizes, wrong.idBytes, wrong.outBytes,
                     wrong.inputs, wrong.outputs),
              ATTN_ERROR_INVALID_ARGUMENT);
    EXPECT_THAT(attnrt_last_error(), HasSubstr(wrong.message));
  }
  EXPECT_EQ(attnrt_call_by_name(nullptr, "scale", call.sizes, 2, nullptr, 0,
                                nullptr, 0),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(attnrt_call_by_name(opened.session, "scale", call.sizes, 2, nullptr,
                                2, nullptr, 2),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("inputs is NULL"));
  uint64_t bytes = 0;
  EXPECT_EQ(
      attnrt_session_bytes_by_name(nullptr, "scale", call.sizes, 2, &bytes),
      ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("model is NULL"));
  call.sizes[0] = 0;
  EXPECT_EQ(byName("scale", 2, 84, 48), ATTN_ERROR_INVALID_ARGUMENT);
  for (float value : call.out)
    EXPECT_EQ(value, -1);
}

TEST_F(CallTest, SessionOpenRefusesNull) {
  attn_session *session = nullptr;
  EXPECT_EQ(attnrt_session_open(nullptr, &session),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(attnrt_session_open(opened.model, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(attnrt_cancel(nullptr), ATTN_ERROR_INVALID_ARGUMENT);
  attnrt_session_close(nullptr);
}

TEST_F(CallTest, WithoutTextSupport) {
  const char *texts[] = {"a"};
  EXPECT_EQ(
      attnrt_encode_text(opened.session, 1, texts, nullptr, call.out.data()),
      ATTN_ERROR_UNAVAILABLE);
  attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
  EXPECT_EQ(attnrt_tokenize(opened.model, &batch), ATTN_ERROR_UNAVAILABLE);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("no tokenizer"));
}

unsigned seenControl = 0;

TEST_F(CallTest, FloatingPointEnvironmentIsOursInsideAndTheCallersOutside) {
  hook = [](const attn_frame *, int32_t, int32_t) {
    seenControl = _mm_getcsr();
    _mm_setcsr(0x1f80 | 0x6000 | 0x3f); // toward zero, all flags raised
  };
  unsigned before = _mm_getcsr();
  _mm_setcsr(0x9fc0 | 0x2000); // flush and denormals-are-zero, round down
  attn_status status = call.run(opened.session);
  unsigned after = _mm_getcsr();
  _mm_setcsr(before);
  hook = nullptr;
  EXPECT_EQ(status, ATTN_OK);
  EXPECT_EQ(seenControl, 0x1f80u);
  EXPECT_EQ(after, 0x9fc0u | 0x2000u);
}

} // namespace
