//===- DeviceStates.cpp - a session's states on the GPU -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Blocks of keys and values in device memory. State.h knows which sequence has
// which; here they are taken, moved and made known to kernels. Everything goes
// down the session's stream, so blocks that one call lets go of may be written
// by the next. Kernels get the same addresses at every call: graphs last.
//
//===----------------------------------------------------------------------===//
#include "cuda/Gpu.h"

#include "Errors.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

namespace attnrt {
namespace cuda {

/// Takes device memory for states; `what` is for messages.
static attn_status take(attn_session &session, uint64_t bytes, const char *what,
                        Address &address) {
  attn_model &model = *session.model;
  Device &device = *model.device;
  address = 0;
  if (!model.memory.reserve(bytes, what))
    return ATTN_ERROR_OUT_OF_MEMORY;
  Result error = device.driver.allocate(&address, bytes);
  if (!error)
    return ATTN_OK;
  address = 0;
  model.memory.unreserve(bytes);
  size_t unused = 0, total = 0;
  if (error != kOutOfMemory || device.driver.memoryInfo(&unused, &total))
    return device.failed(error, what);
  return fail(ATTN_ERROR_OUT_OF_MEMORY,
              "%s: %s needs %" PRIu64
              " bytes of the GPU's memory, of which %zu of %zu are free",
              device.name, what, bytes, unused, total);
}

/// Addresses of a session's tables, per group.
static uint64_t tableAddress(const attn_session &session, int32_t group,
                             int64_t sequence) {
  const attn_abi_states &states = *session.model->library.states;
  uint64_t index = group * states.sequences + sequence;
  return session.device->states +
         sizeof(attn_device_state) * states.state_count +
         sizeof(Address) * index * session.states.tableLength();
}

attn_status openStates(attn_session &session) {
  DeviceSession &mine = *session.device;
  Device &device = *session.model->device;
  const attn_abi_states &states = *session.model->library.states;
  uint64_t bytes = sizeof(attn_device_state) * states.state_count +
                   sizeof(Address) * states.group_count * states.sequences *
                       session.states.tableLength();
  attn_status status =
      take(session, bytes, "the session's sequences", mine.states);
  if (status != ATTN_OK)
    return status;
  mine.stateBytes = bytes;
  Result error =
      device.driver.fill(mine.states, 0, bytes / sizeof(unsigned), mine.stream);
  for (int32_t i = 0; i < states.state_count && !error; ++i) {
    attn_device_state state = {tableAddress(session, states.states[i].group, 0),
                               states.states[i].offset};
    // Pageable memory: the driver has read it when it returns.
    error = device.driver.upload(mine.states + i * sizeof(state), &state,
                                 sizeof(state), mine.stream);
  }
  return device.check(error, "uploading the session's sequences");
}

attn_status uploadStates(attn_session &session, const MemoryPlan &plan) {
  DeviceSession &mine = *session.device;
  Device &device = *session.model->device;
  const attn_abi_states &states = *session.model->library.states;
  Result error =
      device.driver.upload(mine.memory + plan.past, session.states.past(),
                           sizeof(int32_t) * states.sequences, mine.stream);
  for (int32_t group = 0; group < states.group_count; ++group)
    for (int64_t sequence = 0; sequence < states.sequences && !error;
         ++sequence)
      if (unsigned char *const *blocks =
              session.states.takeChanged(group, sequence))
        error = device.driver.upload(
            tableAddress(session, group, sequence), blocks,
            sizeof(Address) * session.states.tableLength(), mine.stream);
  // The next call must not read what the table was before.
  if (error)
    session.states.changeAll();
  return device.check(error, "uploading the session's sequences");
}

//===-- blocks ------------------------------------------------------------===//

static Address addressOf(const unsigned char *block) {
  return reinterpret_cast<Address>(block);
}

/// Runs `body` inside a device that still works.
template <typename Body>
static attn_status inside(attn_session &session, const Body &body) {
  Device &device = *session.model->device;
  attn_status status = device.checkAlive();
  if (status != ATTN_OK)
    return status;
  Entered entered(device);
  status = entered.enter();
  return status == ATTN_OK ? body(device, session.device->stream) : status;
}

attn_status takeBlock(attn_session &session, uint64_t bytes,
                      unsigned char *&block) {
  return inside(session, [&](Device &, Stream) {
    Address address;
    attn_status status = take(session, bytes, "the session's state", address);
    block = reinterpret_cast<unsigned char *>(address);
    return status;
  });
}

void releaseBlock(attn_session &session, unsigned char *block, uint64_t bytes) {
  Device &device = *session.model->device;
  session.model->memory.unreserve(bytes);
  if (getpid() != device.process)
    return;
  Entered entered(device);
  if (entered.enter() != ATTN_OK)
    return;
  (void)device.driver.streamWait(session.device->stream);
  (void)device.driver.release(addressOf(block));
}

attn_status copyBlock(attn_session &session, unsigned char *to,
                      const unsigned char *from, uint64_t bytes) {
  return inside(session, [&](Device &device, Stream stream) {
    return device.check(
        device.driver.copy(addressOf(to), addressOf(from), bytes, stream),
        "copying the session's state");
  });
}

attn_status clearBlock(attn_session &session, unsigned char *block,
                       uint64_t bytes) {
  return inside(session, [&](Device &device, Stream stream) {
    return device.check(device.driver.fill(addressOf(block), 0,
                                           bytes / sizeof(unsigned), stream),
                        "clearing the session's state");
  });
}

attn_status readBlock(attn_session &session, void *to,
                      const unsigned char *from, uint64_t bytes) {
  return inside(session, [&](Device &device, Stream stream) {
    attn_status status = growPinned(session, bytes);
    if (status != ATTN_OK)
      return status;
    unsigned char *staged = session.device->pinned;
    Result error =
        device.driver.download(staged, addressOf(from), bytes, stream);
    if (!error)
      error = device.driver.streamWait(stream);
    if (error)
      return device.failed(error, "reading the session's state");
    memcpy(to, staged, bytes);
    return ATTN_OK;
  });
}

attn_status writeBlock(attn_session &session, unsigned char *to,
                       const void *from, uint64_t bytes) {
  return inside(session, [&](Device &device, Stream stream) {
    Result error = device.driver.upload(addressOf(to), from, bytes, stream);
    // What the caller has pinned is read later, when it may be gone.
    if (!error)
      error = device.driver.streamWait(stream);
    return device.check(error, "writing the session's state");
  });
}

} // namespace cuda
} // namespace attnrt
