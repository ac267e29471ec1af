//===- Session.cpp - a session and its arena ------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sessions come as one block: the object and the tables whose lengths the
// library knows. The arena comes with the first call and grows when a call
// needs more, so a call of a size seen before allocates nothing.
//
//===----------------------------------------------------------------------===//
#include "Session.h"

#include "Errors.h"

#include <inttypes.h>
#include <new>
#include <string.h>

using namespace attnrt;

static attn_status checkEntry(const attn_model &model, int32_t entry) {
  if (entry >= 0 && entry < countEntries(model.library))
    return ATTN_OK;
  return fail(ATTN_ERROR_INVALID_ARGUMENT,
              "%s: entry %d; this library has entries 0 to %d",
              model.library.name, entry, model.library.entry_count - 1);
}

attn_status attnrt::planCall(const attn_model &model, int32_t entry,
                             const int64_t *given, int64_t *sizes,
                             int64_t *slotOffsets, Layout &layout) {
  attn_status status = checkEntry(model, entry);
  if (status != ATTN_OK)
    return status;
  const attn_abi_library &library = model.library;
  const attn_abi_entry &called = library.entries[entry];
  if (called.size_count && !given)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: sizes is NULL; expected %d sizes", called.name,
                called.size_count);
  memset(sizes, 0, sizeof(int64_t) * library.size_count);
  for (int32_t i = 0; i < called.size_count; ++i) {
    const attn_abi_size &size = library.sizes[called.sizes[i]];
    if (given[i] < size.minimum || given[i] > size.maximum)
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "%s: %s is %" PRId64 "; expected %" PRId64 " to %" PRId64,
                  called.name, size.name, given[i], size.minimum, size.maximum);
    sizes[called.sizes[i]] = given[i];
  }
  int64_t bytes =
      model.schedule(entry).plan(sizes, model.workers, slotOffsets,
                                 &layout.scratchOffset, &layout.scratchStride);
  if (bytes < 0 || bytes > INT64_MAX - 64)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: these sizes need an arena of more than 2^63 bytes",
                called.name);
  layout.arenaBytes = (static_cast<uint64_t>(bytes) + 63) & ~uint64_t(63);
  if (layout.arenaBytes == 0)
    layout.arenaBytes = 64; // an allocator is never asked for nothing
  if (!model.device)
    return ATTN_OK;
  layout.deviceBytes =
      model.driver().callBytes(model, entry, sizes, layout.arenaBytes);
  if (layout.deviceBytes == 0)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: these sizes need more than 2^63 bytes", called.name);
  return ATTN_OK;
}

attn_status attnrt_session_bytes(const attn_model *model, int32_t entry,
                                 const int64_t *sizes, uint64_t *bytes) {
  if (!model || !bytes)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s is NULL",
                model ? "bytes" : "model");
  attn_status status = checkEntry(*model, entry);
  if (status != ATTN_OK)
    return status;
  // Planning writes tables that here nobody reads afterwards. They are a few
  // dozen numbers; very large programs take them from the allocator.
  constexpr size_t capacity = 512;
  int64_t local[capacity], *table = local;
  size_t count = static_cast<size_t>(model->library.size_count) +
                 model->schedule(entry).slot_count;
  Memory &memory = model->memory;
  if (count > capacity) {
    table = static_cast<int64_t *>(
        memory.allocate(sizeof(int64_t) * count, "planning"));
    if (!table)
      return ATTN_ERROR_OUT_OF_MEMORY;
  }
  Layout layout;
  status = planCall(*model, entry, sizes, table,
                    table + model->library.size_count, layout);
  if (status == ATTN_OK)
    *bytes = (model->device ? layout.deviceBytes : layout.arenaBytes) +
             SessionStates::callBytes(model->library,
                                      model->library.entries[entry], table);
  if (table != local)
    memory.release(table, sizeof(int64_t) * count);
  return status;
}

