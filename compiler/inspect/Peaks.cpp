//===- Peaks.cpp - what this machine can do at most -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Multiplications and additions in registers (FMA, dot products of bf16 and
// int8, AMX where there is any), reads from L2, L3 and memory, and a line of
// cache that two cores send back and forth.
//
//===----------------------------------------------------------------------===//
#include "compiler/inspect/Peaks.h"
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cpuid.h>
#include <cstdint>
#include <fstream>
#include <functional>
#include <immintrin.h>
#include <sched.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace attnc {
namespace {

constexpr int kRuns = 7;
constexpr int64_t kSteps = 4'000'000; // about 10 ms of twelve FMAs

//===----------------------------------------------------------------------===//
// Arithmetic: chains that do not depend on each other, long enough in number to
// hide the latency of two units. A register barrier keeps each step as written.
//===----------------------------------------------------------------------===//

constexpr int kChains = 12;

__attribute__((target("avx2,fma"))) void fmaYmm(int64_t steps) {
  __m256 sum[kChains], a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(1.0f);
  for (__m256 &chain : sum)
    chain = _mm256_setzero_ps();
  for (int64_t i = 0; i < steps; ++i)
#pragma clang loop unroll(full)
    for (int c = 0; c < kChains; ++c) {
      sum[c] = _mm256_fmadd_ps(sum[c], a, b);
      asm volatile("" : "+x"(sum[c]));
    }
}

__attribute__((target("avx512f"))) void fmaZmm(int64_t steps) {
  __m512 sum[kChains], a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(1.0f);
  for (__m512 &chain : sum)
    chain = _mm512_setzero_ps();
  for (int64_t i = 0; i < steps; ++i)
#pragma clang loop unroll(full)
    for (int c = 0; c < kChains; ++c) {
      sum[c] = _mm512_fmadd_ps(sum[c], a, b);
      asm volatile("" : "+v"(sum[c]));
    }
}

__attribute__((target("avx512f,avx512bf16"))) void dotBf16(int64_t steps) {
  __m512 sum[kChains];
  __m512bh a = (__m512bh)_mm512_set1_epi16(0x3f80), b = a;
  for (__m512 &chain : sum)
    chain = _mm512_setzero_ps();
  for (int64_t i = 0; i < steps; ++i)
#pragma clang loop unroll(full)
    for (int c = 0; c < kChains; ++c) {
      sum[c] = _mm512_dpbf16_ps(sum[c], a, b);
      asm volatile("" : "+v"(sum[c]));
    }
}

__attribute__((target("avx512f,avx512vnni"))) void dotInt8(int64_t steps) {
  __m512i sum[kChains], a = _mm512_set1_epi8(1), b = a;
  for (__m512i &chain : sum)
    chain = _mm512_setzero_si512();
  for (int64_t i = 0; i < steps; ++i)
#pragma clang loop unroll(full)
    for (int c = 0; c < kChains; ++c) {
      sum[c] = _mm512_dpbusd_epi32(sum[c], a, b);
      asm volatile("" : "+v"(sum[c]));
    }
}

//===----------------------------------------------------------------------===//
// AMX: two by two tiles of results, as the kernels have them.
//===----------------------------------------------------------------------===//

struct alignas(64) TileConfig {
  uint8_t palette = 1, startRow = 0, reserved[14] = {};
  uint16_t bytes[16] = {};
  uint8_t rows[16] = {};
};

__attribute__((target("amx-tile"))) void configureTiles() {
  TileConfig config;
  for (int tile = 0; tile < 8; ++tile) {
    config.bytes[tile] = 64;
    config.rows[tile] = 16;
  }
  _tile_loadconfig(&config);
  // One statement each: these are macros in GCC.
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
}

__attribute__((target("amx-tile,amx-bf16"))) void amxBf16(int64_t steps) {
  configureTiles();
  for (int64_t i = 0; i < steps; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}

__attribute__((target("amx-tile,amx-int8"))) void amxInt8(int64_t steps) {
  configureTiles();
  for (int64_t i = 0; i < steps; ++i) {
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
  }
  _tile_release();
}

/// Linux lends AMX's registers on request only.
bool requestTiles() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

//===----------------------------------------------------------------------===//
// Bandwidth
//===----------------------------------------------------------------------===//

/// Reads `bytes` (a multiple of 512) once.
__attribute__((target("avx2"))) void read(const char *data, size_t bytes) {
  for (const char *end = data + bytes; data != end; data += 512)
#pragma clang loop unroll(full)
    for (int i = 0; i < 512; i += 32) {
      __m256i value = _mm256_load_si256((const __m256i *)(data + i));
      asm volatile("" : : "x"(value));
    }
}

constexpr size_t kPage = 4096;

size_t wholePages(size_t bytes) {
  return std::max(bytes / kPage * kPage, kPage);
}

/// Of `bytes` each behind firstPage().
std::vector<std::vector<char>> makeBuffers(size_t count, size_t bytes) {
  std::vector<std::vector<char>> buffers(count);
  for (std::vector<char> &buffer : buffers)
    buffer.assign(bytes + kPage, 1);
  return buffers;
}

const char *firstPage(const std::vector<char> &buffer) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(buffer.data());
  return reinterpret_cast<const char *>((begin + kPage - 1) / kPage * kPage);
}

size_t cacheBytes(int level, size_t otherwise) {
  const size_t bytes = getCacheBytes(level);
  return bytes ? bytes : otherwise;
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

void pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
}

/// Runs `work(thread)` on every core at once; returns the seconds from the
/// common start to the last one's end.
double secondsOf(const std::vector<int> &cores,
                 const std::function<void(int)> &work) {
  using Clock = std::chrono::steady_clock;
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < cores.size(); ++thread)
    threads.emplace_back([&, thread] {
      pin(cores[thread]);
      ++ready;
      while (!go)
        std::this_thread::yield();
      work(thread);
    });
  while (ready != int(cores.size()))
    std::this_thread::yield();
  Clock::time_point begin = Clock::now();
  go = true;
  for (std::thread &thread : threads)
    thread.join();
  std::chrono::duration<double> took = Clock::now() - begin;
  return took.count();
}

