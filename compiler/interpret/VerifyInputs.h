//===- VerifyInputs.h - cases that a library is tried on -----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which sizes, masks, ids and numbers. An i32 input with the range [0, 1] and
// the default 1 is a mask: leaving it out means that everything counts.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_VERIFYINPUTS_H
#define ATTNC_COMPILER_INTERPRET_VERIFYINPUTS_H

#include "compiler/interpret/Verify.h"

namespace attnc::interpret {

enum class MaskPattern { Full, Ragged, RowMasked, Holes, LeftPadding, LeftOut };
enum class IdPattern { Random, Minimum, Maximum };
enum class NumberPattern { Normal, Large, Denormal, Mixed };

struct InputPlan {
  std::map<std::string, int64_t> sizes;
  MaskPattern mask = MaskPattern::Full;
  IdPattern ids = IdPattern::Random;
  NumberPattern numbers = NumberPattern::Normal;
};

/// An input as the library takes it, and as the reference does.
struct PlannedInput {
  TensorValue value;
  std::vector<float> numbers;
  std::vector<int32_t> integers;
  bool leftOut = false;

  /// What the library is given.
  VerifyBuffer buffer();
};

/// Every case of an entry.
std::vector<InputPlan> planInputs(attn::EntryOp entry,
                                  const VerifyOptions &options);

/// "batch 3, seq 17, ragged mask"; names only what the entry has.
std::string describe(attn::EntryOp entry, const InputPlan &plan);

/// The inputs of a case; the same for the same seed.
std::vector<PlannedInput> makeInputs(attn::EntryOp entry, const InputPlan &plan,
                                     uint64_t seed);

/// The shape of an entry's argument or result.
llvm::SmallVector<int64_t> shapeAt(mlir::Type type,
                                   const std::map<std::string, int64_t> &sizes);

} // namespace attnc::interpret

#endif // ATTNC_COMPILER_INTERPRET_VERIFYINPUTS_H
