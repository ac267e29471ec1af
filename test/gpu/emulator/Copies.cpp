//===- Copies.cpp - asynchronous copies -----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// cp.async belongs to a thread and lands at its wait; bulk and tensor copies
// are jobs of the block that complete in any order. From the moment of issue
// until then the destination holds the fill, so that nobody profits from data
// that might not be there yet.
//
//===----------------------------------------------------------------------===//
#include "Block.h"

namespace attnc::emulator {

static unsigned char *pointer(uint64_t address) {
  return reinterpret_cast<unsigned char *>(address);
}

//===-- cp.async
//-----------------------------------------------------------===//

void Block::copyAsync(uint64_t shared, uint64_t global, int bytes,
                      int sourceBytes) {
  if ((bytes != 4 && bytes != 8 && bytes != 16) || sourceBytes > bytes ||
      sourceBytes < 0)
    fail("cp.async of %d bytes, %d of them from memory", bytes, sourceBytes);
  access(shared, bytes, Write, bytes);
  if (sourceBytes)
    access(global, sourceBytes, Read, bytes);
  ++counts.asyncCopies;
  Copy copy{shared, global, bytes, sourceBytes};
  if (options.timing == Timing::Early)
    return perform(copy);
  memset(pointer(shared), options.fill, bytes);
  states[thread].copies.push_back(copy);
}

void Block::perform(const Copy &copy) {
  memcpy(pointer(copy.shared), pointer(copy.global), copy.sourceBytes);
  memset(pointer(copy.shared) + copy.sourceBytes, 0,
         copy.bytes - copy.sourceBytes);
}

void Block::copyCommit() {
  ThreadState &state = states[thread];
  state.groups.push_back(std::move(state.copies));
  state.copies.clear();
}

void Block::completeCopies(ThreadState &state, size_t keep) {
  while (state.groups.size() > keep) {
    for (const Copy &copy : state.groups.front())
      perform(copy);
    state.groups.pop_front();
  }
}

void Block::copyWait(size_t pending) {
  completeCopies(states[thread], pending);
  if (options.timing == Timing::Random && !states[thread].groups.empty() &&
      chance(2))
    completeCopies(states[thread], pending ? pending - 1 : 0);
}

void Block::copyArrive(uint64_t address, bool counted) {
  // The arrival comes when all earlier copies of the thread have landed.
  ThreadState &state = states[thread];
  copyCommit();
  completeCopies(state, 0);
  if (counted)
    ++mbarrier(address).pending;
  mbarrierArrive(address, 1);
}

//===-- bulk and tensor copies
//---------------------------------------------===//

uint64_t Block::jobBytes(const Job &job) const {
  if (!job.isTensor)
    return job.bytes;
  uint64_t bytes = job.map.elementBytes;
  for (int axis = 0; axis < job.map.rank; ++axis)
    bytes *= job.map.box[axis];
  return bytes;
}

void Block::start(Job job) {
  job.owner = thread;
  job.group = states[thread].bulkGroup;
  uint64_t bytes = jobBytes(job);
  ++counts.tensorCopies;
  if (job.isLoad) {
    if (!inShared(job.shared, bytes))
      fail("a bulk copy writes %llu bytes at offset %llu of shared memory, "
           "which has %zu",
           (unsigned long long)bytes,
           (unsigned long long)(job.shared & (kSharedWindow - 1)), sharedBytes);
    mbarrier(job.mbarrier); // must be there
    memset(pointer(job.shared), options.fill, bytes);
    writtenByProxy(job.shared, bytes);
  } else {
    checkProxy(job.shared, bytes, "a bulk store");
  }
  if (options.timing == Timing::Early)
    return perform(job);
  jobs.push_back(job);
}

bool Block::completeJob() {
  if (jobs.empty())
    return false;
  size_t which = seeded ? random(jobs.size()) : jobs.size() - 1;
  Job job = jobs[which];
  jobs.erase(jobs.begin() + which);
  perform(job);
  return true;
}

void Block::perform(const Job &job) {
  uint64_t bytes = jobBytes(job);
  if (job.isTensor)
    performTensor(job);
  else if (job.isLoad)
    memcpy(pointer(job.shared), pointer(job.global), bytes);
  else
    memcpy(pointer(job.global), pointer(job.shared), bytes);
  if (!job.isLoad)
    return;
  Mbarrier &barrier = mbarrier(job.mbarrier);
  barrier.bytes -= bytes;
  advance(barrier);
}

/// The place of byte `offset` of a box: 16-byte chunks are permuted in rows of
/// `swizzle` bytes, by address.
static uint64_t swizzled(uint64_t address, int swizzle) {
  uint64_t mask = swizzle == 128 ? 7 : swizzle == 64 ? 3 : swizzle == 32;
  return address ^ ((address >> 7 & mask) << 4);
}

void Block::performTensor(const Job &job) {
  const TensorMap &map = job.map;
  uint64_t element = map.elementBytes, count = jobBytes(job) / element;
  std::array<uint32_t, 5> at{};
  for (uint64_t i = 0; i < count; ++i) {
    bool inside = true;
    unsigned char *global = map.base;
    for (int axis = 0; axis < map.rank; ++axis) {
      int64_t position = int64_t(job.at[axis]) + at[axis];
      inside &= position >= 0 && position < int64_t(map.extents[axis]);
      global += position * (axis ? map.strides[axis - 1] : element);
    }
    unsigned char *shared =
        pointer(swizzled(job.shared + i * element, map.swizzle));
    if (inside && !holdsMemory(global, element))
      fail("a tensor copy reaches outside its buffer: element %d, %d, %d of a "
           "map at %p",
           job.at[0] + int(at[0]), job.at[1] + int(at[1]),
           job.at[2] + int(at[2]), static_cast<void *>(map.base));
    if (job.isLoad && inside)
      memcpy(shared, global, element);
    else if (job.isLoad)
      memset(shared, 0, element);
    else if (inside)
      memcpy(global, shared, element);
    for (int axis = 0; axis < map.rank && ++at[axis] == map.box[axis]; ++axis)
      at[axis] = 0;
  }
}

void Block::bulkLoad(uint64_t shared, uint64_t global, uint32_t bytes,
                     uint64_t address) {
  if (bytes % 16 || shared % 16 || global % 16)
    fail("cp.async.bulk of %u bytes: sizes and addresses are multiples of 16",
         bytes);
  access(global, bytes, Read, 16);
  start(Job{{}, false, true, {}, shared, global, address, bytes, 0, 0});
}

void Block::bulkStore(uint64_t global, uint64_t shared, uint32_t bytes) {
  if (bytes % 16 || shared % 16 || global % 16)
    fail("cp.async.bulk of %u bytes: sizes and addresses are multiples of 16",
         bytes);
  access(global, bytes, Write, 16);
  start(Job{{}, false, false, {}, shared, global, 0, bytes, 0, 0});
}

static const char *describe(const TensorMap &map, int rank, uint64_t shared) {
  if (map.magic != TensorMap::kMagic)
    return "what is named as a tensor map is none";
  if (map.rank != rank)
    return "the tensor map has another rank";
  if (shared % (map.swizzle == 128 ? 1024 : map.swizzle == 64 ? 512 : 128))
    return "the address in shared memory is not aligned for the swizzle";
  return nullptr;
}

void Block::tensorLoad(uint64_t shared, uint64_t mapAddress, const int32_t *at,
                       int rank, uint64_t address) {
  Job job{*reinterpret_cast<TensorMap *>(mapAddress),
          true,
          true,
          {},
          shared,
          0,
          address,
          0,
          0,
          0};
  if (const char *wrong = describe(job.map, rank, shared))
    fail("a tensor copy: %s", wrong);
  std::copy_n(at, rank, job.at.begin());
  start(job);
}

void Block::tensorStore(uint64_t mapAddress, const int32_t *at, int rank,
                        uint64_t shared) {
  Job job{*reinterpret_cast<TensorMap *>(mapAddress),
          true,
          false,
          {},
          shared,
          0,
          0,
          0,
          0,
          0};
  if (const char *wrong = describe(job.map, rank, shared))
    fail("a tensor copy: %s", wrong);
  std::copy_n(at, rank, job.at.begin());
  start(job);
}

void Block::bulkCommit() { ++states[thread].bulkGroup; }

void Block::bulkWait(size_t pending) {
  // The oldest groups of this thread's stores, in any order among themselves.
  uint64_t open = states[thread].bulkGroup;
  for (size_t i = 0; i < jobs.size();) {
    Job job = jobs[i];
    if (job.isLoad || job.owner != thread || job.group + pending >= open) {
      ++i;
      continue;
    }
    jobs.erase(jobs.begin() + i);
    perform(job);
  }
}

} // namespace attnc::emulator
