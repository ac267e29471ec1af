//===- Roofline.h - kernels against what the machine can do -*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Joins three things: the times of a trace (ATTN_PROFILE), the operations and
// bytes of the library's description, and the measured peaks. (Williams et al.,
// "Roofline: An Insightful Visual Performance Model", 2009.)
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_TOOLS_ROOFLINE_H
#define ATTNC_COMPILER_TOOLS_ROOFLINE_H

#include "compiler/tools/Library.h"

namespace attnc::tools {

/// The phases of a call that run the same kernels, together.
struct KernelRate {
  std::string kernels; ///< "linear_0", or "a, b" where a phase runs several
  std::string type;    ///< of products: "f32", "bf16", "i8"; else empty
  int64_t phases = 0;
  double milliseconds = 0; ///< of a call: median of each phase, summed
  double busy = 0;         ///< of all workers together, in their parts
  double idle = 0;         ///< and in none
  double flops = 0, bytes = 0;
  double peak = 0; ///< 1e9 operations/s that `type` can reach here
  double roof = 0; ///< the same, as far as reading `bytes` allows

  double gflops() const { return flops / milliseconds / 1e6; }
  double gigabytes() const { return bytes / milliseconds / 1e6; }
  /// Time that peak and bandwidth leave no way around, over the time it took.
  double share = 0;
};

struct Roofline {
  std::string entry, variant;
  std::map<std::string, int64_t> sizes;
  int threads = 1;
  std::vector<KernelRate> kernels; ///< most time first
  double milliseconds = 0;         ///< of the phases together
  double busy = 0, idle = 0;       ///< of all workers together
  std::string level;               ///< "L2", "L3" or "memory"
  double bandwidth = 0;            ///< GB/s from there
  double peak = 0;                 ///< f32, 1e9/s

  llvm::json::Value toJson() const;
  void print(llvm::raw_ostream &os) const;
  /// Of the time of all workers in a call, the share of an idle part.
  double getIdleShare(double part) const { return part / (busy + idle); }
  /// Writes the chart, an SVG document.
  void draw(llvm::raw_ostream &os) const;
};

/// Measures the peaks on as many cores as the library has threads, and reads
/// the calls of `entry` at `sizes` from the trace at `path`, the first two
/// (cold) left out. `context`: positions that sequences have before the call.
llvm::Expected<Roofline>
measureRoofline(const Library &library, const LibraryEntry &entry,
                const std::map<std::string, int64_t> &sizes, int64_t context,
                llvm::StringRef path);

} // namespace attnc::tools

#endif // ATTNC_COMPILER_TOOLS_ROOFLINE_H
