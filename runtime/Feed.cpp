//===- Feed.cpp - tokens into sequences -----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A call of batch B appends to sequences 0 to B - 1 what its mask keeps. Those
// that are fed take these places as long as the call runs, which then has as
// many rows: the arena is no larger than what is fed needs, whatever sequences
// it is for.
//
//===----------------------------------------------------------------------===//
#include "Feed.h"

#include "Errors.h"
#include "Session.h"

#include <inttypes.h>
#include <string.h>

namespace attnrt {

// Tokens of one call: more of them make matrix products no faster, only the
// arena larger.
static constexpr int64_t kTokensOfCall = 512;

/// The entry's input of this name.
static int32_t findInput(const attn_abi_entry &entry, const char *name) {
  return strcmp(entry.arguments[0].name, name) == 0 ? 0 : 1;
}

/// Which of the entry's two sizes counts the columns of its ids.
static int32_t findColumns(const attn_abi_entry &entry) {
  int64_t seq = entry.arguments[findInput(entry, "input_ids")].dims[1];
  return entry.sizes[0] == -1 - seq ? 0 : 1;
}

attn_status Feeder::open() {
  const attn_abi_library &library = session.model->library;
  if (!library.generation)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: this library has no entry 'decode' that generates text",
                library.name);
  facts = library.generation->facts;
  const attn_abi_entry &entry = library.entries[library.generation->entry];
  int64_t bound = library.sizes[entry.sizes[findColumns(entry)]].maximum;
  mostTokens = bound < kTokensOfCall ? bound : kTokensOfCall;
  return ATTN_OK;
}

attn_status Feeder::check(const int32_t *ids, size_t count) const {
  for (size_t i = 0; i < count; ++i)
    if (ids[i] < 0 || ids[i] >= facts->vocabulary)
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "%s: token %zu is %d; expected 0 to %" PRId64,
                  session.model->library.name, i, ids[i],
                  facts->vocabulary - 1);
  return ATTN_OK;
}

/// Puts the feeds' sequences in order; false for want of memory.
bool Feeder::orderSequences(const Feed *feeds, size_t count) {
  Buffer<int64_t> &order = buffers.order;
  if (!order.resize(count))
    return false;
  for (size_t i = 0; i < count; ++i) {
    size_t at = i;
    for (; at > 0 && order[at - 1] > feeds[i].sequence; --at)
      order[at] = order[at - 1];
    order[at] = feeds[i].sequence;
  }
  return true;
}

int64_t Feeder::rowOf(int64_t sequence) const {
  const Buffer<int64_t> &order = buffers.order;
  size_t low = 0, high = order.size();
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    (order[middle] <= sequence ? low : high) = middle;
  }
  return static_cast<int64_t>(low);
}

/// Feeds a piece of each feed; logits of the last or of all positions.
attn_status Feeder::call(int32_t index, const Feed *feeds, size_t count,
                         bool all) {
  const attn_abi_entry &entry = session.model->library.entries[index];
  int64_t batch = static_cast<int64_t>(count), seq = 1;
  for (size_t i = 0; i < count; ++i)
    seq = feeds[i].piece > seq ? feeds[i].piece : seq;
  size_t cells = static_cast<size_t>(batch * seq);
  size_t rows = all ? cells : static_cast<size_t>(batch);
  if (!orderSequences(feeds, count) || !buffers.ids.resize(cells) ||
      !buffers.mask.resize(cells) ||
      !buffers.logits.resize(rows * static_cast<size_t>(facts->vocabulary)))
    return ATTN_ERROR_OUT_OF_MEMORY;
  memset(buffers.ids.data(), 0, cells * sizeof(int32_t));
  memset(buffers.mask.data(), 0, cells * sizeof(int32_t));
  for (size_t i = 0; i < count; ++i) {
    const int64_t first = rowOf(feeds[i].sequence) * seq;
    for (int64_t s = 0; s < feeds[i].piece; ++s) {
      buffers.ids[first + s] = feeds[i].ids[s];
      buffers.mask[first + s] = 1;
    }
  }
  void *arguments[3] = {};
  int32_t ids = findInput(entry, "input_ids"), columns = findColumns(entry);
  arguments[ids] = buffers.ids.data();
  arguments[1 - ids] = buffers.mask.data();
  arguments[2] = buffers.logits.data();
  int64_t sizes[2] = {};
  sizes[columns] = seq;
  sizes[1 - columns] = batch;
  // A sequence is never before its row, so those to come are still in place.
  for (int64_t row = 0; row < batch; ++row)
    session.states.exchange(row, buffers.order[row]);
  attn_status status = runEntry(session, index, sizes, arguments);
  for (int64_t row = batch; row-- > 0;)
    session.states.exchange(row, buffers.order[row]);
  return status;
}

attn_status Feeder::step(Feed *feeds, size_t count) {
  int64_t share = kTokensOfCall / static_cast<int64_t>(count);
  share = share < 1 ? 1 : share < mostTokens ? share : mostTokens;
  for (size_t i = 0; i < count; ++i)
    feeds[i].piece = feeds[i].left < share ? feeds[i].left : share;
  attn_status status = call(session.model->library.generation->entry, feeds,
                            count, /*all=*/false);
  for (size_t i = 0; i < count && status == ATTN_OK; ++i) {
    feeds[i].ids += feeds[i].piece;
    feeds[i].left -= feeds[i].piece;
  }
  return status;
}

bool Feeder::scores() const {
  return session.model->library.generation->score_entry >= 0;
}

attn_status Feeder::score(int64_t sequence, const int32_t *ids, int64_t count,
                          float *&logits) {
  Feed feed = {sequence, ids, count, count};
  attn_status status = call(session.model->library.generation->score_entry,
                            &feed, 1, /*all=*/true);
  logits = buffers.logits.data();
  return status;
}

} // namespace attnrt
