//===- SessionSteps.cpp - what a session has seen before a call -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The steps, done to the reference's session.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/SessionSteps.h"

using namespace mlir;
using llvm::Expected;

namespace attnc::interpret {

SessionStep SessionStep::call(attn::EntryOp entry, const InputPlan &plan,
                              uint64_t seed) {
  SessionStep step;
  step.plan = plan;
  step.inputs = makeInputs(entry, plan, seed);
  return step;
}

std::string describe(attn::EntryOp entry, const SessionStep &step) {
  std::string from = std::to_string(step.sequence);
  switch (step.kind) {
  case SessionStep::Call:
    return describe(entry, step.plan);
  case SessionStep::Fork:
    return "fork " + from + " to " + std::to_string(step.to);
  case SessionStep::Copy:
    return "copy " + from + " to " + std::to_string(step.to);
  case SessionStep::Truncate:
    return "truncate " + from + " to " + std::to_string(step.length);
  }
  llvm_unreachable("an unknown step");
}

Expected<std::vector<TensorValue>>
runAfter(Interpreter &interpreter, attn::EntryOp entry,
         ArrayRef<SessionStep> steps,
         const std::map<std::string, int64_t> &sizes,
         ArrayRef<TensorValue> inputs, Precision precision) {
  SessionState session;
  for (const SessionStep &step : steps) {
    if (step.kind == SessionStep::Truncate) {
      session.truncate(step.sequence, step.length);
      continue;
    }
    if (step.kind != SessionStep::Call) {
      session.fork(step.sequence, step.to);
      continue;
    }
    std::vector<TensorValue> values;
    for (const PlannedInput &input : step.inputs)
      values.push_back(input.value);
    auto unused = interpreter.run(entry.getSymName(), step.plan.sizes, values,
                                  precision, &session);
    if (!unused)
      return unused.takeError();
  }
  return interpreter.run(entry.getSymName(), sizes, inputs, precision,
                         &session);
}

} // namespace attnc::interpret
