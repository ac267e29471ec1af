//===- ChooseTiles.cpp - tiles, weight layouts and scratch ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sets `tile`, `scratch` and `serial` of every kernel, as the cost model or a
// measurement says (`kernel.tuning`), and the layouts of weights: a linear
// kernel of our own reads its weight in 48-wide panels of the format that its
// `precision` says, so its argument and the `kernel.weight`s dispatched with it
// take that layout. An embedding that reads the same weight takes it from the
// panels too, so that a tied table is stored once; on GPUs, and where its
// kernel is dispatched with tables of several layouts, it reads plain rows, a
// second tensor of the weights file. Products by openblas read plain rows.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/schedule/AttentionTiles.h"
#include "compiler/schedule/CostModel.h"
#include "compiler/schedule/ProgramInfo.h"
#include "compiler/schedule/StateLayout.h"
#include "compiler/schedule/Tuning.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_CHOOSETILES
#include "compiler/Passes.h.inc"

static kernel::TileAttr getTile(MLIRContext *context, int64_t rows,
                                int64_t columns, int64_t depth,
                                int64_t block = 0, StringRef provider = "") {
  return kernel::TileAttr::get(context, rows, columns, depth, block,
                               StringAttr::get(context, provider));
}

/// Bytes that one worker needs to attend: the keys of a head transposed
/// [D][KV], its values [KV][Dv] in whole vectors, the scores of 8 query rows
/// [8][KV] in whole panels, and small change (row maxima, sums) of at most 1024
/// numbers. By tiles it is what AttentionTiles says. Where keys are taken in
/// chunks, an item's rows keep a maximum and a sum each.
static SizeExpr getAttentionScratch(attn::AttentionOp op, kernel::TileAttr tile,
                                    bool byTiles) {
  const SizeExpr keys = getKeys(op);
  const int64_t kept =
      tile.getDepth() ? 2 * tile.getBlock() + llvm::alignTo(tile.getRows(), 16)
                      : 0;
  if (byTiles)
    return AttentionTiles::getScratchBytes(op.getHeadSize(), op.getValueSize(),
                                           keys) +
           SizeExpr(4 * kept);
  int64_t perKey = op.getHeadSize() + op.getValueSize() + 24;
  return SizeExpr(4) *
         (SizeExpr(perKey) * (keys + SizeExpr(32)) + SizeExpr(1024 + kept));
}

/// Bytes that one worker needs around OpenBLAS: 8 rows of input and of result.
/// Every call multiplies that many, padded, so that a row's bits do not depend
/// on how many stand beside it.
static SizeExpr getOpenBlasScratch(int64_t depth, int64_t columns) {
  return SizeExpr(4) * SizeExpr(8) * SizeExpr(depth + columns);
}

namespace {
struct ChooseTiles : impl::ChooseTilesBase<ChooseTiles> {
  using ChooseTilesBase::ChooseTilesBase;

  /// Gives operand `index` of every dispatch of the kernel, a weight, panels.
  void packWeight(kernel::FuncOp kernel, unsigned index,
                  kernel::PanelsAttr panels) {
    kernel.setArgAttr(index, kernel::KernelDialect::kLayoutAttr, panels);
    auto variant = kernel->getParentOfType<kernel::VariantOp>();
    variant.walk([&](kernel::DispatchOp dispatch) {
      if (dispatch.getKernel() != kernel.getSymName())
        return;
      OpOperand &operand = dispatch.getInsMutable()[index];
      auto weight = operand.get().getDefiningOp<kernel::WeightOp>();
      assert(weight && "SelectKernels makes others attn.matmul");
      if (weight.getLayoutAttr() == panels)
        return;
      // Others may read it in another layout.
      OpBuilder b(weight);
      operand.set(kernel::WeightOp::create(b, weight.getLoc(),
                                           weight.getResult().getType(),
                                           weight.getWeightAttr(), panels));
      if (weight->use_empty())
        weight.erase();
    });
  }

  /// What `kernel.tuning` says of the kernel, else the model.
  kernel::TileAttr chooseTile(kernel::FuncOp kernel, const CostModel &model) {
    if (auto tuned = dyn_cast_or_null<kernel::TileAttr>(
            tuning ? tuning.get(getSignature(kernel)) : Attribute()))
      return tuned;
    return getTileCandidates(kernel, model).front();
  }

  void chooseLinear(kernel::FuncOp kernel, attn::LinearOp op,
                    const CostModel &model) {
    auto weight = op.getWeight().getType();
    const int64_t columns = weight.getDimSize(0), depth = weight.getDimSize(1);
    auto variant = kernel->getParentOfType<kernel::VariantOp>();
    if (StringRef provider = variant.getGemm().value_or("");
        !provider.empty()) {
      kernel.setTileAttr(
          getTile(&getContext(), 8, kPanelWidth, 0, 0, provider));
      kernel.setScratch(getOpenBlasScratch(depth, columns).str());
      return;
    }
    kernel::PanelsAttr panels = getPanels(kernel);
    kernel::PrecisionAttr precision = kernel.getPrecisionAttr();
    kernel::TileAttr tile = chooseTile(kernel, model);
    kernel.setTileAttr(tile);
    if (precision && precision.getActivations() != kernel::Format::f32) {
      auto rows = NarrowRows::plan(model, precision.getActivations(), panels,
                                   depth, tile.getRows(), tile.getBlock());
      kernel.setScratch(std::to_string(rows.scratchBytes));
    } else if (precision) {
      kernel.setScratch(std::to_string(getWidenedBytes(
          tile.getColumns(), tile.getDepth() ? tile.getDepth() : depth)));
    }
    packWeight(kernel, cast<BlockArgument>(op.getWeight()).getArgNumber(),
               panels);
  }

