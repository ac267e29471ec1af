//===- Processor.h - what this processor can do -----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// CPUID and XGETBV as ATTN_CPU_* bits: a feature counts only where the
// operating system saves its registers too.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_PROCESSOR_H
#define ATTN_RUNTIME_PROCESSOR_H

#include "attn/abi.h"

namespace attnrt {

class Writer;

struct CpuidLeaf {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

/// What CPUID and XGETBV say.
struct ProcessorFacts {
  CpuidLeaf vendor, basic, extended, more, amd; ///< 0, 1, 7, 7.1, 0x80000001
  uint64_t state = 0; ///< XCR0; 0 where it cannot be read
};

/// ATTN_CPU_* bits by these facts.
uint64_t featuresOf(const ProcessorFacts &facts);

/// ATTN_CPU_* bits of the processor that runs this. AMX bits say that it has
/// the unit; using it takes requestAmx() as well.
uint64_t processorFeatures();

/// Asks the kernel to let this process use AMX tiles. Returns 0 or an errno:
/// ENOSPC where a thread has an alternate signal stack too small for tiles.
int requestAmx();

/// Writes "AVX2 (x86-64-v3), AVX512_VNNI" for `features`.
void listFeatures(uint64_t features, Writer &writer);

} // namespace attnrt

#endif // ATTN_RUNTIME_PROCESSOR_H
