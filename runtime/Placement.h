//===- Placement.h - where a thread runs ------------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The processors that a thread may use, as the system numbers them, and the one
// that it is on.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_PLACEMENT_H
#define ATTN_RUNTIME_PLACEMENT_H

#include <stddef.h>
#include <stdint.h>

namespace attnrt {

/// The processor that runs the calling thread now; -1 if the system does not
/// say.
int32_t currentProcessor();

/// A set of processors. What lies beyond the 16384th is in none.
class ProcessorSet {
public:
  /// Those of the calling thread's affinity mask; empty if they cannot be read.
  static ProcessorSet ofThread();

  int32_t count() const;
  void remove(int32_t processor);

  /// Makes the set the calling thread's mask; the thread runs on one of them
  /// when this returns. False if the system refuses.
  bool confineThread() const;

private:
  static constexpr size_t kWordBits = 8 * sizeof(unsigned long);
  // The kernel refuses to fill masks narrower than its own.
  unsigned long words[16384 / kWordBits] = {};
};

} // namespace attnrt

#endif // ATTN_RUNTIME_PLACEMENT_H
