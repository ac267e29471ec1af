//===- GenerateCalls.cpp - the functions that make tokens -----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What NAME_generate and its like call: arguments, prompts to ids, results.
//
//===----------------------------------------------------------------------===//
#include "Errors.h"
#include "GenerateOptions.h"
#include "Generator.h"

#include <inttypes.h>
#include <string.h>

using namespace attnrt;

namespace {

attn_status setIds(Job &job, const int32_t *ids, size_t count) {
  if (!ids && count)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "ids is NULL, but count is %zu",
                count);
  return job.state->ids.append(ids, count) ? ATTN_OK : ATTN_ERROR_OUT_OF_MEMORY;
}

attn_status setText(const attn_session &session, Generation &shared, Job &job,
                    const char *text, size_t length) {
  if (!text && length)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "text is NULL, but length is %zu",
                length);
  bool begins = session.states.past()[job.options.sequence] == 0;
  return tokenizePrompt(*session.model, text ? text : "", length, begins,
                        shared, job.state->ids);
}

/// One job; `prepare(generator, job)` puts the prompt into job.state->ids.
template <typename Prepare>
attn_status generateOne(attn_session *session,
                        const attn_generate_options *options,
                        attn_token_callback callback, void *context,
                        attn_generate_result *result, const Prepare &prepare) {
  if (!session)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "session is NULL");
  attn_status status = checkResult(session->model->library, result);
  if (status != ATTN_OK)
    return status;
  Job job = {};
  job.facts.struct_size = sizeof(job.facts);
  job.facts.stop = ATTN_STOP_ERROR;
  CallGuard guard(*session);
  status = guard.enter();
  if (status != ATTN_OK)
    return status;
  Generator generator(*session, {callback, nullptr, context});
  status = generator.open();
  if (status == ATTN_OK)
    status = generator.begin(options, job);
  if (status == ATTN_OK)
    status = prepare(generator, job);
  if (status == ATTN_OK)
    status = generator.run(&job, 1);
  storeResult(job.facts, result);
  return status;
}

/// The index-th of an array whose elements may be an older caller's.
attn_generate_request readRequest(const attn_generate_request *requests,
                                  size_t index) {
  attn_generate_request request = ATTN_GENERATE_REQUEST_INIT;
  size_t size = requests->struct_size;
  const char *place = reinterpret_cast<const char *>(requests) + index * size;
  memcpy(&request, place, size < sizeof(request) ? size : sizeof(request));
  return request;
}

/// A later header's fields may be there, as long as they are not used.
bool setsUnknown(const attn_generate_request *requests, size_t index) {
  const size_t size = requests->struct_size;
  const char *bytes = reinterpret_cast<const char *>(requests) + index * size;
  for (size_t i = sizeof(attn_generate_request); i < size; ++i)
    if (bytes[i])
      return true;
  return false;
}

attn_status checkRequests(const attn_abi_library &library,
                          const attn_generate_request *requests, size_t count) {
  if (!requests || !count)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s: %s", library.name,
                requests ? "count is 0; expected at least 1"
                         : "requests is NULL");
  constexpr size_t largest = 4096; // beyond, it is garbage
  for (size_t i = 0; i < count; ++i) {
    size_t first = requests->struct_size;
    bool isKnown = first >= sizeof(attn_generate_request) && first <= largest;
    attn_generate_request request =
        isKnown ? readRequest(requests, i) : *requests;
    if (!isKnown || request.struct_size != first)
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "%s: requests[%zu].struct_size is %zu; expected %zu in each: "
                  "start from ATTN_GENERATE_REQUEST_INIT",
                  library.name, i, request.struct_size,
                  sizeof(attn_generate_request));
    if (setsUnknown(requests, i))
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "%s: requests[%zu] has %zu bytes and sets a field that this "
                  "library does not know; it knows %zu",
                  library.name, i, first, sizeof(attn_generate_request));
    if (request.ids && request.text)
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "%s: requests[%zu] has ids and text; expected one of them",
                  library.name, i);
    attn_status status = checkResult(library, request.result);
    if (status != ATTN_OK)
      return status;
  }
  return ATTN_OK;
}

