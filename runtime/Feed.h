//===- Feed.h - tokens into sequences ---------------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Appends token ids to sequences of a session, any number of sequences in one
// call of the library's decode entry, and keeps the logits that come of it.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_FEED_H
#define ATTN_RUNTIME_FEED_H

#include "text/Buffer.h"

#include "attn/abi.h"

namespace attnrt {

/// Token ids on their way into a sequence.
struct Feed {
  int64_t sequence;
  const int32_t *ids;
  int64_t left;
  int64_t piece; ///< that the last call took
};

/// Arrays of a call, kept for the next one.
struct FeedBuffers {
  explicit FeedBuffers(Memory &memory)
      : ids(memory, "generating"), mask(memory, "generating"),
        logits(memory, "generating"), order(memory, "generating") {}
  Buffer<int32_t> ids, mask; ///< [batch][seq]
  Buffer<float> logits;      ///< [batch][vocabulary], or [batch][seq][...]
  Buffer<int64_t> order;     ///< [batch]: sequences, smallest first
};

class Feeder {
public:
  Feeder(attn_session &session, FeedBuffers &buffers)
      : session(session), buffers(buffers) {}

  /// Finds the entries. Without any, ATTN_ERROR_UNAVAILABLE.
  attn_status open();

  /// One call: takes the first ids of each feed, as many as a call should have,
  /// and at least one. Sequences differ from each other.
  attn_status step(Feed *feeds, size_t count);
  /// The logits behind what the last step() gave a sequence.
  float *logits(int64_t sequence) const {
    return buffers.logits.data() + rowOf(sequence) * facts->vocabulary;
  }

  /// Whether score() works in this library.
  bool scores() const;
  /// Appends `count` ids to one sequence; `logits` become those behind each of
  /// them, [count][vocabulary].
  attn_status score(int64_t sequence, const int32_t *ids, int64_t count,
                    float *&logits);

  /// Ids that one call may have for a sequence.
  int64_t most() const { return mostTokens; }
  int64_t vocabulary() const { return facts->vocabulary; }
  int64_t positions() const { return facts->positions; }
  /// Refuses ids beyond the vocabulary.
  attn_status check(const int32_t *ids, size_t count) const;

private:
  attn_status call(int32_t entry, const Feed *feeds, size_t count, bool all);
  bool orderSequences(const Feed *feeds, size_t count);
  int64_t rowOf(int64_t sequence) const; ///< in the last call

  attn_session &session;
  FeedBuffers &buffers;
  const attn_generation *facts = nullptr;
  int64_t mostTokens = 1;
};

} // namespace attnrt

#endif // ATTN_RUNTIME_FEED_H