/// The least of several runs.
double leastSeconds(const std::vector<int> &cores,
                    const std::function<void(int)> &work) {
  double least = 1e30;
  for (int run = 0; run < kRuns; ++run)
    least = std::min(least, secondsOf(cores, work));
  return least;
}

/// The numbers measured so far.
class Report {
public:
  explicit Report(std::vector<int> cores) : cores(std::move(cores)) {}

  /// `operations`: multiplications and additions of one step of one thread.
  double arithmetic(const char *name, void (*probe)(int64_t), double operations,
                    int64_t steps = kSteps) {
    double seconds = leastSeconds(cores, [&](int) { probe(steps); });
    double rate = operations * steps * cores.size() / seconds / 1e9;
    add(name, rate);
    return rate;
  }

  /// Every thread reads `bytes` of its own over and over.
  void bandwidth(const char *name, size_t bytes) {
    bytes = wholePages(bytes);
    size_t times = std::max<size_t>((size_t(256) << 20) / bytes, 1);
    std::vector<std::vector<char>> buffers = makeBuffers(cores.size(), bytes);
    double seconds = leastSeconds(cores, [&](int thread) {
      for (size_t i = 0; i < times; ++i)
        read(firstPage(buffers[thread]), bytes);
    });
    add(name, double(bytes) * times * cores.size() / seconds / 1e9);
  }

  void addRoundTrip() {
    add("round_trip_ns", measureRoundTrip(cores[0], cores[1]));
  }

  void add(const char *name, double rate) { rates.emplace_back(name, rate); }

  size_t threads() const { return cores.size(); }

  std::vector<std::pair<std::string, double>> rates;

private:
  std::vector<int> cores;
};

