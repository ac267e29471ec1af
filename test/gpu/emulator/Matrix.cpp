//===- Matrix.cpp - ldmatrix, stmatrix and mma.sync -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fragments are laid out over lanes as the PTX manual has it; the sums are kept
// in f32 as the tensor cores do, in the order of k.
//
//===----------------------------------------------------------------------===//
#include "Block.h"
#include <cmath>

namespace attnc::emulator {

float fromBfloat(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  memcpy(&value, &wide, 4);
  return value;
}

float fromHalf(uint16_t bits) {
  _Float16 half;
  memcpy(&half, &bits, 2);
  return half;
}

uint16_t toHalf(float value) {
  _Float16 half = value;
  uint16_t bits;
  memcpy(&bits, &half, 2);
  return bits;
}

uint16_t toBfloat(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  if (std::isnan(value))
    return 0x7fff;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

float roundToTf32(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  if (!std::isnan(value))
    bits = (bits + 0x1000) & ~0x1fffu; // to nearest, ties away
  memcpy(&value, &bits, 4);
  return value;
}

namespace {

struct MatrixLane {
  uint64_t address;
  uint32_t *registers;
};

uint16_t *row(uint64_t address) {
  return reinterpret_cast<uint16_t *>(address);
}

} // namespace

void Block::loadMatrix(const void *site, int count, bool transposes,
                       uint64_t address, uint32_t *registers) {
  MatrixLane mine{address, registers};
  if (int(lane()) < 8 * count)
    access(address, 16, Read, 16);
  meet(site, ~0u, &mine, [&](Meeting &meeting) {
    for (int matrix = 0; matrix < count; ++matrix)
      for (int lane = 0; lane < 32; ++lane)
        for (int half = 0; half < 2; ++half) {
          int r = lane / 4, c = 2 * (lane % 4) + half;
          if (transposes)
            std::swap(r, c);
          uint64_t from =
              static_cast<MatrixLane *>(meeting.data[8 * matrix + r])->address;
          uint16_t *to = reinterpret_cast<uint16_t *>(
              &static_cast<MatrixLane *>(meeting.data[lane])
                   ->registers[matrix]);
          to[half] = row(from)[c];
        }
  });
}

void Block::storeMatrix(const void *site, int count, bool transposes,
                        uint64_t address, const uint32_t *registers) {
  MatrixLane mine{address, const_cast<uint32_t *>(registers)};
  if (int(lane()) < 8 * count)
    access(address, 16, Write, 16);
  meet(site, ~0u, &mine, [&](Meeting &meeting) {
    for (int matrix = 0; matrix < count; ++matrix)
      for (int lane = 0; lane < 32; ++lane)
        for (int half = 0; half < 2; ++half) {
          int r = lane / 4, c = 2 * (lane % 4) + half;
          if (transposes)
            std::swap(r, c);
          uint64_t to =
              static_cast<MatrixLane *>(meeting.data[8 * matrix + r])->address;
          const uint16_t *from = reinterpret_cast<uint16_t *>(
              &static_cast<MatrixLane *>(meeting.data[lane])
                   ->registers[matrix]);
          row(to)[c] = from[half];
        }
  });
}

namespace {

/// Element `index` of a lane's packed registers.
float unpack(const uint32_t *registers, int index, Element element) {
  switch (element) {
  case Element::TF32: {
    uint32_t bits = registers[index] & ~0x1fffu; // the hardware cuts
    float value;
    memcpy(&value, &bits, 4);
    return value;
  }
  case Element::S8:
    return reinterpret_cast<const int8_t *>(registers)[index];
  case Element::U8:
    return reinterpret_cast<const uint8_t *>(registers)[index];
  case Element::F16:
    return fromHalf(reinterpret_cast<const uint16_t *>(registers)[index]);
  case Element::BF16:
    return fromBfloat(reinterpret_cast<const uint16_t *>(registers)[index]);
  }
  __builtin_unreachable();
}

struct MultiplyLane {
  const uint32_t *a, *b, *c;
  uint32_t *d;
};

} // namespace

void Block::multiply(const void *site, const WarpMatrix &shape,
                     const uint32_t *a, const uint32_t *b, const uint32_t *c,
                     uint32_t *d) {
  MultiplyLane mine{a, b, c, d};
  // Elements in one register, and how many of k lie in one group of 4 lanes.
  int packed = shape.element == Element::TF32 ? 1
               : shape.element == Element::S8 || shape.element == Element::U8
                   ? 4
                   : 2;
  bool integers = packed == 4;
  meet(site, ~0u, &mine, [&](Meeting &meeting) {
    ++counts.warpMatrix;
    float A[16][32] = {}, B[32][8] = {};
    int span = 4 * packed, halves = shape.k / span;
    for (int lane = 0; lane < 32; ++lane) {
      const MultiplyLane &self =
          *static_cast<MultiplyLane *>(meeting.data[lane]);
      int group = lane / 4, place = lane % 4 * packed;
      for (int half = 0; half < halves; ++half)
        for (int i = 0; i < packed; ++i) {
          int k = half * span + place + i;
          A[group][k] = unpack(self.a + 2 * half, i, shape.element);
          A[group + 8][k] = unpack(self.a + 2 * half + 1, i, shape.element);
          B[k][group] = unpack(self.b + half, i, shape.element);
        }
    }
    for (int lane = 0; lane < 32; ++lane) {
      const MultiplyLane &self =
          *static_cast<MultiplyLane *>(meeting.data[lane]);
      for (int i = 0; i < 4; ++i) {
        int r = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
        if (integers) {
          int32_t sum = static_cast<int32_t>(self.c[i]);
          for (int k = 0; k < shape.k; ++k)
            sum += int32_t(A[r][k]) * int32_t(B[k][column]);
          self.d[i] = sum;
          continue;
        }
        float sum;
        if (shape.halfAccumulator)
          sum = fromHalf(reinterpret_cast<const uint16_t *>(self.c)[i]);
        else
          memcpy(&sum, &self.c[i], 4);
        for (int k = 0; k < shape.k; ++k)
          sum += A[r][k] * B[k][column];
        if (shape.halfAccumulator)
          reinterpret_cast<uint16_t *>(self.d)[i] = toHalf(sum);
        else
          memcpy(&self.d[i], &sum, 4);
      }
    }
  });
}

} // namespace attnc::emulator
