//===- Generate.cpp - prompts in, tokens out ------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every job has a queue of tokens to be fed: its prompt at first, then the one
// token that was made. Each step feeds a piece of every queue, and a job whose
// queue is empty then makes its next token. All of it is one use of the
// session: cancelling stops it between two phases, and what was fed until then
// stays.
//
//===----------------------------------------------------------------------===//
#include "Errors.h"
#include "GenerateOptions.h"
#include "Generator.h"

#include <inttypes.h>
#include <new>
#include <string.h>

using namespace attnrt;

// Tokens of former calls that text may depend on, and more.
static constexpr size_t kContext = 16;

//===-- what a session keeps ----------------------------------------------===//

Generation::~Generation() {
  for (Continuation *continuation : continuations) {
    if (!continuation)
      continue;
    continuation->~Continuation();
    memory.release(continuation, sizeof(Continuation));
  }
}

Continuation *Generation::find(int64_t sequence) {
  while (static_cast<int64_t>(continuations.size()) <= sequence)
    if (!continuations.push(nullptr))
      return nullptr;
  Continuation *&found = continuations[static_cast<size_t>(sequence)];
  if (!found)
    if (void *place = memory.allocate(sizeof(Continuation), "generating"))
      found = new (place) Continuation(memory);
  return found;
}

void Generation::forgetTokens() {
  for (Continuation *continuation : continuations) {
    if (!continuation)
      continue;
    continuation->held.clear();
    continuation->heldFrom = -1;
  }
}

void Generation::forgetUnless(uint64_t changes) {
  if (changes == seenAt)
    return;
  seenAt = changes;
  forgetTokens();
  for (Continuation *continuation : continuations)
    if (continuation)
      continuation->pending = -1;
}

//===-- jobs --------------------------------------------------------------===//

attn_status Generator::open() {
  attn_status status = feeder.open();
  if (status == ATTN_OK)
    shared.forgetUnless(session.states.changes());
  return status;
}

attn_status Generator::begin(const attn_generate_options *given, Job &job) {
  job = {ATTN_GENERATE_INIT,
         nullptr,
         {sizeof(attn_generate_result), 0, 0, ATTN_STOP_ERROR, 0, 0, 0},
         -1,
         false};
  attn_status status = readGenerateOptions(session, given, job.options);
  if (status != ATTN_OK)
    return status;
  job.state = shared.find(job.options.sequence);
  if (!job.state)
    return ATTN_ERROR_OUT_OF_MEMORY;
  job.state->ids.clear();
  return ATTN_OK;
}

void Generator::replaceSequence(Job &job) const {
  const Continuation &state = *job.state;
  // What both begin with stays; the last token is fed for its logits.
  size_t common = 0;
  if (state.heldFrom == 0)
    while (common < state.held.size() && common + 1 < state.ids.size() &&
           state.held[common] == state.ids[common])
      ++common;
  job.kept = static_cast<int64_t>(common);
}

attn_status Generator::check(const Job &job) const {
  const Continuation &state = *job.state;
  const char *name = model.library.name;
  attn_status status = feeder.check(state.ids.data(), state.ids.size());
  if (status != ATTN_OK)
    return status;
  bool isPending = state.pending >= 0 && job.kept < 0;
  if (state.ids.empty() && !isPending)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: the prompt is empty; expected at least one token", name);
  int64_t wanted = static_cast<int64_t>(state.ids.size()) + isPending;
  int64_t past =
      job.kept >= 0 ? 0 : session.states.past()[job.options.sequence];
  if (wanted > feeder.positions() - past)
    return fail(ATTN_ERROR_CONTEXT_FULL,
                "%s: the sequence has %" PRId64
                " positions and the prompt %" PRId64
                " tokens, more than the %" PRId64
                " positions that this library was compiled for",
                name, past, wanted, feeder.positions());
  return ATTN_OK;
}

