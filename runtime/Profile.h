//===- Profile.h - where the time of calls goes -----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With ATTN_PROFILE=FILE in the environment a model writes, call by call, when
// each worker began and ended its part of each phase, in the Trace Event Format
// (as a JSON array) that Perfetto and chrome://tracing read. Without it a call
// pays for one comparison per part.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_PROFILE_H
#define ATTN_RUNTIME_PROFILE_H

#include "attn/abi.h"

#include <atomic>
#include <stddef.h>

struct attn_session;

namespace attnrt {

class Memory;

/// Begin and end in nanoseconds of the monotonic clock; both 0: did not run.
struct Span {
  int64_t begin = 0, end = 0;
};

int64_t profileClock();

/// The spans of a session's calls, and its number among the model's sessions.
struct SessionProfile {
  Span *spans = nullptr; ///< [most phases of any entry][workers]
  size_t count = 0;
  int32_t number = 0;
  bool isNamed = false; ///< its threads have names in the trace

  bool isActive() const { return spans != nullptr; }
};

/// The trace of one model.
class Profile {
public:
  /// Reads the environment; without ATTN_PROFILE nothing happens. In FILE `%p`
  /// stands for the process and `%n` for the library. Fails if the file cannot
  /// be written or another open model is writing it.
  attn_status open(const attn_abi_library &library);
  /// Completes the file, unless this is a forked child: it is its parent's.
  void close();

  bool isActive() const { return file >= 0; }
  /// Why events are missing, or NULL.
  const char *lost() const;

  /// Nothing if the profile is not active.
  attn_status openSession(Memory &memory, size_t spans,
                          SessionProfile &session);
  static void closeSession(Memory &memory, SessionProfile &session);

  /// Writes the call of `entry` that took `whole`, and forgets its spans.
  void writeCall(attn_session &session, int32_t entry, Span whole);

private:
  void write(const char *text, size_t length);

  int file = -1;
  int owner = 0; ///< the process that opened it
  std::atomic<int32_t> sessions{0};
  std::atomic<int> failure{0}; ///< errno of the first write that failed
};

} // namespace attnrt

#endif // ATTN_RUNTIME_PROFILE_H
