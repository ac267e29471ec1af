//===- Wgmma.cpp - wgmma: asynchronous products ---------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From its issue until the thread's wait an accumulator register holds a token:
// a NaN that names operation and element. A wait replaces the tokens among the
// registers tied to it by values, when they are due; a later wgmma may take a
// token as its input, as the machine allows for accumulators in flight. Every
// other use computes with NaN.
//
// Shared memory is read when the operation is executed, by default at the wait:
// whoever overwrites a tile too early spoils the result.
//
//===----------------------------------------------------------------------===//
#include "Wgmma.h"

namespace attnc::emulator {

// A signaling NaN: arithmetic makes it a quiet one, which is no token.
static constexpr uint32_t kTokenBits = 0xff800000, kTokenMask = 0xffc00000;
static constexpr uint64_t kNumbers = (1 << 15) - 1; ///< told apart in a token

static bool isToken(uint32_t bits) {
  return (bits & kTokenMask) == kTokenBits && bits != kTokenBits;
}

static uint32_t tokenFor(uint64_t number, int index) {
  return kTokenBits | uint32_t(number % kNumbers + 1) << 7 | index;
}

/// How far behind operation `first` the one of a token stands.
static uint64_t distance(uint32_t token, uint64_t first) {
  uint64_t number = (token >> 7 & kNumbers) - 1;
  return (number + kNumbers - first % kNumbers) % kNumbers;
}

Block::GroupOperation &Block::groupOperation(uint64_t number) {
  WarpGroup &group = *warpGroups[thread / 128];
  return group.operations[number - group.first];
}

void Block::groupFence() { states[thread].fenced = true; }

void Block::groupMultiply(const GroupMatrix &operation,
                          uint32_t *accumulators) {
  WarpGroup &group = *warpGroups[thread / 128];
  ThreadState &state = states[thread];
  if (launch.threads < (thread / 128 + 1) * 128)
    fail("wgmma in a warp group that is not complete");
  uint64_t number = state.issued++;
  int count = operation.n / 2;
  if (number - group.first == group.operations.size()) {
    group.operations.emplace_back();
    group.operations.back().shape = operation;
    group.operations.back().accumulators.resize(128 * count);
  }
  GroupOperation &shared = groupOperation(number);
  if (shared.shape.n != operation.n || shared.shape.a != operation.a ||
      shared.shape.b != operation.b ||
      shared.shape.accumulates != operation.accumulates)
    fail("the threads of a warp group issue wgmma with different operands");
  uint32_t *inputs = shared.accumulators.data() + thread % 128 * count;
  bool writesRegisters = operation.registersA || !operation.accumulates;
  for (int i = 0; i < count; ++i) {
    writesRegisters |= !isToken(accumulators[i]);
    inputs[i] = operation.accumulates ? accumulators[i] : 0;
    accumulators[i] = tokenFor(number, i);
  }
  if (writesRegisters && !state.fenced)
    fail("wgmma takes registers without a wgmma.fence before it");
  shared.fragments[thread % 128] = operation.fragment;
  if (++shared.issued < 128)
    return;
  idle = 0;
  if (options.timing == Timing::Early ||
      (options.timing == Timing::Random && chance(2)))
    executeUpTo(group, number + 1);
}

void Block::groupCommit() {
  ThreadState &state = states[thread];
  state.committed.push_back(state.issued);
  state.fenced = false;
  preempt(8);
}

void Block::groupWait(int pending, uint32_t **registers, size_t count) {
  ThreadState &state = states[thread];
  WarpGroup &group = *warpGroups[thread / 128];
  uint64_t &waited = group.waited[thread % 128];
  size_t done = state.committed.size();
  done = done > size_t(pending) ? done - pending : 0;
  if (done) {
    uint64_t due = state.committed[done - 1];
    state.committed.erase(state.committed.begin(),
                          state.committed.begin() + done);
    if (due > group.first)
      waitUntil([&] { return groupOperation(due - 1).issued == 128; },
                "wgmma of the other warps of its group");
    executeUpTo(group, due);
    waited = due;
  }
  for (size_t i = 0; i < count; ++i)
    if (isToken(*registers[i]))
      *registers[i] = resolve(*registers[i]);
  uint64_t oldest = *std::min_element(group.waited.begin(), group.waited.end());
  // The last one waited for is kept: its tokens may be tied to a second wait.
  while (group.first + 1 < oldest) {
    group.operations.pop_front();
    ++group.first;
  }
}

/// The value that a token stands for, or the token if that is not due yet.
uint32_t Block::resolve(uint32_t token) {
  WarpGroup &group = *warpGroups[thread / 128];
  uint64_t behind = distance(token, group.first);
  if (behind >= group.operations.size())
    fail("an accumulator of a wgmma was not tied to the wait for it");
  if (group.first + behind >= group.waited[thread % 128])
    return token;
  GroupOperation &operation = group.operations[behind];
  int count = operation.shape.n / 2;
  return operation.accumulators[thread % 128 * count + (token & 127)];
}

void Block::executeUpTo(WarpGroup &group, uint64_t number) {
  for (; group.executed < number; ++group.executed)
    execute(group, group.operations[group.executed - group.first]);
}

namespace {

/// A matrix in shared memory as its descriptor has it.
struct Tile {
  uint64_t start, leading, stride;
  int swizzle; ///< bytes; 0: none

