//===- CostModelTest.cpp - what the cost model decides --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Decisions for the named targets, how they follow caches and registers, and
// how a measurement overrules them.
//
//===----------------------------------------------------------------------===//
#include "compiler/schedule/CostModel.h"
#include "Programs.h"
#include "compiler/Passes.h"
#include "compiler/schedule/DescribeSchedule.h"
#include "compiler/schedule/RowChains.h"
#include "compiler/schedule/Tuning.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace mlir;
using attnc::kernel::Format;
using testing::HasSubstr;

namespace attnc::test {
namespace {

CostModel modelOf(llvm::StringRef name) {
  const Target *target = Target::find(name);
  return {*target, target->machine};
}

std::string shape(const CostModel::Tile &tile) {
  return std::to_string(tile.rows) + "x" + std::to_string(tile.columns);
}

TEST(CostModelTest, TilesOfNamedTargets) {
  const CostModel::Product f32{1536, 384};
  EXPECT_EQ(shape(modelOf("x86-64-v4").chooseProduct(f32)), "8x48");
  EXPECT_EQ(shape(modelOf("x86-64-v4-bf16").chooseProduct(f32)), "8x48");
  EXPECT_EQ(shape(modelOf("amx").chooseProduct(f32)), "8x48");
  EXPECT_EQ(shape(modelOf("x86-64-v3").chooseProduct(f32)), "6x16");
  const CostModel::Product bytes{1536, 384, Format::i8, Format::i8};
  EXPECT_EQ(shape(modelOf("x86-64-v4-vnni").chooseProduct(bytes)), "8x48");
  EXPECT_EQ(shape(modelOf("x86-64-v4").chooseProduct(bytes)), "6x48");
  EXPECT_EQ(shape(modelOf("x86-64-v3-vnni").chooseProduct(bytes)), "6x16");
  EXPECT_EQ(shape(modelOf("x86-64-v3").chooseProduct(bytes)), "4x16");
  EXPECT_EQ(shape(modelOf("amx").chooseProduct(bytes)), "32x48");
  const CostModel::Product halves{1536, 384, Format::bf16, Format::bf16};
  EXPECT_EQ(shape(modelOf("x86-64-v4-bf16").chooseProduct(halves)), "8x48");
}

TEST(CostModelTest, LongContractionsAreCutInWholeChains) {
  EXPECT_EQ(modelOf("x86-64-v4").chooseProduct({768, 2304}).depth, 0);
  EXPECT_EQ(modelOf("x86-64-v4").chooseProduct({768, 3072}).depth, 1536);
  EXPECT_EQ(modelOf("x86-64-v3").chooseProduct({768, 3072}).depth, 640);
  for (int64_t depth : {100, 2700, 2731, 5000, 14336})
    for (const Target &target : Target::all()) {
      if (target.isGpu())
        continue;
      const CostModel model(target, target.machine);
      const int64_t cut = model.chooseProduct({512, depth}).depth;
      EXPECT_EQ(cut % kChainSteps, 0) << target.name.str();
      // Half of L2, and no pass without work.
      EXPECT_LE((cut ? cut : depth) * kPanelWidth * 4,
                target.machine.l2Bytes / 2);
      EXPECT_LT(cut, depth);
    }
}

TEST(CostModelTest, CandidatesFitRegistersAndPanels) {
  for (const Target &target : Target::all()) {
    if (target.isGpu())
      continue;
    const CostModel model(target, target.machine);
    for (Format rows : {Format::f32, Format::i8}) {
      const CostModel::Product product{1000, 3000, rows, rows};
      auto candidates = model.getProductCandidates(product);
      ASSERT_FALSE(candidates.empty());
      EXPECT_LE(candidates.size(), 4u);
      EXPECT_EQ(candidates.front(), model.chooseProduct(product));
      for (size_t i = 0; i < candidates.size(); ++i) {
        const CostModel::Tile &tile = candidates[i];
        EXPECT_EQ(kPanelWidth % tile.columns, 0);
        EXPECT_EQ(tile.columns % target.lanes(), 0);
        EXPECT_EQ(tile.block % tile.rows, 0);
        EXPECT_GT(tile.block, 0);
        if (rows == Format::f32 || !target.hasTiles)
          EXPECT_LE(tile.rows * tile.columns / target.lanes(),
                    target.vectorRegisters - 2);
        for (size_t j = 0; j < i; ++j)
          EXPECT_FALSE(tile == candidates[j]);
      }
    }
  }
}

TEST(CostModelTest, BlocksFollowL2) {
  const Target &target = *Target::find("x86-64-v4");
  Machine small = target.machine, large = target.machine;
  small.l2Bytes = 256 << 10;
  large.l2Bytes = 2 << 20;
  EXPECT_LT(CostModel(target, small).getBlockRows(4096, 8),
            CostModel(target, large).getBlockRows(4096, 8));
  EXPECT_EQ(CostModel(target, large).chooseProduct({768, 4096}).depth, 0);
  EXPECT_NE(CostModel(target, small).chooseProduct({768, 4096}).depth, 0);
  EXPECT_TRUE(CostModel(target, small).isTooLargeForCache(1 << 20));
  EXPECT_FALSE(CostModel(target, large).isTooLargeForCache(1 << 20));
}

TEST(CostModelTest, AnyCachesGiveTilesThatFit) {
  for (const Target &target : Target::all()) {
    if (target.isGpu())
      continue;
    for (unsigned bytes : {1u, 4096u, 96u << 10, 1u << 31}) {
      Machine machine = target.machine;
      machine.l1Bytes = machine.l2Bytes = bytes;
      const CostModel model(target, machine);
      EXPECT_GT(model.getMapColumns(), 0);
      for (int64_t depth : {1, 100, 128, 129, 5000})
        for (Format rows : {Format::f32, Format::i8}) {
          const CostModel::Product product{200, depth, rows, rows};
          // What --tune may write is what --tuning reads.
          for (const CostModel::Tile &tile :
               model.getProductCandidates(product))
            EXPECT_TRUE(model.fitsProduct(product, tile))
                << target.name.str() << ", caches of " << bytes << ", depth "
                << depth << ", passes of " << tile.depth;
        }
    }
  }
}

TEST(CostModelTest, WeightsThatStayInL1CostNothingExtra) {
  const CostModel model = modelOf("x86-64-v3");
  const CostModel::Tile tile{6, 16, 0, 96};
  // 16 columns x 128 x 4 bytes are a quarter of L1, 4096 deep ones are not.
  const double near = model.getProductCycles({16, 128}, tile, 96) / 128;
  const double far = model.getProductCycles({16, 4096}, tile, 96) / 4096;
  EXPECT_LT(near, far);
}

TEST(CostModelTest, CyclesGrowWithRows) {
  const CostModel model = modelOf("x86-64-v4");
  const CostModel::Product product{384, 384};
  const CostModel::Tile tile = model.chooseProduct(product);
  double before = 0;
  for (int64_t rows = 1; rows <= 64; ++rows) {
    const double cycles = model.getProductCycles(product, tile, rows);
    EXPECT_GE(cycles, before);
    EXPECT_GE(cycles, model.getIdealCycles(product, rows));
    before = cycles;
  }
}

TEST(CostModelTest, NarrowWeightsAreReadFaster) {
  const CostModel model = modelOf("x86-64-v4");
  const double f32 = model.getWeightCycles({384, 384});
  EXPECT_EQ(model.getWeightCycles({384, 384, Format::bf16}), f32 / 2);
  EXPECT_EQ(model.getWeightCycles({384, 384, Format::i8}), f32 / 4);
  // A scale for each 32 nibbles.
  EXPECT_EQ(model.getWeightCycles({384, 384, Format::i4, Format::f32, 32}),
            f32 / 8 * 1.125);
}

TEST(CostModelTest, AttentionFitsRegisters) {
  for (llvm::StringRef name : {"x86-64-v4", "x86-64-v3", "x86-64"}) {
    const CostModel model = modelOf(name);
    for (const CostModel::AttentionTile &tile :
         model.getAttentionCandidates({64, 64})) {
      const int64_t vectors = tile.columns / model.target.lanes();
      EXPECT_LE(tile.rows * vectors + vectors + 1,
                model.target.vectorRegisters);
      EXPECT_EQ(tile.block % tile.rows, 0);
    }
  }
}

TEST(CostModelTest, AttentionByTilesIsForBf16Alone) {
  const CostModel amx = modelOf("amx");
  // No sequence is long enough for chunks.
  const CostModel::Attention f32{64, 64, false, 100}, bf16{64, 64, true, 100};
  EXPECT_EQ(amx.chooseAttention(bf16).rows, 32);
  EXPECT_EQ(amx.chooseAttention(bf16).columns, 32);
  EXPECT_TRUE(amx.fitsAttention({32, 32, 0, 64}, bf16));
  EXPECT_FALSE(amx.fitsAttention({32, 32, 0, 64}, f32));
  EXPECT_FALSE(amx.fitsAttention({8, 48, 0, 64}, bf16));
  EXPECT_EQ(amx.chooseAttention(f32).rows, 8);
  EXPECT_EQ(modelOf("x86-64-v4-bf16").chooseAttention(bf16).rows, 8);
}

TEST(CostModelTest, ChunksOfAnotherMachineFit) {
  const CostModel model = modelOf("x86-64-v4");
  const CostModel::Attention attention{64, 64};
  const CostModel::AttentionTile chosen = model.chooseAttention(attention);
  for (int64_t chunk : {int64_t(0), chosen.chunk, chosen.chunk + 48})
    EXPECT_TRUE(model.fitsAttention({8, 48, chunk, 64}, attention)) << chunk;
  for (int64_t chunk : {int64_t(-48), chosen.chunk + 1})
    EXPECT_FALSE(model.fitsAttention({8, 48, chunk, 64}, attention)) << chunk;
}

TEST(CostModelTest, SoftmaxGoesOverWholeRowsWhileScoresFitL1) {
  for (llvm::StringRef name : {"x86-64-v4", "x86-64-v3", "x86-64", "amx"})
    for (bool isBf16 : {false, true})
      for (int64_t size : {1, 32, 64, 128, 256}) {
        const CostModel model = modelOf(name);
        const CostModel::AttentionTile tile =
            model.chooseAttention({size, size, isBf16});
        EXPECT_GT(tile.chunk, 0);
        EXPECT_EQ(tile.chunk % tile.columns, 0);
        // Half of each cache, or a panel more; four panels at least.
        const int64_t most =
            std::max(tile.chunk - tile.columns, 4 * tile.columns);
        if (tile.chunk > 4 * tile.columns) {
          EXPECT_LE(most * tile.rows * 4, int64_t(model.machine.l1Bytes / 2));
          EXPECT_LE(most * 2 * size * (isBf16 ? 2 : 4),
                    int64_t(model.machine.l2Bytes / 2));
        }
        const CostModel::Attention shorter{size, size, isBf16, tile.chunk};
        const CostModel::Attention longer{size, size, isBf16, tile.chunk + 1};
        EXPECT_EQ(model.chooseAttention(shorter).chunk, 0);
        EXPECT_EQ(model.chooseAttention(longer).chunk, tile.chunk);
      }
}

TEST(CostModelTest, BlocksOfChainsAreWholeTiles) {
  const CostModel model = modelOf("x86-64-v4");
  EXPECT_EQ(model.getBlockCandidates(64, 8),
            (llvm::SmallVector<int64_t>{64, 32, 128}));
  // As few as two tiles, as many as a block of a product may have.
  EXPECT_EQ(model.getBlockCandidates(24, 8),
            (llvm::SmallVector<int64_t>{24, 48}));
  EXPECT_EQ(model.getBlockCandidates(192, 8),
            (llvm::SmallVector<int64_t>{192, 96}));
}

TEST(CostModelTest, ChainsWhoseWeightsComeFromMemoryTakeManyRows) {
  const Target &target = *Target::find("x86-64-v4");
  Machine machine = target.machine;
  machine.l2Bytes = 1 << 20;
  machine.l3Bytes = 32 << 20;
  const int64_t rowBytes = 4 * (768 + 3072), half = 16 << 20;
  auto choose = [&](int64_t weightBytes) {
    return CostModel(target, machine).getChainRows(rowBytes, 8, weightBytes);
  };
  const int64_t few = CostModel(target, machine).getBlockRows(rowBytes, 8);
  EXPECT_EQ(choose(half), few);
  EXPECT_GT(choose(half + 1), 2 * few);
  EXPECT_EQ(choose(half + 1) % 8, 0);
  machine.l3Bytes = 0; // there is none
  EXPECT_GT(choose(1), 2 * few);
}

TEST(CostModelTest, ThisMachineHasCachesAndAName) {
  const Target &target = Target::native();
  const Machine machine = Machine::detect(target.machine, target.vectorBytes);
  EXPECT_GE(machine.cores, 1u);
  EXPECT_GE(machine.l1Bytes, 8u << 10);
  EXPECT_GE(machine.l2Bytes, machine.l1Bytes);
  EXPECT_THAT(Machine::getProcessorName(), HasSubstr("family"));
  EXPECT_EQ(Machine::getProcessorName(), Machine::getProcessorName());
}

class TuningTest : public testing::Test {
protected:
  TuningTest() {
    context.loadDialect<attn::AttnDialect, kernel::KernelDialect>();
    module = parseSourceString<ModuleOp>(kFusedEncoder, &context);
    SelectKernelsOptions options;
    options.target = "x86-64-v3";
    run(createSelectKernels(options));
  }

