//===- RoleTrace.h - producers and consumers keep in step -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs the two roles of `warp.roles` against each other.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_GPU_ROLETRACE_H
#define ATTNC_COMPILER_GPU_ROLETRACE_H

#include "compiler/gpu/ProgramTrace.h"

namespace attnc::gpu {

/// Follows copies, arrivals and phases for one choice of numbers (see
/// ProgramTrace). Reports the op that reads a tile before its copy arrived,
/// overwrites one that is in use, or waits for ever.
llvm::LogicalResult checkRoles(warp::RolesOp roles, int64_t number,
                               Place place);

} // namespace attnc::gpu

#endif // ATTNC_COMPILER_GPU_ROLETRACE_H
