//===- SessionSteps.h - what a session has seen before a call ---*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Entries that read states depend on what came before them: earlier calls of
// the same entry, sequences that became copies of others or shorter.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_SESSIONSTEPS_H
#define ATTNC_COMPILER_INTERPRET_SESSIONSTEPS_H

#include "compiler/interpret/VerifyInputs.h"

namespace attnc::interpret {

struct SessionStep {
  /// Copy is Fork, by saving one sequence and loading it as the other.
  enum Kind { Call, Fork, Copy, Truncate } kind = Call;
  InputPlan plan;                   ///< of a call
  std::vector<PlannedInput> inputs; ///< of a call
  int64_t sequence = 0;             ///< that is copied or becomes shorter
  int64_t to = 0;                   ///< the copy
  int64_t length = 0;               ///< positions that stay

  static SessionStep call(attn::EntryOp entry, const InputPlan &plan,
                          uint64_t seed);
};

/// "batch 3, seq 17, ragged mask", "fork 0 to 1", "truncate 1 to 5"
std::string describe(attn::EntryOp entry, const SessionStep &step);

/// A call of the reference in a session that these steps happened to.
llvm::Expected<std::vector<TensorValue>>
runAfter(Interpreter &interpreter, attn::EntryOp entry,
         llvm::ArrayRef<SessionStep> steps,
         const std::map<std::string, int64_t> &sizes,
         llvm::ArrayRef<TensorValue> inputs, Precision precision);

} // namespace attnc::interpret

#endif // ATTNC_COMPILER_INTERPRET_SESSIONSTEPS_H
