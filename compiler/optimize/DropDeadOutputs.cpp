//===- DropDeadOutputs.cpp - outputs nobody asked for go
//-------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With outputs=pooled:
// Before:  attn.entry @encode(...) -> (... "hidden", ... "pooled") {
//            attn.return %hidden, %pooled }
// After:   attn.entry @encode(...) -> (... "pooled") { attn.return %pooled }
//
// Without the option every output stays. Either way ops that no output needs
// and weights that nothing reads are erased.
// Arguments stay, since they are the library's interface; an entry without
// outputs goes. An unknown name is an error that lists the known ones.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/optimize/Report.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_DROPDEADOUTPUTS
#include "compiler/Passes.h.inc"

namespace {

/// Erases weights that nothing reads, so that their bytes are not packaged.
void eraseUnusedWeights(ModuleOp module) {
  llvm::StringSet<> used;
  if (std::optional<SymbolTable::UseRange> uses =
          SymbolTable::getSymbolUses(&module.getBodyRegion()))
    for (SymbolTable::SymbolUse use : *uses)
      used.insert(use.getSymbolRef().getRootReference().getValue());
  for (auto weight :
       llvm::make_early_inc_range(module.getOps<attn::WeightOp>()))
    if (!used.contains(weight.getSymName()))
      weight.erase();
}

struct DropDeadOutputs : impl::DropDeadOutputsBase<DropDeadOutputs> {
  using DropDeadOutputsBase::DropDeadOutputsBase;

  void runOnOperation() override {
    if (failed(checkNames()))
      return signalPassFailure();
    if (!outputs.empty())
      for (auto entry :
           llvm::make_early_inc_range(getOperation().getOps<attn::EntryOp>()))
        dropOutputs(entry);
    IRRewriter rewriter(&getContext());
    for (auto entry : getOperation().getOps<attn::EntryOp>())
      (void)runRegionDCE(rewriter, entry.getBody());
    eraseUnusedWeights(getOperation());
  }

  bool isKept(StringRef name) {
    return llvm::any_of(outputs,
                        [&](const std::string &kept) { return kept == name; });
  }

  LogicalResult checkNames() {
    llvm::StringSet<> known;
    SmallVector<StringRef> list;
    for (auto entry : getOperation().getOps<attn::EntryOp>())
      for (unsigned i = 0; i < entry.getNumResults(); ++i)
        if (known.insert(entry.getResultName(i)).second)
          list.push_back(entry.getResultName(i));
    for (const std::string &name : outputs)
      if (!known.contains(name)) {
        InFlightDiagnostic error = getOperation().emitError();
        error << "error[A0401]: no output is named '" << name << "'";
        error.attachNote() << "the outputs are " << llvm::join(list, ", ");
        return error;
      }
    return success();
  }

  void dropOutputs(attn::EntryOp entry) {
    llvm::BitVector dead(entry.getNumResults());
    for (unsigned i = 0; i < entry.getNumResults(); ++i)
      if (!isKept(entry.getResultName(i))) {
        dead.set(i);
        reportApplied("drop-dead-outputs", applied, entry,
                      "output '" + entry.getResultName(i) + "' is dropped");
      }
    if (dead.none())
      return;
    if (dead.all()) {
      entry.erase();
      return;
    }
    entry.getBody().front().getTerminator()->eraseOperands(dead);
    (void)entry.eraseResults(dead);
  }
};

} // namespace
} // namespace attnc
