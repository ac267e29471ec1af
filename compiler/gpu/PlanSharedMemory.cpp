//===- PlanSharedMemory.cpp - places for tiles and barriers ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %k = warp.alloc : !warp.tile<2x64x64xbf16>
//
// becomes
//
//   %k = warp.alloc at 16384 layout(<panel = 0, mask = 7, shift = 0>) : ...
//
// Tiles stand one after the other, those in panels first, barriers last. Eight
// neighbouring rows, read at one column of chunks, fall into the 32 banks
// without a collision: rows of 128 bytes xor the chunk with the row, rows of 64
// bytes, of which two fill the banks, with half the row, and so on. Declined
// with an error: programs that need more than the chip gives a block.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/Target.h"
#include "dialects/kernel/Kernel.h"
#include "dialects/warp/Warp.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_PLANSHAREDMEMORY
#include "compiler/Passes.h.inc"

namespace {

constexpr int64_t kPanelAlignment = 1024; // eight rows: one pattern
constexpr int64_t kTileAlignment = 128;
constexpr int64_t kBarrierBytes = 8;

warp::LayoutAttr chooseLayout(warp::AllocOp alloc) {
  MLIRContext *context = alloc.getContext();
  if (alloc.getPanels()) {
    // What tensor maps swizzle by: eight chunks of 128 bytes, or four of 64.
    const int64_t panel = alloc.getTile().getType().getPanelBytes();
    const bool isWide = panel == 128;
    return warp::LayoutAttr::get(context, panel, isWide ? 7 : 3,
                                 isWide ? 0 : 1);
  }
  const int64_t rowBytes = alloc.getTile().getType().getRowBytes();
  if (rowBytes % 128 == 0)
    return warp::LayoutAttr::get(context, 0, 7, 0);
  if (rowBytes % 64 == 0)
    return warp::LayoutAttr::get(context, 0, 3, 1);
  if (rowBytes % 32 == 0)
    return warp::LayoutAttr::get(context, 0, 1, 2);
  return warp::LayoutAttr::get(context, 0, 0, 0);
}

struct PlanSharedMemory : impl::PlanSharedMemoryBase<PlanSharedMemory> {
  using PlanSharedMemoryBase::PlanSharedMemoryBase;

  void plan(warp::ProgramOp program) {
    int64_t end = 0;
    auto place = [&](int64_t bytes, int64_t alignment) {
      const int64_t start = llvm::alignTo(end, alignment);
      end = start + bytes;
      return start;
    };
    SmallVector<warp::AllocOp> allocs;
    for (bool panels : {true, false})
      for (auto alloc : program.getBody().getOps<warp::AllocOp>())
        if (alloc.getPanels() == panels)
          allocs.push_back(alloc);
    for (warp::AllocOp alloc : allocs) {
      warp::TileType type = alloc.getTile().getType();
      alloc.setOffset(
          place(type.getStages() * type.getStageBytes(),
                alloc.getPanels() ? kPanelAlignment : kTileAlignment));
      alloc.setLayoutAttr(chooseLayout(alloc));
      ++tiles;
    }
    for (auto barrier : program.getBody().getOps<warp::BarrierOp>())
      barrier.setOffset(
          place(barrier.getBarrier().getType().getStages() * kBarrierBytes,
                kBarrierBytes));
    program.setShared(end);
  }

  void runOnOperation() override {
    for (auto program : getOperation().getOps<warp::ProgramOp>()) {
      plan(program);
      auto name = program->getAttrOfType<StringAttr>(
          kernel::KernelDialect::kTargetAttr);
      const Target *target = name ? Target::find(name.getValue()) : nullptr;
      if (!target || !target->isGpu()) {
        program.emitError("error[A0525]: a program names the GPU that it is "
                          "for in 'kernel.target'; got ")
            << (name ? Attribute(name)
                     : Attribute(UnitAttr::get(&getContext())));
        return signalPassFailure();
      }
      if (static_cast<int64_t>(*program.getShared()) > target->sharedBytes) {
        program.emitError("error[A0526]: the tiles of this kernel take ")
            << *program.getShared() << " bytes of shared memory; "
            << target->name << " gives a block " << target->sharedBytes
            << "; choose smaller tiles";
        return signalPassFailure();
      }
    }
  }
};
} // namespace
} // namespace attnc
