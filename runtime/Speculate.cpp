//===- Speculate.cpp - tokens that a draft guesses ------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A round: the draft guesses some tokens behind the one that was made last, all
// of them are fed in one call, and each is judged by the logits before it. What
// follows the first one that does not stand is taken back. Each round makes one
// token at least, the last of which is no guess:
//
//   made last   t          guesses a b c        judged: a, b stand, d for c
//   fed         t a b c    taken back to t a b  made last: d
//
//===----------------------------------------------------------------------===//
#include "Errors.h"
#include "GenerateOptions.h"
#include "Generator.h"

using namespace attnrt;

/// How many guesses the job's next round may have; 0: none, and a token is made
/// without.
int64_t Generator::countGuesses(const Job &job) const {
  const Continuation &state = *job.state;
  const attn_generate_options &options = job.options;
  // The queue holds the token that was made last, and no prompt.
  if (!options.draft || !job.isRunning || state.pending < 0 ||
      state.queue.size() != 1)
    return 0;
  int64_t most = options.draft_tokens ? options.draft_tokens : kGuesses;
  auto limit = [&](int64_t bound) { most = bound < most ? bound : most; };
  int64_t past = session.states.past()[options.sequence];
  limit(feeder.positions() - past - 1);
  limit(feeder.most() - 1);
  if (options.max_tokens)
    limit(options.max_tokens - job.facts.tokens - 1);
  // Rows that a window lets go of do not come back.
  const attn_abi_states &states = *model.library.states;
  for (int32_t group = 0; group < states.group_count; ++group)
    while (most > 0 && session.states.firstBlock(group, past + 1 + most) !=
                           session.states.firstBlock(group, past))
      --most;
  return most > 0 ? most : 0;
}

/// Takes tokens by the logits [guesses + 1][vocabulary] of what was fed behind
/// `past` positions; `made` are how many.
attn_status Generator::judge(Job &job, float *logits, int64_t past,
                             int64_t &made) {
  Continuation &state = *job.state;
  Draft &draft = shared.draft;
  int64_t guesses = static_cast<int64_t>(draft.tokens().size());
  bool stands = true;
  attn_status status = ATTN_OK;
  while (stands && job.isRunning) {
    int32_t token = 0, before = state.queue[0];
    status =
        made < guesses
            ? state.sampler.judge(logits, feeder.vocabulary(), state.ids.data(),
                                  state.ids.size(), draft.tokens()[made],
                                  draft.sharesOf(made), token)
            : state.sampler.choose(logits, feeder.vocabulary(),
                                   state.ids.data(), state.ids.size(), token);
    if (status != ATTN_OK)
      break;
    stands = made < guesses && token == draft.tokens()[made];
    int64_t had = job.facts.tokens;
    status = take(job, token, past + made + 1);
    // It counts from when the caller has heard of it.
    if (job.facts.tokens == had)
      break;
    hold(job, &before, 1);
    job.facts.draft_accepted += stands;
    logits += feeder.vocabulary();
    ++made;
  }
  return status;
}

attn_status Generator::speculate(Job &job, int64_t most) {
  Continuation &state = *job.state;
  int64_t sequence = job.options.sequence;
  int64_t past = session.states.past()[sequence];
  int32_t last = state.queue[0];
  // The draft sees what is known of the sequence.
  Buffer<int32_t> &tokens = shared.ids;
  tokens.clear();
  if (!tokens.append(state.held.data(), state.held.size()) ||
      !tokens.push(last))
    return ATTN_ERROR_OUT_OF_MEMORY;
  attn_status status = shared.draft.guess(tokens.data(), tokens.size(),
                                          state.ids, most, state.sampler);
  if (status != ATTN_OK)
    return status;
  const Buffer<int32_t> &guesses = shared.draft.tokens();
  if (guesses.empty())
    return step(&job, 1);
  tokens.clear();
  if (!tokens.push(last) || !tokens.append(guesses.data(), guesses.size()))
    return ATTN_ERROR_OUT_OF_MEMORY;
  float *logits = nullptr;
  status = feeder.score(sequence, tokens.data(),
                        static_cast<int64_t>(tokens.size()), logits);
  if (status != ATTN_OK)
    return status;
  job.facts.draft_tokens += static_cast<int64_t>(guesses.size());
  int64_t made = 0;
  status = judge(job, logits, past, made);
  // The last token that was made is not fed; countGuesses() sees to it that
  // there is a way back.
  session.states.truncate(sequence, past + made);
  shared.seenAt = session.states.changes();
  return status;
}
