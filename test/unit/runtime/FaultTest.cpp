//===- FaultTest.cpp - a model's life while the system says no ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The toy with a vocabulary, opened, called and closed again and again, linked
// with test/package/Inputs/faults.c: in life n the n-th attempt to get
// something of the system fails, or all from it on. Each step then succeeds all
// the same, with the right result, or says what was wrong, and succeeds when
// repeated; nothing is left behind.
//
//===----------------------------------------------------------------------===//
#include "Toybox.h"

#include "Errors.h"
#include "ThreadCount.h"
#include "faults.h"

#include "attn/text.h"

#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

using namespace toy;
using attnrt::kErrorCapacity;
using testing::HasSubstr;

namespace {

/// Each message once. No heap: what a life leaves there is counted.
struct Notes {
  void add(const char *function, const char *message) {
    char line[kErrorCapacity + 64];
    snprintf(line, sizeof(line), "%s: %s\n", function, message);
    if (strstr(text, line))
      return;
    size_t size = strlen(line);
    ASSERT_LT(used + size, sizeof(text));
    memcpy(text + used, line, size + 1);
    used += size;
  }
  char text[1 << 16] = "";
  size_t used = 0;
};
Notes notes;

/// Does `step`, again if it failed: by then no fault is left.
template <typename Step> void survive(Step step) {
  if (step() == ATTN_OK)
    return;
  faults_disarm();
  EXPECT_GT(faults_failed(), 0) << attnrt_last_error();
  EXPECT_GT(strlen(attnrt_last_error()), 20u) << attnrt_last_error();
  notes.add(faults_last(), attnrt_last_error());
  EXPECT_EQ(step(), ATTN_OK) << attnrt_last_error();
}

class FaultTest : public testing::Test {
protected:
  FaultTest() : textTable{Embed, 60}, textLibrary(library) {
    textLibrary.text = &textTable;
    WeightsWriter writer;
    std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n";
    WeightsWriter::Item &file = writer.item("tokenizer/vocab.txt");
    file.data.assign(vocabulary.begin(), vocabulary.end());
    file.shape = "[" + std::to_string(vocabulary.size()) + "]";
    path = folder / "toy.weights";
    writeFile(path, writer.bytes());
  }

  void live(long first, int all, int32_t threads) {
    attn_options options = ATTN_OPTIONS_INIT;
    options.threads = threads;
    options.weights_path = path.c_str();
    attn_model *model = nullptr;
    attn_session *session = nullptr;
    Call small(2, 3), large(8, 64);
    const char *texts[] = {"a b", "b"};
    float vectors[2][kWidth] = {};
    faults_arm(first, all);
    survive([&] { return attnrt_open(&textLibrary, &options, &model); });
    survive([&] { return attnrt_session_open(model, &session); });
    survive([&] { return small.run(session); });
    survive([&] { return large.run(session); });
    survive([&] {
      return attnrt_encode_text(session, 2, texts, nullptr, vectors[0]);
    });
    attnrt_session_close(session);
    attnrt_close(model);
    faults_disarm();
    EXPECT_TRUE(small.isRight() && large.isRight());
    EXPECT_EQ(vectors[0][0], 4);
    EXPECT_EQ(vectors[1][1], 2 + 6 + 3);
  }

  /// Lives with each attempt failing in turn; how many there were.
  long sweep(int all, int32_t threads) {
    long n = 0;
    do {
      faults_held before = faults_outstanding();
      live(++n, all, threads);
      faults_held after = faults_outstanding();
      EXPECT_EQ(after.blocks, before.blocks) << faults_last();
      EXPECT_EQ(after.mappings, before.mappings) << faults_last();
      EXPECT_EQ(after.files, before.files) << faults_last();
    } while (faults_failed() > 0 && n < 1000 && !HasFailure());
    return n - 1;
  }

  attn_abi_text textTable;
  attn_abi_library textLibrary;
  TemporaryFolder folder;
  std::string path;
};

TEST_F(FaultTest, EveryAttemptFailsInTurn) {
  for (int32_t threads : {1, 3, 0}) {
    for (int round = 0; round < 2; ++round)
      live(0, 0, threads); // the C library keeps the stacks of threads
    for (int all : {0, 1})
      EXPECT_GT(sweep(all, threads), 20);
  }
  for (const std::string &message :
       {"open: toy: cannot open weights " + path,
        "fstat: toy: cannot read weights " + path,
        "mmap: toy: cannot map weights " + path,
        std::string("pthread_create: cannot start thread 2 of 3"),
        std::string("posix_memalign: the model: "),
        std::string("posix_memalign: the thread pool: "),
        std::string("posix_memalign: toy: the session's arena needs"),
        std::string("posix_memalign: the vocabulary: ")})
    EXPECT_THAT(notes.text, HasSubstr(message));
}

TEST_F(FaultTest, NoPathOfTheProgram) {
  // Tables on the stack, so that the program's own path is asked for.
  attn_options options = ATTN_OPTIONS_INIT;
  attn_model *model = nullptr;
  attn_status status = ATTN_OK;
  std::string message;
  for (long n = 1; n < 100; ++n) {
    faults_arm(n, 0);
    status = attnrt_open(&textLibrary, &options, &model);
    faults_disarm();
    message = attnrt_last_error();
    EXPECT_EQ(model, nullptr); // there are no weights beside the program
    if (strcmp(faults_last(), "readlink") == 0)
      break;
  }
  EXPECT_EQ(status, ATTN_ERROR_IO);
  EXPECT_THAT(message, HasSubstr("toy: cannot tell which file this library was "
                                 "loaded from; set options.weights_path"));
}

TEST_F(FaultTest, InterruptedSystemCalls) {
  attn_options options = ATTN_OPTIONS_INIT;
  options.weights_path = path.c_str();
  options.threads = 0;
  for (long n = 1; n < 20; ++n) {
    attn_model *model = nullptr;
    faults_interrupt(n);
    attn_status status = attnrt_open(&textLibrary, &options, &model);
    faults_disarm();
    EXPECT_EQ(status, ATTN_OK) << faults_last() << ": " << attnrt_last_error();
    attnrt_close(model);
  }
  EXPECT_STREQ(faults_last(), "nothing");
}

TEST_F(FaultTest, NoAffinityMask) {
  faults_arm(1, 0);
  int32_t count = attnrt::affinityProcessors();
  faults_disarm();
  EXPECT_STREQ(faults_last(), "sched_getaffinity");
  EXPECT_EQ(count, 1);
}

TEST_F(FaultTest, AThreadWithoutErrorsHasNone) {
  std::thread([] { EXPECT_STREQ(attnrt_last_error(), "no error"); }).join();
}

} // namespace