/// Fills the queue and brings the sequence to where it begins.
attn_status Generator::start(Job &job, const Detokenizer *detokenizer) {
  Continuation &state = *job.state;
  const attn_generate_options &options = job.options;
  state.sampler.start(options);
  // Text depends on the tokens before it, also on those of former calls.
  Buffer<int32_t> &context = shared.ids;
  context.clear();
  size_t known = job.kept < 0 ? state.held.size() : 0;
  size_t some = known < kContext ? known : kContext;
  if (!context.append(state.held.data() + known - some, some) ||
      (job.kept < 0 && state.pending >= 0 && !context.push(state.pending)) ||
      !context.append(state.ids.data(), state.ids.size()))
    return ATTN_ERROR_OUT_OF_MEMORY;
  attn_status status =
      state.stream.start(detokenizer, context.data(), context.size(),
                         options.stop_strings, options.stop_string_count);
  if (status != ATTN_OK)
    return status;
  state.queue.clear();
  if (!state.queue.reserve(state.ids.size() + 1))
    return ATTN_ERROR_OUT_OF_MEMORY;
  int64_t length = session.states.past()[options.sequence];
  if (job.kept >= 0) {
    state.pending = -1;
    // Where a window has moved on, all of it is computed again.
    if (job.kept < length &&
        session.states.truncate(options.sequence, job.kept) != ATTN_OK) {
      job.kept = 0;
      session.states.truncate(options.sequence, 0);
    }
    shared.seenAt = session.states.changes();
    length = job.kept;
  }
  size_t first = job.kept > 0 ? static_cast<size_t>(job.kept) : 0;
  if (state.pending >= 0)
    state.queue.push(state.pending);
  state.queue.append(state.ids.data() + first, state.ids.size() - first);
  // What is not known of the sequence remains so.
  if (length == 0 || state.heldFrom < 0) {
    state.held.clear();
    state.heldFrom = length;
  }
  state.held.resize(static_cast<size_t>(length - state.heldFrom));
  job.facts.prompt_tokens = static_cast<int64_t>(state.ids.size());
  job.facts.reused_tokens = static_cast<int64_t>(first);
  job.isRunning = true;
  return ATTN_OK;
}

//===-- the loop ----------------------------------------------------------===//

/// The sequence has got `count` tokens more.
void Generator::hold(Job &job, const int32_t *ids, int64_t count) {
  Continuation &state = *job.state;
  shared.seenAt = session.states.changes();
  // For want of memory less is known of it, which is no failure.
  if (!state.held.append(ids, static_cast<size_t>(count))) {
    state.held.clear();
    state.heldFrom = -1;
  }
}

attn_status Generator::step(Job *jobs, size_t count) {
  shared.feeds.clear();
  for (size_t i = 0; i < count; ++i) {
    const Buffer<int32_t> &queue = jobs[i].state->queue;
    if (jobs[i].isRunning &&
        !shared.feeds.push({jobs[i].options.sequence, queue.data(),
                            static_cast<int64_t>(queue.size()), 0}))
      return ATTN_ERROR_OUT_OF_MEMORY;
  }
  attn_status status = feeder.step(shared.feeds.data(), shared.feeds.size());
  if (status != ATTN_OK)
    return status;
  // All of them have changed before the first callback.
  const Feed *feed = shared.feeds.data();
  for (size_t i = 0; i < count; ++i) {
    if (!jobs[i].isRunning)
      continue;
    Buffer<int32_t> &queue = jobs[i].state->queue;
    hold(jobs[i], queue.data(), feed->piece);
    jobs[i].state->pending = -1;
    if (feed->left)
      memmove(queue.data(), feed->ids, feed->left * sizeof(int32_t));
    queue.resize(static_cast<size_t>(feed->left));
    ++feed;
  }
  for (size_t i = 0; i < count && status == ATTN_OK; ++i)
    if (jobs[i].isRunning && jobs[i].state->queue.empty())
      status = makeToken(jobs[i]);
  return status;
}

