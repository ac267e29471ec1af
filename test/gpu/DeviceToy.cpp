//===- DeviceToy.cpp - a library for a GPU, written by hand ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tables as the compiler writes them, with an image that is LLVM IR because
// the stub driver takes it for PTX.
//
//===----------------------------------------------------------------------===//
#include "DeviceToy.h"
#include "ToyParts.h"
#include <cmath>
#include <cstring>

namespace devicetoy {
namespace {

enum Size : int32_t { Batch, Seq, Tokens, SizeCount };
enum Slot : int32_t { Copied, Values, Mask, Total, SlotCount };

int64_t rounded(int64_t bytes) { return (bytes + 63) / 64 * 64; }

int64_t plan(int64_t *sizes, int32_t, int64_t *offsets, int64_t *scratchOffset,
             int64_t *scratchStride) {
  sizes[Tokens] = sizes[Batch] * sizes[Seq];
  offsets[Copied] = 0;
  offsets[Values] = rounded(4 * kTable);
  offsets[Mask] = offsets[Values] + rounded(4 * sizes[Batch]);
  offsets[Total] = offsets[Mask] + rounded(4 * sizes[Tokens]);
  *scratchOffset = offsets[Total] + rounded(4 * sizes[Batch]);
  *scratchStride = 0;
  return *scratchOffset;
}

void writeZeros(const attn_frame *frame, int32_t, int32_t) {
  memset(frame->arguments[2], 0, 4 * kWidth * frame->sizes[Batch]);
}

const int64_t columns[] = {ATTN_OPERATION_NUMBER, kWidth};
const int64_t tableSize[] = {ATTN_OPERATION_NUMBER, kTable};
// ceil(batch / 32), the long way round: every operation
const int64_t blocks[] = {ATTN_OPERATION_SIZE,
                          Batch,
                          ATTN_OPERATION_NUMBER,
                          2,
                          ATTN_OPERATION_MULTIPLY,
                          ATTN_OPERATION_NUMBER,
                          64,
                          ATTN_OPERATION_CEIL_DIVIDE,
                          ATTN_OPERATION_NUMBER,
                          7,
                          ATTN_OPERATION_ADD,
                          ATTN_OPERATION_NUMBER,
                          7,
                          ATTN_OPERATION_SUBTRACT,
                          ATTN_OPERATION_NUMBER,
                          1000,
                          ATTN_OPERATION_MINIMUM,
                          ATTN_OPERATION_NUMBER,
                          1,
                          ATTN_OPERATION_MAXIMUM,
                          ATTN_OPERATION_NUMBER,
                          1,
                          ATTN_OPERATION_DIVIDE};
const int64_t batch[] = {ATTN_OPERATION_SIZE, Batch};
const attn_abi_expression grid = {blocks, sizeof(blocks) / 8};
const attn_abi_expression none = {nullptr, 0};

attn_abi_parameter pointer(int32_t kind, int32_t index) {
  return {kind, index, none, nullptr};
}

/// The tables of the entry's launches, which name each other.
struct Launches {
  attn_abi_expression extents[1] = {{tableSize, 2}};
  int32_t box[1] = {112};
  attn_abi_tensor_map map{};
  attn_abi_parameter count[2], copy[2], sum[5], scale[6], total[4];
  attn_abi_launch first[2], second[1], third[2];
  attn_abi_device_phase phases[3];
  attn_abi_device_schedule schedule;

