//===- DeviceWeights.cpp - weights go to the GPU --------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Once per model: rows are taken out of the panels of processors, rounded to
// the type that the kernels read, or left as q and scales, and uploaded piece
// by piece through pinned memory, so that no second copy of the weights ever
// stands in memory. Tensors of adapters follow, in the forms of those they
// stand for: to choose an adapter is to read another row of the table of
// addresses.
//
//===----------------------------------------------------------------------===//
#include "cuda/Gpu.h"

#include "ElementType.h"
#include "Errors.h"
#include "cuda/NarrowWeights.h"

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
  return scaleAt(panels, panel, panels.group ? column / panels.group : 0,
                 place) *
         static_cast<float>(q);
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

static bool isNarrow(const attn_abi_device_weight &weight) {
  return weight.panels && weight.dtype == ATTN_I8;
}

static uint64_t bytesOf(const attn_abi_device_weight &weight) {
  if (isNarrow(weight))
    return NarrowLayout(weight).bytes;
  return static_cast<uint64_t>(weight.rows) * weight.columns *
         elementType(weight.dtype).bytes;
}

namespace {
/// Uploads through pinned memory, piece by piece.
class Uploads {
public:
  Uploads(attn_model &model) : model(model), device(*model.device) {}
  ~Uploads();

  /// Takes pinned memory that holds what has to go at once.
  attn_status open();
  /// `tensor` is an index of the library's weights.
  attn_status run(const attn_abi_device_weight &weight, int32_t tensor,
                  Address to);

private:
  attn_status send(Address to, uint64_t bytes);
  attn_status runNarrow(const attn_abi_device_weight &weight,
                        const unsigned char *source, Address to);

  attn_model &model;
  Device &device;
  unsigned char *pinned = nullptr;
  uint64_t capacity = 0;
};
} // namespace

attn_status Uploads::open() {
  const attn_abi_device &tables = *device.tables;
  constexpr uint64_t piece = 4 << 20;
  for (int32_t i = 0; i < tables.weight_count; ++i) {
    uint64_t bytes = bytesOf(tables.weights[i]);
    bytes = bytes < piece ? bytes : piece;
    if (isNarrow(tables.weights[i])) {
      // Rows and groups go whole.
      NarrowLayout layout(tables.weights[i]);
      uint64_t row = layout.rowBytes, group = 4 * layout.scaleStride;
      bytes = bytes < row ? row : bytes;
      bytes = bytes < group ? group : bytes;
    }
    capacity = bytes > capacity ? bytes : capacity;
  }
  if (!model.memory.reserve(capacity, "pinned memory to upload the weights"))
    return ATTN_ERROR_OUT_OF_MEMORY;
  void *memory = nullptr;
  attn_status status =
      device.check(device.driver.allocateHost(&memory, capacity, 0),
                   "taking pinned memory to upload the weights");
  if (status == ATTN_OK)
    pinned = static_cast<unsigned char *>(memory);
  else
    model.memory.unreserve(capacity);
  return status;
}

Uploads::~Uploads() {
  if (!pinned)
    return;
  // A copy that has failed may still read it.
  (void)device.driver.streamWait(nullptr);
  (void)device.driver.releaseHost(pinned);
  model.memory.unreserve(capacity);
}

attn_status Uploads::send(Address to, uint64_t bytes) {
  Result error = device.driver.upload(to, pinned, bytes, nullptr);
  if (!error)
    error = device.driver.streamWait(nullptr);
  return device.check(error, "uploading the weights");
}

attn_status Uploads::run(const attn_abi_device_weight &weight, int32_t tensor,
                         Address to) {
  const unsigned char *source = model.weights.pointers()[tensor];
  if (isNarrow(weight))
    return runNarrow(weight, source, to);
  attn_dtype from = model.library.weights[tensor].dtype;
  int64_t element = elementType(weight.dtype).bytes;
  int64_t total = weight.rows * weight.columns;
  int64_t most = static_cast<int64_t>(capacity) / element;
  attn_status status = ATTN_OK;
  for (int64_t first = 0; first < total && status == ATTN_OK; first += most) {
    int64_t count = total - first < most ? total - first : most;
    convert(weight, from, source, first, count, pinned);
    status = send(to + first * element, count * element);
  }
  return status;
}

