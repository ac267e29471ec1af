//===- Device.cpp - which device runs a model -----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// NULL and "auto" are not the same: a program that names no device gets the
// processor wherever that is possible, and never a GPU by surprise.
//
//===----------------------------------------------------------------------===//
#include "Device.h"

#include "Errors.h"
#include "Model.h"
#include "Processor.h"

#include <string.h>

namespace attnrt {

static const attn_abi_variant *
findDeviceVariant(const attn_abi_library &library, const char *name) {
  for (int32_t i = 0; i < library.variant_count; ++i) {
    const attn_abi_variant &variant = library.variants[i];
    if (variant.device && (!name || strcmp(variant.name, name) == 0))
      return &variant;
  }
  return nullptr;
}

static bool holdsProcessorVariant(const attn_abi_library &library) {
  for (int32_t i = 0; i < library.variant_count; ++i)
    if (!library.variants[i].device)
      return true;
  return false;
}

/// Reads N of "cuda:N"; false if `text` is not of this form.
static bool readOrdinal(const char *text, int32_t &ordinal) {
  for (const char *begin = "cuda:"; *begin; ++begin, ++text)
    if (*text != *begin)
      return false;
  ordinal = 0;
  if (!*text)
    return false;
  for (; *text; ++text) {
    if (*text < '0' || *text > '9' || ordinal > 9999)
      return false;
    ordinal = 10 * ordinal + (*text - '0');
  }
  return true;
}

static attn_status readDevice(const attn_abi_library &library,
                              const char *device, DeviceRequest &request) {
  if (strcmp(device, "cpu") == 0) {
    request.kind = DeviceRequest::Processor;
    return ATTN_OK;
  }
  if (strcmp(device, "auto") == 0) {
    request.kind = DeviceRequest::Any;
    return ATTN_OK;
  }
  request.kind = DeviceRequest::Gpu;
  if (strcmp(device, "cuda") == 0 || readOrdinal(device, request.ordinal))
    return ATTN_OK;
  return fail(ATTN_ERROR_INVALID_ARGUMENT,
              "%s: options.device is \"%s\"; expected \"cpu\", \"cuda\", "
              "\"cuda:N\" or \"auto\"",
              library.name, device);
}

attn_status chooseDevice(const attn_abi_library &library,
                         const attn_options &options, DeviceRequest &request) {
  bool hasProcessor = holdsProcessorVariant(library);
  bool hasGpu = findDeviceVariant(library, nullptr) != nullptr;
  bool namesGpu =
      options.variant && findDeviceVariant(library, options.variant);
  if (options.device) {
    attn_status status = readDevice(library, options.device, request);
    if (status != ATTN_OK)
      return status;
  } else {
    request.kind = namesGpu || !hasProcessor ? DeviceRequest::Gpu
                                             : DeviceRequest::Processor;
  }
  if (request.kind == DeviceRequest::Any && !hasGpu)
    request.kind = DeviceRequest::Processor;
  // Who names a variant has chosen.
  if (request.kind == DeviceRequest::Any && options.variant)
    request.kind = namesGpu || !hasProcessor ? DeviceRequest::Gpu
                                             : DeviceRequest::Processor;
  if (request.kind == DeviceRequest::Gpu && !hasGpu)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.device is \"%s\", but this library was compiled "
                "for processors only; compile it with --target=sm_80 too",
                library.name, options.device);
  if (request.kind == DeviceRequest::Processor && !hasProcessor)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.device is \"cpu\", but this library was compiled "
                "for GPUs only; compile it with --target=x86-64-v3 too",
                library.name);
  if (request.kind == DeviceRequest::Processor && namesGpu)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.variant %s is for a GPU, but options.device is "
                "\"cpu\"",
                library.name, options.variant);
  if (request.kind == DeviceRequest::Gpu && options.variant && !namesGpu)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.variant %s is not for a GPU, but options.device "
                "is \"%s\"",
                library.name, options.variant,
                options.device ? options.device : "cuda");
  if (request.kind == DeviceRequest::Processor && options.stream)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.stream is for GPUs; options.device is \"%s\"",
                library.name, options.device ? options.device : "cpu");
  return ATTN_OK;
}

attn_status openDevice(attn_model &model, const attn_options &options,
                       const DeviceRequest &request) {
  const attn_abi_library &library = model.library;
  const attn_abi_driver &driver =
      *findDeviceVariant(library, nullptr)->device->driver;
  attn_status status = driver.open(model, options, request.ordinal);
  // Who lends a stream has a GPU, whose pointers are of no use to a processor.
  if (status == ATTN_OK || request.kind != DeviceRequest::Any ||
      options.stream || !holdsProcessorVariant(library))
    return status;
  char obstacle[300];
  Writer(obstacle, sizeof(obstacle)).print("%s", lastError());
  if (model.device)
    driver.close(model);
  status = chooseVariant(library, nullptr, processorFeatures(), model.choice);
  if (status != ATTN_OK)
    return status;
  char reason[sizeof(model.choice.reason)];
  Writer(reason, sizeof(reason))
      .print("%s; no GPU: %s", model.choice.reason, obstacle);
  memcpy(model.choice.reason, reason, sizeof(reason));
  return ATTN_OK;
}

void closeDevice(attn_model &model) {
  // The variant may not have been chosen yet.
  findDeviceVariant(model.library, nullptr)->device->driver->close(model);
}

} // namespace attnrt