/// Begins the jobs of a batch, each of another sequence.
attn_status beginBatch(attn_session &session, Generator &generator,
                       const attn_generate_request *requests, size_t count) {
  Generation &shared = session.generation;
  const attn_abi_library &library = session.model->library;
  for (size_t i = 0; i < count; ++i) {
    attn_generate_request request = readRequest(requests, i);
    Job &job = shared.jobs[i];
    attn_status status = generator.begin(request.options, job);
    if (status == ATTN_OK && job.options.draft)
      status = fail(ATTN_ERROR_INVALID_ARGUMENT,
                    "%s: requests[%zu] has a draft, which guesses for one "
                    "sequence at a time; call %s_generate",
                    library.name, i, library.name);
    for (size_t j = 0; j < i && status == ATTN_OK; ++j)
      if (shared.jobs[j].options.sequence == job.options.sequence)
        status =
            fail(ATTN_ERROR_INVALID_ARGUMENT,
                 "%s: requests[%zu] and [%zu] are both of sequence %" PRId64,
                 library.name, j, i, job.options.sequence);
    if (status == ATTN_OK)
      status = request.text || request.length
                   ? setText(session, shared, job, request.text, request.length)
                   : setIds(job, request.ids, request.count);
    if (status != ATTN_OK)
      return status;
  }
  return ATTN_OK;
}

} // namespace

attn_status attnrt_generate(attn_session *session,
                            const attn_generate_options *options,
                            const int32_t *ids, size_t count,
                            attn_token_callback callback, void *context,
                            attn_generate_result *result) {
  return generateOne(
      session, options, callback, context, result,
      [&](Generator &, Job &job) { return setIds(job, ids, count); });
}

attn_status attnrt_generate_text(attn_session *session,
                                 const attn_generate_options *options,
                                 const char *text, size_t length,
                                 attn_token_callback callback, void *context,
                                 attn_generate_result *result) {
  return generateOne(
      session, options, callback, context, result, [&](Generator &, Job &job) {
        return setText(*session, session->generation, job, text, length);
      });
}

attn_status attnrt_chat(attn_session *session,
                        const attn_generate_options *options,
                        const attn_message *messages, size_t count,
                        attn_token_callback callback, void *context,
                        attn_generate_result *result) {
  return generateOne(session, options, callback, context, result,
                     [&](Generator &generator, Job &job) {
                       Generation &shared = session->generation;
                       attn_status status = tokenizeMessages(
                           *session->model, messages, count, /*continues=*/true,
                           shared.arena, shared.scratch, job.state->ids);
                       if (status == ATTN_OK)
                         generator.replaceSequence(job);
                       return status;
                     });
}

attn_status attnrt_generate_batch(attn_session *session,
                                  const attn_generate_request *requests,
                                  size_t count, attn_sequence_callback callback,
                                  void *context) {
  if (!session)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "session is NULL");
  attn_status status = checkRequests(session->model->library, requests, count);
  if (status != ATTN_OK)
    return status;
  CallGuard guard(*session);
  status = guard.enter();
  if (status != ATTN_OK)
    return status;
  Generator generator(*session, {nullptr, callback, context});
  status = generator.open();
  Buffer<Job> &jobs = session->generation.jobs;
  if (status == ATTN_OK && !jobs.resize(count))
    status = ATTN_ERROR_OUT_OF_MEMORY;
  if (status != ATTN_OK)
    return status;
  for (Job &job : jobs)
    job.facts = {sizeof(attn_generate_result), 0, 0, ATTN_STOP_ERROR, 0, 0, 0};
  status = beginBatch(*session, generator, requests, count);
  if (status == ATTN_OK)
    status = generator.run(jobs.data(), count);
  for (size_t i = 0; i < count; ++i)
    storeResult(jobs[i].facts, readRequest(requests, i).result);
  return status;
}

attn_status attnrt_session_feed(attn_session *session, int64_t sequence,
                                const int32_t *ids, size_t count,
                                float *logits) {
  if (!session)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "session is NULL");
  const attn_abi_library &library = session->model->library;
  if (!ids || !count)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s: %s", library.name,
                ids ? "count is 0; expected at least 1" : "ids is NULL");
  CallGuard guard(*session);
  attn_status status = guard.enter();
  Feeder feeder(*session, session->generation.buffers);
  if (status == ATTN_OK)
    status = feeder.open();
  int64_t past = 0;
  if (status == ATTN_OK)
    status = session->states.length(sequence, past);
  if (status == ATTN_OK)
    status = feeder.check(ids, count);
  if (status != ATTN_OK)
    return status;
  int64_t room = feeder.positions() - past;
  if (count > static_cast<size_t>(room))
    return fail(ATTN_ERROR_CONTEXT_FULL,
                "%s: sequence %" PRId64 " has %" PRId64
                " positions; %zu more exceed the %" PRId64
                " that this library was compiled for",
                library.name, sequence, past, count, feeder.positions());
  Feed feed = {sequence, ids, static_cast<int64_t>(count), 0};
  while (feed.left && status == ATTN_OK)
    status = feeder.step(&feed, 1);
  if (status == ATTN_OK && logits)
    memcpy(logits, feeder.logits(sequence),
           sizeof(float) * static_cast<size_t>(feeder.vocabulary()));
  return status;
}
