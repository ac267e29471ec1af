//===- StubMemory.cpp - the stub driver: memory and streams ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Copies from and to pinned memory happen when their stream is waited for, and
// see what is there then; pageable memory is read at once, as the driver does.
//
//===----------------------------------------------------------------------===//
#include "StubDriver.h"
#include "StubState.h"
#include <sys/mman.h>

using namespace attnc;
using namespace attnc::stub;

namespace attnc::stub {

static StreamState *defaultStream();

void State::dropContext() {
  // After a failure things may be left that could not be given back.
  size_t left = heldBlocks() + pinned.size() + modules.size() + streams.size() +
                graphs.size() + execs.size();
  if (left && !failed && !lost)
    complain("the context is released with %zu objects in it", left);
  drain(nullptr);
  for (auto at = device.begin(); at != device.end();) {
    void *memory = reinterpret_cast<void *>(at++->first);
    if (!ofTests.count(reinterpret_cast<uintptr_t>(memory)))
      freeDevice(memory);
  }
  for (auto [memory, bytes] : pinned)
    free(reinterpret_cast<void *>(memory));
  for (void *stream : streams)
    delete static_cast<StreamState *>(stream);
  pinned.clear();
  streams.clear();
  dropModules();
  used = 0;
}

Result State::drain(StreamState *stream) {
  Result first = 0;
  std::vector<StreamState *> all;
  if (stream)
    all.push_back(stream);
  else
    for (void *each : streams)
      all.push_back(static_cast<StreamState *>(each));
  if (!stream)
    all.push_back(defaultStream());
  Unlocked unlocked;
  for (StreamState *each : all)
    while (!each->pending.empty()) {
      auto work = std::move(each->pending.front());
      each->pending.pop_front();
      Result error = work();
      if (error && !first)
        first = lost = error;
    }
  return first;
}

static StreamState *defaultStream() {
  static StreamState stream;
  return &stream;
}

/// The stream that a handle names; null for one that is none.
static StreamState *streamOf(State &state, cuda::Stream handle) {
  if (!handle)
    return defaultStream();
  if (state.streams.count(handle) || state.streamsOfTests.count(handle))
    return reinterpret_cast<StreamState *>(handle);
  state.complain("work for a stream that does not exist");
  return nullptr;
}

/// Device memory, which only the emulator and copies may touch.
static void *takeDevice(size_t bytes) {
  State &state = State::get();
  size_t size = (bytes + 4095) / 4096 * 4096;
  void *memory = mmap(nullptr, size, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return nullptr;
  state.device[reinterpret_cast<uintptr_t>(memory)] = size;
  emulator::addMemory(memory, bytes);
  Unlocked unlocked;
  memset(memory, 0xff, bytes);
  return memory;
}

void State::freeDevice(void *memory) {
  auto found = device.find(reinterpret_cast<uintptr_t>(memory));
  if (found == device.end())
    return complain("device memory is freed that is none");
  emulator::removeMemory(memory);
  munmap(memory, found->second);
  device.erase(found);
}

} // namespace attnc::stub

extern "C" {

void *stub_device_memory(size_t bytes) {
  void *memory = takeDevice(bytes);
  State::get().ofTests.insert(reinterpret_cast<uintptr_t>(memory));
  return memory;
}

void stub_device_free(void *memory) {
  State &state = State::get();
  if (state.ofTests.erase(reinterpret_cast<uintptr_t>(memory)))
    state.freeDevice(memory);
}

void stub_pin(void *memory, size_t bytes) {
  State::get().pinned[reinterpret_cast<uintptr_t>(memory)] = bytes;
}

void stub_unpin(void *memory) {
  State::get().pinned.erase(reinterpret_cast<uintptr_t>(memory));
}

void stub_describe_memory(void *memory, unsigned type, unsigned managed,
                          int ordinal) {
  State::get().described[reinterpret_cast<uintptr_t>(memory)] = {type, managed,
                                                                 ordinal};
}

void *stub_stream(void) {
  auto *stream = new StreamState();
  State::get().streamsOfTests.insert(stream);
  return stream;
}

void stub_stream_wait(void *stream) {
  State::get().drain(static_cast<StreamState *>(stream));
}

void stub_stream_free(void *stream) {
  stub_stream_wait(stream);
  State::get().streamsOfTests.erase(stream);
  delete static_cast<StreamState *>(stream);
}

void stub_read(void *to, const void *device, size_t bytes) {
  Unlocked unlocked;
  memcpy(to, device, bytes);
}

void stub_write(void *device, const void *from, size_t bytes) {
  Unlocked unlocked;
  memcpy(device, from, bytes);
}

Result cuMemGetInfo_v2(size_t *unused, size_t *total) {
  STUB_FUNCTION(cuMemGetInfo_v2, true);
  *unused = state.memory - state.used;
  *total = state.memory;
  return 0;
}

Result cuMemAlloc_v2(Address *address, size_t bytes) {
  STUB_FUNCTION(cuMemAlloc_v2, true);
  if (bytes == 0) {
    state.complain("cuMemAlloc of 0 bytes");
    return cuda::kInvalidValue;
  }
  if (state.used + bytes > state.memory)
    return cuda::kOutOfMemory;
  void *memory = takeDevice(bytes);
  if (!memory)
    return cuda::kOutOfMemory;
  *address = reinterpret_cast<Address>(memory);
  state.used += state.device[*address];
  return 0;
}

Result cuMemFree_v2(Address address) {
  STUB_RELEASE(cuMemFree_v2, true);
  state.drain(nullptr); // as the driver does
  auto found = state.device.find(address);
  if (found != state.device.end())
    state.used -= found->second;
  state.freeDevice(reinterpret_cast<void *>(address));
  return error;
}

Result cuMemHostAlloc(void **memory, size_t bytes, unsigned) {
  STUB_FUNCTION(cuMemHostAlloc, true);
  *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  state.pinned[reinterpret_cast<uintptr_t>(*memory)] = bytes;
  return 0;
}

Result cuMemFreeHost(void *memory) {
  STUB_RELEASE(cuMemFreeHost, true);
  if (!state.pinned.erase(reinterpret_cast<uintptr_t>(memory))) {
    state.complain("pinned memory is freed that is none");
    return cuda::kInvalidValue;
  }
  bool busy = !defaultStream()->pending.empty();
  for (void *stream : state.streams)
    busy |= !static_cast<StreamState *>(stream)->pending.empty();
  if (busy && !state.lost) // of a lost GPU nothing is under way any more
    state.complain("pinned memory is freed while a stream has work");
  state.drain(nullptr);
  free(memory);
  return error;
}

static bool checkDevice(State &state, const char *what, Address address,
                        size_t bytes) {
  if (State::find(state.device, address, bytes))
    return true;
  state.complain("%s of %zu bytes reaches outside device memory", what, bytes);
  return false;
}

Result cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes,
                            cuda::Stream handle) {
  STUB_FUNCTION(cuMemcpyHtoDAsync_v2, true);
  StreamState *stream = streamOf(state, handle);
  if (!stream || !checkDevice(state, "an upload", to, bytes))
    return cuda::kInvalidValue;
  uintptr_t source = reinterpret_cast<uintptr_t>(from);
  void *target = reinterpret_cast<void *>(to);
  if (State::find(state.pinned, source, bytes)) {
    stream->pending.push_back([=] {
      memcpy(target, from, bytes);
      return 0;
    });
    return 0;
  }
  if (State::find(state.device, source, 1))
    state.complain("an upload from device memory");
  std::string copy(static_cast<const char *>(from), bytes);
  stream->pending.push_back([=] {
    memcpy(target, copy.data(), copy.size());
    return 0;
  });
  return 0;
}

Result cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes,
                            cuda::Stream handle) {
  STUB_FUNCTION(cuMemcpyDtoHAsync_v2, true);
  StreamState *stream = streamOf(state, handle);
  if (!stream || !checkDevice(state, "a download", from, bytes))
    return cuda::kInvalidValue;
  if (!State::find(state.pinned, reinterpret_cast<uintptr_t>(to), bytes))
    state.complain("a download to memory that is not pinned");
  stream->pending.push_back([=] {
    memcpy(to, reinterpret_cast<void *>(from), bytes);
    return 0;
  });
  return 0;
}

