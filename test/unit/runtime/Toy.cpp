//===- Toy.cpp - a hand-written library for the runtime's tests -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tables and phases in the form of attn/abi.h. Rows are split among workers;
// nothing depends on how many there are.
//
//===----------------------------------------------------------------------===//
#include "Toy.h"

std::atomic<attn_phase_function> toy::hook{nullptr};

namespace {

using toy::kBatch;
using toy::kSeq;

enum Slot { Rows, Values, Mask, Total, SlotCount };
enum Size { Batch, Seq, Tokens, SizeCount };

template <typename T> T *slot(const attn_frame *frame, int index) {
  return reinterpret_cast<T *>(frame->arena + frame->slot_offsets[index]);
}

template <typename T> T *argument(const attn_frame *frame, int index) {
  return static_cast<T *>(frame->arguments[index]);
}

struct Share {
  int64_t begin, end;
};

Share shareOf(int64_t count, int32_t worker, int32_t workers) {
  return {count * worker / workers, count * (worker + 1) / workers};
}

int64_t rounded(int64_t bytes) { return (bytes + 63) / 64 * 64; }

int64_t planScale(int64_t *sizes, int32_t workers, int64_t *offsets,
                  int64_t *scratchOffset, int64_t *scratchStride) {
  int64_t batch = sizes[Batch];
  sizes[Tokens] = batch * sizes[Seq];
  offsets[Rows] = 0;
  offsets[Values] = rounded((batch + 1) * 8);
  offsets[Mask] = offsets[Values] + rounded(sizes[Tokens] * 4);
  offsets[Total] = offsets[Mask] + rounded(sizes[Tokens] * 4);
  *scratchOffset = offsets[Total] + rounded(batch * 4);
  *scratchStride = 64;
  return *scratchOffset + *scratchStride * workers;
}

void countTokens(const attn_frame *frame, int32_t, int32_t) {
  int64_t *rows = slot<int64_t>(frame, Rows);
  const int32_t *mask = argument<int32_t>(frame, 1);
  int64_t count = 0;
  for (int64_t b = 0; b < frame->sizes[Batch]; ++b) {
    rows[b] = count;
    for (int64_t s = 0; s < frame->sizes[Seq]; ++s)
      count += mask[b * frame->sizes[Seq] + s];
  }
  rows[frame->sizes[Batch]] = frame->sizes[Tokens] = count;
}

void gather(const attn_frame *frame, int32_t worker, int32_t workers) {
  if (attn_phase_function call = toy::hook)
    call(frame, worker, workers);
  const int32_t *ids = argument<int32_t>(frame, 0);
  const int32_t *mask = argument<int32_t>(frame, 1);
  const float *table = reinterpret_cast<const float *>(frame->weights[0]);
  float *values = slot<float>(frame, Values);
  // Written by every part of every phase: parts that share it would race.
  int32_t *mine = reinterpret_cast<int32_t *>(frame->scratch +
                                              worker * frame->scratch_stride);
  *mine = worker;
  Share share = shareOf(frame->sizes[Batch], worker, workers);
  for (int64_t b = share.begin; b < share.end; ++b) {
    int64_t at = slot<int64_t>(frame, Rows)[b];
    for (int64_t s = 0; s < frame->sizes[Seq]; ++s)
      if (mask[b * frame->sizes[Seq] + s])
        values[at++] = table[ids[b * frame->sizes[Seq] + s]];
  }
  if (*mine != worker)
    values[0] = 1e30f;
}

void reduce(const attn_frame *frame, int32_t worker, int32_t workers) {
  const float *scale = reinterpret_cast<const float *>(frame->weights[1]);
  const int64_t *rows = slot<int64_t>(frame, Rows);
  float *out = argument<float>(frame, 2), *total = argument<float>(frame, 3);
  bool lowered = rows[frame->sizes[Batch]] == frame->sizes[Tokens];
  Share share = shareOf(frame->sizes[Batch], worker, workers);
  for (int64_t b = share.begin; b < share.end; ++b) {
    float sum = lowered ? 0.0f : 1e30f;
    for (int64_t t = rows[b]; t < rows[b + 1]; ++t)
      sum += slot<float>(frame, Values)[t];
    total[b] = sum;
    for (int64_t k = 0; k < toy::kWidth; ++k)
      out[b * toy::kWidth + k] = sum * scale[k];
  }
}

int64_t planEmbed(int64_t *sizes, int32_t, int64_t *offsets,
                  int64_t *scratchOffset, int64_t *scratchStride) {
  offsets[0] = 0;
  *scratchOffset = rounded(sizes[Batch] * sizes[Seq] * 4);
  *scratchStride = 0;
  return *scratchOffset;
}

void embed(const attn_frame *frame, int32_t worker, int32_t workers) {
  if (attn_phase_function call = toy::hook)
    call(frame, worker, workers);
  const int32_t *ids = argument<int32_t>(frame, 0);
  const int32_t *mask = argument<int32_t>(frame, 1);
  const int32_t *types = argument<int32_t>(frame, 2);
  Share share = shareOf(frame->sizes[Batch], worker, workers);
  int64_t seq = frame->sizes[Seq];
  for (int64_t b = share.begin; b < share.end; ++b) {
    float row[toy::kWidth] = {0, 0, 0, static_cast<float>(ids[b * seq])};
    for (int64_t s = b * seq; s < (b + 1) * seq; ++s)
      if (mask[s]) {
        row[0] += 1;
        row[1] += static_cast<float>(ids[s]);
        row[2] += static_cast<float>(types[s]);
      }
    for (int64_t k = 0; k < toy::kWidth; ++k)
      argument<float>(frame, 3)[b * toy::kWidth + k] = row[k];
  }
}

const attn_abi_phase scalePhases[] = {
    {countTokens, "count", ATTN_PHASE_SERIAL, {}, {}},
    {gather, "gather", 0, {}, {}},
    {reduce, "reduce", 0, {}, {}}};
const attn_abi_phase embedPhases[] = {{embed, "embed", 0, {}, {}}};
const int32_t scaleSlots[] = {-1, Mask, -1, Total};
const int32_t embedSlots[] = {-1, -1, 0, -1};
const attn_abi_schedule schedules[] = {
    {scalePhases, 3, SlotCount, planScale, scaleSlots},
    {embedPhases, 1, 1, planEmbed, embedSlots}};

const attn_abi_variant variants[] = {
    {"impossible", 1ull << 63, schedules, nullptr},
    {"x86-64", 0, schedules, nullptr}};

const attn_abi_size sizes[] = {
    {"batch", 1, kBatch}, {"seq", 1, kSeq}, {"tokens", 0, kBatch * kSeq}};

const int64_t rowsBySeq[] = {-1, -2}, rowsByWidth[] = {-1, toy::kWidth},
              onlyRows[] = {-1};
const attn_abi_argument scaleArguments[] = {
    {"ids", ATTN_I32, ATTN_ARGUMENT_RANGE, 2, rowsBySeq, 0, toy::kTable - 1, 0},
    {"mask", ATTN_I32, ATTN_ARGUMENT_RANGE | ATTN_ARGUMENT_OPTIONAL, 2,
     rowsBySeq, 0, 1, 1},
    {"out", ATTN_F32, ATTN_ARGUMENT_OUTPUT, 2, rowsByWidth, 0, 0, 0},
    {"total", ATTN_F32, ATTN_ARGUMENT_OUTPUT | ATTN_ARGUMENT_OPTIONAL, 1,
     onlyRows, 0, 0, 0}};
const attn_abi_argument embedArguments[] = {
    {"input_ids", ATTN_I32, ATTN_ARGUMENT_RANGE, 2, rowsBySeq, 0, 30000, 0},
    {"attention_mask", ATTN_I32, ATTN_ARGUMENT_RANGE, 2, rowsBySeq, 0, 1, 0},
    {"token_type_ids", ATTN_I32, ATTN_ARGUMENT_RANGE | ATTN_ARGUMENT_OPTIONAL,
     2, rowsBySeq, 0, 1, 0},
    {"embedding", ATTN_F32, ATTN_ARGUMENT_OUTPUT, 2, rowsByWidth, 0, 0, 0}};

const int32_t callerSizes[] = {Batch, Seq};
const attn_abi_entry entries[] = {
    {"scale", callerSizes, 2, scaleArguments, 2, 4, 0, 0},
    {"embed", callerSizes, 2, embedArguments, 3, 4, 0, 0}};

const attn_abi_weight weights[] = {{"table", ATTN_F32, toy::kTable * 4},
                                   {"scale", ATTN_F32, toy::kWidth * 4}};

} // namespace

const attn_abi_library toy::library = {ATTN_ABI_VERSION,
                                       "toy",
                                       "{}",
                                       sizes,
                                       SizeCount,
                                       entries,
                                       2,
                                       variants,
                                       2,
                                       weights,
                                       2,
                                       "layout01",
                                       "content01",
                                       nullptr,
                                       nullptr,
                                       0,
                                       nullptr,
                                       nullptr,
                                       nullptr,
                                       0};
