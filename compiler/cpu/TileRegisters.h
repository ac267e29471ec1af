//===- TileRegisters.h - the registers of AMX ------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The instructions of AMX as calls of LLVM's intrinsics, which name registers
// by number, so that none is ever spilled. All tiles have one shape, 16 rows of
// 64 bytes, which is configured at the head of a kernel; the runtime releases
// tiles at the end of every phase.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_CPU_TILEREGISTERS_H
#define ATTNC_COMPILER_CPU_TILEREGISTERS_H

#include "compiler/cpu/Emitter.h"

namespace attnc::cpu {

class TileRegisters {
public:
  /// Of a tile; kWords words are a row's 64 bytes.
  static constexpr int64_t kRows = 16, kRowBytes = 64, kWords = 16;

  explicit TileRegisters(KernelEmitter &e) : e(e) {}
  /// Configures all of them, by 64 bytes that are written at `place`.
  void configure(mlir::Value place);
  void zero(int64_t tile);
  /// Rows `strideBytes` apart (i64).
  void load(int64_t tile, mlir::Value place, mlir::Value strideBytes);
  void store(int64_t tile, mlir::Value place, mlir::Value strideBytes);
  /// sums += a * b, in pairs of bf16 or fours of i8.
  void multiply(bool isBf16, int64_t sums, int64_t a, int64_t b);

private:
  void call(llvm::StringRef name, llvm::ArrayRef<int64_t> tiles,
            llvm::ArrayRef<mlir::Value> operands = {});

  KernelEmitter &e;
};

} // namespace attnc::cpu

#endif // ATTNC_COMPILER_CPU_TILEREGISTERS_H