  Launches() {
    map.base = pointer(ATTN_PARAMETER_WEIGHT, 0);
    map.dtype = ATTN_F32;
    map.rank = 1;
    map.extents = extents;
    map.box = box;
    attn_abi_parameter sizes = pointer(ATTN_PARAMETER_SIZES, 0);
    attn_abi_parameter values = pointer(ATTN_PARAMETER_SLOT, Values);
    attn_abi_parameter copied = pointer(ATTN_PARAMETER_SLOT, Copied);
    attn_abi_parameter mask = pointer(ATTN_PARAMETER_ARGUMENT, 1);
    count[0] = sizes;
    count[1] = mask;
    copy[0] = {ATTN_PARAMETER_MAP, 0, none, &map};
    copy[1] = copied;
    sum[0] = sizes;
    sum[1] = pointer(ATTN_PARAMETER_ARGUMENT, 0);
    sum[2] = mask;
    sum[3] = copied;
    sum[4] = values;
    scale[0] = sizes;
    scale[1] = values;
    scale[2] = pointer(ATTN_PARAMETER_WEIGHT, 1);
    scale[3] = pointer(ATTN_PARAMETER_ARGUMENT, 2);
    scale[4] = {ATTN_PARAMETER_I32, 0, {columns, 2}, nullptr};
    float half = 0.5f;
    scale[5] = pointer(ATTN_PARAMETER_F32, 0);
    memcpy(&scale[5].index, &half, 4);
    total[0] = sizes;
    total[1] = values;
    total[2] = pointer(ATTN_PARAMETER_ARGUMENT, 3);
    total[3] = {ATTN_PARAMETER_I64, 0, {batch, 2}, nullptr};
    first[0] = {0, {none, none, none}, count, 2};
    first[1] = {1, {none, none, none}, copy, 2};
    second[0] = {2, {grid, none, none}, sum, 5};
    third[0] = {3, {grid, none, none}, scale, 6};
    third[1] = {4, {grid, none, none}, total, 4};
    phases[0] = {"count", first, 2};
    phases[1] = {"sum", second, 1};
    phases[2] = {"scale", third, 2};
    schedule = {phases, 3};
  }
};

const Launches launches;

const attn_abi_kernel kernels[] = {{"count", 32, 0},
                                   {"copy", 32, 60 * 1024},
                                   {"sum", 32, 0},
                                   {"scale", 32, 0},
                                   {"total", 32, 0}};
const attn_abi_panels panels = {16, 32, 0, 4 * 16, 4 * 16};
const attn_abi_device_weight deviceWeights[] = {
    {0, ATTN_F32, kTable, 1, &panels}, {1, ATTN_BF16, 1, kWidth, nullptr}};

struct Variants {
  attn_abi_image images[2];
  attn_abi_device devices[2];
  attn_abi_phase zeros[1] = {};
  int32_t slots[4] = {-1, Mask, -1, Total};
  attn_abi_schedule gpu{}, processor{};
  attn_abi_variant both[3], alone[1];

