//===- Open.cpp - a model's GPU is opened and closed ----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Driver, device, variant, context, kernels, weights, in this order, so that
// the cheap refusals come first. Closing takes down what there is, and in a
// child after fork() nothing of the driver's, which is the parent's.
//
//===----------------------------------------------------------------------===//
#include "cuda/Gpu.h"

#include "Errors.h"
#include "Options.h"

#include <inttypes.h>
#include <new>
#include <string.h>
#include <unistd.h>

namespace attnrt {

/// Whether after `error` every further call in the context fails as well.
static bool endsContext(cuda::Result error) {
  switch (error) {
  case cuda::kDeinitialized:
  case 46:  // CUDA_ERROR_DEVICE_UNAVAILABLE
  case 214: // ..._ECC_UNCORRECTABLE
  case 220: // ..._NVLINK_UNCORRECTABLE
  case 700: // ..._ILLEGAL_ADDRESS
  case 702: // ..._LAUNCH_TIMEOUT
  case 709: // ..._CONTEXT_IS_DESTROYED
  case 710: // ..._ASSERT
  case 714: // ..._HARDWARE_STACK_ERROR
  case 715: // ..._ILLEGAL_INSTRUCTION
  case 716: // ..._MISALIGNED_ADDRESS
  case 717: // ..._INVALID_ADDRESS_SPACE
  case 718: // ..._INVALID_PC
  case 719: // ..._LAUNCH_FAILED
  case 999: // ..._UNKNOWN
    return true;
  default:
    return false;
  }
}

attn_status Device::failed(cuda::Result error, const char *what) {
  if (endsContext(error))
    lost.store(error, std::memory_order_relaxed);
  return driver.failed(error, name, what);
}

attn_status Device::checkAlive() const {
  if (getpid() != process)
    return fail(ATTN_ERROR_DEVICE,
                "%s: a GPU cannot be used after fork(); open the model in the "
                "child, which must not have used CUDA before it forked",
                name);
  if (cuda::Result error = lost.load(std::memory_order_relaxed))
    return driver.failed(error, name,
                         "the GPU was lost in an earlier call; close the model "
                         "and start the process again");
  return ATTN_OK;
}

namespace cuda {

attn_status Entered::enter() {
  Result error = device.driver.contextPush(device.context);
  entered = error == kSuccess;
  return device.check(error, "entering the GPU's context");
}

Entered::~Entered() {
  Context before;
  if (entered)
    (void)device.driver.contextPop(&before);
}

static attn_status findDevice(Device &device, int32_t ordinal) {
  int count = 0;
  attn_status status =
      device.check(device.driver.deviceCount(&count), "counting GPUs");
  if (status != ATTN_OK)
    return status;
  if (ordinal >= count)
    return fail(count ? ATTN_ERROR_INVALID_ARGUMENT : ATTN_ERROR_DEVICE,
                "%s: options.device asks for GPU %d; the driver shows %d, "
                "counted from 0",
                device.name, ordinal, count);
  device.ordinal = ordinal;
  int major = 0, minor = 0;
  const Driver &driver = device.driver;
  Result error = driver.deviceGet(&device.number, ordinal);
  if (!error)
    error = driver.deviceName(device.title, sizeof(device.title) - 1,
                              device.number);
  if (!error)
    error = driver.deviceAttribute(&major, kMajor, device.number);
  if (!error)
    error = driver.deviceAttribute(&minor, kMinor, device.number);
  if (!error)
    error = driver.deviceAttribute(&device.sharedBytes, kSharedBytes,
                                   device.number);
  device.chip = 10 * major + minor;
  return device.check(error, "asking what the GPU is");
}

/// Writes what keeps `variant` from running on the device; true if nothing.
static bool runs(const Device &device, const attn_abi_variant &variant,
                 Writer &obstacle) {
  const attn_abi_device &tables = *variant.device;
  bool exact = tables.flags & ATTN_DEVICE_EXACT;
  const char *separator = obstacle.length() ? "; " : "";
  if (exact ? device.chip != tables.chip : device.chip < tables.chip) {
    obstacle.print("%s%s needs a chip sm_%d%s", separator, variant.name,
                   tables.chip, exact ? "" : " or newer");
    return false;
  }
  for (int32_t i = 0; i < tables.kernel_count; ++i)
    if (tables.kernels[i].shared_bytes > device.sharedBytes) {
      obstacle.print("%s%s needs %d bytes of shared memory per block, the GPU "
                     "has %d",
                     separator, variant.name, tables.kernels[i].shared_bytes,
                     device.sharedBytes);
      return false;
    }
  return true;
}

static attn_status chooseVariant(attn_model &model, const char *wanted) {
  const attn_abi_library &library = model.library;
  Device &device = *model.device;
  char obstacles[384];
  Writer writer(obstacles, sizeof(obstacles));
  for (int32_t i = 0; i < library.variant_count; ++i) {
    const attn_abi_variant &variant = library.variants[i];
    if (!variant.device || variant.device->driver != &attnrt_cuda ||
        (wanted && strcmp(variant.name, wanted) != 0) ||
        !runs(device, variant, writer))
      continue;
    device.tables = variant.device;
    model.choice.variant = &variant;
    model.choice.usesTiles = false;
    Writer(model.choice.reason, sizeof(model.choice.reason))
        .print("for the chip sm_%d of %s%s%s", device.chip, device.title,
               writer.length() ? "; " : "", writer.length() ? obstacles : "");
    return ATTN_OK;
  }
  return fail(ATTN_ERROR_DEVICE, "%s does not run on cuda:%d, %s (sm_%d): %s",
              library.name, device.ordinal, device.title, device.chip,
              obstacles);
}

static attn_status open(attn_model &model, const attn_options &options,
                        int32_t ordinal) {
  void *block = model.memory.allocate(sizeof(Device), "the device");
  if (!block)
    return ATTN_ERROR_OUT_OF_MEMORY;
  Device &device = *new (block) Device();
  model.device = &device;
  device.name = model.library.name;
  device.process = getpid();
  device.callerStream = static_cast<Stream>(options.stream);
  attn_status status = device.driver.open(device.name);
  if (status == ATTN_OK)
    status = findDevice(device, ordinal);
  if (status == ATTN_OK)
    status = chooseVariant(model, options.variant);
  if (status == ATTN_OK)
    status = device.check(
        device.driver.contextRetain(&device.context, device.number),
        "taking the GPU's primary context");
  if (status != ATTN_OK)
    return status;
  Entered inside(device);
  status = inside.enter();
  if (status == ATTN_OK)
    status = loadModule(model);
  if (status == ATTN_OK)
    status = uploadWeights(model);
  return status;
}

static void close(attn_model &model) {
  Device &device = *model.device;
  const Driver &driver = device.driver;
  // Errors are of no use to anybody now, and after a lost device all fail.
  if (driver.library && getpid() == device.process) {
    if (device.context) {
      {
        Entered inside(device);
        bool entered = inside.enter() == ATTN_OK;
        if (entered && device.weightMemory)
          (void)driver.release(device.weightMemory);
        if (entered && device.module)
          (void)driver.moduleUnload(device.module);
      }
      (void)driver.contextRelease(device.number);
    }
    device.driver.close();
  }
  if (device.weightMemory)
    model.memory.unreserve(device.weightBytes);
  if (device.tables) {
    model.memory.release(device.functions,
                         sizeof(Function) * device.tables->kernel_count);
    model.memory.release(device.weights, sizeof(Address) *
                                             device.tables->weight_count *
                                             (1 + countAdapters(model)));
  }
  device.~Device();
  model.memory.release(&device, sizeof(Device));
  model.device = nullptr;
}

static void describe(const attn_model &model, Writer &json) {
  const Device &device = *model.device;
  int version = 0;
  json.print("\"device\":\"cuda:%d\",\"device_name\":", device.ordinal);
  json.quote(device.title);
  (void)device.driver.version(&version);
  json.print(",\"chip\":\"sm_%d\",\"kernels\":\"%s sm_%d\",\"cuda\":\"%d.%d\","
             "\"device_weights\":%" PRIu64,
             device.chip,
             device.image->flags & ATTN_IMAGE_PTX ? "PTX" : "cubin",
             device.image->chip, version / 1000, version % 1000 / 10,
             device.weightBytes);
}

static uint64_t callBytes(const attn_model &model, int32_t entry,
                          const int64_t *sizes, uint64_t arena) {
  MemoryPlan plan;
  return planMemory(model, entry, sizes, arena, plan) ? plan.total : 0;
}

} // namespace cuda
} // namespace attnrt

extern "C" const attn_abi_driver attnrt_cuda = {"cuda",
                                                attnrt::cuda::open,
                                                attnrt::cuda::close,
                                                attnrt::cuda::openSession,
                                                attnrt::cuda::closeSession,
                                                attnrt::cuda::callBytes,
                                                attnrt::cuda::call,
                                                attnrt::cuda::describe,
                                                attnrt::cuda::takeBlock,
                                                attnrt::cuda::releaseBlock,
                                                attnrt::cuda::copyBlock,
                                                attnrt::cuda::clearBlock,
                                                attnrt::cuda::readBlock,
                                                attnrt::cuda::writeBlock};