bool hasTiles(unsigned bit) {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx >> bit & 1);
}

void measure(Report &report) {
  double most = 0;
  if (__builtin_cpu_supports("avx512f"))
    most = report.arithmetic("fma_zmm_gflops", fmaZmm, kChains * 16 * 2);
  most = std::max(most,
                  report.arithmetic("fma_ymm_gflops", fmaYmm, kChains * 8 * 2));
  report.add("fma_gflops", most);
  if (__builtin_cpu_supports("avx512bf16"))
    report.arithmetic("bf16_zmm_gflops", dotBf16, kChains * 32 * 2);
  if (__builtin_cpu_supports("avx512vnni"))
    report.arithmetic("int8_zmm_gops", dotInt8, kChains * 64 * 2);
  constexpr unsigned kAmxBf16 = 22, kAmxInt8 = 25;
  constexpr int64_t kTileSteps = 200'000;
  if (hasTiles(kAmxBf16) && hasTiles(kAmxInt8) && requestTiles()) {
    report.arithmetic("bf16_amx_gflops", amxBf16, 4 * 16 * 16 * 32 * 2,
                      kTileSteps);
    report.arithmetic("int8_amx_gops", amxInt8, 4 * 16 * 16 * 64 * 2,
                      kTileSteps);
  }
  size_t l2 = cacheBytes(2, 1 << 20);
  size_t l3 = cacheBytes(3, 32 << 20);
  report.bandwidth("read_l2_gbs", l2 / 2);
  report.bandwidth("read_l3_gbs", std::max(2 * l2, l3 / 2 / report.threads()));
  report.bandwidth("read_memory_gbs", std::max<size_t>(4 * l3, 128 << 20));
  if (report.threads() > 1)
    report.addRoundTrip();
}

} // namespace

MemoryReader::MemoryReader(std::vector<int> cores, size_t bytes)
    : cores(std::move(cores)), part(wholePages(bytes / this->cores.size())),
      buffers(makeBuffers(this->cores.size(), part)) {}

double MemoryReader::read() const {
  return secondsOf(cores, [&](int thread) {
    attnc::read(firstPage(buffers[thread]), part);
  });
}

size_t getCacheBytes(int level) {
  // The system's own table: that of the C library counts an L3 once for every
  // group of cores.
  for (int index = 0; index < 8; ++index) {
    const std::string folder =
        "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index);
    std::ifstream levelFile(folder + "/level"), typeFile(folder + "/type"),
        sizeFile(folder + "/size");
    int found = 0;
    std::string type;
    size_t size = 0;
    char unit = 0;
    if (levelFile >> found && typeFile >> type && sizeFile >> size >> unit &&
        found == level && type != "Instruction")
      return size << (unit == 'M' ? 20 : unit == 'K' ? 10 : 0);
  }
  return 0;
}

std::vector<int> getAllowedCores() {
  cpu_set_t set;
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    for (int core = 0; core < CPU_SETSIZE; ++core)
      if (CPU_ISSET(core, &set))
        cores.push_back(core);
  return cores;
}

double measureRoundTrip(int first, int second) {
  constexpr int kTrips = 20'000; // far longer than a thread takes to end
  // Alone in its line, and in the pair of lines that is fetched together.
  alignas(128) std::atomic<int> turn;
  auto wait = [&](int until) {
    while (turn.load(std::memory_order_acquire) != until) {
    }
  };
  turn = 0;
  // Every run begins where the one before has left it.
  const double seconds = leastSeconds({first, second}, [&](int thread) {
    for (int trip = 0; trip < kTrips; ++trip) {
      wait(thread);
      turn.store(1 - thread, std::memory_order_release);
    }
  });
  return seconds / kTrips * 1e9;
}

std::vector<std::pair<std::string, double>>
measurePeaks(const std::vector<int> &cores) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    return {};
  Report report(cores);
  measure(report);
  return report.rates;
}

} // namespace attnc
