//===- StateLayout.cpp - how states lie in memory -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See StateLayout.h.
//
//===----------------------------------------------------------------------===//
#include "compiler/schedule/StateLayout.h"
#include "compiler/schedule/ProgramInfo.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace attnc {

size_t StateLayout::indexOf(StringRef name) const {
  for (auto [index, place] : llvm::enumerate(places))
    if (attn::StateOp(place.state).getSymName() == name)
      return index;
  llvm_unreachable("a state that no attn.state declares");
}

StateLayout getStateLayout(ModuleOp module) {
  StateLayout layout;
  for (auto state : module.getOps<attn::StateOp>()) {
    attn::StateType type = state.getType();
    auto group = llvm::find_if(layout.groups, [&](const StateGroup &known) {
      return known.window == type.getWindow();
    });
    if (group == layout.groups.end())
      group = layout.groups.insert(group, {type.getWindow(), 0});
    layout.places.push_back(
        {state, size_t(group - layout.groups.begin()), group->blockBytes});
    auto [heads, columns] =
        std::pair(type.getRow().getDimSize(0), type.getRow().getDimSize(1));
    group->blockBytes +=
        llvm::alignTo(heads * getBlocks(state).getHeadBytes(columns), 64);
  }
  return layout;
}

kernel::BlocksAttr getBlocks(attn::StateOp state) {
  bool isKey = false;
  // Entries may be in kernel forms already.
  state->getParentOfType<ModuleOp>().walk([&](attn::CachedAttentionOp op) {
    if (auto key = op.getKey().getDefiningOp<attn::GetStateOp>())
      isKey |= key.getState() == state.getSymName();
    else if (auto laid = op.getKey().getDefiningOp<kernel::StateOp>())
      isKey |= laid.getState() == state.getSymName();
  });
  // The names are the same in both dialects.
  std::optional<kernel::Format> format =
      kernel::symbolizeFormat(stringifyStateFormat(state.getFormat()));
  assert(format && "every format of states is one of kernels");
  return kernel::BlocksAttr::get(state.getContext(), kStateBlock, isKey,
                                 *format);
}

std::optional<unsigned> getGrowthInput(kernel::ProgramOp program) {
  SmallVector<kernel::DispatchOp> dispatches = getDispatches(program);
  for (kernel::DispatchOp append : dispatches) {
    if (!isa<attn::AppendOp>(getKernel(append).getComputeOp()))
      continue;
    // Operands of attn.append: rows, offsets, state.
    Value offsets = append.getIns()[1];
    for (kernel::DispatchOp dispatch : dispatches)
      if (isa<attn::PackIndexOp>(getKernel(dispatch).getComputeOp()) &&
          llvm::is_contained(dispatch.getOuts(), offsets))
        return dispatch.getIns()[0]
            .getDefiningOp<kernel::ArgumentOp>()
            .getIndex();
    llvm_unreachable("verified: the offsets are those of an attn.pack_index");
  }
  return std::nullopt;
}

int64_t getCachedAttentionScratch(attn::CachedAttentionOp op) {
  // EmitCachedAttention.cpp places in it, per row of a tile of at most 8, a
  // query in whole vectors of at most 16, the scores of a chunk, and what keys
  // gave: a result and two more vectors, so far, from one chunk, and from each
  // of those that wait.
  constexpr int64_t kRows = 8, kLanes = 16;
  const int64_t part = llvm::alignTo(op.getValueSize(), kLanes) + 2 * kLanes;
  return 4 * kRows *
         (llvm::alignTo(op.getHeadSize(), kLanes) + kCachedAttentionChunk +
          (2 + kCachedAttentionUnits) * part);
}

} // namespace attnc