  void run(std::unique_ptr<Pass> pass) {
    PassManager passes(&context);
    passes.addPass(std::move(pass));
    ASSERT_TRUE(succeeded(passes.run(*module)));
  }

  kernel::VariantOp variant() {
    return *module->getOps<kernel::VariantOp>().begin();
  }

  kernel::FuncOp linear() {
    for (auto kernel : variant().getBody().getOps<kernel::FuncOp>())
      if (isa<attn::LinearOp>(kernel.getComputeOp()))
        return kernel;
    return {};
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(TuningTest, SignaturesNameWhatIsComputed) {
  const std::string before = getSignature(linear());
  EXPECT_TRUE(llvm::StringRef(before).starts_with(linear().getSymName()));
  run(createChooseTiles());
  EXPECT_EQ(getSignature(linear()), before);
  linear().setPrecisionAttr(kernel::PrecisionAttr::get(
      &context, Format::i4, Format::f32, 32, /*stored=*/false));
  EXPECT_NE(getSignature(linear()), before);
}

TEST_F(TuningTest, AMeasurementOverrulesTheModel) {
  const std::string signature = getSignature(linear());
  SmallVector<kernel::TileAttr> candidates =
      getTileCandidates(linear(), CostModel::of(variant()));
  ASSERT_GT(candidates.size(), 1u);
  OpBuilder b(&context);
  module->getOperation()->setAttr(
      kTuningAttr,
      b.getDictionaryAttr({b.getNamedAttr(signature, candidates[1]),
                           b.getNamedAttr("other-0", candidates[0])}));
  run(createChooseTiles());
  EXPECT_EQ(linear().getTileAttr(), candidates[1]);
  EXPECT_FALSE(module->getOperation()->hasAttr(kTuningAttr));

  std::string text;
  llvm::raw_string_ostream os(text);
  printSchedule(*module, os);
  EXPECT_THAT(text, HasSubstr("x86-64-v3: L1 32 KiB, L2 256 KiB"));
  EXPECT_THAT(text, HasSubstr("tuned"));
}

TEST_F(TuningTest, AVariantsOwnMachineCounts) {
  EXPECT_EQ(CostModel::of(variant()).machine.l2Bytes, 256u << 10);
  variant().setMachineAttr(kernel::MachineAttr::get(
      &context, /*cores=*/2, /*l1=*/48 << 10, /*l2=*/512 << 10, /*l3=*/0,
      /*fmas=*/2, /*l2Rate=*/32, /*l3Rate=*/8, /*memoryRate=*/4,
      /*roundTrip=*/100));
  EXPECT_EQ(CostModel::of(variant()).getFewestCycles(), 400);
  EXPECT_EQ(CostModel::of(variant()).machine.l2Bytes, 512u << 10);
  EXPECT_EQ(CostModel::of(variant()).getMapColumns(), 48 << 10 >> 3);
}

// Blocks that were measured with other tiles are no whole ones of these.
TEST_F(TuningTest, ChainsAreNamedByTheirTiles) {
  run(createChooseTiles());
  std::string names[2];
  int64_t blocks[2];
  for (int64_t rows : {8, 9}) {
    for (auto kernel : variant().getBody().getOps<kernel::FuncOp>())
      if (isa<attn::LinearOp>(kernel.getComputeOp()))
        kernel.setTileAttr(kernel::TileAttr::get(
            &context, rows, 8, 0, 20 * rows, StringAttr::get(&context, "")));
    run(createCutPhases());
    auto program = *variant().getBody().getOps<kernel::ProgramOp>().begin();
    const auto chains = getChains(program);
    const auto *chain = llvm::find_if(
        chains, [](const auto &ends) { return ends.first != ends.second; });
    ASSERT_NE(chain, chains.end());
    const int64_t phase = chain->first;
    names[rows - 8] = getChainSignature(program, phase);
    const SmallVector<int64_t> known = getBlockCandidates(program, phase);
    ASSERT_FALSE(known.empty());
    for (int64_t candidate : known)
      EXPECT_TRUE(fitsBlocks(program, phase, candidate)) << candidate;
    blocks[rows - 8] = known.front();
    // Of a machine with less cache, of no machine.
    EXPECT_TRUE(fitsBlocks(program, phase, 4 * rows));
    for (int64_t other : {int64_t(0), rows, 4 * rows + 1, rows << 32})
      EXPECT_FALSE(fitsBlocks(program, phase, other)) << other;
    EXPECT_FALSE(fitsBlocks(program, chain->second, 4 * rows));
  }
  EXPECT_NE(blocks[0], blocks[1]);
  EXPECT_NE(names[0], names[1]);
}

} // namespace
} // namespace attnc::test
