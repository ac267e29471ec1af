//===- DeviceCall.cpp - a call on a GPU -----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The driver tells which arguments lie in its memory. Those of the host travel
// through pinned memory; then sizes, kernels and outputs go down one stream.
// Nothing is written before everything is checked. Sequences grow once their
// call is enqueued: what comes later on the stream finds their rows.
//
//===----------------------------------------------------------------------===//
#include "cuda/Gpu.h"

#include "Arguments.h"
#include "Errors.h"

#include <inttypes.h>
#include <string.h>

namespace attnrt {
namespace cuda {

namespace {

class Call {
public:
  Call(attn_session &session, int32_t entry, const Layout &layout,
       void *const *given)
      : session(session), model(*session.model), device(*model.device),
        mine(*session.device), called(model.library.entries[entry]),
        slots(model.schedule(entry).argument_slots), entry(entry),
        layout(layout), given(given) {}

  attn_status run();

private:
  attn_status inspect(int32_t index);
  attn_status inspectAll();
  attn_status provide();
  attn_status prepareStates();
  void bind();
  attn_status checkCancelled() const;
  attn_status enqueue();
  attn_status uploadInputs();
  attn_status downloadOutputs();
  void copyOutputs();

  int64_t bytesOf(int32_t index) const {
    int64_t bytes = 0; // planned already: cannot overflow
    (void)argumentBytes(called, called.arguments[index], session.sizes, bytes);
    return bytes;
  }
  bool isHost(int32_t index) const {
    return given[index] && !mine.onDevice[index];
  }
  uint64_t offsetOf(int32_t index) const { ///< in the session's memory
    uint64_t at = plan.inputs;
    for (int32_t i = 0; i < index; ++i)
      at += aligned(bytesOf(i));
    return at;
  }

  attn_session &session;
  attn_model &model;
  Device &device;
  DeviceSession &mine;
  const attn_abi_entry &called;
  const int32_t *slots;
  int32_t entry;
  const Layout &layout;
  void *const *given;
  MemoryPlan plan;
  bool usesHost = false; ///< some argument lies in the host's memory
};

/// Finds out where an argument lies; one on the device must be usable there.
attn_status Call::inspect(int32_t index) {
  Address address = reinterpret_cast<Address>(given[index]);
  const char *name = called.arguments[index].name;
  mine.onDevice[index] = false;
  unsigned kind = 0, managed = 0;
  int ordinal = 0;
  // Memory that the driver has never heard of is the host's.
  Result error = device.driver.pointerAttribute(&kind, kMemoryType, address);
  if (error == kInvalidValue)
    return ATTN_OK;
  if (!error)
    error = device.driver.pointerAttribute(&managed, kIsManaged, address);
  if (error)
    return device.failed(error, name);
  if (kind != kDeviceMemory && !managed)
    return ATTN_OK;
  mine.onDevice[index] = true;
  error = device.driver.pointerAttribute(&ordinal, kOrdinal, address);
  if (error)
    return device.failed(error, name);
  if (ordinal != device.ordinal && !managed)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: %s lies in the memory of cuda:%d; expected cuda:%d or the "
                "host",
                called.name, name, ordinal, device.ordinal);
  if (address % 16)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: %s is at %p on the GPU; expected an address divisible by "
                "16",
                called.name, name, given[index]);
  Address start = 0;
  size_t size = 0;
  error = device.driver.pointerAttribute(&start, kRangeStart, address);
  if (!error)
    error = device.driver.pointerAttribute(&size, kRangeSize, address);
  if (error)
    return device.failed(error, name);
  uint64_t room = size - (address - start);
  if (room < static_cast<uint64_t>(bytesOf(index)))
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: %s has %" PRIu64 " bytes on the GPU; expected %" PRId64,
                called.name, name, room, bytesOf(index));
  return ATTN_OK;
}

attn_status Call::inspectAll() {
  if (called.argument_count && !given)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s: arguments is NULL",
                called.name);
  for (int32_t i = 0; i < called.argument_count; ++i) {
    mine.onDevice[i] = false;
    attn_status status = given[i] ? inspect(i) : ATTN_OK;
    if (status != ATTN_OK)
      return status;
    usesHost |= isHost(i);
  }
  return checkArguments(session, entry, given, mine.onDevice);
}

attn_status Call::provide() {
  // It was planned before, so it fits.
  (void)planMemory(model, entry, session.sizes, layout.arenaBytes, plan);
  attn_status status = growMemory(session, plan);
  if (status == ATTN_OK && usesHost)
    status = growPinned(session, plan.arena);
  return status;
}

