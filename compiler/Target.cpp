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
#include "llvm/ADT/Twine.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/TargetParser/Host.h"
#include <cpuid.h>
#include <sched.h>

using namespace llvm;

namespace attnc {

// The smallest server parts of each level. Rates are what one core was seen to
// read: 48, 9 and 4.4 bytes a cycle on Sapphire Rapids; 58, 25 and 7 on Zen 5.
// A round trip between cores is about 100 ns where nothing is in between.
// clang-format off
//                                   cores  L1         L2         L3       fma  L2  L3 mem trip
static constexpr Machine kHaswell       {4, 32 << 10, 256 << 10,  8 << 20, 2, 32,  8, 4, 300};
static constexpr Machine kSkylake       {8, 32 << 10,   1 << 20, 11 << 20, 2, 48,  8, 4, 400};
static constexpr Machine kSapphireRapids{8, 48 << 10,   2 << 20, 15 << 20, 2, 48,  8, 4, 400};
// A multiply-add of 64 bytes takes both halves.
static constexpr Machine kZen4          {8, 32 << 10,   1 << 20, 32 << 20, 1, 32, 16, 7, 400};
// clang-format on
static constexpr Machine kNone{};

// vdpbf16ps runs at twice the rate of f32 multiply-adds on Zen 4 and Zen 5 (446
// against 223 GFLOP/s measured on the latter), at half of it on Intel's.
// Shared memory of a block: CUDA C++ Programming Guide, "Compute Capabilities".
static constexpr Target kTargets[] = {
    {"sm_90a", "NVIDIA Hopper: H100, H200, GH200", "sm_90a", "+ptx80", 0, 4,
     255, true, true, kNone, /*hasVnni=*/false, /*hasBf16Products=*/true,
     /*isForNarrow=*/false, /*sm=*/90, /*sharedBytes=*/227 << 10},
    {"sm_80", "NVIDIA Ampere and later: A100; any newer GPU from its assembly",
     "sm_80", "+ptx80", 0, 4, 255, true, true, kNone, /*hasVnni=*/false,
     /*hasBf16Products=*/true, /*isForNarrow=*/false, /*sm=*/80,
     /*sharedBytes=*/163 << 10},
    {"amx", "tiles of bf16 and int8 (AMX), AVX-512: Intel Sapphire Rapids",
     "x86-64-v4",
     "-prefer-256-bit,+prfchw,+avx512vnni,+avx512bf16,+amx-tile,+amx-int8,+amx-"
     "bf16",
     ATTN_CPU_AVX2 | ATTN_CPU_AVX512 | ATTN_CPU_AVX512_VNNI |
         ATTN_CPU_AVX512_BF16 | ATTN_CPU_AMX_BF16 | ATTN_CPU_AMX_INT8,
     64, 32, true, true, kSapphireRapids, /*hasVnni=*/true,
     /*hasBf16Products=*/true, /*isForNarrow=*/true, /*sm=*/0,
     /*sharedBytes=*/0, /*hasTiles=*/true},
    {"x86-64-v4-bf16",
     "x86-64-v4-vnni and full-rate bf16 (AVX512_BF16): AMD Zen 4, Zen 5",
     "x86-64-v4", "-prefer-256-bit,+prfchw,+avx512vnni,+avx512bf16",
     ATTN_CPU_AVX2 | ATTN_CPU_AVX512 | ATTN_CPU_AVX512_VNNI |
         ATTN_CPU_AVX512_BF16 | ATTN_CPU_FULL_RATE_BF16,
     64, 32, true, true, kZen4, /*hasVnni=*/true,
     /*hasBf16Products=*/true, /*isForNarrow=*/true},
    {"x86-64-v4-vnni", "x86-64-v4 and AVX512_VNNI: Intel Cascade Lake",
     "x86-64-v4", "-prefer-256-bit,+prfchw,+avx512vnni",
     ATTN_CPU_AVX2 | ATTN_CPU_AVX512 | ATTN_CPU_AVX512_VNNI, 64, 32, true, true,
     kSkylake, /*hasVnni=*/true, /*hasBf16Products=*/false,
     /*isForNarrow=*/true},
    {"x86-64-v4", "AVX-512 (F, BW, CD, DQ, VL): Intel Skylake-X, AMD Zen 4",
     "x86-64-v4", "-prefer-256-bit,+prfchw", ATTN_CPU_AVX2 | ATTN_CPU_AVX512,
     64, 32, true, true, kSkylake},
    {"x86-64-v3-vnni", "x86-64-v3 and AVX_VNNI: Intel Alder Lake", "x86-64-v3",
     "+prfchw,+avxvnni", ATTN_CPU_AVX2 | ATTN_CPU_AVX_VNNI, 32, 16, true, true,
     kHaswell, /*hasVnni=*/true, /*hasBf16Products=*/false,
     /*isForNarrow=*/true},
    {"x86-64-v3", "AVX2 and FMA: Intel Haswell, AMD Zen", "x86-64-v3",
     "+prfchw", ATTN_CPU_AVX2, 32, 16, true, true, kHaswell},
    {"x86-64", "any 64-bit x86 (SSE2); products by OpenBLAS", "x86-64", "", 0,
     16, 16, false, false, kHaswell},
};

namespace {
struct Cache {
  unsigned level, bytes;
  bool holdsCode; ///< and nothing else
};
} // namespace

/// A cache of the first processor, as Linux tells; nothing where it does not.
static std::optional<Cache> readCache(unsigned index) {
  auto read = [&](StringRef name) -> std::string {
    auto buffer = MemoryBuffer::getFileAsStream(
        "/sys/devices/system/cpu/cpu0/cache/index" + Twine(index) + "/" + name);
    return buffer ? (*buffer)->getBuffer().trim().str() : "";
  };
  Cache cache{};
  const std::string size = read("size");
  StringRef digits = size;
  const unsigned shift = digits.consume_back("K")   ? 10
                         : digits.consume_back("M") ? 20
                                                    : 0;
  if (StringRef(read("level")).getAsInteger(10, cache.level) ||
      digits.getAsInteger(10, cache.bytes) || cache.bytes == 0)
    return std::nullopt;
  cache.bytes <<= shift;
  cache.holdsCode = read("type") == "Instruction";
  return cache;
}

Machine Machine::detect(const Machine &defaults, unsigned vectorBytes) {
  Machine machine = defaults;
  // The system's own table: that of the C library counts an L3 once for every
  // group of cores.
  for (unsigned index = 0; index < 8; ++index)
    if (std::optional<Cache> cache = readCache(index)) {
      if (cache->level == 1 && !cache->holdsCode)
        machine.l1Bytes = cache->bytes;
      else if (cache->level == 2)
        machine.l2Bytes = cache->bytes;
      else if (cache->level == 3)
        machine.l3Bytes = cache->bytes;
    }
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
    machine.cores = CPU_COUNT(&allowed);
  // Those that begin one multiply-add of 64 bytes in a cycle; all others two,
  // as every processor does of 32 bytes.
  const StringRef processor = sys::getHostCPUName();
  const bool isHalf = processor == "znver4" || processor == "tigerlake" ||
                      processor == "icelake-client" ||
                      processor == "rocketlake";
  machine.fmas = vectorBytes == 64 && isHalf ? 1 : 2;
  if (processor == "znver5") {
    machine.l2Rate = 64;
    machine.l3Rate = 24;
    machine.memoryRate = 7;
  }
  return machine;
}

std::string Machine::getProcessorName() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  std::string brand;
  for (unsigned leaf = 0x80000002; leaf <= 0x80000004; ++leaf)
    if (__get_cpuid(leaf, &eax, &ebx, &ecx, &edx))
      for (unsigned word : {eax, ebx, ecx, edx})
        for (; word; word >>= 8)
          brand += static_cast<char>(word & 0xff);
  __get_cpuid(1, &eax, &ebx, &ecx, &edx);
  const unsigned base = eax >> 8 & 15, extended = eax >> 20 & 255;
  const unsigned family = base == 15 ? base + extended : base;
  unsigned model = eax >> 4 & 15;
  if (base == 6 || base == 15)
    model |= (eax >> 16 & 15) << 4;
  return (Twine(StringRef(brand).trim()) + ", family " + Twine(family) +
          ", model " + Twine(model) + ", stepping " + Twine(eax & 15) + ", " +
          sys::getHostCPUName())
      .str();
}

ArrayRef<Target> Target::all() { return kTargets; }

bool Target::runsHere() const {
  // Whether there is a GPU is for the runtime to say.
  if (isGpu())
    return false;
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
  if ((cpuFeatures & ATTN_CPU_AVX512_VNNI) && !has({"avx512vnni"}))
    return false;
  if ((cpuFeatures & ATTN_CPU_AVX512_BF16) && !has({"avx512bf16"}))
    return false;
  if ((cpuFeatures & ATTN_CPU_AVX_VNNI) && !has({"avxvnni"}))
    return false;
  if ((cpuFeatures & (ATTN_CPU_AMX_BF16 | ATTN_CPU_AMX_INT8)) &&
      !has({"amx-tile", "amx-bf16", "amx-int8"}))
    return false;
  // As runtime/Processor.cpp finds it out.
  if ((cpuFeatures & ATTN_CPU_FULL_RATE_BF16) &&
      !sys::getHostCPUName().starts_with("znver"))
    return false;
  return true;
}

const Target &Target::native(bool narrow) {
  for (const Target &target : kTargets)
    if ((narrow || !target.isForNarrow) && target.runsHere())
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