  explicit Tile(uint64_t descriptor)
      : start((descriptor & 0x3fff) << 4),
        leading((descriptor >> 16 & 0x3fff) << 4),
        stride((descriptor >> 32 & 0x3fff) << 4) {
    static const int swizzles[] = {0, 128, 64, 32};
    swizzle = swizzles[descriptor >> 62];
  }

  /// Address of an element: `line` along M or N, `k` along K.
  uint64_t address(int line, int k, int bytes, bool transposed) const {
    uint64_t offset;
    if (!swizzle)
      offset = line / 8 * stride + uint64_t(k * bytes) / 16 * leading +
               line % 8 * 16 + k * bytes % 16;
    else if (!transposed)
      offset = line / 8 * stride + line % 8 * swizzle + k * bytes;
    else
      offset = uint64_t(line * bytes) / swizzle * leading + k / 8 * stride +
               k % 8 * swizzle + line * bytes % swizzle;
    uint64_t at = reinterpret_cast<uint64_t>(sharedWindow()) + start + offset;
    uint64_t mask = swizzle == 128 ? 7 : swizzle == 64 ? 3 : swizzle == 32;
    return at ^ ((at >> 7 & mask) << 4);
  }
};

} // namespace

float Block::readElement(uint64_t address, Element element) {
  checkProxy(address, element == Element::TF32 ? 4 : 2, "wgmma");
  if (element == Element::TF32) {
    uint32_t bits = *reinterpret_cast<uint32_t *>(address) & ~0x1fffu;
    float value;
    memcpy(&value, &bits, 4);
    return value;
  }
  uint16_t bits = *reinterpret_cast<uint16_t *>(address);
  return element == Element::F16 ? fromHalf(bits) : fromBfloat(bits);
}

void Block::execute(WarpGroup &group, GroupOperation &operation) {
  const GroupMatrix &shape = operation.shape;
  int bytes = shape.element == Element::TF32 ? 4 : 2, n = shape.n, k = shape.k;
  Tile tileA(shape.a), tileB(shape.b);
  if (tileB.swizzle == 0 && shape.transposesB)
    fail("wgmma with a transposed B without swizzle is not emulated");
  ++counts.groupMatrix;
  std::vector<float> a(64 * k), b(size_t(k) * n);
  for (int row = 0; row < 64 && !shape.registersA; ++row)
    for (int i = 0; i < k; ++i)
      a[row * k + i] =
          shape.signA *
          readElement(tileA.address(row, i, bytes, shape.transposesA),
                      shape.element);
  // Register fragments: as for mma.sync, 16 rows a warp.
  int packed = 4 / bytes, span = 4 * packed;
  for (int thread = 0; thread < 128 && shape.registersA; ++thread)
    for (int i = 0; i < 4 * packed; ++i) {
      int word = i / packed, lane = thread % 32;
      int row = thread / 32 * 16 + lane / 4 + word % 2 * 8;
      int at = word / 2 * span + lane % 4 * packed + i % packed;
      uint32_t bits = operation.fragments[thread][word];
      uint16_t half = bits >> 16 * (i % packed);
      float wide;
      bits &= ~0x1fffu;
      memcpy(&wide, &bits, 4);
      a[row * k + at] =
          shape.signA * (bytes == 4                      ? wide
                         : shape.element == Element::F16 ? fromHalf(half)
                                                         : fromBfloat(half));
    }
  for (int i = 0; i < k; ++i)
    for (int column = 0; column < n; ++column)
      b[i * n + column] =
          shape.signB *
          readElement(tileB.address(column, i, bytes, shape.transposesB),
                      shape.element);
  std::vector<float> product(64 * size_t(n), 0.0f);
  for (int row = 0; row < 64; ++row)
    for (int i = 0; i < k; ++i)
      for (int column = 0; column < n; ++column)
        product[row * n + column] += a[row * k + i] * b[i * n + column];
  for (uint32_t self = 0; self < 128; ++self)
    for (int i = 0; i < n / 2; ++i) {
      uint32_t &bits = operation.accumulators[self * (n / 2) + i];
      if (isToken(bits)) {
        uint64_t index = distance(bits, group.first);
        if (index >= group.operations.size() ||
            !group.operations[index].executed)
          fail("wgmma takes an accumulator that was not tied to the wait for "
               "it");
        GroupOperation &source = group.operations[index];
        bits = source.accumulators[self * (source.shape.n / 2) + (bits & 127)];
      }
      int row = self / 32 * 16 + self % 32 / 4 + i / 2 % 2 * 8;
      int column = i / 4 * 8 + self % 4 * 2 + i % 2;
      float sum;
      memcpy(&sum, &bits, 4);
      sum += product[row * n + column];
      memcpy(&bits, &sum, 4);
      // An overflow must not look like a token.
      if (isToken(bits))
        bits = 0x7fffffff;
    }
  operation.executed = true;
}

} // namespace attnc::emulator
