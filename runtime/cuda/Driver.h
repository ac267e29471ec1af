//===- Driver.h - the functions of NVIDIA's driver --------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What of libcuda.so.1 is used, declared here because no header of CUDA is
// needed to build the runtime, and found at run time because no driver is
// needed to load a library. Names, numbers and layouts are the driver API's.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_CUDA_DRIVER_H
#define ATTN_RUNTIME_CUDA_DRIVER_H

#include "attn/attn.h"

namespace attnrt {
namespace cuda {

using Result = int;
using DeviceNumber = int;
using Address = unsigned long long;
using Context = struct ContextObject *;
using ModuleHandle = struct ModuleObject *;
using Function = struct FunctionObject *;
using Stream = struct StreamObject *;
using Graph = struct GraphObject *;
using GraphNode = struct GraphNodeObject *;
using GraphExec = struct GraphExecObject *;

enum : Result {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNotInitialized = 3,
  kDeinitialized = 4,
  kNoDevice = 100,
  kInvalidDevice = 101,
  kInvalidImage = 200,
  kInvalidContext = 201,
  kNoBinary = 209,
  kInvalidPtx = 218,
  kUnsupportedPtx = 222,
};

enum DeviceAttribute {
  kMultiprocessors = 16,
  kMajor = 75,
  kMinor = 76,
  kSharedBytes = 97, // of a block that asks for more than 48 KiB
};
enum PointerAttribute {
  kMemoryType = 2, // 1: host, 2: device, 4: either
  kIsManaged = 8,
  kOrdinal = 9,
  kRangeStart = 11,
  kRangeSize = 12,
};
enum { kDeviceMemory = 2 };
enum { kMaxDynamicShared = 8 };             // of a function
enum { kErrorLog = 5, kErrorLogBytes = 6 }; // of cuModuleLoadDataEx
enum { kNonBlocking = 1 };                  // a stream of one's own
enum MapType { kU8 = 0, kI32 = 3, kF16 = 6, kF32 = 7, kBF16 = 9 };

struct KernelNode { // CUDA_KERNEL_NODE_PARAMS, first version
  Function function;
  unsigned gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes;
  void **parameters, **extra;
};

struct alignas(64) TensorMap {
  unsigned char bytes[128];
};

// F(field, symbol, parameters)
#define ATTN_CUDA_FUNCTIONS(F)                                                 \
  F(init, cuInit, (unsigned flags))                                            \
  F(version, cuDriverGetVersion, (int *version))                               \
  F(errorName, cuGetErrorName, (Result error, const char **name))              \
  F(errorText, cuGetErrorString, (Result error, const char **text))            \
  F(deviceCount, cuDeviceGetCount, (int *count))                               \
  F(deviceGet, cuDeviceGet, (DeviceNumber * device, int ordinal))              \
  F(deviceName, cuDeviceGetName, (char *name, int bytes, DeviceNumber device)) \
  F(deviceAttribute, cuDeviceGetAttribute,                                     \
    (int *value, int attribute, DeviceNumber device))                          \
  F(contextRetain, cuDevicePrimaryCtxRetain,                                   \
    (Context * context, DeviceNumber device))                                  \
  F(contextRelease, cuDevicePrimaryCtxRelease_v2, (DeviceNumber device))       \
  F(contextPush, cuCtxPushCurrent_v2, (Context context))                       \
  F(contextPop, cuCtxPopCurrent_v2, (Context * context))                       \
  F(moduleLoad, cuModuleLoadDataEx,                                            \
    (ModuleHandle * module, const void *image, unsigned count, int *options,   \
     void **values))                                                           \
  F(moduleUnload, cuModuleUnload, (ModuleHandle module))                       \
  F(moduleFunction, cuModuleGetFunction,                                       \
    (Function * function, ModuleHandle module, const char *name))              \
  F(functionSet, cuFuncSetAttribute,                                           \
    (Function function, int attribute, int value))                             \
  F(memoryInfo, cuMemGetInfo_v2, (size_t *unused, size_t *total))              \
  F(allocate, cuMemAlloc_v2, (Address * address, size_t bytes))                \
  F(release, cuMemFree_v2, (Address address))                                  \
  F(allocateHost, cuMemHostAlloc,                                              \
    (void **memory, size_t bytes, unsigned flags))                             \
  F(releaseHost, cuMemFreeHost, (void *memory))                                \
  F(upload, cuMemcpyHtoDAsync_v2,                                              \
    (Address to, const void *from, size_t bytes, Stream stream))               \
  F(download, cuMemcpyDtoHAsync_v2,                                            \
    (void *to, Address from, size_t bytes, Stream stream))                     \
  F(copy, cuMemcpyDtoDAsync_v2,                                                \
    (Address to, Address from, size_t bytes, Stream stream))                   \
  F(fill, cuMemsetD32Async,                                                    \
    (Address to, unsigned value, size_t count, Stream stream))                 \
  F(pointerAttribute, cuPointerGetAttribute,                                   \
    (void *value, int attribute, Address pointer))                             \
  F(streamCreate, cuStreamCreate, (Stream * stream, unsigned flags))           \
  F(streamDestroy, cuStreamDestroy_v2, (Stream stream))                        \
  F(streamWait, cuStreamSynchronize, (Stream stream))                          \
  F(launch, cuLaunchKernel,                                                    \
    (Function function, unsigned gridX, unsigned gridY, unsigned gridZ,        \
     unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,  \
     Stream stream, void **parameters, void **extra))                          \
  F(graphCreate, cuGraphCreate, (Graph * graph, unsigned flags))               \
  F(graphDestroy, cuGraphDestroy, (Graph graph))                               \
  F(graphAddKernel, cuGraphAddKernelNode,                                      \
    (GraphNode * node, Graph graph, const GraphNode *before, size_t count,     \
     const KernelNode *parameters))                                            \
  F(graphInstantiate, cuGraphInstantiateWithFlags,                             \
    (GraphExec * exec, Graph graph, unsigned long long flags))                 \
  F(graphExecDestroy, cuGraphExecDestroy, (GraphExec exec))                    \
  F(graphLaunch, cuGraphLaunch, (GraphExec exec, Stream stream))               \
  F(encodeMap, cuTensorMapEncodeTiled,                                         \
    (TensorMap * map, int type, unsigned rank, void *base,                     \
     const unsigned long long *extents, const unsigned long long *strides,     \
     const unsigned *box, const unsigned *elementStrides, int interleave,      \
     int swizzle, int promotion, int fill))

/// The driver as one model holds it.
struct Driver {
#define ATTN_CUDA_FIELD(field, symbol, parameters) Result(*field) parameters;
  ATTN_CUDA_FUNCTIONS(ATTN_CUDA_FIELD)
#undef ATTN_CUDA_FIELD
  void *library = nullptr;

  /// Opens libcuda.so.1 and starts it. `name` is the compiled library's, for
  /// messages. On failure nothing is held.
  attn_status open(const char *name);
  void close();

  /// Sets the last error to "NAME: WHAT: CUDA_ERROR_X: the driver's text".
  attn_status failed(Result error, const char *name, const char *what) const;
};

/// Oldest driver: the first that reads the PTX that attnc writes.
constexpr int kOldestDriver = 12000;

} // namespace cuda
} // namespace attnrt

#endif // ATTN_RUNTIME_CUDA_DRIVER_H
