//===- ThreadCount.h - how many threads this process may use ----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The number behind options.threads = 0: processors in the affinity mask, cut
// to the processor time that the control group grants.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_THREADCOUNT_H
#define ATTN_RUNTIME_THREADCOUNT_H

#include "attn/attn.h"

namespace attnrt {

/// Most threads that a model may have.
constexpr int32_t kMaximumThreads = 1024;

/// Processors in the calling thread's affinity mask, at least 1.
int32_t affinityProcessors();

/// Whole processors that the control group's quota grants (1.5 counts as 1:
/// two threads would be stopped in every period), at least 1; 0 without a
/// quota. Reads version 2 and version 1 below `root` ("" for the system's
/// /proc and /sys), and the limits of all enclosing groups.
int32_t quotaProcessors(const char *root);

/// What options.threads = 0 means with so many processors and this quota (0:
/// none); `reason` says where it comes from, in static storage.
int32_t usableThreads(int32_t processors, int32_t quota, const char *&reason);

} // namespace attnrt

#endif // ATTN_RUNTIME_THREADCOUNT_H
