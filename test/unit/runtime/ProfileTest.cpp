//===- ProfileTest.cpp - the trace that ATTN_PROFILE asks for -------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every part of every phase is one event; the file is whole after close and
// readable before it; what cannot be written is said at open, or by info.
//
//===----------------------------------------------------------------------===//
#include "Toybox.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sstream>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace toy;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

namespace {

std::string read(const std::string &path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

size_t count(const std::string &text, const std::string &part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + part.size()))
    ++found;
  return found;
}

std::string info(const attn_model *model) {
  char text[4096];
  EXPECT_EQ(attnrt_info(model, text, sizeof(text), nullptr), ATTN_OK);
  return text;
}

class ProfileTest : public testing::Test {
protected:
  ~ProfileTest() override { unsetenv("ATTN_PROFILE"); }
  std::string ask(const std::string &name) {
    std::string path = folder / name;
    setenv("ATTN_PROFILE", path.c_str(), 1);
    return path;
  }
  TemporaryFolder folder;
};

TEST_F(ProfileTest, OnePartOneEvent) {
  std::string path = ask("trace.json");
  attn_options options = rightOptions();
  options.threads = 2;
  int32_t phases = 0, serial = 0;
  {
    Opened opened(options);
    ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
    const attn_abi_schedule &schedule =
        library.variants[library.variant_count - 1].schedules[Scale];
    phases = schedule.phase_count;
    for (int32_t i = 0; i < phases; ++i)
      serial += (schedule.phases[i].flags & ATTN_PHASE_SERIAL) != 0;
    for (int call = 0; call < 3; ++call)
      EXPECT_EQ(Call(2, 9).run(opened.session), ATTN_OK);
    EXPECT_THAT(info(opened.model), HasSubstr("\"profile\":{\"complete\":true,"
                                              "\"error\":\"\"}"));
    // What a reader sees before the model is closed.
    EXPECT_THAT(read(path), EndsWith("}"));
  }
  std::string text = read(path);
  EXPECT_THAT(text, StartsWith("[{\"name\":\"process_name\""));
  EXPECT_THAT(text, EndsWith("}}\n]\n"));
  EXPECT_EQ(count(text, "\"thread_name\""), 2u);
  EXPECT_EQ(count(text, "\"cat\":\"call\""), 3u);
  EXPECT_EQ(count(text, "\"cat\":\"scale\""),
            3u * static_cast<size_t>(2 * (phases - serial) + serial));
  EXPECT_THAT(text, HasSubstr("\"args\":{\"batch\":2,\"seq\":9}"));
  EXPECT_EQ(count(text, "{"), count(text, "}"));
}

TEST_F(ProfileTest, SessionsAreTracksOfTheirOwn) {
  std::string path = ask("trace.json");
  {
    Opened opened(rightOptions());
    attn_session *second = nullptr;
    ASSERT_EQ(attnrt_session_open(opened.model, &second), ATTN_OK);
    EXPECT_EQ(Call(1, 3).run(opened.session), ATTN_OK);
    EXPECT_EQ(Call(1, 4).run(second), ATTN_OK);
    attnrt_session_close(second);
  }
  std::string text = read(path);
  EXPECT_THAT(text, HasSubstr("\"session 1, worker 0\""));
  EXPECT_THAT(text, HasSubstr("\"session 2, worker 0\""));
}

TEST_F(ProfileTest, PathsAreFilledIn) {
  ask("%n-%p.json");
  {
    Opened opened(rightOptions());
  }
  std::string expected = folder / (std::string(library.name) + "-" +
                                   std::to_string(getpid()) + ".json");
  EXPECT_THAT(read(expected), EndsWith("]\n"));
}

TEST_F(ProfileTest, OffWithoutTheVariable) {
  setenv("ATTN_PROFILE", "", 1);
  Opened opened(rightOptions());
  EXPECT_EQ(opened.status, ATTN_OK);
  EXPECT_THAT(info(opened.model), Not(HasSubstr("profile")));
}