Result cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes,
                            cuda::Stream handle) {
  STUB_FUNCTION(cuMemcpyDtoDAsync_v2, true);
  StreamState *stream = streamOf(state, handle);
  if (!stream || !checkDevice(state, "a copy", to, bytes) ||
      !checkDevice(state, "a copy", from, bytes))
    return cuda::kInvalidValue;
  stream->pending.push_back([=] {
    memcpy(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes);
    return 0;
  });
  return 0;
}

Result cuMemsetD32Async(Address to, unsigned value, size_t count,
                        cuda::Stream handle) {
  STUB_FUNCTION(cuMemsetD32Async, true);
  StreamState *stream = streamOf(state, handle);
  if (!stream || !checkDevice(state, "a fill", to, 4 * count))
    return cuda::kInvalidValue;
  stream->pending.push_back([=] {
    std::fill_n(reinterpret_cast<unsigned *>(to), count, value);
    return 0;
  });
  return 0;
}

Result cuPointerGetAttribute(void *value, int attribute, Address pointer) {
  STUB_FUNCTION(cuPointerGetAttribute, true);
  uintptr_t device = State::find(state.device, pointer, 1);
  State::Description is = {device ? cuda::kDeviceMemory : 1u, 0, 0};
  if (auto found = state.described.find(pointer);
      found != state.described.end())
    is = found->second;
  else if (!device && !State::find(state.pinned, pointer, 1))
    return cuda::kInvalidValue;
  switch (attribute) {
  case cuda::kMemoryType:
    *static_cast<unsigned *>(value) = is.type;
    return 0;
  case cuda::kIsManaged:
    *static_cast<unsigned *>(value) = is.managed;
    return 0;
  case cuda::kOrdinal:
    *static_cast<int *>(value) = is.ordinal;
    return 0;
  case cuda::kRangeStart:
    *static_cast<Address *>(value) = device;
    return 0;
  case cuda::kRangeSize:
    *static_cast<size_t *>(value) = device ? state.device[device] : 0;
    return 0;
  }
  state.complain("cuPointerGetAttribute(%d)", attribute);
  return cuda::kInvalidValue;
}

