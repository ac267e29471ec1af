//===- Call.cpp - calls, by index and by name -----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A call goes through sizes, plan, arguments, arena and phases in this order:
// nothing is written before everything is checked.
//
//===----------------------------------------------------------------------===//
#include "Arguments.h"
#include "Errors.h"
#include "Session.h"
#include "Writer.h"

#include <inttypes.h>
#include <string.h>

using namespace attnrt;

/// What runs in this session for `entry`, which is not checked yet.
static int32_t chooseEntry(const attn_session &session, int32_t entry) {
  const attn_abi_library &library = session.model->library;
  if (!session.adapter || entry < 0 || entry >= library.entry_count)
    return entry;
  const int32_t adapted = library.entries[entry].adapted;
  return adapted ? adapted - 1 : entry;
}

attn_status attnrt::runEntry(attn_session &session, int32_t entry,
                             const int64_t *sizes, void *const *arguments) {
  entry = chooseEntry(session, entry);
  Layout layout;
  attn_status status = planCall(*session.model, entry, sizes, session.sizes,
                                session.slotOffsets, layout);
  if (status == ATTN_OK && session.device)
    return session.model->driver().call(session, entry, layout, arguments);
  if (status == ATTN_OK)
    status = checkArguments(session, entry, arguments);
  if (status == ATTN_OK)
    status = growArena(session, layout.arenaBytes);
  if (status != ATTN_OK)
    return status;
  bindArguments(session, entry, arguments);
  const attn_abi_entry &called = session.model->library.entries[entry];
  if (called.growth)
    status = session.states.prepare(
        called, session.sizes,
        static_cast<const int32_t *>(session.arguments[called.growth - 1]));
  if (status != ATTN_OK)
    return status;
  Span whole = {session.profile.isActive() ? profileClock() : 0, 0};
  status = runPhases(session, session.model->schedule(entry), layout);
  if (session.profile.isActive()) {
    whole.end = profileClock();
    session.model->profile.writeCall(session, entry, whole);
  }
  if (status == ATTN_OK && called.growth)
    session.states.commit();
  return status;
}

attn_status attnrt_call(attn_session *session, int32_t entry,
                        const int64_t *sizes, void *const *arguments) {
  if (!session)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "session is NULL");
  CallGuard guard(*session);
  attn_status status = guard.enter();
  return status == ATTN_OK ? runEntry(*session, entry, sizes, arguments)
                           : status;
}

/// Finds the entry `name`, called with `sizeCount` sizes.
static attn_status findEntry(const attn_abi_library &library, const char *name,
                             size_t sizeCount, int32_t &entry) {
  if (!name)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s: entry is NULL", library.name);
  char text[512];
  Writer names(text, sizeof(text));
  for (entry = 0; entry < library.entry_count; ++entry) {
    const attn_abi_entry &candidate = library.entries[entry];
    names.print("%s%s", entry ? ", " : "", candidate.name);
    if (strcmp(candidate.name, name) != 0)
      continue;
    if (sizeCount == static_cast<size_t>(candidate.size_count))
      return ATTN_OK;
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: %zu sizes were given; expected %d", name, sizeCount,
                candidate.size_count);
  }
  return fail(ATTN_ERROR_INVALID_ARGUMENT,
              "%s: no entry \"%s\"; this library has: %s", library.name, name,
              text);
}

attn_status attnrt_session_bytes_by_name(const attn_model *model,
                                         const char *entry,
                                         const int64_t *sizes, size_t sizeCount,
                                         uint64_t *bytes) {
  if (!model)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "model is NULL");
  int32_t index = 0;
  attn_status status = findEntry(model->library, entry, sizeCount, index);
  return status == ATTN_OK ? attnrt_session_bytes(model, index, sizes, bytes)
                           : status;
}

/// Checks one side of a call by name: the number of buffers, and the bytes of
/// each that is not NULL.
static attn_status checkBuffers(const attn_abi_entry &entry, int32_t first,
                                int32_t count, const attn_buffer *buffers,
                                size_t given, const char *side,
                                const int64_t *sizes) {
  if (given != static_cast<size_t>(count))
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: %zu %s were given; expected %d", entry.name, given, side,
                count);
  if (count && !buffers)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s: %s is NULL", entry.name,
                side);
  for (int32_t i = 0; i < count; ++i) {
    const attn_abi_argument &argument = entry.arguments[first + i];
    int64_t bytes = 0;
    attn_status status = argumentBytes(entry, argument, sizes, bytes);
    if (status != ATTN_OK)
      return status;
    if (buffers[i].data && buffers[i].bytes != static_cast<size_t>(bytes))
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "%s: %s has %zu bytes; expected %" PRId64, entry.name,
                  argument.name, buffers[i].bytes, bytes);
  }
  return ATTN_OK;
}

static attn_status callByName(attn_session &session, int32_t index,
                              const int64_t *sizes, const attn_buffer *inputs,
                              size_t inputCount, const attn_buffer *outputs,
                              size_t outputCount) {
  const attn_abi_entry &entry = session.model->library.entries[index];
  Layout layout;
  attn_status status = planCall(*session.model, index, sizes, session.sizes,
                                session.slotOffsets, layout);
  int32_t outputsWanted = entry.argument_count - entry.input_count;
  if (status == ATTN_OK)
    status = checkBuffers(entry, 0, entry.input_count, inputs, inputCount,
                          "inputs", session.sizes);
  if (status == ATTN_OK)
    status = checkBuffers(entry, entry.input_count, outputsWanted, outputs,
                          outputCount, "outputs", session.sizes);
  if (status != ATTN_OK)
    return status;
  // runEntry reads these and writes session.arguments, element by element from
  // the same index, so they may be one table.
  for (int32_t i = 0; i < entry.input_count; ++i)
    session.arguments[i] = inputs[i].data;
  for (int32_t i = 0; i < outputsWanted; ++i)
    session.arguments[entry.input_count + i] = outputs[i].data;
  return runEntry(session, index, sizes, session.arguments);
}

attn_status attnrt_call_by_name(attn_session *session, const char *entry,
                                const int64_t *sizes, size_t sizeCount,
                                const attn_buffer *inputs, size_t inputCount,
                                const attn_buffer *outputs,
                                size_t outputCount) {
  if (!session)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "session is NULL");
  int32_t index = 0;
  attn_status status =
      findEntry(session->model->library, entry, sizeCount, index);
  CallGuard guard(*session);
  if (status == ATTN_OK)
    status = guard.enter();
  return status == ATTN_OK ? callByName(*session, index, sizes, inputs,
                                        inputCount, outputs, outputCount)
                           : status;
}
