//===- ProgramTrace.h - what a program does to its tiles --------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program run for one choice of the numbers that it finds in memory: the ops
// that touch tiles, barriers and products, in the order in which a thread
// executes them, with the stages that they touch. Loops and branches follow the
// integer arithmetic; loops that touch no tile are passed over.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_GPU_PROGRAMTRACE_H
#define ATTNC_COMPILER_GPU_PROGRAMTRACE_H

#include "dialects/warp/Warp.h"
#include <optional>
#include <vector>

namespace attnc::gpu {

/// A tile or barrier in one of its stages.
struct Staged {
  mlir::Operation *owner = nullptr;
  int64_t stage = 0;

  bool operator<(const Staged &other) const {
    return std::tie(owner, stage) < std::tie(other.owner, other.stage);
  }
};

struct Event {
  mlir::Operation *op;
  Staged tile;        ///< that it reads or writes
  Staged barrier;     ///< that it waits for or arrives at
  int64_t parity = 0; ///< of warp.await
};

/// Which block of how many runs, on every axis of the grid. Under masks, loops
/// of later blocks run where those of the first have nothing to do.
struct Place {
  int64_t block, blocks;
};

class ProgramTrace {
public:
  /// `number` stands for what loads give: the first load gives it once, the
  /// second twice, and so on, so that differences of offsets are `number` too.
  ProgramTrace(int64_t number, Place place) : number(number), place(place) {}

  /// The events of a block and of what is in it, roles excepted.
  std::vector<Event> run(mlir::Block &block);

private:
  void runOp(mlir::Operation &op);
  void runBlock(mlir::Block &block);
  void runFor(mlir::scf::ForOp op);
  void addEvents(mlir::Operation &op);
  Staged staged(mlir::Value value);
  Staged staged(mlir::Value barrier, mlir::Value stage);
  std::optional<int64_t> evaluate(mlir::Value value);
  std::optional<int64_t> compute(mlir::Operation *op);

  int64_t number, loads = 0;
  Place place;
  llvm::DenseMap<mlir::Value, std::optional<int64_t>> numbers;
  std::vector<Event> events;
};

} // namespace attnc::gpu

#endif // ATTNC_COMPILER_GPU_PROGRAMTRACE_H
