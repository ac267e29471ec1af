//===- Barriers.cpp - barriers of a block and mbarriers -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Named barriers count threads; mbarriers count arrivals and bytes, and are
// kept beside shared memory, by address: what lies in memory is opaque on the
// machine too.
//
//===----------------------------------------------------------------------===//
#include "Block.h"

namespace attnc::emulator {

void Block::barrierSync(uint32_t id, uint32_t count) {
  if (id >= barriers.size())
    fail("barrier %u; there are 0 to 15", id);
  if (count % 32)
    fail("a barrier for %u threads, which is not a number of whole warps",
         count);
  ++counts.barriers;
  Barrier &barrier = barriers[id];
  if (barrier.arrived && barrier.expected != count)
    fail("barrier %u is for %u threads here and for %u elsewhere (0: all)", id,
         count, barrier.expected);
  barrier.expected = count;
  uint32_t generation = barrier.generation;
  if (++barrier.arrived == (count ? count : alive)) {
    barrier.arrived = 0;
    ++barrier.generation;
    idle = 0;
    maybeStall();
    return;
  }
  waitUntil([&] { return barrier.generation != generation; }, "a barrier");
  maybeStall();
}

void Block::barrierArrive(uint32_t id, uint32_t count) {
  if (id >= barriers.size() || count == 0 || count % 32)
    fail("bar.arrive %u, %u: expected barriers 0 to 15 and whole warps", id,
         count);
  Barrier &barrier = barriers[id];
  if (barrier.arrived && barrier.expected != count)
    fail("barrier %u is for %u threads here and for %u elsewhere", id, count,
         barrier.expected);
  barrier.expected = count;
  if (++barrier.arrived == count) {
    barrier.arrived = 0;
    ++barrier.generation;
    idle = 0;
  }
  // Whom this thread let go on may do so at once.
  preempt(4);
}

Block::Mbarrier &Block::mbarrier(uint64_t address) {
  auto found = mbarriers.find(address);
  if (found == mbarriers.end())
    fail("the mbarrier at shared offset %llu is not initialized",
         (unsigned long long)(address & (kSharedWindow - 1)));
  return found->second;
}

void Block::mbarrierInit(uint64_t address, uint32_t count) {
  access(address, 8, Write, 8);
  if (count == 0 || count >= 1u << 20)
    fail("an mbarrier for %u arrivals", count);
  mbarriers[address] = Mbarrier{count, count};
}

void Block::mbarrierInvalidate(uint64_t address) {
  mbarrier(address);
  mbarriers.erase(address);
}

void Block::advance(Mbarrier &barrier) {
  if (barrier.pending != 0 || barrier.bytes != 0)
    return;
  ++barrier.phase;
  barrier.pending = barrier.count;
  idle = 0;
}

void Block::mbarrierExpect(uint64_t address, uint32_t bytes) {
  mbarrier(address).bytes += bytes;
}

uint64_t Block::mbarrierArrive(uint64_t address, uint32_t count) {
  Mbarrier &barrier = mbarrier(address);
  uint64_t phase = barrier.phase;
  if (barrier.pending < count)
    fail("more arrivals at the mbarrier at shared offset %llu than its %u in "
         "one phase",
         (unsigned long long)(address & (kSharedWindow - 1)), barrier.count);
  barrier.pending -= count;
  advance(barrier);
  preempt(4);
  return phase;
}

bool Block::mbarrierTest(uint64_t address, uint32_t parity) {
  return (mbarrier(address).phase & 1) != (parity & 1);
}

void Block::mbarrierWait(uint64_t address, uint32_t parity) {
  waitUntil([&] { return mbarrierTest(address, parity); }, "an mbarrier");
  maybeStall();
}

} // namespace attnc::emulator
