//===- PhaseTraceTest.cpp - what workers do with their time ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Traces that are written by hand, and how long who waited for what.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/PhaseTrace.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/raw_ostream.h"
#include <gtest/gtest.h>

using namespace llvm;
using namespace attnc::tools;

namespace {

/// A worker's part of a phase, in microseconds of its call.
struct Part {
  int phase, worker, begin, end;
};

/// The trace of so many calls, two of which are cold.
PhaseTrace traceOf(ArrayRef<Part> parts, size_t phases, int calls = 5) {
  SmallString<128> path;
  EXPECT_FALSE(sys::fs::createTemporaryFile("trace", "json", path));
  FileRemover remover(path);
  std::error_code code;
  raw_fd_ostream os(path, code);
  os << R"([{"ph":"M","name":"process_name"})";
  for (int call = 0; call < calls; ++call) {
    os << R"(,{"cat":"call","name":"f","args":{"n":2}})";
    for (const Part &part : parts)
      os << R"(,{"cat":"f","ts":)" << 1000 * call + part.begin << R"(,"dur":)"
         << part.end - part.begin << R"(,"args":{"phase":)" << part.phase
         << R"(,"worker":)" << part.worker << "}}";
  }
  os.close();
  return cantFail(PhaseTrace::read(path, "f", {{"n", 2}}, phases));
}

void expectTimes(ArrayRef<Part> parts, ArrayRef<PhaseTrace::WorkerTime> wanted,
                 int64_t workers = 2) {
  const auto times = traceOf(parts, wanted.size()).getWorkerTimes(workers);
  ASSERT_EQ(times.size(), wanted.size());
  for (size_t phase = 0; phase < wanted.size(); ++phase) {
    EXPECT_DOUBLE_EQ(times[phase].busy * 1e3, wanted[phase].busy) << phase;
    EXPECT_DOUBLE_EQ(times[phase].idle * 1e3, wanted[phase].idle) << phase;
  }
}

TEST(PhaseTrace, WaitingIsOfTheFirstPhaseThatIsNotOver) {
  // Worker 1 has no part of phase 1, and begins the last one late.
  expectTimes({{0, 0, 0, 10},
               {0, 1, 0, 6},
               {1, 0, 12, 20},
               {2, 0, 21, 31},
               {2, 1, 22, 40}},
              {{16, 4}, {8, 2 + 10}, {28, 1 + 9 + 2}});
}

TEST(PhaseTrace, InAChainWhoGoesOnDoesNotWait) {
  expectTimes({{0, 0, 0, 10}, {0, 1, 0, 4}, {1, 0, 10, 12}, {1, 1, 4, 12}},
              {{14, 0}, {10, 0}});
  // Done with the chain, it waits for the other's phase 0 at first.
  expectTimes({{0, 0, 0, 10}, {0, 1, 0, 4}, {1, 0, 10, 12}, {1, 1, 4, 7}},
              {{14, 3}, {5, 2}});
}

TEST(PhaseTrace, AWorkerWithoutAnyPartWaitsAllTheTime) {
  expectTimes({{0, 0, 0, 10}, {1, 0, 11, 13}}, {{10, 10}, {2, 1 + 3}});
  expectTimes({{0, 0, 0, 10}, {1, 0, 11, 13}}, {{10, 0}, {2, 1}}, 1);
}

TEST(PhaseTrace, APhaseTakesFromTheFirstBeginToTheLastEnd) {
  PhaseTrace trace = traceOf({{0, 0, 3, 9}, {0, 1, 1, 6}}, 1);
  EXPECT_DOUBLE_EQ(trace.median(0) * 1e3, 8);
}

TEST(PhaseTrace, ColdCallsAreNotEnough) {
  SmallString<128> path;
  ASSERT_FALSE(sys::fs::createTemporaryFile("trace", "json", path));
  FileRemover remover(path);
  std::error_code code;
  raw_fd_ostream(path, code) << R"([{"cat":"call","name":"f","args":{}}])";
  Expected<PhaseTrace> trace = PhaseTrace::read(path, "f", {}, 1);
  ASSERT_FALSE(bool(trace));
  EXPECT_EQ(
      toString(trace.takeError()),
      "error[A0731]: the trace holds 1 calls of 'f'; expected more than 2");
}

} // namespace
