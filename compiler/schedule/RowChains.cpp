//===- RowChains.cpp - phases that go on row by row -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads off kernels what a chain needs; see RowChains.h. Other kernels than
// attn.linear by our own micro-kernels are declined, and what runs on a GPU.
//
//===----------------------------------------------------------------------===//
#include "compiler/schedule/RowChains.h"
#include "compiler/schedule/CostModel.h"
#include "compiler/schedule/Tuning.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace attnc {

/// Of an attn_abi_phase.
static constexpr size_t kMostRowSizes = 2;

std::optional<RowShare> getRowShare(kernel::FuncOp kernel) {
  auto linear = dyn_cast<attn::LinearOp>(kernel.getComputeOp());
  kernel::TileAttr tile = kernel.getTileAttr();
  if (!linear || !tile || !tile.getProvider().empty())
    return std::nullopt;
  const CostModel model =
      CostModel::of(kernel->getParentOfType<kernel::VariantOp>());
  if (model.target.isGpu())
    return std::nullopt;
  SmallVector<SizeExpr> shape =
      attn::getNamedShape(linear.getResult().getType());
  const SizeExpr rows = attn::getProduct(ArrayRef(shape).drop_back());
  if (rows.getTerms().size() != 1)
    return std::nullopt;
  const auto &[names, factor] = *rows.getTerms().begin();
  if (factor != 1 || names.empty() || names.size() > kMostRowSizes)
    return std::nullopt;
  kernel::PrecisionAttr precision = kernel.getPrecisionAttr();
  const bool isNarrow =
      precision && precision.getActivations() != kernel::Format::f32;
  auto weight = cast<RankedTensorType>(linear.getWeight().getType());
  const int64_t columns = weight.getDimSize(0), depth = weight.getDimSize(1);
  int64_t weightBytes = int64_t(sizeof(float)) * columns * depth;
  if (auto argument = dyn_cast<BlockArgument>(linear.getWeight()))
    if (auto panels = dyn_cast_or_null<kernel::PanelsAttr>(
            kernel.getLayout(argument.getArgNumber())))
      weightBytes = llvm::divideCeil(columns, panels.getWidth()) *
                    panels.getPanelBytes(depth);
  return RowShare{names, tile.getRows(),
                  model.getFewestRows(isNarrow, tile.getRows()),
                  int64_t(sizeof(float)) * (columns + depth), weightBytes};
}

/// Whether a capture is read at the index of the row, `leading` dimensions.
static bool isReadByRow(AffineMap map, unsigned leading) {
  if (map.getNumResults() < leading)
    return false;
  for (unsigned i = 0; i < leading; ++i)
    if (map.getResult(i) != getAffineDimExpr(i, map.getContext()))
      return false;
  return true;
}

bool readsByRow(kernel::FuncOp kernel, unsigned index) {
  auto linear = cast<attn::LinearOp>(kernel.getComputeOp());
  Value argument = kernel.getBody().getArgument(index);
  auto getRows = [](Value value) {
    SmallVector<SizeExpr> shape = attn::getNamedShape(value.getType());
    shape.pop_back();
    return shape;
  };
  const SmallVector<SizeExpr> rows = getRows(linear.getResult());
  if (linear.getWeight() == argument)
    return false;
  if (linear.getInput() == argument && getRows(argument) != rows)
    return false;
  for (const attn::CapturedRegion &region :
       {linear.getElementEpilogue(), linear.getRowEpilogue()})
    for (auto [capture, map] : llvm::zip(region.captures, region.maps)) {
      if (capture != argument)
        continue;
      SmallVector<SizeExpr> shape = attn::getNamedShape(capture.getType());
      shape.truncate(rows.size());
      if (shape != rows || !isReadByRow(map, rows.size()))
        return false;
    }
  return true;
}

SmallVector<std::pair<int64_t, int64_t>> getChains(kernel::ProgramOp program) {
  SmallVector<std::pair<int64_t, int64_t>> chains;
  for (kernel::DispatchOp dispatch : getDispatches(program)) {
    const int64_t phase = dispatch.getPhase();
    for (int64_t next = chains.size(); next <= phase; ++next)
      chains.push_back({next, next});
    if (!dispatch.getByRow() || phase == 0)
      continue;
    chains[phase].first = chains[phase - 1].first;
    for (int64_t other = chains[phase].first; other < phase; ++other)
      chains[other].second = phase;
  }
  return chains;
}

