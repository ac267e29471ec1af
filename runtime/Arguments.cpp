//===- Arguments.cpp - the inputs and outputs of a call -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The element check costs one pass over the ids, a few kilobytes: it is what
// keeps a wild id from reading beyond the embedding table.
//
//===----------------------------------------------------------------------===//
#include "Arguments.h"

#include "ElementType.h"
#include "Errors.h"

#include <inttypes.h>

namespace attnrt {

attn_status argumentBytes(const attn_abi_entry &entry,
                          const attn_abi_argument &argument,
                          const int64_t *sizes, int64_t &bytes) {
  bytes = elementType(argument.dtype).bytes;
  for (int32_t axis = 0; axis < argument.rank; ++axis) {
    int64_t dimension = argument.dims[axis];
    if (dimension < 0)
      dimension = sizes[-1 - dimension];
    if (__builtin_mul_overflow(bytes, dimension, &bytes))
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "%s: %s would have more than 2^63 bytes", entry.name,
                  argument.name);
  }
  return ATTN_OK;
}

/// Index of the first element outside [minimum, maximum]; -1 without one.
static int64_t findOutside(const int32_t *elements, int64_t count,
                           int64_t minimum, int64_t maximum) {
  if (minimum < INT32_MIN)
    minimum = INT32_MIN;
  if (maximum > INT32_MAX)
    maximum = INT32_MAX;
  if (minimum > maximum)
    return count > 0 ? 0 : -1;
  uint32_t base = static_cast<uint32_t>(minimum);
  uint32_t span = static_cast<uint32_t>(maximum - minimum);
  constexpr int64_t block = 1024;
  for (int64_t begin = 0; begin < count; begin += block) {
    int64_t end = begin + block < count ? begin + block : count;
    uint32_t outside = 0; // no early exit: this loop vectorizes
    for (int64_t i = begin; i < end; ++i)
      outside |= static_cast<uint32_t>(elements[i]) - base > span;
    if (!outside)
      continue;
    for (int64_t i = begin; i < end; ++i)
      if (static_cast<uint32_t>(elements[i]) - base > span)
        return i;
  }
  return -1;
}

/// Checks the elements of an I32 input; `bytes` is its size.
static attn_status checkElements(const attn_abi_entry &entry,
                                 const attn_abi_argument &argument,
                                 const void *data, int64_t bytes) {
  const int32_t *elements = static_cast<const int32_t *>(data);
  int64_t index = findOutside(elements, bytes / sizeof(int32_t),
                              argument.minimum, argument.maximum);
  if (index < 0)
    return ATTN_OK;
  return fail(ATTN_ERROR_INVALID_ARGUMENT,
              "%s: %s[%" PRId64 "] is %d; expected %" PRId64 " to %" PRId64,
              entry.name, argument.name, index, elements[index],
              argument.minimum, argument.maximum);
}

attn_status checkArguments(const attn_session &session, int32_t entry,
                           void *const *given, const unsigned char *onDevice) {
  const attn_model &model = *session.model;
  const attn_abi_entry &called = model.library.entries[entry];
  const int32_t *slots = model.schedule(entry).argument_slots;
  if (called.argument_count && !given)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s: arguments is NULL",
                called.name);
  for (int32_t i = 0; i < called.argument_count; ++i) {
    const attn_abi_argument &argument = called.arguments[i];
    int64_t bytes = 0;
    attn_status status = argumentBytes(called, argument, session.sizes, bytes);
    if (status != ATTN_OK)
      return status;
    if (!given[i]) {
      if ((argument.flags & ATTN_ARGUMENT_OPTIONAL) && slots[i] >= 0)
        continue;
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "%s: %s is NULL; expected %" PRId64 " bytes", called.name,
                  argument.name, bytes);
    }
    if (onDevice && onDevice[i])
      continue;
    int64_t alignment = elementType(argument.dtype).bytes;
    if (reinterpret_cast<uintptr_t>(given[i]) % alignment)
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "%s: %s is at %p; expected an address divisible by %" PRId64,
                  called.name, argument.name, given[i], alignment);
    if (argument.flags & ATTN_ARGUMENT_RANGE)
      status = checkElements(called, argument, given[i], bytes);
    if (status != ATTN_OK)
      return status;
  }
  return ATTN_OK;
}

void bindArguments(attn_session &session, int32_t entry, void *const *given) {
  const attn_model &model = *session.model;
  const attn_abi_entry &called = model.library.entries[entry];
  const int32_t *slots = model.schedule(entry).argument_slots;
  for (int32_t i = 0; i < called.argument_count; ++i) {
    session.arguments[i] = given[i];
    if (given[i])
      continue;
    void *slot = session.arena + session.slotOffsets[slots[i]];
    session.arguments[i] = slot;
    const attn_abi_argument &argument = called.arguments[i];
    if (i >= called.input_count)
      continue;
    int64_t bytes = 0; // cannot overflow: checkArguments has been here
    (void)argumentBytes(called, argument, session.sizes, bytes);
    int32_t *elements = static_cast<int32_t *>(slot);
    int32_t value = static_cast<int32_t>(argument.default_value);
    for (int64_t at = 0; at < bytes / int64_t(sizeof(int32_t)); ++at)
      elements[at] = value;
  }
}

} // namespace attnrt