/// Gives sequences room for their new rows. The host counts them, so a mask
/// that lies on the device is fetched.
attn_status Call::prepareStates() {
  if (!called.growth)
    return ATTN_OK;
  int32_t index = called.growth - 1;
  const int32_t *mask = static_cast<const int32_t *>(given[index]);
  if (mask && mine.onDevice[index]) {
    attn_status status = growPinned(session, plan.arena);
    if (status != ATTN_OK)
      return status;
    unsigned char *staged = mine.pinned + offsetOf(index);
    Result error =
        device.driver.download(staged, reinterpret_cast<Address>(given[index]),
                               bytesOf(index), mine.stream);
    if (!error)
      error = device.driver.streamWait(mine.stream);
    if (error)
      return device.failed(error, "fetching the mask");
    mask = reinterpret_cast<const int32_t *>(staged);
  }
  return session.states.prepare(called, session.sizes, mask);
}

void Call::bind() {
  uint64_t at = plan.inputs;
  for (int32_t i = 0; i < called.argument_count; ++i) {
    if (!given[i])
      mine.arguments[i] =
          mine.memory + plan.arena + session.slotOffsets[slots[i]];
    else if (mine.onDevice[i])
      mine.arguments[i] = reinterpret_cast<Address>(given[i]);
    else
      mine.arguments[i] = mine.memory + at;
    at += aligned(bytesOf(i));
  }
}

attn_status Call::checkCancelled() const {
  if (session.state.load(std::memory_order_relaxed) != attn_session::Cancelled)
    return ATTN_OK;
  return fail(ATTN_ERROR_CANCELLED, "%s: the call was cancelled", device.name);
}

attn_status Call::uploadInputs() {
  // Pageable memory: the driver has read it when it returns.
  Result error = device.driver.upload(
      mine.memory, session.sizes, sizeof(int64_t) * model.library.size_count,
      mine.stream);
  for (int32_t i = 0; i < called.input_count && !error; ++i) {
    int64_t bytes = bytesOf(i);
    if (bytes == 0)
      continue;
    if (!given[i]) {
      error = device.driver.fill(
          mine.arguments[i],
          static_cast<unsigned>(called.arguments[i].default_value), bytes / 4,
          mine.stream);
    } else if (isHost(i)) {
      unsigned char *staged = mine.pinned + offsetOf(i);
      memcpy(staged, given[i], bytes);
      error =
          device.driver.upload(mine.arguments[i], staged, bytes, mine.stream);
    }
  }
  attn_status status = device.check(error, "uploading the inputs");
  if (status == ATTN_OK && model.library.states)
    status = uploadStates(session, plan);
  return status;
}

attn_status Call::downloadOutputs() {
  Result error = kSuccess;
  for (int32_t i = called.input_count; i < called.argument_count && !error; ++i)
    if (isHost(i) && bytesOf(i))
      error =
          device.driver.download(mine.pinned + offsetOf(i), mine.arguments[i],
                                 bytesOf(i), mine.stream);
  return device.check(error, "downloading the outputs");
}

void Call::copyOutputs() {
  for (int32_t i = called.input_count; i < called.argument_count; ++i)
    if (isHost(i))
      memcpy(given[i], mine.pinned + offsetOf(i), bytesOf(i));
}

attn_status Call::enqueue() {
  attn_status status = uploadInputs();
  if (status == ATTN_OK) {
    evaluatePlan(session, entry, plan.arena);
    status = runPlan(session, entry);
  }
  return status == ATTN_OK ? downloadOutputs() : status;
}

attn_status Call::run() {
  attn_status status = inspectAll();
  if (status == ATTN_OK)
    status = provide();
  if (status == ATTN_OK)
    status = checkCancelled();
  if (status == ATTN_OK)
    status = prepareStates();
  if (status != ATTN_OK)
    return status;
  bind();
  status = enqueue();
  if (status != ATTN_OK) {
    // What is under way must not outlive the call; its own error is known.
    (void)device.driver.streamWait(mine.stream);
    return status;
  }
  if (mine.ownsStream || usesHost) {
    status = device.check(device.driver.streamWait(mine.stream),
                          "running the kernels");
    if (status == ATTN_OK)
      status = checkCancelled();
    if (status == ATTN_OK)
      copyOutputs();
  }
  if (status == ATTN_OK && called.growth)
    session.states.commit();
  return status;
}

} // namespace

attn_status call(attn_session &session, int32_t entry, const Layout &layout,
                 void *const *given) {
  Device &device = *session.model->device;
  attn_status status = device.checkAlive();
  if (status != ATTN_OK)
    return status;
  Entered inside(device);
  status = inside.enter();
  return status == ATTN_OK ? Call(session, entry, layout, given).run() : status;
}

} // namespace cuda
} // namespace attnrt
