//===- Peaks.h - what this machine can do at most -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The rates that kernels are held against, measured here and now. Needs nothing
// of LLVM, so that the benchmark's probe is small.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INSPECT_PEAKS_H
#define ATTNC_COMPILER_INSPECT_PEAKS_H

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace attnc {

/// The cores that this process may use.
std::vector<int> getAllowedCores();

/// Bytes of the first processor's data cache of a level; 0 if it is not known.
size_t getCacheBytes(int level);

/// Measures on `cores`, each with one pinned thread, all at once, best of
/// several short runs (a neighbour can only take away); a second or two.
/// Multiplications and additions in registers in 1e9/s: `fma_gflops` (the best
/// of `fma_zmm_gflops` and `fma_ymm_gflops`), `bf16_zmm_gflops`,
/// `int8_zmm_gops`, `bf16_amx_gflops`, `int8_amx_gops`, as far as the processor
/// has them; read bandwidth in GB/s: `read_l2_gbs`, `read_l3_gbs`,
/// `read_memory_gbs`. Of two cores and more also `round_trip_ns`, between the
/// first two. Empty without AVX2.
std::vector<std::pair<std::string, double>>
measurePeaks(const std::vector<int> &cores);

/// Reads the same memory again and again: the bandwidth that something else has
/// beside it, measured in turns with it. Not empty; needs AVX2.
class MemoryReader {
public:
  /// Of `bytes` together, in equal parts of whole pages, one for each core.
  MemoryReader(std::vector<int> cores, size_t bytes);

  /// Seconds for all of it, by pinned threads that begin together.
  double read() const;
  /// What is read: at most as much as was asked for, at least a page a core.
  size_t bytes() const { return part * cores.size(); }

private:
  std::vector<int> cores;
  size_t part;
  std::vector<std::vector<char>> buffers; // a page longer, to be aligned
};

/// Nanoseconds until a thread on core `first` sees that one on core `second`
/// has seen what it wrote, the least mean of several short runs. On a virtual
/// machine it changes with where the host places the two.
double measureRoundTrip(int first, int second);

} // namespace attnc

#endif // ATTNC_COMPILER_INSPECT_PEAKS_H
