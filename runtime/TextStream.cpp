//===- TextStream.cpp - tokens to text, as they come ----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A token's text depends on its neighbours: decoders strip the first token's
// space and join bytes to characters. So the text of some tokens is what the
// text gains by them: decode(context + tokens) without decode(context). While
// it ends in U+FFFD, bytes of a character may be missing. A context of tokens
// that say nothing is none: it goes on to one that says something.
//
//===----------------------------------------------------------------------===//
#include "TextStream.h"

#include <string.h>

namespace attnrt {

// Tokens before the new ones that are decoded with them: more than any decoder
// looks back.
static constexpr size_t kContext = 8;

// Tokens that one character may take, each a byte of it.
static constexpr size_t kMostPieces = 4;

static constexpr char kReplacement[] = "\xef\xbf\xbd";

attn_status TextStream::start(const Detokenizer *opened, const int32_t *prompt,
                              size_t promptCount,
                              const char *const *stopStrings, size_t count) {
  detokenizer = opened;
  stops = stopStrings;
  stopCount = count;
  held.clear();
  released = first = 0;
  // Decoders that say U+FFFD for each byte of a run that is no text, as
  // ByteFallback does, must not begin within a character.
  size_t size = promptCount < kContext ? promptCount : kContext;
  for (size_t most = size + kMostPieces - 1;;) {
    ids.clear();
    before.clear();
    if (!ids.append(prompt + promptCount - size, size))
      return ATTN_ERROR_OUT_OF_MEMORY;
    if (!detokenizer || size == promptCount || size == most)
      break;
    attn_status status = detokenizer->decode(
        ids.data(), size, /*skipsSpecial=*/true, scratch, before);
    if (status != ATTN_OK)
      return status;
    if (before.empty()) {
      size = promptCount < 2 * size ? promptCount : 2 * size;
      most = size + kMostPieces - 1;
      continue;
    }
    if (before.size() < 3 || memcmp(before.data(), kReplacement, 3) != 0)
      break;
    ++size;
  }
  told = middle = size;
  return ATTN_OK;
}

/// Adds to `held` what the tokens from `told` on say, unless that may still
/// change and this is not the `last` chance.
attn_status TextStream::decodeNew(bool last) {
  if (!detokenizer || told == ids.size())
    return ATTN_OK;
  before.clear();
  after.clear();
  attn_status status = detokenizer->decode(
      ids.data() + first, told - first, /*skipsSpecial=*/true, scratch, before);
  if (status == ATTN_OK)
    status = detokenizer->decode(ids.data() + first, ids.size() - first,
                                 /*skipsSpecial=*/true, scratch, after);
  if (status != ATTN_OK)
    return status;
  size_t size = after.size();
  bool isIncomplete =
      size >= 3 && memcmp(after.data() + size - 3, kReplacement, 3) == 0;
  if (isIncomplete && !last && ids.size() - told < kMostPieces)
    return ATTN_OK;
  size_t old = before.size();
  // A byte that does not belong to a run takes the run's characters along, as
  // ByteFallback has it. They are told: the new tokens speak for themselves.
  if (old > size || (old && memcmp(before.data(), after.data(), old) != 0)) {
    first = middle = told;
    after.clear();
    status = detokenizer->decode(ids.data() + told, ids.size() - told,
                                 /*skipsSpecial=*/true, scratch, after);
    if (status != ATTN_OK)
      return status;
    size = after.size();
    old = 0;
  }
  if (!held.append(after.data() + old, size - old))
    return ATTN_ERROR_OUT_OF_MEMORY;
  told = ids.size();
  return moveContext();
}

/// Here a character ends: a place for later contexts to begin.
attn_status TextStream::moveContext() {
  if (told - middle < kContext)
    return ATTN_OK;
  before.clear();
  attn_status status =
      detokenizer->decode(ids.data() + middle, told - middle,
                          /*skipsSpecial=*/true, scratch, before);
  if (status == ATTN_OK && !before.empty()) {
    first = middle;
    middle = told;
  }
  return status;
}

/// The bytes of `held` that cannot be part of a stop string.
size_t TextStream::releasable() const {
  size_t least = held.size();
  for (size_t i = 0; i < stopCount; ++i) {
    size_t size = strlen(stops[i]);
    // The longest end of `held` that is a beginning of the stop string.
    size_t most = size - 1 < held.size() ? size - 1 : held.size();
    for (size_t length = most; length > 0; --length)
      if (memcmp(held.data() + held.size() - length, stops[i], length) == 0) {
        size_t start = held.size() - length;
        least = start < least ? start : least;
        break;
      }
  }
  return least;
}

attn_status TextStream::push(int32_t token, bool &stopped) {
  stopped = false;
  // What was told is gone.
  size_t left = held.size() - released;
  if (left)
    memmove(held.data(), held.data() + released, left);
  held.resize(left);
  released = 0;
  // What says nothing would be decoded again with every token behind it.
  if (detokenizer && detokenizer->isSilent(token, /*skipsSpecial=*/true))
    return ATTN_OK;
  if (!ids.push(token))
    return ATTN_ERROR_OUT_OF_MEMORY;
  attn_status status = decodeNew(/*last=*/false);
  if (status != ATTN_OK)
    return status;
  // Of several the one that begins first, whatever their order.
  size_t end = held.size();
  for (size_t i = 0; i < stopCount && end; ++i) {
    const void *found =
        memmem(held.data(), held.size(), stops[i], strlen(stops[i]));
    if (!found)
      continue;
    size_t start =
        static_cast<size_t>(static_cast<const char *>(found) - held.data());
    end = start < end ? start : end;
    stopped = true;
  }
  held.resize(end);
  released = stopped ? held.size() : releasable();
  return ATTN_OK;
}

attn_status TextStream::finish() {
  size_t left = held.size() - released;
  if (left)
    memmove(held.data(), held.data() + released, left);
  held.resize(left);
  attn_status status = decodeNew(/*last=*/true);
  released = held.size();
  return status;
}

} // namespace attnrt