attn_status Generator::makeToken(Job &job) {
  Continuation &state = *job.state;
  int32_t token = 0;
  attn_status status = state.sampler.choose(
      feeder.logits(job.options.sequence), feeder.vocabulary(),
      state.ids.data(), state.ids.size(), token);
  return status == ATTN_OK
             ? take(job, token, session.states.past()[job.options.sequence])
             : status;
}

bool Generator::isStop(const Job &job, int32_t token) const {
  const attn_generation &facts = *model.library.generation->facts;
  for (size_t i = 0;
       i < facts.stop_token_count && !job.options.keeps_model_stops; ++i)
    if (facts.stop_tokens[i] == token)
      return true;
  for (size_t i = 0; i < job.options.stop_token_count; ++i)
    if (job.options.stop_tokens[i] == token)
      return true;
  return false;
}

/// Whether to go on.
bool Generator::tell(const Job &job, int32_t token) {
  const TextStream &stream = job.state->stream;
  if (listener.ofSequence)
    return listener.ofSequence(listener.context, job.options.sequence, token,
                               stream.text(), stream.size()) == 0;
  return !listener.ofToken ||
         listener.ofToken(listener.context, token, stream.text(),
                          stream.size()) == 0;
}

/// The job has made a token, behind `past` positions. It is fed next, unless
/// the job ends with it.
attn_status Generator::take(Job &job, int32_t token, int64_t past) {
  Continuation &state = *job.state;
  bool isStopString = false;
  if (!state.ids.push(token) || !state.queue.resize(1))
    return ATTN_ERROR_OUT_OF_MEMORY;
  state.queue[0] = token;
  attn_status status = state.stream.push(token, isStopString);
  if (status != ATTN_OK)
    return status;
  state.pending = token;
  attn_generate_result &facts = job.facts;
  ++facts.tokens;
  bool goesOn = tell(job, token);
  job.isRunning = false;
  if (!goesOn)
    facts.stop = ATTN_STOP_CALLER;
  else if (isStopString)
    facts.stop = ATTN_STOP_STRING;
  else if (isStop(job, token))
    facts.stop = ATTN_STOP_TOKEN;
  else if (facts.tokens == job.options.max_tokens)
    facts.stop = ATTN_STOP_LENGTH;
  else if (past == feeder.positions())
    facts.stop = ATTN_STOP_CONTEXT;
  else
    job.isRunning = true;
  if (job.isRunning || isStopString || !goesOn)
    return status;
  return finish(job);
}

/// Releases the text that was held back.
attn_status Generator::finish(Job &job) {
  attn_status status = job.state->stream.finish();
  if (status == ATTN_OK && job.state->stream.size())
    tell(job, -1);
  return status;
}

attn_status Generator::run(Job *jobs, size_t count) {
  attn_status status = ATTN_OK;
  const Detokenizer *detokenizer = nullptr;
  bool needsText = false;
  for (size_t i = 0; i < count && status == ATTN_OK; ++i) {
    status = check(jobs[i]);
    needsText |= jobs[i].options.stop_string_count != 0;
  }
  if (status == ATTN_OK && model.library.text) {
    status = findDetokenizer(model, detokenizer);
    if (status == ATTN_ERROR_UNAVAILABLE && !needsText)
      status = ATTN_OK; // tokens come without text
  }
  for (size_t i = 0; i < count && status == ATTN_OK; ++i)
    status = start(jobs[i], detokenizer);
  shared.draft.start(jobs[0].options, feeder.vocabulary());
  while (status == ATTN_OK) {
    bool isRunning = false;
    for (size_t i = 0; i < count; ++i)
      isRunning |= jobs[i].isRunning;
    if (!isRunning)
      break;
    int64_t guesses = countGuesses(jobs[0]);
    status = guesses > 0 ? speculate(jobs[0], guesses) : step(jobs, count);
  }
  for (size_t i = 0; i < count; ++i)
    if (jobs[i].isRunning)
      jobs[i].facts.stop = ATTN_STOP_ERROR;
  return status;
}
