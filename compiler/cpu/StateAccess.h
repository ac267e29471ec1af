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
  /// head + `index` elements.
  mlir::Value elementAt(mlir::Value head, mlir::Value index);
  /// A vector of a head's elements from number `index` on, as f32; those of i8
  /// without their scales. `mask` is for elements of f32 alone.
  mlir::Value loadElements(mlir::Value head, mlir::Value index,
                           mlir::Value mask = {});
  /// Whether elements are q, and numbers scale * q.
  bool isScaled() const { return blocks.getFormat() == kernel::Format::i8; }
  /// The scale of the position that is number `position` of its block.
  mlir::Value scaleAt(mlir::Value head, mlir::Value position);
  /// Writes the row at `source` as a head's number `position`.
  void storeRow(mlir::Value source, mlir::Value head, mlir::Value position);

  kernel::BlocksAttr blocks;
  int64_t positions; ///< of a block
  bool transposed;
  int64_t heads, columns; ///< a row is [heads, columns]
  int64_t rowElements;    ///< from a row that is not transposed to the next

private:
  void storeFloats(mlir::Value source, mlir::Value head, mlir::Value position);
  /// The i32 lanes of a vector of f32 whose lower bits are its elements.
  mlir::Value narrow(mlir::Value numbers, mlir::Value inverse);
  mlir::Value load(mlir::Type type, mlir::Value base, mlir::Value index);

  KernelEmitter &e;
  mlir::Value tables, offset;
};

} // namespace attnc::cpu

#endif // ATTNC_COMPILER_CPU_STATEACCESS_H