Result cuStreamCreate(cuda::Stream *stream, unsigned) {
  STUB_FUNCTION(cuStreamCreate, true);
  auto *made = new StreamState();
  state.streams.insert(made);
  *stream = reinterpret_cast<cuda::Stream>(made);
  return 0;
}

Result cuStreamDestroy_v2(cuda::Stream handle) {
  STUB_RELEASE(cuStreamDestroy_v2, true);
  StreamState *stream = streamOf(state, handle);
  if (!stream || !state.streams.erase(stream)) {
    state.complain("a stream is destroyed that is not the runtime's");
    return cuda::kInvalidValue;
  }
  state.drain(stream);
  delete stream;
  return error;
}

Result cuStreamSynchronize(cuda::Stream handle) {
  STUB_FUNCTION(cuStreamSynchronize, true);
  StreamState *stream = streamOf(state, handle);
  return stream ? state.drain(stream) : Result(cuda::kInvalidValue);
}

static Result enqueue(State &state, cuda::Stream handle,
                      std::function<Result()> work) {
  StreamState *stream = streamOf(state, handle);
  if (!stream)
    return cuda::kInvalidValue;
  stream->pending.push_back(std::move(work));
  return 0;
}

//===-- kernels and graphs in streams
//--------------------------------------===//

Result cuLaunchKernel(cuda::Function function, unsigned gridX, unsigned gridY,
                      unsigned gridZ, unsigned blockX, unsigned blockY,
                      unsigned blockZ, unsigned sharedBytes,
                      cuda::Stream handle, void **parameters, void **) {
  STUB_FUNCTION(cuLaunchKernel, true);
  unsigned grid[] = {gridX, gridY, gridZ};
  if (blockY != 1 || blockZ != 1)
    state.complain("a block with more than one dimension");
  auto launch = std::make_shared<LaunchState>();
  if (Result error = makeLaunch(reinterpret_cast<FunctionState *>(function),
                                grid, blockX, sharedBytes, parameters, *launch))
    return error;
  return enqueue(state, handle, [=] { return runLaunch(*launch); });
}

Result cuGraphLaunch(cuda::GraphExec exec, cuda::Stream handle) {
  STUB_FUNCTION(cuGraphLaunch, true);
  if (!state.execs.count(exec)) {
    state.complain("a graph is launched that does not exist");
    return cuda::kInvalidValue;
  }
  // Kernels that do not wait for each other run in the opposite order.
  auto graph =
      std::make_shared<GraphState>(*reinterpret_cast<GraphState *>(exec));
  return enqueue(state, handle, [graph]() -> Result {
    std::vector<bool> done(graph->launches.size());
    for (size_t round = 0; round < done.size(); ++round)
      for (size_t i = done.size(); i-- > 0;) {
        bool ready = !done[i];
        for (size_t before : graph->before[i])
          ready &= done[before];
        if (!ready)
          continue;
        if (Result error = runLaunch(graph->launches[i]))
          return error;
        done[i] = true;
        break;
      }
    return 0;
  });
}
}
