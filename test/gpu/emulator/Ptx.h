//===- Ptx.h - inline assembly of kernels -----------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The text of one asm statement, parsed once and interpreted per thread:
// registers, predicates, labels and branches, and the instructions that Block
// offers.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_GPU_EMULATOR_PTX_H
#define ATTNC_TEST_GPU_EMULATOR_PTX_H

#include "Block.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"

namespace attnc::emulator {

struct PtxOperand {
  enum Kind { Register, Immediate, Address, Vector, Pair, Sink };
  Kind kind = Sink;
  int number = 0;                ///< of the register
  uint64_t value = 0;            ///< immediate, or offset of an address
  std::vector<PtxOperand> parts; ///< of addresses, vectors and pairs
};

struct PtxInstruction;
using PtxHandler = void (*)(Block &, const PtxInstruction &, uint64_t *);

struct PtxInstruction {
  PtxHandler handler = nullptr;
  int predicate = -1;
  bool negated = false;
  int target = -1; ///< of a branch
  std::string name;
  std::vector<std::string> modifiers; ///< "sync", "aligned", "f32"...
  std::vector<PtxOperand> operands;

  bool has(llvm::StringRef modifier) const {
    return llvm::is_contained(modifiers, modifier);
  }
  const std::string &type() const { return modifiers.back(); }
};

class PtxSnippet {
public:
  /// `operands`: how many $0, $1... the statement has; `outputs`: how many of
  /// them it writes.
  static llvm::Expected<PtxSnippet> parse(llvm::StringRef text, int operands,
                                          int outputs);
  int registerCount() const { return registers; }
  /// `registers`: [registerCount()], the operands first.
  void run(Block &block, uint64_t *registers) const;

private:
  void waitForGroups(Block &block, int pending, uint64_t *registers) const;

  friend class PtxParser;
  std::vector<PtxInstruction> instructions;
  int registers = 0;
  int operandCount = 0, outputCount = 0;
};

/// What executes an instruction; null if it is not known.
PtxHandler findPtxHandler(const PtxInstruction &instruction);

} // namespace attnc::emulator

#endif // ATTNC_TEST_GPU_EMULATOR_PTX_H