attn_status Uploads::runNarrow(const attn_abi_device_weight &weight,
                               const unsigned char *source, Address to) {
  NarrowLayout layout(weight);
  int64_t most = static_cast<int64_t>(capacity) / layout.rowBytes;
  attn_status status = ATTN_OK;
  for (int64_t first = 0; first < weight.rows && status == ATTN_OK;
       first += most) {
    int64_t count = weight.rows - first < most ? weight.rows - first : most;
    for (int64_t i = 0; i < count; ++i)
      layout.writeRow(weight, source, first + i, pinned + i * layout.rowBytes);
    status = send(to + first * layout.rowBytes, count * layout.rowBytes);
  }
  int64_t group = 4 * layout.scaleStride;
  for (int64_t i = 0; i < layout.groups && status == ATTN_OK; ++i) {
    layout.writeScales(weight, source, i, pinned);
    status = send(to + layout.scaleOffset + i * group, group);
  }
  return status;
}

//===-- all of a model's --------------------------------------------------===//

size_t countAdapters(const attn_model &model) {
  const attn_abi_adapters *adapters = model.library.adapters;
  return adapters ? adapters->adapter_count : 0;
}

/// The tensor of device weight `index` without an adapter (0), or with one.
static int32_t tensorOf(const attn_model &model, size_t adapter,
                        int32_t index) {
  int32_t tensor = model.device->tables->weights[index].weight;
  if (adapter == 0)
    return tensor;
  const attn_abi_adapters &adapters = *model.library.adapters;
  return tensor < adapters.weight_count
             ? adapters.adapters[adapter - 1].weights[tensor]
             : tensor;
}

/// Takes the device's memory for `bytes` of weights.
static attn_status takeMemory(attn_model &model, uint64_t bytes) {
  Device &device = *model.device;
  if (!model.memory.reserve(bytes, "the weights on the GPU"))
    return ATTN_ERROR_OUT_OF_MEMORY;
  attn_status status =
      device.check(device.driver.allocate(&device.weightMemory, bytes),
                   "taking the GPU's memory for the weights");
  if (status == ATTN_OK) {
    device.weightBytes = bytes;
    return ATTN_OK;
  }
  device.weightMemory = 0;
  model.memory.unreserve(bytes);
  return status;
}

attn_status uploadWeights(attn_model &model) {
  Device &device = *model.device;
  const attn_abi_device &tables = *device.tables;
  if (tables.weight_count == 0)
    return ATTN_OK;
  const size_t choices = 1 + countAdapters(model), count = tables.weight_count;
  device.weights = static_cast<Address *>(model.memory.allocate(
      sizeof(Address) * count * choices, "the table of weights"));
  if (!device.weights)
    return ATTN_ERROR_OUT_OF_MEMORY;
  // What an adapter has no tensor of its own for is the model's.
  auto isOwn = [&](size_t choice, size_t i) {
    return choice == 0 || tensorOf(model, choice, i) != tensorOf(model, 0, i);
  };
  uint64_t total = 0;
  for (size_t choice = 0; choice < choices; ++choice)
    for (size_t i = 0; i < count; ++i) {
      device.weights[choice * count + i] = total; // made an address below
      if (isOwn(choice, i))
        total += aligned(bytesOf(tables.weights[i]));
    }
  attn_status status = takeMemory(model, total);
  if (status != ATTN_OK)
    return status;
  Uploads uploads(model);
  status = uploads.open();
  for (size_t choice = 0; choice < choices; ++choice)
    for (size_t i = 0; i < count && status == ATTN_OK; ++i) {
      Address &place = device.weights[choice * count + i];
      if (!isOwn(choice, i)) {
        place = device.weights[i];
        continue;
      }
      place += device.weightMemory;
      status =
          uploads.run(tables.weights[i], tensorOf(model, choice, i), place);
    }
  return status;
}

} // namespace cuda
} // namespace attnrt
