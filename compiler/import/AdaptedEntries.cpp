//===- AdaptedEntries.cpp - entries of sessions with an adapter -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// IR before: a model's entries. After: the same, and behind them a copy of each
// that reads a tensor which an adapter changes, with the adapters' products in
// it and `attn.stands_for` on it. Sessions without an adapter so run what a
// library without adapters does, where that computes nothing of weights alone
// (Encoder::weightsVary).
//
// A copy reads the weights of the model. Where the optimizer will make one
// product of queries, keys and values, that is done in the copy first: behind
// the adapters' sums nothing would find the three, and the library would hold
// their weights twice.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/import/AdapterSet.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace attnc::attn;

namespace attnc {

/// What FuseQkv does where it can; it has remarks only, which the one over the
/// model's own entries will make.
static LogicalResult joinProjections(ModuleOp module) {
  ScopedDiagnosticHandler remarks(module.getContext(), [](Diagnostic &given) {
    return success(given.getSeverity() == DiagnosticSeverity::Remark);
  });
  PassManager passes(module.getContext());
  passes.addPass(createFuseQkv());
  return passes.run(module);
}

static bool readsAdapters(ModuleOp module, EntryOp entry) {
  return entry
      .walk([&](GetWeightOp get) {
        auto weight = module.lookupSymbol<WeightOp>(get.getWeight());
        return llvm::any_of(getSources(weight),
                            [](StringRef source) {
                              return source.starts_with(kAdapterDown);
                            })
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

LogicalResult addAdaptedEntries(ModuleOp module, const AdapterSet &adapters,
                                bool joinsProjections) {
  OwningOpRef<ModuleOp> copy(cast<ModuleOp>(module->clone()));
  if ((joinsProjections && failed(joinProjections(*copy))) ||
      failed(addAdapterProducts(*copy, adapters)))
    return failure();
  SmallVector<EntryOp> adapted;
  for (auto entry : copy->getOps<EntryOp>())
    if (readsAdapters(*copy, entry))
      adapted.push_back(entry);
  if (adapted.empty())
    return success();
  SymbolTable symbols(module);
  EntryOp first = *module.getOps<EntryOp>().begin();
  for (auto weight : llvm::make_early_inc_range(copy->getOps<WeightOp>()))
    if (!symbols.lookup(weight.getSymName())) {
      weight->remove();
      symbols.insert(weight, first->getIterator());
    }
  for (EntryOp entry : adapted) {
    StringAttr name = entry.getSymNameAttr();
    entry->setAttr(AttnDialect::kStandsForAttr, name);
    entry.setSymName((name.getValue() + "_adapted").str());
    entry->remove();
    symbols.insert(entry);
  }
  return success();
}

} // namespace attnc
