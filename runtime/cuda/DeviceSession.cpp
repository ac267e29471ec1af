//===- DeviceSession.cpp - a session's memory on the GPU ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One block of device memory: the table of sizes, the lengths of sequences, the
// arguments that came from the host, the arena. Pinned memory mirrors its
// beginning. Both come with the first call and grow when a call needs more.
//
//===----------------------------------------------------------------------===//
#include "cuda/Gpu.h"

#include "Arguments.h"
#include "Errors.h"

#include <inttypes.h>
#include <new>
#include <string.h>
#include <unistd.h>

namespace attnrt {
namespace cuda {

bool planMemory(const attn_model &model, int32_t entry, const int64_t *sizes,
                uint64_t arenaBytes, MemoryPlan &plan) {
  const attn_abi_entry &called = model.library.entries[entry];
  plan.past = sizeof(int64_t) * model.library.size_count;
  uint64_t at = plan.past;
  if (const attn_abi_states *states = model.library.states)
    at += sizeof(int32_t) * states->sequences;
  at = aligned(at);
  plan.inputs = plan.outputs = at;
  for (int32_t i = 0; i < called.argument_count; ++i) {
    int64_t bytes = 0;
    if (i == called.input_count)
      plan.outputs = at;
    if (argumentBytes(called, called.arguments[i], sizes, bytes) != ATTN_OK)
      return false;
    at += aligned(bytes);
    if (at > INT64_MAX)
      return false;
  }
  if (called.input_count == called.argument_count)
    plan.outputs = at;
  plan.arena = at;
  plan.total = at + aligned(arenaBytes);
  return plan.total <= INT64_MAX;
}

/// Divides one block into the arrays of a session.
static attn_status takeTables(attn_session &session) {
  attn_model &model = *session.model;
  DeviceSession &mine = *session.device;
  const attn_abi_library &library = model.library;
  PlanSize size;
  size_t arguments = 0;
  for (int32_t i = 0; i < countEntries(library); ++i) {
    measurePlan(model.device->tables->schedules[i], size);
    size_t count = library.entries[i].argument_count;
    arguments = count > arguments ? count : arguments;
  }
  size_t words = sizeof(int64_t) * size.words * (1 + DeviceSession::kGraphs);
  size_t maps = sizeof(TensorMap) * size.parameters;
  size_t pointers = sizeof(void *) * (size.parameters + size.nodes + arguments);
  mine.tableBytes = maps + words + pointers + arguments + 64;
  mine.tables = model.memory.allocate(mine.tableBytes, "the session's tables");
  if (!mine.tables)
    return ATTN_ERROR_OUT_OF_MEMORY;
  unsigned char *at = static_cast<unsigned char *>(mine.tables);
  mine.maps = reinterpret_cast<TensorMap *>(at); // 64-byte aligned
  at += maps;
  mine.plan.words = reinterpret_cast<int64_t *>(at);
  for (int32_t i = 0; i < DeviceSession::kGraphs; ++i)
    mine.graphs[i].words = mine.plan.words + (i + 1) * size.words;
  at += words;
  mine.parameters = reinterpret_cast<void **>(at);
  mine.nodes = reinterpret_cast<GraphNode *>(mine.parameters + size.parameters);
  mine.arguments = reinterpret_cast<Address *>(mine.nodes + size.nodes);
  mine.onDevice = reinterpret_cast<unsigned char *>(mine.arguments + arguments);
  return ATTN_OK;
}

attn_status openSession(attn_session &session) {
  attn_model &model = *session.model;
  Device &device = *model.device;
  attn_status status = device.checkAlive();
  if (status != ATTN_OK)
    return status;
  void *block =
      model.memory.allocate(sizeof(DeviceSession), "the session's device");
  if (!block)
    return ATTN_ERROR_OUT_OF_MEMORY;
  session.device = new (block) DeviceSession();
  status = takeTables(session);
  session.device->stream = device.callerStream;
  if (status != ATTN_OK)
    return status;
  Entered inside(device);
  status = inside.enter();
  if (status == ATTN_OK && !device.callerStream) {
    status = device.check(
        device.driver.streamCreate(&session.device->stream, kNonBlocking),
        "making a stream");
    session.device->ownsStream = status == ATTN_OK;
  }
  if (status == ATTN_OK && model.library.states)
    status = openStates(session);
  return status;
}

void closeSession(attn_session &session) {
  attn_model &model = *session.model;
  Device &device = *model.device;
  DeviceSession &mine = *session.device;
  Entered inside(device);
  if (getpid() == device.process && inside.enter() == ATTN_OK) {
    if (mine.stream) // what is under way reads and writes this memory
      (void)device.driver.streamWait(mine.stream);
    dropGraphs(session);
    if (mine.memory)
      (void)device.driver.release(mine.memory);
    if (mine.states)
      (void)device.driver.release(mine.states);
    if (mine.pinned)
      (void)device.driver.releaseHost(mine.pinned);
    if (mine.ownsStream)
      (void)device.driver.streamDestroy(mine.stream);
  }
  model.memory.unreserve(mine.memoryBytes + mine.pinnedBytes + mine.stateBytes);
  model.memory.release(mine.tables, mine.tableBytes);
  mine.~DeviceSession();
  model.memory.release(&mine, sizeof(DeviceSession));
  session.device = nullptr;
}

static void releaseMemory(attn_session &session) {
  DeviceSession &mine = *session.device;
  attn_model &model = *session.model;
  (void)model.device->driver.release(mine.memory);
  model.memory.unreserve(mine.memoryBytes);
  mine.memory = mine.memoryBytes = 0;
}

static attn_status takeMemory(attn_session &session, uint64_t bytes) {
  DeviceSession &mine = *session.device;
  attn_model &model = *session.model;
  Device &device = *model.device;
  if (!model.memory.reserve(bytes, "the session's memory on the GPU"))
    return ATTN_ERROR_OUT_OF_MEMORY;
  Result error = device.driver.allocate(&mine.memory, bytes);
  if (!error) {
    mine.memoryBytes = bytes;
    return ATTN_OK;
  }
  mine.memory = 0;
  model.memory.unreserve(bytes);
  size_t unused = 0, total = 0;
  if (error != kOutOfMemory || device.driver.memoryInfo(&unused, &total))
    return device.failed(error, "taking the GPU's memory for the session");
  return fail(ATTN_ERROR_OUT_OF_MEMORY,
              "%s: the session needs %" PRIu64 " bytes of the GPU's memory, of "
              "which %zu of %zu are free",
              device.name, bytes, unused, total);
}

attn_status growMemory(attn_session &session, const MemoryPlan &plan) {
  DeviceSession &mine = *session.device;
  Device &device = *session.model->device;
  if (mine.memoryBytes >= plan.total)
    return ATTN_OK;
  // Graphs name addresses; a call that was only enqueued may still use them.
  attn_status status = device.check(device.driver.streamWait(mine.stream),
                                    "waiting for earlier calls");
  if (status != ATTN_OK)
    return status;
  dropGraphs(session);
  // The old block goes first: both together may not fit.
  uint64_t before = mine.memoryBytes;
  if (before)
    releaseMemory(session);
  status = takeMemory(session, plan.total);
  if (status == ATTN_OK || !before)
    return status;
  char message[kErrorCapacity]; // of the failure that counts
  Writer(message, sizeof(message)).print("%s", lastError());
  (void)takeMemory(session, before);
  return fail(status, "%s", message);
}

attn_status growPinned(attn_session &session, uint64_t bytes) {
  DeviceSession &mine = *session.device;
  attn_model &model = *session.model;
  Device &device = *model.device;
  if (mine.pinnedBytes >= bytes)
    return ATTN_OK;
  if (mine.pinned) {
    (void)device.driver.releaseHost(mine.pinned);
    model.memory.unreserve(mine.pinnedBytes);
    mine.pinned = nullptr;
    mine.pinnedBytes = 0;
  }
  if (!model.memory.reserve(bytes, "the session's pinned memory"))
    return ATTN_ERROR_OUT_OF_MEMORY;
  void *pinned = nullptr;
  attn_status status = device.check(
      device.driver.allocateHost(&pinned, bytes, 0), "taking pinned memory");
  if (status != ATTN_OK) {
    model.memory.unreserve(bytes);
    return status;
  }
  mine.pinned = static_cast<unsigned char *>(pinned);
  mine.pinnedBytes = bytes;
  return ATTN_OK;
}

} // namespace cuda
} // namespace attnrt
