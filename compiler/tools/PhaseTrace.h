//===- PhaseTrace.h - times of phases -----------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads what a library under ATTN_PROFILE writes.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_TOOLS_PHASETRACE_H
#define ATTNC_COMPILER_TOOLS_PHASETRACE_H

#include "compiler/tools/Library.h"

namespace attnc::tools {

/// The phases of every call of one entry at one set of sizes. A phase takes
/// from the first worker's begin to the last one's end.
class PhaseTrace {
public:
  /// Of the trace at `path`, which may still grow; A0731 if it holds no more
  /// calls than those that do not count.
  static llvm::Expected<PhaseTrace>
  read(llvm::StringRef path, llvm::StringRef entry,
       const std::map<std::string, int64_t> &sizes, size_t phases);

  /// Of the warm calls, in milliseconds.
  double median(size_t phase) const { return quantile(phase, 0.5); }
  double quantile(size_t phase, double q) const;
  /// What `workers` do with their time, all of them together, in milliseconds.
  struct WorkerTime {
    double busy = 0; ///< in their parts of a phase
    double idle = 0; ///< in no part while the phase is the first one not over;
                     ///< between two phases it is the second
  };
  /// Of each phase; medians of the warm calls.
  std::vector<WorkerTime> getWorkerTimes(int64_t workers) const;

  /// The first calls, which are cold.
  static constexpr size_t kColdCalls = 2;

private:
  struct Part {
    size_t phase;
    int64_t worker;
    double begin, end; ///< microseconds
  };
  using Call = std::vector<Part>; ///< by phase
  using Span = std::pair<double, double>;
  explicit PhaseTrace(size_t phases) : phases(phases) {}
  bool beginCall(const llvm::json::Object &event, llvm::StringRef entry,
                 const std::map<std::string, int64_t> &sizes);
  void addPart(const llvm::json::Object &event);
  /// From the first worker's begin to the last one's end.
  static Span getSpan(const Call &call, size_t phase);
  std::vector<WorkerTime> getWorkerTimes(const Call &call,
                                         int64_t workers) const;

  size_t phases;
  std::vector<Call> calls;
};

/// The object of `list` whose member `key` is `value`, or null.
const llvm::json::Object *findObject(const llvm::json::Array *list,
                                     llvm::StringRef key,
                                     llvm::StringRef value);

/// What the description says of the phases of `entry`, in sessions with the
/// library's adapter if it has one: their kernels and work.
llvm::Expected<const llvm::json::Array *> findWork(const Library &library,
                                                   llvm::StringRef variant,
                                                   llvm::StringRef entry);

} // namespace attnc::tools

#endif // ATTNC_COMPILER_TOOLS_PHASETRACE_H
