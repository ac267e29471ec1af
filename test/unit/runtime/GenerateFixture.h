//===- GenerateFixture.h - a session that generates -------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A session of the hand-written language model, with what a call was given and
// what came of it.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_TEST_UNIT_RUNTIME_GENERATEFIXTURE_H
#define ATTN_TEST_UNIT_RUNTIME_GENERATEFIXTURE_H

#include "Speaker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace speaker {

using Ids = std::vector<int32_t>;

class Generating : public testing::Test {
protected:
  explicit Generating(const attn_abi_library &library = mute)
      : opened(options(), library), session(opened.session) {
    EXPECT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
    given.keeps_model_stops = 1;
  }
  attn_status run(const Ids &prompt) {
    heard = Heard();
    return again(prompt);
  }
  attn_status again(const Ids &prompt) {
    result = {sizeof(result), 0, 0, ATTN_STOP_ERROR, 0, 0, 0};
    return attnrt_generate(session, &given, prompt.data(), prompt.size(),
                           Heard::token, &heard, &result);
  }
  int64_t length(int64_t sequence = 0) {
    int64_t value = -1;
    EXPECT_EQ(attnrt_session_length(session, sequence, &value), ATTN_OK);
    return value;
  }
  void expectRefused(attn_status expected, const char *words,
                     const Ids &prompt = {5}) {
    int64_t before = length();
    EXPECT_EQ(run(prompt), expected) << words;
    EXPECT_THAT(attnrt_last_error(), testing::HasSubstr(words));
    EXPECT_EQ(result.stop, ATTN_STOP_ERROR);
    EXPECT_EQ(length(), before);
  }

  toy::Opened opened;
  attn_session *session;
  attn_generate_options given = ATTN_GENERATE_INIT;
  attn_generate_result result;
  Heard heard;
};

/// Cancels a session's call once `calls` phases have run.
class Canceller {
public:
  Canceller(attn_session *session, int calls) {
    target = session;
    left = calls;
    hook = [] {
      if (--left == 0)
        attnrt_cancel(target);
    };
  }
  ~Canceller() { hook = nullptr; }

private:
  static inline attn_session *target;
  static inline int left;
};

} // namespace speaker

#endif // ATTN_TEST_UNIT_RUNTIME_GENERATEFIXTURE_H
