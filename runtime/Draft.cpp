//===- Draft.cpp - a smaller model that guesses ---------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The draft's sequence 0 is brought to the tokens that are given: back to where
// the two part, or to its beginning where a window has moved on, and forward by
// what is missing. Tokens that it does not have, since the other model's logits
// are padded to more, it does not see, nor what was before them.
//
//===----------------------------------------------------------------------===//
#include "Draft.h"

#include "Errors.h"

#include <stdio.h>
#include <string.h>

namespace attnrt {

void Draft::start(const attn_generate_options &options, int64_t logits) {
  // Another session knows nothing yet; the same one what it knew.
  if (options.draft_session != session)
    held.clear();
  library = options.draft;
  session = options.draft_session;
  judged = logits;
  if (library)
    vocabulary = library->generation()->vocabulary;
}

/// Tells of a failure in the draft by its own words.
attn_status Draft::check(attn_status status) const {
  if (status == ATTN_OK)
    return ATTN_OK;
  // It may be this very library, whose last error is about to change.
  char words[kErrorCapacity];
  snprintf(words, sizeof(words), "%s", library->last_error());
  return fail(status, "the draft: %s", words);
}

/// Appends tokens; `logits` are those behind the last one.
attn_status Draft::feed(const int32_t *tokens, size_t count) {
  if (!logits.resize(static_cast<size_t>(vocabulary)))
    return ATTN_ERROR_OUT_OF_MEMORY;
  attn_status status =
      check(library->session_feed(session, 0, tokens, count, logits.data()));
  if (status != ATTN_OK)
    held.clear(); // where it stopped is not known
  else if (!held.append(tokens, count))
    status = ATTN_ERROR_OUT_OF_MEMORY;
  return status;
}

/// Leaves what is behind the last token that the draft does not have.
void Draft::skipUnknown(const int32_t *&tokens, size_t &count) const {
  size_t first = count;
  while (first > 0 && tokens[first - 1] < vocabulary)
    --first;
  tokens += first;
  count -= first;
}

/// Makes the draft's sequence `tokens`, of which at least the last is fed.
attn_status Draft::follow(const int32_t *tokens, size_t count) {
  int64_t length = 0;
  attn_status status = check(library->session_length(session, 0, &length));
  if (status != ATTN_OK)
    return status;
  size_t common = 0;
  if (static_cast<size_t>(length) == held.size())
    while (common < held.size() && common + 1 < count &&
           held[common] == tokens[common])
      ++common;
  if (common < static_cast<size_t>(length) &&
      library->session_truncate(session, 0, static_cast<int64_t>(common)) !=
          ATTN_OK) {
    common = 0;
    status = check(library->session_truncate(session, 0, 0));
  }
  held.resize(common < held.size() ? common : held.size());
  return status == ATTN_OK ? feed(tokens + common, count - common) : status;
}

attn_status Draft::guess(const int32_t *tokens, size_t count,
                         const Buffer<int32_t> &seen, int64_t most,
                         Sampler &sampler) {
  guesses.clear();
  skipUnknown(tokens, count);
  int64_t room =
      library->generation()->positions - static_cast<int64_t>(count) + 1;
  most = most < room ? most : room;
  if (most <= 0 || !count)
    return ATTN_OK;
  if (!shares.resize(static_cast<size_t>(most * judged)))
    return ATTN_ERROR_OUT_OF_MEMORY;
  // The draft never draws what it does not have.
  const int64_t common = vocabulary < judged ? vocabulary : judged;
  for (int64_t i = 0; i < most && common < judged; ++i)
    memset(sharesOf(static_cast<size_t>(i)) + common, 0,
           static_cast<size_t>(judged - common) * sizeof(double));
  // A penalty counts the guesses too.
  all.clear();
  if (!all.append(seen.data(), seen.size()))
    return ATTN_ERROR_OUT_OF_MEMORY;
  attn_status status = follow(tokens, count);
  while (status == ATTN_OK) {
    int32_t token = 0;
    status = sampler.guess(logits.data(), common, all.data(), all.size(),
                           sharesOf(guesses.size()), token);
    if (status == ATTN_OK && (!all.push(token) || !guesses.push(token)))
      status = ATTN_ERROR_OUT_OF_MEMORY;
    if (static_cast<int64_t>(guesses.size()) == most || status != ATTN_OK)
      break;
    status = feed(&token, 1);
  }
  return status;
}

} // namespace attnrt
