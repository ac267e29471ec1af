//===- Tuning.cpp - kernels whose tile may be overruled -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Signatures and candidates of kernels.
//
//===----------------------------------------------------------------------===//
#include "compiler/schedule/Tuning.h"
#include "dialects/attn/Constraints.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/BLAKE3.h"

using namespace mlir;

namespace attnc {

std::string getDigest(StringRef text) {
  constexpr size_t kDigestBytes = 4;
  auto digest =
      llvm::BLAKE3::hash<kDigestBytes>(llvm::arrayRefFromStringRef(text));
  return llvm::toHex(digest, /*LowerCase=*/true);
}

std::string getSignature(kernel::FuncOp kernel) {
  // A copy without what depends on the other kernels or is chosen here.
  OwningOpRef<kernel::FuncOp> copy = kernel.clone();
  copy->setSymName("kernel");
  copy->removeTileAttr();
  copy->removeScratchAttr();
  // Panels follow from the precision.
  for (unsigned index = 0; index < copy->getNumArguments(); ++index)
    if (isa_and_nonnull<kernel::PanelsAttr>(copy->getLayout(index)))
      copy->removeArgAttr(index, kernel::KernelDialect::kLayoutAttr);
  std::string text;
  llvm::raw_string_ostream os(text);
  copy->print(os, OpPrintingFlags().enableDebugInfo(false).useLocalScope());
  return (kernel.getSymName() + "-" + getDigest(text)).str();
}

CostModel::Product getProduct(kernel::FuncOp kernel, attn::LinearOp op) {
  auto weight = op.getWeight().getType();
  CostModel::Product product{weight.getDimSize(0), weight.getDimSize(1)};
  if (kernel::PrecisionAttr precision = kernel.getPrecisionAttr()) {
    product.weights = precision.getWeights();
    product.rows = precision.getActivations();
    product.group = precision.getGroup();
    kernel::PanelsAttr panels = precision.getPanels(/*width=*/1);
    product.groupBytes = panels.getScaleBytes() * (panels.isAffine() ? 2 : 1);
  }
  return product;
}

SizeExpr getKeys(attn::AttentionOp op) {
  if (std::optional<StringRef> bound = op.getLengthBound())
    return *SizeExpr::parse(*bound);
  SmallVector<SizeExpr> shape = attn::getNamedShape(op.getKey().getType());
  return shape[shape.size() == 2 ? 0 : 1];
}

/// The most that an expression of sizes with bounds comes to.
static std::optional<int64_t> getMost(const SizeExpr &expr, Operation *op) {
  for (const std::string &name : expr.names()) {
    attn::SizeOp size = attn::lookupSize(op, name);
    if (!size || !size.getMaximum())
      return std::nullopt;
  }
  return expr.evaluate([&](StringRef name) {
    return int64_t(*attn::lookupSize(op, name).getMaximum());
  });
}

CostModel::Attention getAttention(kernel::FuncOp kernel, attn::AttentionOp op) {
  kernel::PrecisionAttr precision = kernel.getPrecisionAttr();
  return {op.getHeadSize(), op.getValueSize(),
          precision && precision.getActivations() == kernel::Format::bf16,
          getMost(getKeys(op), kernel)};
}

SmallVector<kernel::TileAttr> getTileCandidates(kernel::FuncOp kernel,
                                                const CostModel &model) {
  SmallVector<kernel::TileAttr> candidates;
  if (model.target.isGpu())
    return candidates; // its tiles are those of thread blocks
  auto add = [&](int64_t rows, int64_t columns, int64_t depth, int64_t block) {
    candidates.push_back(
        kernel::TileAttr::get(kernel.getContext(), rows, columns, depth, block,
                              StringAttr::get(kernel.getContext())));
  };
  llvm::TypeSwitch<Operation *>(kernel.getComputeOp())
      .Case([&](attn::LinearOp op) {
        for (const CostModel::Tile &tile :
             model.getProductCandidates(getProduct(kernel, op)))
          add(tile.rows, tile.columns, tile.depth, tile.block);
      })
      .Case([&](attn::AttentionOp op) {
        for (const CostModel::AttentionTile &tile :
             model.getAttentionCandidates(getAttention(kernel, op)))
          add(tile.rows, tile.columns, tile.chunk, tile.block);
      });
  return candidates;
}

std::optional<kernel::TileAttr>
adopt(kernel::TileAttr tile, kernel::FuncOp kernel, const CostModel &model) {
  using Adopted = std::optional<kernel::TileAttr>;
  if (model.target.isGpu())
    return std::nullopt;
  CostModel::Tile numbers{tile.getRows(), tile.getColumns(), tile.getDepth(),
                          tile.getBlock()};
  return llvm::TypeSwitch<Operation *, Adopted>(kernel.getComputeOp())
      .Case([&](attn::LinearOp op) {
        return model.fitsProduct(getProduct(kernel, op), numbers)
                   ? Adopted(tile)
                   : std::nullopt;
      })
      .Case([&](attn::AttentionOp op) -> Adopted {
        const CostModel::Attention attention = getAttention(kernel, op);
        if (!model.fitsAttention(numbers, attention))
          return std::nullopt;
        return kernel::TileAttr::get(tile.getContext(), numbers.rows,
                                     numbers.columns,
                                     model.chooseAttention(attention).chunk,
                                     numbers.block, tile.getProvider());
      })
      .Default(std::nullopt);
}

} // namespace attnc
