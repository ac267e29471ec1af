//===- StateToy.cpp - a library for a GPU with states ---------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tables as the compiler writes them. The state's rows begin 64 bytes into a
// block of 128.
//
//===----------------------------------------------------------------------===//
#include "StateToy.h"
#include "ToyParts.h"

namespace statetoy {
namespace {

enum Size : int32_t { Batch, Seq, SizeCount };

int64_t plan(int64_t *sizes, int32_t, int64_t *offsets, int64_t *scratchOffset,
             int64_t *scratchStride) {
  // The one slot is the mask of callers who give none.
  offsets[0] = 0;
  *scratchOffset = (4 * sizes[Batch] * sizes[Seq] + 63) / 64 * 64;
  *scratchStride = 0;
  return *scratchOffset;
}

const attn_abi_expression none = {nullptr, 0};
const attn_abi_parameter parameters[] = {
    {ATTN_PARAMETER_SIZES, 0, none, nullptr},
    {ATTN_PARAMETER_ARGUMENT, 0, none, nullptr},
    {ATTN_PARAMETER_STATE, 0, none, nullptr},
    {ATTN_PARAMETER_ARGUMENT, 1, none, nullptr}};
const attn_abi_launch launches[] = {{0, {none, none, none}, parameters, 4}};
const attn_abi_device_phase phases[] = {{"remember", launches, 1}};
const attn_abi_device_schedule deviceSchedule = {phases, 1};
const attn_abi_kernel kernels[] = {{"remember", 32, 0}};
const int32_t slots[] = {0, -1};

const attn_abi_size sizes[] = {{"batch", 1, kSequences}, {"seq", 1, 16}};
const int64_t rowsBySeq[] = {-1, -2}, onlyRows[] = {-1};
const attn_abi_argument arguments[] = {
    {"mask", ATTN_I32, ATTN_ARGUMENT_OPTIONAL, 2, rowsBySeq, 0, 0, 1},
    {"out", ATTN_F32, ATTN_ARGUMENT_OUTPUT, 1, onlyRows, 0, 0, 0}};
const int32_t callerSizes[] = {Batch, Seq};
const attn_abi_state_group groups[] = {{0, 128}};
const attn_abi_state rows = [] {
  attn_abi_state result{};
  result.name = "rows";
  result.offset = 64;
  return result;
}();
const attn_abi_states states = [] {
  attn_abi_states result{};
  result.positions = kPositions;
  result.block_positions = kBlock;
  result.sequences = kSequences;
  result.groups = groups;
  result.group_count = 1;
  result.states = &rows;
  result.state_count = 1;
  result.fingerprint = "states01";
  return result;
}();

struct Tables {
  attn_abi_image images[1];
  attn_abi_device device{};
  attn_abi_schedule schedule{};
  attn_abi_variant variants[1];
  attn_abi_entry entries[1] = {};

  Tables() {
    static const std::string image = toyparts::readKernels("states.ll");
    auto *text = reinterpret_cast<const unsigned char *>(image.c_str());
    images[0] = {text, image.size() + 1, 80, ATTN_IMAGE_PTX};
    device.driver = &attnrt_cuda;
    device.chip = 80;
    device.images = images;
    device.image_count = 1;
    device.kernels = kernels;
    device.kernel_count = 1;
    device.schedules = &deviceSchedule;
    schedule.plan = plan;
    schedule.slot_count = 1;
    schedule.argument_slots = slots;
    variants[0] = {"sm_80", 0, &schedule, &device};
    entries[0].name = "step";
    entries[0].sizes = callerSizes;
    entries[0].size_count = 2;
    entries[0].arguments = arguments;
    entries[0].input_count = 1;
    entries[0].argument_count = 2;
    entries[0].growth = 1;
  }
};
const Tables tables;

} // namespace

const attn_abi_library library = [] {
  attn_abi_library result{};
  result.abi_version = ATTN_ABI_VERSION;
  result.name = "remember";
  result.description = "{}";
  result.sizes = sizes;
  result.size_count = SizeCount;
  result.entries = tables.entries;
  result.entry_count = 1;
  result.variants = tables.variants;
  result.variant_count = 1;
  result.layout_fingerprint = "layout02";
  result.content_digest = "content02";
  result.states = &states;
  return result;
}();

attn_options options() {
  static const toyparts::WeightsInMemory none("layout02", "content02", {});
  attn_options result = none.options();
  result.device = "cuda";
  return result;
}

} // namespace statetoy
