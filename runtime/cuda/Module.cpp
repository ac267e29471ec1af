//===- Module.cpp - kernels are loaded ------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The first image that the chip can run and the driver takes: a cubin where
// there is one, else PTX, which the driver compiles; what it has to say about
// that goes into the error.
//
//===----------------------------------------------------------------------===//
#include "cuda/Gpu.h"

#include "Errors.h"

#include <string.h>

namespace attnrt {
namespace cuda {

static bool fits(const attn_abi_image &image, const Device &device) {
  if (image.flags & ATTN_IMAGE_PTX)
    return image.chip <= device.chip;
  return image.chip / 10 == device.chip / 10 && image.chip <= device.chip;
}

/// Whether another image may fare better.
static bool blamesImage(Result error) {
  return error == kInvalidImage || error == kNoBinary || error == kInvalidPtx ||
         error == kUnsupportedPtx;
}

static attn_status loadImage(Device &device) {
  char log[600] = "";
  Result error = kNoBinary;
  for (int32_t i = 0; i < device.tables->image_count && !device.module; ++i) {
    const attn_abi_image &image = device.tables->images[i];
    if (!fits(image, device))
      continue;
    int options[] = {kErrorLog, kErrorLogBytes};
    void *values[] = {log, reinterpret_cast<void *>(sizeof(log) - 1)};
    device.image = &image;
    error = device.driver.moduleLoad(&device.module, image.data, 2, options,
                                     values);
    if (error && !blamesImage(error))
      break;
  }
  if (!error)
    return ATTN_OK;
  device.module = nullptr;
  attn_status status = device.failed(error, "loading the kernels");
  if (!log[0])
    return status;
  char message[kErrorCapacity];
  Writer(message, sizeof(message)).print("%s; %s", lastError(), log);
  return fail(status, "%s", message);
}

attn_status loadModule(attn_model &model) {
  Device &device = *model.device;
  attn_status status = loadImage(device);
  if (status != ATTN_OK)
    return status;
  int32_t count = device.tables->kernel_count;
  if (count == 0)
    return ATTN_OK;
  device.functions = static_cast<Function *>(
      model.memory.allocate(sizeof(Function) * count, "the table of kernels"));
  if (!device.functions)
    return ATTN_ERROR_OUT_OF_MEMORY;
  for (int32_t i = 0; i < count; ++i) {
    const attn_abi_kernel &kernel = device.tables->kernels[i];
    Result error = device.driver.moduleFunction(&device.functions[i],
                                                device.module, kernel.name);
    // Up to 48 KiB need no leave.
    if (!error && kernel.shared_bytes > 48 * 1024)
      error = device.driver.functionSet(device.functions[i], kMaxDynamicShared,
                                        kernel.shared_bytes);
    if (error)
      return device.failed(error, kernel.name);
  }
  return ATTN_OK;
}

} // namespace cuda
} // namespace attnrt