attn_status attnrt_session_open(attn_model *model, attn_session **session) {
  if (!model || !session)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s is NULL",
                model ? "session" : "model");
  *session = nullptr;
  const attn_abi_library &library = model->library;
  size_t slots = 0, arguments = 0, phases = 0;
  for (int32_t entry = 0; entry < countEntries(library); ++entry) {
    size_t entrySlots = model->schedule(entry).slot_count;
    size_t entryArguments = library.entries[entry].argument_count;
    slots = entrySlots > slots ? entrySlots : slots;
    arguments = entryArguments > arguments ? entryArguments : arguments;
    size_t entryPhases = model->schedule(entry).phase_count;
    phases = entryPhases > phases ? entryPhases : phases;
  }
  size_t sizes = library.size_count;
  size_t chosen = library.adapters ? library.adapters->weight_count : 0;
  size_t bytes = sizeof(attn_session) + sizeof(int64_t) * (sizes + slots) +
                 sizeof(void *) * (arguments + chosen);
  void *block = model->memory.allocate(bytes, "the session");
  if (!block)
    return ATTN_ERROR_OUT_OF_MEMORY;
  attn_session *opened = new (block) attn_session(*model);
  opened->bytes = bytes;
  opened->sizes = reinterpret_cast<int64_t *>(opened + 1);
  opened->slotOffsets = opened->sizes + sizes;
  opened->arguments = reinterpret_cast<void **>(opened->slotOffsets + slots);
  opened->weights = model->weights.pointers();
  void *behind = opened->arguments + arguments;
  opened->chosen = static_cast<const unsigned char **>(behind);
  model->references.fetch_add(1, std::memory_order_relaxed);
  attn_status status = opened->states.open();
  if (status == ATTN_OK)
    status = model->profile.openSession(model->memory, phases * model->workers,
                                        opened->profile);
  if (status == ATTN_OK && model->device) {
    opened->states.useDevice(*opened);
    status = model->driver().openSession(*opened);
  }
  if (status != ATTN_OK) {
    attnrt_session_close(opened);
    return status;
  }
  *session = opened;
  return ATTN_OK;
}

void attnrt_session_close(attn_session *session) {
  if (!session)
    return;
  attn_model *model = session->model;
  session->states.close();
  if (session->device)
    model->driver().closeSession(*session);
  model->memory.release(session->arena, session->arenaBytes);
  Profile::closeSession(model->memory, session->profile);
  size_t bytes = session->bytes;
  session->~attn_session();
  model->memory.release(session, bytes);
  releaseModel(model);
}

attn_status attnrt::growArena(attn_session &session, uint64_t bytes) {
  if (session.arenaBytes >= bytes)
    return ATTN_OK;
  Memory &memory = session.model->memory;
  size_t before = session.arenaBytes;
  void *arena = memory.allocate(bytes, "the session's arena");
  if (!arena && before) {
    // Perhaps there is room for the new one in place of the old one.
    memory.release(session.arena, before);
    session.arena = nullptr;
    session.arenaBytes = 0;
    arena = memory.allocate(bytes, "the session's arena");
    if (!arena) {
      void *old = memory.allocate(before, "the session's former arena");
      session.arena = static_cast<unsigned char *>(old);
      session.arenaBytes = old ? before : 0;
    }
    before = 0;
  }
  if (!arena && memory.limit() == 0)
    return fail(ATTN_ERROR_OUT_OF_MEMORY,
                "%s: the session's arena needs %" PRIu64
                " bytes, and the allocator has none",
                session.model->library.name, bytes);
  if (!arena)
    return fail(ATTN_ERROR_OUT_OF_MEMORY,
                "%s: the session's arena needs %" PRIu64 " bytes; %" PRIu64
                " are taken, max_bytes is %" PRIu64,
                session.model->library.name, bytes, memory.used(),
                memory.limit());
  if (before)
    memory.release(session.arena, before);
  session.arena = static_cast<unsigned char *>(arena);
  session.arenaBytes = bytes;
  return ATTN_OK;
}

attn_status attnrt_cancel(attn_session *session) {
  if (!session)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "session is NULL");
  // Between calls there is nothing to cancel, and the next call is not meant.
  int32_t running = attn_session::Running;
  session->state.compare_exchange_strong(running, attn_session::Cancelled);
  return ATTN_OK;
}

attn_status CallGuard::enter() {
  int32_t idle = attn_session::Idle;
  entered = session.state.compare_exchange_strong(idle, attn_session::Running);
  return entered ? ATTN_OK
                 : fail(ATTN_ERROR_INVALID_ARGUMENT,
                        "%s: another call is using this session; open one "
                        "session per thread",
                        session.model->library.name);
}

CallGuard::~CallGuard() {
  if (entered)
    session.state.store(attn_session::Idle);
}
