//===- LoweredProgram.cpp - lowered programs as text --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The scheduled program stands in the lowered one only while it is printed: no
// pass ever sees it there.
//
//===----------------------------------------------------------------------===//
#include "compiler/LoweredProgram.h"
#include "dialects/kernel/Kernel.h"

using namespace mlir;

namespace attnc {

static constexpr llvm::StringLiteral kName = "schedule";

static bool holdsPrograms(ModuleOp module) {
  return !module.getOps<kernel::VariantOp>().empty() ||
         !module.getOps<attn::EntryOp>().empty();
}

void printProgram(ModuleOp module, ModuleOp scheduled, llvm::raw_ostream &os) {
  bool carried = scheduled && !holdsPrograms(module);
  std::optional<llvm::StringRef> name;
  if (carried) {
    name = scheduled.getSymName();
    scheduled.setSymName(kName);
    module.push_back(scheduled);
  }
  module->print(os, OpPrintingFlags().enableDebugInfo(false));
  os << "\n";
  if (carried) {
    scheduled->remove();
    scheduled.setSymName(name);
  }
}

OwningOpRef<ModuleOp> takeSchedule(ModuleOp module) {
  if (holdsPrograms(module))
    return nullptr;
  auto scheduled = module.lookupSymbol<ModuleOp>(kName);
  if (!scheduled)
    return nullptr;
  scheduled->remove();
  return OwningOpRef<ModuleOp>(scheduled);
}

const Target *getScheduledTarget(ModuleOp module) {
  for (auto variant : module.getOps<kernel::VariantOp>())
    return Target::find(variant.getTarget());
  return nullptr;
}

} // namespace attnc
