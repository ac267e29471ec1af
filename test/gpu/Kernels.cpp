//===- Kernels.cpp - the tests' kernels and how they are run --------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Inputs are small random numbers that the kernels' types hold exactly enough;
// the truth is computed in double.
//
//===----------------------------------------------------------------------===//
#include "Kernels.h"
#include "test/gpu/emulator/Block.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cmath>
#include <gtest/gtest.h>

namespace attnc::emulator {

std::string kernelText(const std::string &name,
                       const std::vector<Replacement> &faults) {
  auto file = llvm::MemoryBuffer::getFile(std::string(GPU_KERNELS "/") + name);
  if (!file) {
    ADD_FAILURE() << name << ": " << file.getError().message();
    return "";
  }
  std::string text = (*file)->getBuffer().str();
  for (const Replacement &fault : faults) {
    size_t at = text.find(fault.from);
    if (at == std::string::npos)
      ADD_FAILURE() << name << " does not hold: " << fault.from;
    else
      text.replace(at, fault.from.size(), fault.to);
  }
  return text;
}

namespace {

double distance(double truth, float value) {
  return std::isfinite(value) ? std::fabs(truth - value) : 1e30;
}

Outcome run(const std::string &text, const Launch &launch,
            const Options &options) {
  Outcome outcome;
  auto program = Program::parse(text);
  if (!program) {
    outcome.error = llvm::toString(program.takeError());
    return outcome;
  }
  if (llvm::Error error = (*program)->run(launch, options, &outcome.counts))
    outcome.error = llvm::toString(std::move(error));
  return outcome;
}

} // namespace

Outcome runBlockSum(const std::string &text, int n, const Options &options) {
  int blocks = (n + 127) / 128;
  Buffer<float> x(n), y(blocks);
  std::mt19937 random(7);
  for (int i = 0; i < n; ++i)
    x[i] = int(random() % 256) - 128;
  void *xs = x.data(), *ys = y.data();
  Launch launch;
  launch.kernel = "block_sum";
  launch.grid[0] = blocks;
  launch.threads = 128;
  launch.parameters = {&xs, &ys, &n};
  Outcome outcome = run(text, launch, options);
  for (int block = 0; block < blocks; ++block) {
    double sum = 0;
    for (int i = 128 * block; i < std::min(n, 128 * block + 128); ++i)
      sum += x[i];
    outcome.difference = std::max(outcome.difference, distance(sum, y[block]));
  }
  return outcome;
}

Outcome runProduct80(const std::string &text, int k, const Options &options) {
  Buffer<uint16_t> a(16 * k), b(16 * k);
  Buffer<float> c(256);
  std::mt19937 random(5);
  for (Buffer<uint16_t> *matrix : {&a, &b})
    for (size_t i = 0; i < matrix->size(); ++i)
      (*matrix)[i] = toHalf((int(random() % 64) - 32) / 16.0f);
  void *as = a.data(), *bs = b.data(), *cs = c.data();
  Launch launch;
  launch.kernel = "product";
  launch.threads = 64;
  launch.sharedBytes = 2048;
  launch.parameters = {&as, &bs, &cs, &k};
  Outcome outcome = run(text, launch, options);
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 16; ++column) {
      double sum = 0;
      for (int i = 0; i < k; ++i)
        sum += double(fromHalf(a[row * k + i])) * fromHalf(b[column * k + i]);
      outcome.difference =
          std::max(outcome.difference, distance(sum, c[16 * row + column]));
    }
  return outcome;
}

static TensorMap mapOf(Buffer<uint16_t> &matrix, int rows, int columns) {
  TensorMap map;
  map.rank = 2;
  map.elementBytes = 2;
  map.swizzle = 128;
  map.base = reinterpret_cast<unsigned char *>(matrix.data());
  map.extents[0] = columns;
  map.extents[1] = rows;
  map.box[0] = 64;
  map.box[1] = rows;
  map.strides[0] = 2 * columns;
  return map;
}

Outcome runProduct90(const std::string &text, int n, const Options &options) {
  int k = 64 * n;
  Buffer<uint16_t> a(64 * k), b(8 * k);
  Buffer<float> c(512);
  std::mt19937 random(3);
  for (Buffer<uint16_t> *matrix : {&a, &b})
    for (size_t i = 0; i < matrix->size(); ++i)
      (*matrix)[i] = toBfloat((int(random() % 64) - 32) / 16.0f);
  TensorMap mapA = mapOf(a, 64, k), mapB = mapOf(b, 8, k);
  void *cs = c.data();
  Launch launch;
  launch.kernel = "product";
  launch.threads = 256;
  launch.sharedBytes = 2 * 9216 + 32;
  launch.parameters = {&mapA, &mapB, &cs, &n};
  Outcome outcome = run(text, launch, options);
  for (int row = 0; row < 64; ++row)
    for (int column = 0; column < 8; ++column) {
      double sum = 0;
      for (int i = 0; i < k; ++i)
        sum +=
            double(fromBfloat(a[row * k + i])) * fromBfloat(b[column * k + i]);
      outcome.difference =
          std::max(outcome.difference, distance(sum, c[8 * row + column]));
    }
  return outcome;
}

Outcome runTurns(const std::string &text, int n, const Options &options) {
  Buffer<float> y(1);
  void *ys = y.data();
  Launch launch;
  launch.kernel = "turns";
  launch.threads = 256;
  launch.parameters = {&ys, &n};
  Outcome outcome = run(text, launch, options);
  double truth = 0;
  for (int turn = 0; turn < 2 * n; ++turn)
    truth = truth / 2 + 1 + turn % 2;
  outcome.difference = distance(truth, y[0]);
  return outcome;
}

} // namespace attnc::emulator