TEST_F(ProfileTest, OneModelPerFile) {
  std::string path = ask("trace.json");
  Opened first(rightOptions());
  ASSERT_EQ(first.status, ATTN_OK);
  {
    Opened second(rightOptions());
    EXPECT_EQ(second.status, ATTN_ERROR_IO);
    EXPECT_THAT(attnrt_last_error(), HasSubstr("another open model"));
  }
  EXPECT_THAT(read(path), StartsWith("[{"));
}

TEST_F(ProfileTest, PathsThatCannotBeWritten) {
  ask("no/such/folder");
  {
    Opened opened(rightOptions());
    EXPECT_EQ(opened.status, ATTN_ERROR_IO);
    EXPECT_THAT(attnrt_last_error(), HasSubstr("cannot be written"));
  }
  setenv("ATTN_PROFILE", "/dev/null", 1); // not a file to cut to length
  {
    Opened opened(rightOptions());
    EXPECT_EQ(opened.status, ATTN_ERROR_IO);
  }
  ask(std::string(5000, 'x'));
  Opened opened(rightOptions());
  EXPECT_EQ(opened.status, ATTN_ERROR_INVALID_ARGUMENT);
}

TEST_F(ProfileTest, NoMemoryForSpans) {
  ask("trace.json");
  Counter counter;
  attn_options options = rightOptions();
  options.allocator = &counter.allocator;
  attn_model *model = nullptr;
  ASSERT_EQ(attnrt_open(&library, &options, &model), ATTN_OK);
  int64_t live = counter.live;
  counter.failAt = counter.calls + 1; // the session's own block comes first
  attn_session *session = nullptr;
  EXPECT_EQ(attnrt_session_open(model, &session), ATTN_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(session, nullptr);
  EXPECT_EQ(counter.live, live);
  attnrt_close(model);
  EXPECT_EQ(counter.live, 0);
}

TEST_F(ProfileTest, AFullDiskLosesEventsNotResults) {
  ask("trace.json");
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 300;
    setrlimit(RLIMIT_FSIZE, &limit);
    Opened opened(rightOptions());
    Call call(2, 9);
    bool isRight = opened.status == ATTN_OK &&
                   call.run(opened.session) == ATTN_OK && call.isRight();
    char text[4096];
    attnrt_info(opened.model, text, sizeof(text), nullptr);
    bool isTold = strstr(text, "\"profile\":{\"complete\":false,\"error\":\""
                               "File too large\"}") != nullptr;
    // What counts branches has a file to write as well.
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
    leave(isRight && isTold ? 0 : isRight ? 2 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(ProfileTest, AChildLeavesTheFileToItsParent) {
  std::string path = ask("trace.json");
  {
    Opened opened(rightOptions());
    ASSERT_EQ(opened.status, ATTN_OK);
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      attnrt_session_close(opened.session);
      attnrt_close(opened.model);
      leave(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(count(read(path), "\n]\n"), 0u);
  }
  EXPECT_EQ(count(read(path), "\n]\n"), 1u);
}

/// Nor is what a child has open in its parent's way.
TEST_F(ProfileTest, AChildThatOutlivesTheModelWritesNothing) {
  std::string path = ask("trace.json");
  int go[2];
  ASSERT_EQ(pipe(go), 0);
  pid_t child = -1;
  {
    Opened opened(rightOptions());
    ASSERT_EQ(opened.status, ATTN_OK);
    EXPECT_EQ(Call(1, 2).run(opened.session), ATTN_OK);
    child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      char byte;
      Call call(1, 2);
      close(go[1]);
      if (::read(go[0], &byte, 1) != 1 || call.run(opened.session) != ATTN_OK ||
          !call.isRight())
        leave(1);
      const std::string told = info(opened.model);
      leave(strstr(told.c_str(), "\"complete\":false,\"error\":\"the file is "
                                 "that of the process")
                ? 0
                : 2);
    }
  }
  const std::string complete = read(path);
  EXPECT_EQ(Opened(rightOptions()).status, ATTN_OK) << attnrt_last_error();
  const std::string anew = read(path);
  ASSERT_EQ(write(go[1], "x", 1), 1);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(complete, EndsWith("}}\n]\n"));
  EXPECT_EQ(read(path), anew);
  close(go[0]);
  close(go[1]);
}

} // namespace
