//===- StubState.h - what the stub driver remembers -------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every object that the runtime holds, so that wrong uses and leaks are found.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_GPU_STUB_STUBSTATE_H
#define ATTNC_TEST_GPU_STUB_STUBSTATE_H

#include "cuda/Driver.h"
#include "test/gpu/emulator/Emulator.h"
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace attnc::stub {

namespace cuda = attnrt::cuda;
using cuda::Address;
using cuda::Result;

struct ModuleState {
  std::shared_ptr<emulator::Program> program;
  std::map<std::string, std::unique_ptr<struct FunctionState>> functions;
};

struct FunctionState {
  ModuleState *module;
  std::string name;
  int dynamicLimit = 48 * 1024;
  std::vector<size_t> parameterBytes;
};

struct StreamState {
  std::deque<std::function<Result()>> pending;
};

/// A launch with its parameters copied.
struct LaunchState {
  FunctionState *function;
  emulator::Launch launch;
  std::vector<std::vector<unsigned char>> parameters;
};

struct GraphState { ///< also an executable one
  std::vector<LaunchState> launches;
  std::vector<std::vector<size_t>> before; ///< of each launch
};

struct State {
  std::recursive_mutex mutex;
  // The machine.
  int devices = 1, chip = 80, version = 12040;
  size_t memory = size_t(1) << 30;
  uint64_t seed = 0;
  // What is held.
  bool initialized = false;
  int retained = 0;
  std::map<uintptr_t, size_t> device, pinned;
  std::set<void *> streamsOfTests;
  std::set<uintptr_t> ofTests; ///< device memory that the tests hold
  struct Description {
    unsigned type, managed;
    int ordinal;
  };
  std::map<uintptr_t, Description> described; ///< by the tests
  size_t used = 0;
  std::set<void *> modules, streams, graphs, execs;
  // The thread's contexts; the tests enter from several threads.
  static thread_local int depth;
  // Failing on demand.
  std::string failFunction;
  bool failArmed = false, failAll = false, failed = false;
  uint64_t failNth = 0;
  int failError = 0;
  uint64_t calls = 0;
  std::map<std::string, uint64_t> callsOf;
  int lost = 0; ///< an error that stays
  std::vector<std::pair<std::string, double>> kernelTimes; ///< in us
  // What went wrong.
  std::vector<std::string> complaints;
  std::string report;

  static State &get();
  int sharedLimit() const { ///< bytes of a block that asks for them
    return (chip >= 90 ? 227 : chip == 80 ? 163 : 99) * 1024;
  }
  void complain(const char *format, ...) __attribute__((format(printf, 2, 3)));
  /// Counts a call; the error that it shall return, or 0.
  Result begin(const char *function, bool needsContext);
  /// The allocation that holds [address, address + bytes), or 0.
  static uintptr_t find(const std::map<uintptr_t, size_t> &blocks,
                        uintptr_t address, size_t bytes);
  /// What a function that gives something back returns: it does so even if it
  /// reports an error, an earlier one's perhaps.
  Result beginRelease(const char *function, bool needsContext, bool &proceeds);
  /// The context is gone, and all in it.
  void dropContext();
  void dropModules();
  void freeDevice(void *memory);
  size_t heldBlocks() const { return device.size() - ofTests.size(); }
  /// Runs what is pending in a stream, or in all of them.
  Result drain(StreamState *stream);
};

/// Lets the host, and so the emulator, at device memory while it lives.
class Unlocked {
public:
  Unlocked();
  ~Unlocked();
};

Result runLaunch(const LaunchState &launch);
/// Copies what `parameters` points to; complains about what does not fit.
Result makeLaunch(FunctionState *function, const unsigned *grid,
                  unsigned threads, unsigned sharedBytes, void **parameters,
                  LaunchState &launch);

} // namespace attnc::stub

// Begins a function of the driver: its checks, and its failure on demand.
#define STUB_FUNCTION(symbol, needsContext)                                    \
  auto &state = attnc::stub::State::get();                                     \
  std::lock_guard<std::recursive_mutex> lock(state.mutex);                     \
  if (attnc::stub::Result error = state.begin(#symbol, needsContext))          \
  return error

// The same for one that gives something back.
#define STUB_RELEASE(symbol, needsContext)                                     \
  auto &state = attnc::stub::State::get();                                     \
  std::lock_guard<std::recursive_mutex> lock(state.mutex);                     \
  bool proceeds;                                                               \
  attnc::stub::Result error =                                                  \
      state.beginRelease(#symbol, needsContext, proceeds);                     \
  if (!proceeds)                                                               \
  return error

#endif // ATTNC_TEST_GPU_STUB_STUBSTATE_H
