//===- EntryVerifier.h - an entry of a library, case by case ----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What verifyLibrary does with each entry and with each case of it.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_ENTRYVERIFIER_H
#define ATTNC_COMPILER_INTERPRET_ENTRYVERIFIER_H

#include "compiler/interpret/GuardedOutput.h"
#include "compiler/interpret/SessionSteps.h"

namespace attnc::interpret {

/// By output and element.
using Allowances = std::vector<std::vector<double>>;

class EntryVerifier {
public:
  /// `own` repeats the roundings of the library; null: they are not known.
  EntryVerifier(Interpreter &interpreter, Interpreter *own, attn::EntryOp entry,
                const VerifyOptions &options, VerifyCall call);

  /// Steps before most of the cases of an entry with states.
  std::vector<SessionStep> makeHistory(const InputPlan &plan, uint64_t seed);
  /// Nothing if the reference refuses the inputs.
  std::optional<VerifyCase> run(const InputPlan &plan, uint64_t seed,
                                llvm::ArrayRef<SessionStep> steps);
  std::string refusal; ///< why the reference refused the last case it did

private:
  std::string begin();
  std::string doStep(const SessionStep &step);
  std::string callLibrary(llvm::MutableArrayRef<PlannedInput> inputs,
                          std::vector<GuardedOutput> &outputs);
  /// Sees the results of a reference in so many runs of other seeds.
  void runAgain(Interpreter &reference, Precision precision, unsigned runs,
                llvm::function_ref<void(llvm::ArrayRef<TensorValue>)> see);
  std::vector<TensorValue> runOnce(Interpreter &reference, Precision precision);
  Allowances measureRounding(Interpreter &reference,
                             llvm::ArrayRef<TensorValue> expected,
                             Precision precision);
  Allowances measureFormats(llvm::ArrayRef<TensorValue> expected,
                            Precision precision, unsigned runs, double times);
  /// What elements of outputs may be off beyond `relative`, in one of several
  /// ways, the cheapest first; nothing where there is no other.
  std::optional<Allowances> measure(unsigned way,
                                    llvm::ArrayRef<TensorValue> expected);
  void compare(llvm::ArrayRef<TensorValue> expected,
               llvm::ArrayRef<GuardedOutput> outputs, VerifyCase &result);
  void compareOwn(llvm::ArrayRef<TensorValue> exact,
                  llvm::ArrayRef<GuardedOutput> outputs, VerifyCase &result);
  void checkOwn(llvm::ArrayRef<TensorValue> exact, VerifyCase &result);

  Interpreter &interpreter;
  Interpreter *own;
  attn::EntryOp entry, ownEntry;
  VerifyCall call;
  double relative;       ///< of the library's formats
  double singleRelative; ///< of f32
  const VerifyOptions &options;
  bool keeps; ///< the entry appends to states or reads them
  llvm::ArrayRef<SessionStep> steps;   ///< before the case's call
  InputPlan plan;                      ///< of the case
  std::vector<TensorValue> inputs;     ///< of its call
  llvm::SmallVector<unsigned> results; ///< which the library has, in its order
};

} // namespace attnc::interpret

#endif // ATTNC_COMPILER_INTERPRET_ENTRYVERIFIER_H
