//===- DeviceWeights.cpp - weights go to the GPU --------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Once per model: rows are taken out of the panels of processors, rounded to
// the type that the kernels read, and uploaded piece by piece through pinned
// memory, so that no second copy of the weights ever stands in memory.
//
//===----------------------------------------------------------------------===//
#include "cuda/Gpu.h"

#include "ElementType.h"
#include "Errors.h"

#include <inttypes.h>
#include <string.h>

namespace attnrt {
namespace cuda {

static uint32_t bitsOf(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

/// To nearest, ties to even; NaN stays NaN.
static uint16_t toBfloat(float value) {
  uint32_t bits = bitsOf(value);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static uint16_t toHalf(float value) {
  uint32_t bits = bitsOf(value), sign = bits >> 16 & 0x8000;
  bits &= 0x7fffffff;
  if (bits > 0x7f800000)
    return static_cast<uint16_t>(sign | 0x7e00);
  if (bits >= 0x477ff000) // rounds to 2^16 or more
    return static_cast<uint16_t>(sign | 0x7c00);
  if (bits < 0x38800000) { // below 2^-14: a multiple of 2^-24
    if (bits < 0x33000000)
      return static_cast<uint16_t>(sign); // at most half of the smallest
    int32_t shift = 126 - static_cast<int32_t>(bits >> 23);
    uint32_t fraction = (bits & 0x7fffff) | 0x800000;
    uint32_t rest = fraction & ((1u << shift) - 1), half = 1u << (shift - 1);
    uint32_t result = fraction >> shift;
    result += rest > half || (rest == half && (result & 1));
    return static_cast<uint16_t>(sign | result);
  }
  bits += 0xfff + (bits >> 13 & 1);
  return static_cast<uint16_t>(sign | (bits - 0x38000000) >> 13);
}

/// Number (row, column) of a tensor in panels.
static float numberAt(const attn_abi_panels &panels,
                      const unsigned char *source, int64_t row,
                      int64_t column) {
  const unsigned char *panel = source + row / panels.width * panels.bytes;
  int64_t place = row % panels.width, pack = 32 / panels.bits;
  uint32_t word;
  memcpy(&word, panel + 4 * (column / pack * panels.width + place),
         sizeof(word));
  float result;
  if (panels.bits >= 16) {
    word = panels.bits == 32 ? word : word >> (16 * (column % pack)) << 16;
    memcpy(&result, &word, sizeof(result));
    return result;
  }
  // The number's bits to the top, then down with their sign.
  int32_t shift = 32 - panels.bits * static_cast<int32_t>(column % pack + 1);
  int32_t q = static_cast<int32_t>(word << shift) >> (32 - panels.bits);
  int64_t group = panels.group ? column / panels.group : 0;
  memcpy(&result, panel + panels.scales + 4 * (group * panels.width + place),
         sizeof(result));
  return result * static_cast<float>(q);
}

/// Writes a number in the device's type, and returns the place of the next.
static unsigned char *put(float value, attn_dtype dtype, unsigned char *to) {
  if (dtype == ATTN_F32) {
    memcpy(to, &value, sizeof(value));
    return to + sizeof(value);
  }
  uint16_t narrow = dtype == ATTN_BF16 ? toBfloat(value) : toHalf(value);
  memcpy(to, &narrow, sizeof(narrow));
  return to + sizeof(narrow);
}

/// Converts elements [first, first + count) of the device's order.
static void convert(const attn_abi_device_weight &weight, attn_dtype from,
                    const unsigned char *source, int64_t first, int64_t count,
                    unsigned char *to) {
  if (!weight.panels && from == weight.dtype) {
    int64_t bytes = elementType(from).bytes;
    memcpy(to, source + first * bytes, count * bytes);
    return;
  }
  int64_t row = first / weight.columns, column = first % weight.columns;
  for (int64_t i = 0; i < count; ++i) {
    float value;
    if (weight.panels)
      value = numberAt(*weight.panels, source, row, column);
    else
      memcpy(&value, source + (first + i) * sizeof(value), sizeof(value));
    to = put(value, weight.dtype, to);
    if (++column == weight.columns) {
      column = 0;
      ++row;
    }
  }
}

static uint64_t bytesOf(const attn_abi_device_weight &weight) {
  return static_cast<uint64_t>(weight.rows) * weight.columns *
         elementType(weight.dtype).bytes;
}

/// Uploads one weight to `to`, through `pinned` of `capacity` bytes.
static attn_status upload(attn_model &model,
                          const attn_abi_device_weight &weight, Address to,
                          unsigned char *pinned, uint64_t capacity) {
  Device &device = *model.device;
  attn_dtype from = model.library.weights[weight.weight].dtype;
  const unsigned char *source = model.weights.pointers()[weight.weight];
  int64_t element = elementType(weight.dtype).bytes;
  int64_t total = weight.rows * weight.columns;
  int64_t most = static_cast<int64_t>(capacity) / element;
  for (int64_t first = 0; first < total; first += most) {
    int64_t count = total - first < most ? total - first : most;
    convert(weight, from, source, first, count, pinned);
    Result error = device.driver.upload(to + first * element, pinned,
                                        count * element, nullptr);
    if (!error)
      error = device.driver.streamWait(nullptr);
    if (error)
      return device.failed(error, "uploading the weights");
  }
  return ATTN_OK;
}

attn_status uploadWeights(attn_model &model) {
  Device &device = *model.device;
  const attn_abi_device &tables = *device.tables;
  if (tables.weight_count == 0)
    return ATTN_OK;
  device.weights = static_cast<Address *>(model.memory.allocate(
      sizeof(Address) * tables.weight_count, "the table of weights"));
  if (!device.weights)
    return ATTN_ERROR_OUT_OF_MEMORY;
  uint64_t total = 0, largest = 0;
  for (int32_t i = 0; i < tables.weight_count; ++i) {
    device.weights[i] = total; // made an address below
    uint64_t bytes = bytesOf(tables.weights[i]);
    total += aligned(bytes);
    largest = bytes > largest ? bytes : largest;
  }
  if (!model.memory.reserve(total, "the weights on the GPU"))
    return ATTN_ERROR_OUT_OF_MEMORY;
  attn_status status =
      device.check(device.driver.allocate(&device.weightMemory, total),
                   "taking the GPU's memory for the weights");
  if (status != ATTN_OK) {
    device.weightMemory = 0;
    model.memory.unreserve(total);
    return status;
  }
  device.weightBytes = total;
  constexpr uint64_t piece = 4 << 20;
  uint64_t capacity = largest < piece ? largest : piece;
  void *pinned = nullptr;
  status = device.check(device.driver.allocateHost(&pinned, capacity, 0),
                        "taking pinned memory to upload the weights");
  for (int32_t i = 0; i < tables.weight_count && status == ATTN_OK; ++i) {
    device.weights[i] += device.weightMemory;
    status = upload(model, tables.weights[i], device.weights[i],
                    static_cast<unsigned char *>(pinned), capacity);
  }
  if (pinned) {
    if (status != ATTN_OK) // a copy may still read it
      (void)device.driver.streamWait(nullptr);
    (void)device.driver.releaseHost(pinned);
  }
  return status;
}

} // namespace cuda
} // namespace attnrt
