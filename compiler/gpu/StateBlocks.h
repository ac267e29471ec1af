//===- StateBlocks.h - the blocks of a session on a GPU ---------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A state reaches a program as the address of an attn_device_state
// (include/attn/abi_device.h): one table of blocks for all sequences, and where
// in a block this state's rows begin. `#kernel.blocks` says how they lie there.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_GPU_STATEBLOCKS_H
#define ATTNC_COMPILER_GPU_STATEBLOCKS_H

#include "compiler/gpu/ProgramBuilder.h"

namespace attnc::gpu {

class StateBlocks {
public:
  /// Reads where the blocks are; `state` is an argument of the kernel.
  StateBlocks(ProgramBuilder &builder, mlir::Value state);

  /// Address of a head's first element in block `block` (i32) of a sequence.
  mlir::Value headOf(mlir::Value sequence, mlir::Value block, mlir::Value head);

  /// Address of the scale of position 0 of a head that is kept as i8.
  mlir::Value scalesOf(mlir::Value head);
  /// Whether elements are q, and numbers scale * q.
  bool isScaled() const { return layout.getFormat() == kernel::Format::i8; }

  kernel::BlocksAttr layout;
  mlir::Type element; ///< as memory holds it
  int64_t positions;  ///< of a block
  bool transposed;
  int64_t heads, columns; ///< a row is [heads, columns]
  int64_t rowElements;    ///< from a row that is not transposed to the next

private:
  ProgramBuilder &e;
  int64_t tableLength; ///< blocks of a sequence
  mlir::Value tables, offset;
};

/// The sequence that a packed row (i32) belongs to: offsets[s] <= row <
/// offsets[s + 1].
mlir::Value findSequence(ProgramBuilder &builder, mlir::Value offsets,
                         mlir::Value row);

} // namespace attnc::gpu

#endif // ATTNC_COMPILER_GPU_STATEBLOCKS_H