  Variants() {
    // A cubin that no driver takes comes first.
    static const unsigned char broken[] = "broken";
    static const std::string image = toyparts::readKernels("toy.ll");
    auto *text = reinterpret_cast<const unsigned char *>(image.c_str());
    images[0] = {broken, sizeof(broken), 80, 0};
    images[1] = {text, image.size() + 1, 80, ATTN_IMAGE_PTX};
    for (attn_abi_device &device : devices)
      device = {
          &attnrt_cuda,      80, 0, images, 2, kernels, 5, deviceWeights, 2,
          &launches.schedule};
    devices[0].chip = 90;
    devices[0].flags = ATTN_DEVICE_EXACT;
    gpu.plan = processor.plan = plan;
    gpu.slot_count = processor.slot_count = SlotCount;
    gpu.argument_slots = processor.argument_slots = slots;
    zeros[0].run = writeZeros;
    zeros[0].name = "zeros";
    processor.phases = zeros;
    processor.phase_count = 1;
    both[0] = {"sm_90a", 0, &gpu, &devices[0]};
    both[1] = {"sm_80", 0, &gpu, &devices[1]};
    both[2] = {"x86-64", 0, &processor, nullptr};
    alone[0] = both[1];
  }
};

const Variants variants;

const attn_abi_size sizes[] = {
    {"batch", 1, kBatch}, {"seq", 1, kSeq}, {"tokens", 0, kBatch * kSeq}};
const int64_t rowsBySeq[] = {-1, -2}, rowsByWidth[] = {-1, kWidth},
              onlyRows[] = {-1};
const attn_abi_argument arguments[] = {
    {"ids", ATTN_I32, ATTN_ARGUMENT_RANGE, 2, rowsBySeq, 0, kTable - 1, 0},
    {"mask", ATTN_I32, ATTN_ARGUMENT_RANGE | ATTN_ARGUMENT_OPTIONAL, 2,
     rowsBySeq, 0, 1, 1},
    {"out", ATTN_F32, ATTN_ARGUMENT_OUTPUT, 2, rowsByWidth, 0, 0, 0},
    {"total", ATTN_F32, ATTN_ARGUMENT_OUTPUT | ATTN_ARGUMENT_OPTIONAL, 1,
     onlyRows, 0, 0, 0}};
const int32_t callerSizes[] = {Batch, Seq};
constexpr int64_t kPadded = 112; ///< the table in panels of 16
const attn_abi_weight weights[] = {{"table", ATTN_F32, 4 * kPadded},
                                   {"scale", ATTN_F32, 4 * kWidth}};

struct Entries {
  attn_abi_entry entries[1] = {};
  Entries() {
    entries[0].name = "scale";
    entries[0].sizes = callerSizes;
    entries[0].size_count = 2;
    entries[0].arguments = arguments;
    entries[0].input_count = 2;
    entries[0].argument_count = 4;
  }
};
const Entries entries;

attn_abi_library libraryOf(const attn_abi_variant *first, int32_t count) {
  attn_abi_library library{};
  library.abi_version = ATTN_ABI_VERSION;
  library.name = "toy";
  library.description = "{}";
  library.sizes = sizes;
  library.size_count = SizeCount;
  library.entries = entries.entries;
  library.entry_count = 1;
  library.variants = first;
  library.variant_count = count;
  library.weights = weights;
  library.weight_count = 2;
  library.layout_fingerprint = "layout01";
  library.content_digest = "content01";
  return library;
}

float tableAt(int64_t id) { return 0.37f * float(id) - 9; }
float scaleAt(int64_t k) { return 1.0f + 0.3f * float(k); }

float roundedToBfloat(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
  memcpy(&value, &bits, 4);
  return value;
}

std::vector<unsigned char> bytesOf(const std::vector<float> &values) {
  auto *bytes = reinterpret_cast<const unsigned char *>(values.data());
  return {bytes, bytes + sizeof(float) * values.size()};
}

toyparts::WeightsInMemory weightsFile() {
  std::vector<float> table, scale;
  for (int64_t i = 0; i < kPadded; ++i) // padding must not be read
    table.push_back(i < kTable ? tableAt(i) : NAN);
  for (int64_t k = 0; k < kWidth; ++k)
    scale.push_back(scaleAt(k));
  return {"layout01",
          "content01",
          {{"table", "F32", "7,1,16", bytesOf(table)},
           {"scale", "F32", "5", bytesOf(scale)}}};
}

} // namespace

const attn_abi_library gpuOnly = libraryOf(variants.alone, 1);
const attn_abi_library both = libraryOf(variants.both, 3);
attn_options options() {
  static const toyparts::WeightsInMemory weights = weightsFile();
  return weights.options();
}

Changed::Changed() : library(gpuOnly) {
  variant = library.variants[0];
  device = *variant.device;
  schedule = *variant.schedules;
  images.assign(device.images, device.images + device.image_count);
  kernels.assign(device.kernels, device.kernels + device.kernel_count);
  sizes.assign(library.sizes, library.sizes + library.size_count);
  const attn_abi_device_schedule &given = *device.schedules;
  phases.assign(given.phases, given.phases + given.phase_count);
  for (const attn_abi_device_phase &phase : phases)
    launches.emplace_back(phase.launches, phase.launches + phase.launch_count);
}

const attn_abi_library &Changed::prepare() {
  for (size_t i = 0; i < launches.size(); ++i)
    phases[i].launches = launches[i].data();
  deviceSchedule = {phases.data(), int32_t(phases.size())};
  device.schedules = &deviceSchedule;
  device.images = images.data();
  device.image_count = int32_t(images.size());
  device.kernels = kernels.data();
  variant.device = &device;
  variant.schedules = &schedule;
  library.sizes = sizes.data();
  library.variants = &variant;
  return library;
}

Call::Call(int64_t batch, int64_t seq)
    : sizes{batch, seq}, ids(batch * seq), mask(batch * seq),
      out(batch * kWidth, NAN), total(batch, NAN) {
  uint32_t random = 12345 + uint32_t(batch * 64 + seq);
  for (size_t i = 0; i < ids.size(); ++i) {
    random = random * 1664525 + 1013904223;
    ids[i] = (random >> 8) % kTable;
    mask[i] = random >> 20 & 1;
  }
}

std::vector<void *> Call::arguments(bool withMask, bool withTotal) {
  return {ids.data(), withMask ? mask.data() : nullptr, out.data(),
          withTotal ? total.data() : nullptr};
}

bool Call::isRight(bool withMask, bool withTotal) const {
  auto near = [](float value, double truth) {
    return std::fabs(value - truth) <= 1e-4 * (1 + std::fabs(truth));
  };
  int64_t kept = 0;
  for (int32_t m : mask)
    kept += withMask ? m : 1;
  for (int64_t b = 0; b < sizes[0]; ++b) {
    double sum = 0;
    for (int64_t s = b * sizes[1]; s < (b + 1) * sizes[1]; ++s)
      sum += !withMask || mask[s] ? tableAt(ids[s]) : 0;
    for (int64_t k = 0; k < kWidth; ++k)
      if (!near(out[b * kWidth + k], sum * roundedToBfloat(scaleAt(k)) + 0.5))
        return false;
    if (withTotal && !near(total[b], sum + kept))
      return false;
  }
  return true;
}

} // namespace devicetoy
