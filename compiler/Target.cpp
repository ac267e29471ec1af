//===- Target.cpp - facts about machines -------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The table of targets and the host's place in it.
//
//===----------------------------------------------------------------------===//
#include "compiler/Target.h"
#include "attn/abi.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"

using namespace llvm;

namespace attnc {

// L1 and L2 are those of the smallest server parts of each level: Haswell for
// v3 (32 KiB, 256 KiB), Skylake-X for v4 (32 KiB, 1 MiB), any for x86-64.
static constexpr Target kTargets[] = {
    {"x86-64-v4", "AVX-512 (F, BW, CD, DQ, VL): Intel Skylake-X, AMD Zen 4",
     "x86-64-v4", "-prefer-256-bit", ATTN_CPU_AVX2 | ATTN_CPU_AVX512, 64, 32,
     true, true, 32 << 10, 1 << 20},
    {"x86-64-v3", "AVX2 and FMA: Intel Haswell, AMD Zen", "x86-64-v3", "",
     ATTN_CPU_AVX2, 32, 16, true, true, 32 << 10, 256 << 10},
    {"x86-64", "any 64-bit x86 (SSE2); products by OpenBLAS", "x86-64", "", 0,
     16, 16, false, false, 32 << 10, 256 << 10},
};

ArrayRef<Target> Target::all() { return kTargets; }

bool Target::runsHere() const {
  const StringMap<bool> features = sys::getHostCPUFeatures();
  auto has = [&](std::initializer_list<StringRef> names) {
    return all_of(names, [&](StringRef name) { return features.lookup(name); });
  };
  if ((cpuFeatures & ATTN_CPU_AVX2) &&
      !has({"avx2", "fma", "f16c", "bmi", "bmi2", "movbe", "lzcnt"}))
    return false;
  if ((cpuFeatures & ATTN_CPU_AVX512) &&
      !has({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}))
    return false;
  return true;
}

const Target &Target::native() {
  for (const Target &target : kTargets)
    if (target.runsHere())
      return target;
  return kTargets[std::size(kTargets) - 1];
}

const Target *Target::find(StringRef name) {
  if (name == "native")
    return &native();
  for (const Target &target : kTargets)
    if (target.name == name)
      return &target;
  return nullptr;
}

} // namespace attnc