  /// Panels of the kernel's weights, in the format that it was given.
  kernel::PanelsAttr getPanels(kernel::FuncOp kernel) {
    if (kernel::PrecisionAttr precision = kernel.getPrecisionAttr())
      return precision.getPanels(kPanelWidth);
    return kernel::PanelsAttr::get(&getContext(), kPanelWidth);
  }

  /// On GPUs tiles are those of a thread block. Weights stand in the file as
  /// processors want them; the device gets plain rows.
  void chooseGpuKernel(kernel::FuncOp kernel) {
    // A large tile where there are columns enough to fill a device with them.
    constexpr int64_t kLargeTile = 128, kSmallTile = 64, kManyColumns = 2048;
    llvm::TypeSwitch<Operation *>(kernel.getComputeOp())
        .Case([&](attn::LinearOp op) {
          const int64_t columns = op.getWeight().getType().getDimSize(0);
          const int64_t tile =
              columns >= kManyColumns ? kLargeTile : kSmallTile;
          kernel.setTileAttr(getTile(&getContext(), tile, tile, 0));
          packWeight(kernel, cast<BlockArgument>(op.getWeight()).getArgNumber(),
                     getPanels(kernel));
        })
        .Case([&](attn::MatmulOp) {
          kernel.setTileAttr(getTile(&getContext(), kSmallTile, kSmallTile, 0));
        })
        .Case([&](attn::PackIndexOp) { kernel.setSerial(true); });
  }

  void chooseKernel(kernel::FuncOp kernel, const CostModel &model) {
    if (model.target.isGpu())
      return chooseGpuKernel(kernel);
    llvm::TypeSwitch<Operation *>(kernel.getComputeOp())
        .Case([&](attn::LinearOp op) { chooseLinear(kernel, op, model); })
        .Case([&](attn::AttentionOp op) {
          kernel.setTileAttr(chooseTile(kernel, model));
          const bool byTiles =
              kernel.getPrecisionAttr() && model.target.hasTiles;
          kernel.setScratch(
              getAttentionScratch(op, kernel.getTileAttr(), byTiles).str());
        })
        .Case([&](attn::CachedAttentionOp op) {
          kernel.setScratch(SizeExpr(getCachedAttentionScratch(op)).str());
        })
        .Case([&](attn::PackIndexOp) { kernel.setSerial(true); });
  }

  /// The layout of every weight that products of the variant read in one.
  static llvm::DenseMap<Attribute, kernel::PanelsAttr>
  getPackedWeights(kernel::VariantOp variant) {
    llvm::DenseMap<Attribute, kernel::PanelsAttr> packed;
    variant.walk([&](kernel::WeightOp weight) {
      if (kernel::PanelsAttr panels = weight.getLayoutAttr()) {
        auto [known, isNew] = packed.insert({weight.getWeightAttr(), panels});
        if (known->second != panels)
          known->second = {};
      }
    });
    return packed;
  }

  /// Lets an embedding read a table as products have it, so that it is stored
  /// once. All that its kernel looks up there must lie in the same layout.
  void
  shareTables(kernel::FuncOp kernel, attn::EmbeddingOp op,
              const llvm::DenseMap<Attribute, kernel::PanelsAttr> &packed) {
    auto variant = kernel->getParentOfType<kernel::VariantOp>();
    for (Value table : op.getTables()) {
      const unsigned index = cast<BlockArgument>(table).getArgNumber();
      std::optional<kernel::PanelsAttr> common;
      variant.walk([&](kernel::DispatchOp dispatch) {
        if (dispatch.getKernel() != kernel.getSymName())
          return;
        auto weight =
            dispatch.getIns()[index].getDefiningOp<kernel::WeightOp>();
        auto panels = weight ? packed.lookup(weight.getWeightAttr())
                             : kernel::PanelsAttr();
        common =
            common.value_or(panels) == panels ? panels : kernel::PanelsAttr();
      });
      if (common && *common)
        packWeight(kernel, index, *common);
    }
  }

  DictionaryAttr tuning;

  void runOnOperation() override {
    tuning = getOperation()->getAttrOfType<DictionaryAttr>(kTuningAttr);
    getOperation()->removeAttr(kTuningAttr);
    const bool plainTables = getOperation()->hasAttr(kPlainTablesAttr);
    getOperation()->removeAttr(kPlainTablesAttr);
    for (auto variant : getOperation().getOps<kernel::VariantOp>()) {
      const Target *target = Target::find(variant.getTarget());
      if (!target) {
        variant.emitError("error[A0411]: no target is named '")
            << variant.getTarget() << "'; `attnc targets` lists those known";
        return signalPassFailure();
      }
      const CostModel model = CostModel::of(variant);
      for (auto kernel : variant.getBody().getOps<kernel::FuncOp>())
        chooseKernel(kernel, model);
      if (target->isGpu() || plainTables)
        continue; // devices read rows, and all targets one layout
      const auto packed = getPackedWeights(variant);
      for (auto kernel : variant.getBody().getOps<kernel::FuncOp>())
        if (auto op = dyn_cast<attn::EmbeddingOp>(kernel.getComputeOp()))
          shareTables(kernel, op, packed);
    }
  }
};
} // namespace
} // namespace attnc
