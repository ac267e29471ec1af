//===- Placement.cpp - where a thread runs --------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Placement.h"

#include <sched.h>

namespace attnrt {

int32_t currentProcessor() { return sched_getcpu(); }

ProcessorSet ProcessorSet::ofThread() {
  ProcessorSet set;
  if (sched_getaffinity(0, sizeof(set.words),
                        reinterpret_cast<cpu_set_t *>(set.words)) != 0)
    return ProcessorSet();
  return set;
}

int32_t ProcessorSet::count() const {
  int32_t count = 0;
  for (unsigned long word : words)
    // Not __builtin_popcount, which becomes a call into a compiler's library.
    for (; word != 0; word &= word - 1)
      ++count;
  return count;
}

void ProcessorSet::remove(int32_t processor) {
  const size_t word = static_cast<size_t>(processor) / kWordBits;
  if (processor >= 0 && word < sizeof(words) / sizeof(*words))
    words[word] &= ~(1ul << processor % kWordBits);
}

bool ProcessorSet::confineThread() const {
  return sched_setaffinity(0, sizeof(words),
                           reinterpret_cast<const cpu_set_t *>(words)) == 0;
}

} // namespace attnrt
