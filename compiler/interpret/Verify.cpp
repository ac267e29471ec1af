//===- Verify.cpp - compiled code against the reference -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All cases of all entries that model and library have.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/Verify.h"
#include "compiler/interpret/EntryVerifier.h"
#include <chrono>

using namespace mlir;
using namespace attnc::interpret;
using llvm::Expected;

namespace attnc {

Expected<VerifyCase> verifyCase(Interpreter &interpreter, attn::EntryOp entry,
                                const InputPlan &plan, uint64_t seed,
                                ArrayRef<SessionStep> steps,
                                const VerifyOptions &options, VerifyCall call) {
  EntryVerifier verifier(interpreter, options.products ? &interpreter : nullptr,
                         entry, options, call);
  if (std::optional<VerifyCase> result = verifier.run(plan, seed, steps))
    return std::move(*result);
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 verifier.refusal);
}

Expected<VerifyReport>
verifyLibrary(ModuleOp module, const WeightTable *weights,
              const VerifyOptions &options, VerifyCall call,
              llvm::function_ref<void(const VerifyCase &)> progress) {
  auto start = std::chrono::steady_clock::now();
  Interpreter interpreter(module, weights, options.threads);
  interpreter.setFormats(options.formats);
  std::optional<Interpreter> apart; // with the library's adapters beside
  Interpreter *own = options.products ? &interpreter : nullptr;
  if (own && options.apart) {
    apart.emplace(options.apart->module, options.apart->weights,
                  options.threads);
    apart->setChoice(options.apart->choice);
    apart->setFormats(options.formats);
    own = &*apart;
  }
  if (own)
    own->setProducts(*options.products);
  VerifyReport report;
  for (auto entry : module.getOps<attn::EntryOp>()) {
    if (!options.outputs.empty() &&
        !options.outputs.count(entry.getSymName().str()))
      continue;
    EntryVerifier verifier(interpreter, own, entry, options, call);
    size_t before = report.cases.size();
    for (const InputPlan &plan : planInputs(entry, options)) {
      uint64_t seed = options.seed + report.cases.size();
      std::vector<SessionStep> history = verifier.makeHistory(plan, seed);
      if (std::optional<VerifyCase> result =
              verifier.run(plan, seed, history)) {
        if (progress)
          progress(*result);
        report.cases.push_back(std::move(*result));
      }
    }
    if (report.cases.size() == before)
      return llvm::createStringError(
          llvm::inconvertibleErrorCode(),
          "error[A0740]: no case of entry '" + entry.getSymName() +
              "' could be made: " + verifier.refusal);
  }
  if (report.cases.empty())
    return llvm::createStringError(
        llvm::inconvertibleErrorCode(),
        "error[A0740]: the model and the library have no entry in common");
  report.own = summarizeOwnRounding(report);
  report.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  return report;
}

} // namespace attnc
