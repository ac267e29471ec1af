//===- Options.cpp - what an application asked for ------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// struct_size makes attn_options extensible both ways: a smaller known size is
// an older caller; a larger one is a newer caller, welcome as long as what this
// runtime does not know is zero.
//
//===----------------------------------------------------------------------===//
#include "Options.h"

#include "Errors.h"
#include "ThreadCount.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

namespace attnrt {

// attn_options of ABI version 1 ends behind max_bytes.
static constexpr size_t kFirstOptionsSize =
    offsetof(attn_options, max_bytes) + sizeof(uint64_t);
// Beyond this, struct_size is garbage rather than a future version.
static constexpr size_t kLargestOptionsSize = 4096;

static attn_status copyOptions(const attn_abi_library &library,
                               const attn_options *given,
                               attn_options &options) {
  memset(&options, 0, sizeof(options));
  if (!given) {
    options.struct_size = sizeof(options);
    return ATTN_OK;
  }
  size_t size = given->struct_size;
  if (size < kFirstOptionsSize || size > kLargestOptionsSize)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.struct_size is %zu; expected %zu, "
                "sizeof(attn_options): start from ATTN_OPTIONS_INIT",
                library.name, size, sizeof(attn_options));
  const char *bytes = reinterpret_cast<const char *>(given);
  for (size_t at = sizeof(options); at < size; ++at)
    if (bytes[at])
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "%s: options sets a field at byte %zu, which this library "
                  "does not know; it was built with an older attn.h",
                  library.name, at);
  memcpy(&options, given, size < sizeof(options) ? size : sizeof(options));
  options.struct_size = sizeof(options);
  return ATTN_OK;
}

static attn_status checkWeights(const attn_abi_library &library,
                                const attn_options &options) {
  if (options.weights_path && options.weights_data)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.weights_path and options.weights_data exclude "
                "each other",
                library.name);
  if (options.weights_path && !options.weights_path[0])
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.weights_path is empty; NULL means %s.weights "
                "beside the library",
                library.name, library.name);
  if (!options.weights_data && options.weights_size)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.weights_size is %zu, but options.weights_data is "
                "NULL",
                library.name, options.weights_size);
  if (reinterpret_cast<uintptr_t>(options.weights_data) % 64)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.weights_data must be aligned to 64 bytes; it is "
                "%p",
                library.name, options.weights_data);
  return ATTN_OK;
}

static attn_status checkThreads(const attn_abi_library &library,
                                const attn_options &options) {
  if (options.threads < 0 || options.threads > kMaximumThreads)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.threads is %d; expected 0 (as many as may be "
                "used) to %d",
                library.name, options.threads, kMaximumThreads);
  const attn_executor *executor = options.executor;
  if (!executor)
    return ATTN_OK;
  if (options.threads)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.threads is %d, but options.executor brings its "
                "own threads; set one of them",
                library.name, options.threads);
  if (executor->width < 1 || executor->width > kMaximumThreads)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.executor->width is %d; expected 1 to %d",
                library.name, executor->width, kMaximumThreads);
  if (!executor->parallel_for)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.executor->parallel_for is NULL", library.name);
  return ATTN_OK;
}

attn_status readOptions(const attn_abi_library &library,
                        const attn_options *given, attn_options &options) {
  attn_status status = copyOptions(library, given, options);
  if (status == ATTN_OK)
    status = checkWeights(library, options);
  if (status == ATTN_OK)
    status = checkThreads(library, options);
  if (status != ATTN_OK)
    return status;
  const attn_allocator *allocator = options.allocator;
  if (allocator && (!allocator->allocate || !allocator->release))
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.allocator->%s is NULL", library.name,
                allocator->allocate ? "release" : "allocate");
  return ATTN_OK;
}

void Log::print(attn_log_level level, const char *format, ...) const {
  if (!callback)
    return;
  char line[kErrorCapacity];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  if (length < 0)
    return;
  makeLine(line); // paths come from outside
  callback(context, level, line);
}

} // namespace attnrt
