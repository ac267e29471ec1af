//===- DescribeSchedule.cpp - what was decided, for people ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A line for the machine, one for each kernel with a tile; of each entry, one
// for each kernel with its cycles, and its chains. Shares of the peak and
// cycles are the model's, not measured: `attnc bench --roofline` measures.
//
//===----------------------------------------------------------------------===//
#include "compiler/schedule/DescribeSchedule.h"
#include "compiler/schedule/RowChains.h"
#include "compiler/schedule/Tuning.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include <array>

using namespace mlir;
using llvm::format;

namespace attnc {

static constexpr std::array<int64_t, 4> kRowCounts = {1, 16, 128, 512};

static void printMachine(const CostModel &model, llvm::raw_ostream &os) {
  const Machine &m = model.machine;
  auto kib = [](unsigned bytes) { return std::to_string(bytes >> 10); };
  os << "L1 " << kib(m.l1Bytes) << " KiB, L2 " << kib(m.l2Bytes) << " KiB, L3 "
     << kib(m.l3Bytes) << " KiB for " << m.cores << " cores; " << m.fmas
     << " multiply-adds of " << model.target.lanes()
     << " lanes in a cycle; reads " << m.l2Rate << ", " << m.l3Rate << ", "
     << m.memoryRate << " bytes in a cycle from L2, L3, memory; " << m.roundTrip
     << " cycles from core to core and back\n";
}

/// The model's share of the peak, and whether reading the weights bounds it.
static std::string getShare(const CostModel &model, kernel::FuncOp kernel,
                            attn::LinearOp op, int64_t rows) {
  const CostModel::Product product = getProduct(kernel, op);
  kernel::TileAttr attr = kernel.getTileAttr();
  CostModel::Tile tile{attr.getRows(), attr.getColumns(), attr.getDepth(),
                       attr.getBlock()};
  // Every block of rows goes through all weights.
  const double reading =
      model.getWeightCycles(product) * llvm::divideCeil(rows, tile.block);
  const double cycles = model.getProductCycles(product, tile, rows);
  const double share =
      model.getIdealCycles(product, rows) / std::max(cycles, reading);
  std::string text;
  llvm::raw_string_ostream(text)
      << format("%.0f%%%s", 100 * share, reading > cycles ? " w" : "");
  return text;
}

static void printKernel(const CostModel &model, kernel::FuncOp kernel,
                        llvm::raw_ostream &os) {
  kernel::TileAttr tile = kernel.getTileAttr();
  if (!tile)
    return;
  std::string cut =
      std::to_string(tile.getRows()) + "x" + std::to_string(tile.getColumns());
  os << format(
      "  %-28s %-7s %6s %6lld ", kernel.getSymName().str().c_str(), cut.c_str(),
      tile.getDepth() ? std::to_string(tile.getDepth()).c_str() : "all",
      static_cast<long long>(tile.getBlock()));
  if (!tile.getProvider().empty()) {
    os << " by " << tile.getProvider().getValue() << "\n";
    return;
  }
  auto linear = dyn_cast<attn::LinearOp>(kernel.getComputeOp());
  for (int64_t rows : kRowCounts)
    os << format(" %6s", linear && !model.target.isGpu()
                             ? getShare(model, kernel, linear, rows).c_str()
                             : "");
  SmallVector<kernel::TileAttr> candidates = getTileCandidates(kernel, model);
  if (!candidates.empty() && candidates.front() != tile)
    os << "  tuned";
  else if (candidates.size() > 1)
    os << "  or " << candidates.size() - 1 << " more";
  os << "\n";
}

/// What the runtime decides by, each line once: layers repeat.
static void printProgram(const CostModel &model, kernel::ProgramOp program,
                         llvm::raw_ostream &os) {
  os << format("  %-28s cycles of one core; a worker has %lld at least\n",
               ("in " + program.getSymName()).str().c_str(),
               static_cast<long long>(model.getFewestCycles()));
  std::vector<std::string> lines;
  auto add = [&](std::string line) {
    if (!llvm::is_contained(lines, line))
      lines.push_back(std::move(line));
  };
  for (kernel::DispatchOp dispatch : getDispatches(program)) {
    std::string text;
    llvm::raw_string_ostream(text) << format(
        "  %-28s %s", dispatch.getKernel().str().c_str(),
        dispatch.getCycles().value_or("not known: all workers").str().c_str());
    add(std::move(text));
  }
  for (auto [phase, ends] : llvm::enumerate(getChains(program)))
    if (const RowChain chain = getRowChain(program, phase); chain.phases) {
      std::string text;
      llvm::raw_string_ostream(text) << format(
          "  %-28s %lld phases row by row, %lld rows at a time, from %lld rows "
          "for each worker on",
          getFirstDispatch(program, phase).getKernel().str().c_str(),
          static_cast<long long>(chain.phases),
          static_cast<long long>(chain.blockRows),
          static_cast<long long>(chain.fewestRows));
      add(std::move(text));
    }
  for (const std::string &line : lines)
    os << line << "\n";
}

void printSchedule(ModuleOp module, llvm::raw_ostream &os) {
  for (auto variant : module.getOps<kernel::VariantOp>()) {
    const CostModel model = CostModel::of(variant);
    os << variant.getTarget()
       << (variant.getMachineAttr() ? " (this machine): " : ": ");
    if (model.target.isGpu())
      os << model.target.sharedBytes / 1024 << " KiB of shared memory\n";
    else
      printMachine(model, os);
    os << format("  %-28s %-7s %6s %6s  %s\n", "kernel", "tile", "depth",
                 "block", "peak at 1, 16, 128, 512 rows (w: weights' reading)");
    for (auto kernel : variant.getBody().getOps<kernel::FuncOp>())
      printKernel(model, kernel, os);
    if (!model.target.isGpu())
      for (auto program : variant.getBody().getOps<kernel::ProgramOp>())
        printProgram(model, program, os);
  }
}

} // namespace attnc
