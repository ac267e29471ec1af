//===- StateAccess.h - the blocks of a session's states ---------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A state reaches a kernel as the address of an attn_frame_state
// (include/attn/abi.h): for each sequence a table of blocks, and where in a
// block this state's rows begin. `#kernel.blocks` says how they lie there.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_CPU_STATEACCESS_H
#define ATTNC_COMPILER_CPU_STATEACCESS_H

#include "compiler/cpu/Emitter.h"

namespace attnc::cpu {

class StateAccess {
public:
  /// `state` is an argument of the kernel.
  StateAccess(KernelEmitter &emitter, mlir::Value state);

  /// The table of a sequence's blocks.
  mlir::Value tableOf(mlir::Value sequence);
  /// The first element of a head in a block of a table.
  mlir::Value headOf(mlir::Value table, mlir::Value block, mlir::Value head);

  int64_t positions; ///< of a block
  bool transposed;
  int64_t heads, columns; ///< a row is [heads, columns]

private:
  mlir::Value load(mlir::Type type, mlir::Value base, mlir::Value index);

  KernelEmitter &e;
  mlir::Value tables, offset;
};

} // namespace attnc::cpu

#endif // ATTNC_COMPILER_CPU_STATEACCESS_H
