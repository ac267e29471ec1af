//===- Warp.cpp - instructions of a whole warp ----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every lane of the mask comes to the instruction, the last one does the work.
//
//===----------------------------------------------------------------------===//
#include "Block.h"

namespace attnc::emulator {

void Block::syncWarp(const void *site, uint32_t mask) {
  meet(site, mask, nullptr, [](Meeting &) {});
}

uint32_t Block::shuffle(const void *site, Shuffle mode, uint32_t mask,
                        uint32_t value, uint32_t by, uint32_t clamp,
                        bool &inside) {
  struct Mine {
    uint32_t value, by, clamp, result;
    bool inside;
  } mine{value, by, clamp, 0, false};
  meet(site, mask, &mine, [&](Meeting &meeting) {
    for (int lane = 0; lane < 32; ++lane) {
      if (!(mask >> lane & 1))
        continue;
      Mine &self = *static_cast<Mine *>(meeting.data[lane]);
      int segment = self.clamp >> 8 & 31, last = self.clamp & 31;
      int most = (lane & segment) | (last & ~segment), least = lane & segment;
      int by = self.by & 31, from = lane;
      switch (mode) {
      case Shuffle::Up:
        from = lane - by;
        self.inside = from >= most;
        break;
      case Shuffle::Down:
        from = lane + by;
        self.inside = from <= most;
        break;
      case Shuffle::Xor:
        from = lane ^ by;
        self.inside = from <= most;
        break;
      case Shuffle::Index:
        from = least | (by & ~segment);
        self.inside = from <= most;
        break;
      }
      if (!self.inside)
        from = lane;
      if (!(mask >> from & 1))
        fail("a shuffle reads lane %d, which mask 0x%08x leaves out", from,
             mask);
      self.result = static_cast<Mine *>(meeting.data[from])->value;
    }
  });
  inside = mine.inside;
  return mine.result;
}

uint32_t Block::vote(const void *site, Vote mode, uint32_t mask,
                     bool predicate) {
  struct Mine {
    bool predicate;
    uint32_t result;
  } mine{predicate, 0};
  meet(site, mask, &mine, [&](Meeting &meeting) {
    uint32_t ballot = 0;
    for (int lane = 0; lane < 32; ++lane)
      if (mask >> lane & 1 &&
          static_cast<Mine *>(meeting.data[lane])->predicate)
        ballot |= 1u << lane;
    uint32_t result = mode == Vote::Ballot ? ballot
                      : mode == Vote::Any  ? ballot != 0
                      : mode == Vote::All  ? ballot == mask
                                           : ballot == 0 || ballot == mask;
    for (int lane = 0; lane < 32; ++lane)
      if (mask >> lane & 1)
        static_cast<Mine *>(meeting.data[lane])->result = result;
  });
  return mine.result;
}

uint32_t Block::reduce(const void *site, uint32_t mask, uint32_t value,
                       uint32_t (*combine)(uint32_t, uint32_t)) {
  struct Mine {
    uint32_t value, result;
  } mine{value, 0};
  meet(site, mask, &mine, [&](Meeting &meeting) {
    bool first = true;
    uint32_t result = 0;
    for (int lane = 0; lane < 32; ++lane)
      if (mask >> lane & 1) {
        uint32_t next = static_cast<Mine *>(meeting.data[lane])->value;
        result = first ? next : combine(result, next);
        first = false;
      }
    for (int lane = 0; lane < 32; ++lane)
      if (mask >> lane & 1)
        static_cast<Mine *>(meeting.data[lane])->result = result;
  });
  return mine.result;
}

uint32_t Block::elect(const void *site, uint32_t mask, bool &elected) {
  syncWarp(site, mask);
  uint32_t leader = __builtin_ctz(mask);
  elected = lane() == leader;
  return leader;
}

} // namespace attnc::emulator