/// The dispatches of the chain that begins with phase `phase`; none if no chain
/// does.
static SmallVector<kernel::DispatchOp>
getChainDispatches(kernel::ProgramOp program, int64_t phase) {
  auto [first, last] = getChains(program)[phase];
  SmallVector<kernel::DispatchOp> dispatches;
  if (first == phase && last != phase)
    for (kernel::DispatchOp dispatch : getDispatches(program))
      if (int64_t(dispatch.getPhase()) >= first &&
          int64_t(dispatch.getPhase()) <= last)
        dispatches.push_back(dispatch);
  return dispatches;
}

/// What all kernels of a chain hold to, in a share: the most rows, the most
/// bytes of one, the weights of all.
static RowShare getShareOf(ArrayRef<kernel::DispatchOp> dispatches) {
  RowShare common{{}, 1, 0, 1, 0};
  for (kernel::DispatchOp dispatch : dispatches) {
    const std::optional<RowShare> share = getRowShare(getKernel(dispatch));
    assert(share && "CutPhases marks products on rows only");
    common.rows = share->rows;
    common.tileRows = share->tileRows;
    common.fewest = std::max(common.fewest, share->fewest);
    common.rowBytes = std::max(common.rowBytes, share->rowBytes);
    common.weightBytes += share->weightBytes;
  }
  return common;
}

static int64_t chooseBlockRows(const CostModel &model, const RowShare &share) {
  return std::max(
      model.getChainRows(share.rowBytes, share.tileRows, share.weightBytes),
      share.fewest);
}

RowChain getRowChain(kernel::ProgramOp program, int64_t phase) {
  RowChain chain;
  const auto dispatches = getChainDispatches(program, phase);
  if (dispatches.empty())
    return chain;
  const RowShare share = getShareOf(dispatches);
  kernel::DispatchOp first = dispatches.front(), last = dispatches.back();
  chain.phases = last.getPhase() - first.getPhase() + 1;
  chain.rows = share.rows;
  chain.fewestRows = share.fewest;
  const CostModel model =
      CostModel::of(program->getParentOfType<kernel::VariantOp>());
  chain.blockRows =
      first.getBlockRows().value_or(chooseBlockRows(model, share));
  return chain;
}

SmallVector<int64_t> getBlockCandidates(kernel::ProgramOp program,
                                        int64_t phase) {
  const auto dispatches = getChainDispatches(program, phase);
  if (dispatches.empty())
    return {};
  const RowShare share = getShareOf(dispatches);
  const CostModel model =
      CostModel::of(program->getParentOfType<kernel::VariantOp>());
  auto candidates =
      model.getBlockCandidates(chooseBlockRows(model, share), share.tileRows);
  llvm::erase_if(candidates, [&](int64_t rows) { return rows < share.fewest; });
  return candidates;
}

bool fitsBlocks(kernel::ProgramOp program, int64_t phase, int64_t rows) {
  const auto dispatches = getChainDispatches(program, phase);
  if (dispatches.empty())
    return false;
  const RowShare share = getShareOf(dispatches);
  const CostModel model =
      CostModel::of(program->getParentOfType<kernel::VariantOp>());
  // Rows of a byte would have the largest blocks.
  return rows >= std::max(2 * share.tileRows, share.fewest) &&
         rows <= model.getBlockRows(/*rowBytes=*/1, share.tileRows) &&
         rows % share.tileRows == 0;
}

std::string getChainSignature(kernel::ProgramOp program, int64_t phase) {
  const auto dispatches = getChainDispatches(program, phase);
  std::string text;
  for (kernel::DispatchOp dispatch : dispatches)
    text += getSignature(getKernel(dispatch)) + ";";
  return "chain-" +
         getDigest(text + std::to_string(getShareOf(dispatches).tileRows));
}

kernel::DispatchOp getFirstDispatch(kernel::ProgramOp program, int64_t phase) {
  for (kernel::DispatchOp dispatch : getDispatches(program))
    if (int64_t(dispatch.getPhase()) == phase)
      return dispatch;
  llvm_unreachable("phases are numbered without gaps");
}

} // namespace attnc
