//===- ProgramInfo.h - what the tables of a library need -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one place that numbers sizes, weights, phases and slots, so that
// generated code, the tables of include/attn/abi.h and the weights file agree.
// Entries are numbered as their programs stand in a variant, sizes as their
// `attn.size` ops stand in the module.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_SCHEDULE_PROGRAMINFO_H
#define ATTNC_COMPILER_SCHEDULE_PROGRAMINFO_H

#include "dialects/kernel/Kernel.h"
#include "mlir/IR/BuiltinOps.h"
#include <optional>
#include <string>
#include <vector>

namespace attnc {

//===-- sizes
//--------------------------------------------------------------===//

/// The named sizes in the order of their indices.
llvm::SmallVector<attn::SizeOp> getSizes(mlir::ModuleOp module);
/// The index of a declared size.
int64_t getSizeIndex(mlir::ModuleOp module, llvm::StringRef name);

//===-- weights
//------------------------------------------------------------===//

/// A weight in one layout: one tensor of the weights file.
struct WeightUse {
  attn::WeightOp weight;
  kernel::PanelsAttr layout; ///< null: row-major
  /// Key in the weights file: the symbol, then "#panels48" or the like.
  std::string key;
  uint64_t bytes; ///< with the padding of the layout

  mlir::RankedTensorType getTensorType() const;
};

/// Every weight that programs read, in the order of indices: first use over
/// variants, programs and ops.
std::vector<WeightUse> getWeightUses(mlir::ModuleOp module);
/// The index of a weight in a layout.
int64_t getWeightIndex(llvm::ArrayRef<WeightUse> uses, llvm::StringRef symbol,
                       kernel::PanelsAttr layout);

//===-- symbols
//------------------------------------------------------------===//

/// VARIANT_KERNEL, the function of a kernel.
std::string getKernelSymbol(kernel::VariantOp variant, llvm::StringRef kernel);
/// VARIANT_ENTRY_phase_N
std::string getPhaseSymbol(kernel::ProgramOp program, int64_t phase);
/// VARIANT_ENTRY_plan
std::string getPlanSymbol(kernel::ProgramOp program);
/// VARIANT_ENTRY_poison and VARIANT_ENTRY_unpoison, beside a plan: phases that
/// code under AddressSanitizer begins and ends with.
std::string getPoisonSymbol(llvm::StringRef planSymbol);
std::string getUnpoisonSymbol(llvm::StringRef planSymbol);

//===-- programs
//-----------------------------------------------------------===//

/// How phases go on row by row (RowChains.h); part of an attn_abi_phase.
struct RowChain {
  int64_t phases = 0;            ///< that go on, itself included; 0: no chain
  std::vector<std::string> rows; ///< sizes, whose product is their number
  int64_t fewestRows = 0;        ///< for a worker
  int64_t blockRows = 0;         ///< that go through the chain together
};

/// How many workers a phase is worth; part of an attn_abi_phase.
struct PhaseCost {
  std::optional<SizeExpr> cycles; ///< of one core; nothing: not known
  int64_t fewestCycles = 0;       ///< that a worker should have
};

struct PhaseInfo {
  std::string symbol; ///< of the phase function
  std::string name;   ///< labels of its dispatches: "layer.0.attention.query"
  bool serial;        ///< runs once, as worker 0 of 1
  RowChain chain;     ///< that begins here
  PhaseCost cost;
};

/// One entry in one variant; attn_abi_schedule of include/attn/abi.h. Needs
/// phases and slots (CutPhases, PlanArena).
struct ScheduleInfo {
  std::string entry;
  std::string planSymbol;
  std::vector<PhaseInfo> phases;
  int64_t slotCount = 0;
  /// Inputs, then outputs: the slot that stands in for an argument left out,
  /// or -1.
  llvm::SmallVector<int64_t> argumentSlots;
};

ScheduleInfo getSchedule(kernel::ProgramOp program);

/// The kernel that a dispatch runs.
kernel::FuncOp getKernel(kernel::DispatchOp dispatch);
/// The dispatches of a program in order.
llvm::SmallVector<kernel::DispatchOp> getDispatches(kernel::ProgramOp program);
/// For each slot of the arena the byte sizes that it must hold.
std::vector<std::vector<SizeExpr>> getSlotBytes(kernel::ProgramOp program);
/// The scratch bytes that the program's kernels ask for, per worker, each
/// distinct expression once; the largest counts.
std::vector<SizeExpr> getScratchBytes(kernel::ProgramOp program);

//===-- views
//--------------------------------------------------------------===//

/// A value traced through views to the value whose memory it is.
struct Place {
  mlir::Value root;
  int64_t offset = 0; ///< in elements
  /// Elements between rows, where rows have gaps between them.
  std::optional<int64_t> stride;
};

Place getPlace(mlir::Value value);

} // namespace attnc

#endif // ATTNC_COMPILER_SCHEDULE_PROGRAMINFO_H
