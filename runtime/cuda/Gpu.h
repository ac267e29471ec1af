//===- Gpu.h - a GPU as a model and a session hold it -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything of a model that lies on the GPU, immutable once open but for the
// error that ended it; everything of a session, which belongs to one thread at
// a time. Whoever calls the driver enters the device first.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_CUDA_GPU_H
#define ATTN_RUNTIME_CUDA_GPU_H

#include "Device.h"
#include "Session.h"
#include "cuda/Driver.h"

#include <atomic>
#include <sys/types.h>

namespace attnrt {

struct Device {
  cuda::Driver driver;
  const char *name = nullptr; ///< of the library, for messages
  cuda::DeviceNumber number = 0;
  int32_t ordinal = 0, chip = 0, sharedBytes = 0; ///< chip: 90 for sm_90
  char title[96] = "";                            ///< "NVIDIA H100 PCIe"
  pid_t process = 0;
  cuda::Context context = nullptr;
  cuda::Stream callerStream = nullptr;
  cuda::ModuleHandle module = nullptr;
  cuda::Function *functions = nullptr; ///< [kernel_count]
  const attn_abi_device *tables = nullptr;
  const attn_abi_image *image = nullptr;

  cuda::Address weightMemory = 0;
  uint64_t weightBytes = 0;
  /// [1 + adapters][weight_count]: without an adapter, then with each.
  cuda::Address *weights = nullptr;

  /// The error after which the context can do nothing more; 0: none.
  std::atomic<cuda::Result> lost{0};

  /// Reports `error` of the driver, and remembers one that ends the context.
  attn_status failed(cuda::Result error, const char *what);
  attn_status check(cuda::Result error, const char *what) {
    return error ? failed(error, what) : ATTN_OK;
  }
  /// Whether the driver still works here: in this process, with no error that
  /// ended the context.
  attn_status checkAlive() const;
};

struct DeviceSession {
  /// A call's launches, evaluated: what kernels get, and what a graph is for.
  struct Plan {
    int64_t *words = nullptr;
    size_t count = 0;
  };
  /// A graph, or a plan seen once.
  struct CachedGraph {
    cuda::GraphExec exec = nullptr;
    int64_t *words = nullptr; ///< a copy
    uint64_t lastUse = 0;
    int32_t entry = -1, uses = 0;
  };
  static constexpr int32_t kGraphs = 8;

  cuda::Stream stream = nullptr; ///< the caller's or its own
  bool ownsStream = false;
  cuda::Address memory = 0; ///< sizes, lengths, inputs, outputs, arena
  uint64_t memoryBytes = 0;
  unsigned char *pinned = nullptr; ///< as memory begins
  uint64_t pinnedBytes = 0;

  /// attn_device_state [states.state_count], then the tables of blocks that
  /// they point to: addresses [groups][sequences][blocks of a sequence].
  cuda::Address states = 0;
  uint64_t stateBytes = 0;

  void *tables = nullptr; ///< one allocation behind the arrays
  size_t tableBytes = 0;
  cuda::Address *arguments = nullptr; ///< [most arguments]
  unsigned char *onDevice = nullptr;  ///< [most arguments]: bool
  Plan plan;
  void **parameters = nullptr;      ///< [most parameters of a launch]
  cuda::TensorMap *maps = nullptr;  ///< the same
  cuda::GraphNode *nodes = nullptr; ///< [of two neighbouring phases]
  CachedGraph graphs[kGraphs];
  uint64_t clock = 0;
};

namespace cuda {

/// Makes the model's context current for as long as it lives.
class Entered {
public:
  explicit Entered(Device &device) : device(device) {}
  ~Entered();
  attn_status enter();

private:
  Device &device;
  bool entered = false;
};

/// Where the parts of a session's memory begin, in bytes.
struct MemoryPlan {
  uint64_t past = 0, inputs = 0, outputs = 0, arena = 0, total = 0;
};
/// False if that is more than 2^63 bytes.
bool planMemory(const attn_model &model, int32_t entry, const int64_t *sizes,
                uint64_t arenaBytes, MemoryPlan &plan);
constexpr uint64_t kAlignment = 256;
inline uint64_t aligned(uint64_t bytes) {
  return (bytes + kAlignment - 1) & ~(kAlignment - 1);
}

// Module.cpp
attn_status loadModule(attn_model &model);
// DeviceWeights.cpp
attn_status uploadWeights(attn_model &model);
size_t countAdapters(const attn_model &model);
// DeviceSession.cpp
attn_status openSession(attn_session &session);
void closeSession(attn_session &session);
attn_status growMemory(attn_session &session, const MemoryPlan &plan);
attn_status growPinned(attn_session &session, uint64_t bytes);
// DeviceStates.cpp
attn_status openStates(attn_session &session);
/// Enqueues what a call's kernels read of the states: the lengths, and tables
/// that have changed.
attn_status uploadStates(attn_session &session, const MemoryPlan &plan);
attn_status takeBlock(attn_session &session, uint64_t bytes,
                      unsigned char *&block);
void releaseBlock(attn_session &session, unsigned char *block, uint64_t bytes);
attn_status copyBlock(attn_session &session, unsigned char *to,
                      const unsigned char *from, uint64_t bytes);
attn_status clearBlock(attn_session &session, unsigned char *block,
                       uint64_t bytes);
attn_status readBlock(attn_session &session, void *to,
                      const unsigned char *from, uint64_t bytes);
attn_status writeBlock(attn_session &session, unsigned char *to,
                       const void *from, uint64_t bytes);
// DeviceCall.cpp
attn_status call(attn_session &session, int32_t entry, const Layout &layout,
                 void *const *given);
// Launches.cpp
/// Most that one plan needs: words of it, parameters of a launch, nodes of two
/// neighbouring phases.
struct PlanSize {
  size_t words = 0, parameters = 0, nodes = 0;
};
void measurePlan(const attn_abi_device_schedule &schedule, PlanSize &size);
/// Fills session.device->plan; arguments and memory are in place.
void evaluatePlan(attn_session &session, int32_t entry, uint64_t arenaOffset);
/// Calls `launch` for every launch of the plan, in order, and `endPhase` after
/// each phase; stops at the first failure.
struct PlanVisitor {
  attn_status (*launch)(void *context, const KernelNode &node);
  attn_status (*endPhase)(void *context);
  void *context;
};
attn_status visitPlan(attn_session &session, int32_t entry,
                      const PlanVisitor &visitor);
// Graphs.cpp
/// Enqueues the plan: as a graph if it has been seen before.
attn_status runPlan(attn_session &session, int32_t entry);
void dropGraphs(attn_session &session);

} // namespace cuda
} // namespace attnrt

#endif // ATTN_RUNTIME_CUDA_GPU_H
