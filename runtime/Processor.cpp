//===- Processor.cpp - what this processor can do -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Leaves and bits as in Intel's manual, volume 2 (CPUID) and AMD's volume 3.
// The state bits of XCR0: SSE and AVX registers 0x6, masks and zmm 0xe0, AMX
// configuration and tiles 0x60000.
//
//===----------------------------------------------------------------------===//
#include "Processor.h"

#include "Writer.h"

#include <cpuid.h>
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace attnrt {

namespace {

bool has(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

CpuidLeaf read(uint32_t leaf, uint32_t subleaf) {
  CpuidLeaf at; // stays zero where the processor has no such leaf
  __get_cpuid_count(leaf, subleaf, &at.eax, &at.ebx, &at.ecx, &at.edx);
  return at;
}

uint64_t enabledState() {
  uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t(high) << 32) | low;
}

/// "AuthenticAMD" in ebx, edx, ecx.
bool isAmd(const CpuidLeaf &vendor) {
  return vendor.ebx == 0x68747541 && vendor.edx == 0x69746e65 &&
         vendor.ecx == 0x444d4163;
}

constexpr uint32_t bit(int index) { return uint32_t(1) << index; }

} // namespace

// OSXSAVE: the operating system saves registers by XSAVE; without it XGETBV is
// illegal.
static constexpr uint32_t kSavesState = bit(27);

uint64_t processorFeatures() {
  ProcessorFacts facts;
  facts.vendor = read(0, 0);
  facts.basic = read(1, 0);
  facts.extended = read(7, 0);
  facts.more = read(7, 1);
  facts.amd = read(0x80000001, 0);
  if (has(facts.basic.ecx, kSavesState))
    facts.state = enabledState();
  return featuresOf(facts);
}

uint64_t featuresOf(const ProcessorFacts &facts) {
  const auto &[vendor, basic, extended, more, amd, state] = facts;
  uint64_t features = 0;
  // FMA, MOVBE, AVX, F16C; BMI1, AVX2, BMI2; LZCNT.
  bool avx2 = has(basic.ecx, bit(12) | bit(22) | bit(28) | bit(29)) &&
              has(extended.ebx, bit(3) | bit(5) | bit(8)) &&
              has(amd.ecx, bit(5)) && (state & 0x6) == 0x6;
  if (!avx2)
    return 0; // everything below builds on it
  features |= ATTN_CPU_AVX2;
  if (has(more.eax, bit(4)))
    features |= ATTN_CPU_AVX_VNNI;
  // F, DQ, CD, BW, VL.
  bool avx512 =
      has(extended.ebx, bit(16) | bit(17) | bit(28) | bit(30) | bit(31)) &&
      (state & 0xe6) == 0xe6;
  if (avx512) {
    features |= ATTN_CPU_AVX512;
    if (has(extended.ecx, bit(11)))
      features |= ATTN_CPU_AVX512_VNNI;
    if (has(more.eax, bit(5)))
      features |=
          ATTN_CPU_AVX512_BF16 | (isAmd(vendor) ? ATTN_CPU_FULL_RATE_BF16 : 0);
  }
  bool tiles = has(extended.edx, bit(24)) && (state & 0x60000) == 0x60000;
  if (tiles && has(extended.edx, bit(22)))
    features |= ATTN_CPU_AMX_BF16;
  if (tiles && has(extended.edx, bit(25)))
    features |= ATTN_CPU_AMX_INT8;
  return features;
}

int requestAmx() {
  // ARCH_REQ_XCOMP_PERM for the tile data component, from the kernel's
  // Documentation/arch/x86/xstate.rst.
  constexpr long requestPermission = 0x1023, tileData = 18;
  return syscall(SYS_arch_prctl, requestPermission, tileData) == 0 ? 0 : errno;
}

void listFeatures(uint64_t features, Writer &writer) {
  static const char *const names[] = {"AVX2 (x86-64-v3)", "AVX-512 (x86-64-v4)",
                                      "AVX512_VNNI",      "AVX512_BF16",
                                      "AMX_BF16",         "AMX_INT8",
                                      "AVX_VNNI",         "full-rate bf16"};
  constexpr int known = sizeof(names) / sizeof(names[0]);
  const char *separator = "";
  for (int index = 0; index < 64; ++index) {
    if (!(features >> index & 1))
      continue;
    if (index < known)
      writer.print("%s%s", separator, names[index]);
    else
      writer.print("%sfeature %d, unknown to this runtime", separator, index);
    separator = ", ";
  }
}

} // namespace attnrt
