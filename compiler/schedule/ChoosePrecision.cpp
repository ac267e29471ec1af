//===- ChoosePrecision.cpp - formats of weights and activations -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Gives the kernels of `attn.linear` their `precision`. The `attn` op inside
// stays as it is, so that the reference still says what the product means, and
// `attnc verify` what its precision costs. Where vectors multiply bf16 faster
// than f32, products of attention become bf16 when those of rows are narrow;
// its softmax, norms and all maps stay f32.
//
//   kernel.func @linear_384x1536(..) {attn.linear ..}
//   kernel.func @linear_384x1536(..) precision #kernel.precision<weights = i8,
//       activations = i8> {attn.linear ..}
//
// Activations are bf16 where the target multiplies bf16 faster than f32, and
// f32 elsewhere: narrower never is slower. Beside weights in groups they are
// f32, or i8 in the same groups.
//
// A weight of i4 that an embedding reads too, as the tied table of a language
// model, becomes i8 in groups: it costs few bytes, and most of what i4 loses.
// With weights "stored", formats are those of the model's own file
// (`attn.stored`). A kernel whose dispatches differ in precision is cloned for
// each.
//
// Declined, and left in f32: products of fewer columns than a panel has, which
// gain nothing, and contractions that could overflow a sum of 32 bits. Declined
// with an error: formats that do not go together, and narrow weights where
// OpenBLAS multiplies.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/Target.h"
#include "dialects/kernel/Kernel.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_CHOOSEPRECISION
#include "compiler/Passes.h.inc"

using kernel::Format;

// The width of the panels that ChooseTiles makes.
static constexpr int64_t kFewestColumns = 48;
// 255 * 127 * K < 2^31, the most that a sum of products of bytes can come to.
static constexpr int64_t kDeepestBytes = (int64_t(1) << 31) / (255 * 127);

namespace {
struct ChoosePrecision : impl::ChoosePrecisionBase<ChoosePrecision> {
  using ChoosePrecisionBase::ChoosePrecisionBase;

  InFlightDiagnostic refuse() {
    return getOperation().emitError("error[A0415]: ");
  }

  /// Reads the options; fails with an error on what does not go together.
  LogicalResult readOptions(Format &weightFormat, Format &rowFormat) {
    std::optional<Format> known = kernel::symbolizeFormat(weights);
    if (!known)
      return refuse() << "weights of '" << weights
                      << "' are not known; expected f32, bf16, i8 or i4, or, "
                         "without activations or with those of i8, stored";
    weightFormat = *known;
    if (activations.empty()) {
      // What rows of i8 lose beside i4 is a hundredth of what i4 does; beside
      // i8 in groups it is more than the groups won.
      if (weightFormat == Format::i4)
        rowFormat = Format::i8;
      else
        rowFormat = group ? Format::f32 : weightFormat;
      return success();
    }
    known = kernel::symbolizeFormat(activations);
    const bool isBesideNibbles =
        known == Format::i8 && weightFormat == Format::i4;
    if (!known || *known == Format::i4 ||
        (*known != Format::f32 && *known != weightFormat && !isBesideNibbles))
      return refuse() << "activations of '" << activations
                      << "' do not go with weights of " << weights
                      << "; expected f32, what the weights are if that is bf16 "
                         "or i8, or i8 beside i4";
    rowFormat = *known;
    return success();
  }

  /// Steps of depth that share a scale; 0: all of them, or there is none.
  int64_t getGroup(Format weightFormat) {
    constexpr int64_t kUsual = 32; // of i4
    return weightFormat == Format::i4 && group == 0 ? kUsual : int64_t(group);
  }

  /// Checks what is said of groups.
  LogicalResult checkGroup(Format weightFormat) {
    if (group == 0)
      return success();
    if (group < 8 || group % 8 != 0)
      return refuse() << "groups of " << int64_t(group)
                      << " are no multiple of 8";
    if (weightFormat != Format::i4 && weightFormat != Format::i8)
      return refuse() << "weights of " << weights << " have no groups";
    return success();
  }

  /// What a product of the formats chosen becomes; null: f32.
  kernel::PrecisionAttr getPrecision(attn::LinearOp op, const Target &target,
                                     Format weightFormat, Format rowFormat) {
    auto weight = op.getWeight().getType();
    const int64_t together =
        getGroup(weightFormat) ? getGroup(weightFormat) : weight.getDimSize(1);
    const bool overflows = rowFormat == Format::i8 && together > kDeepestBytes;
    if (weight.getDimSize(0) < kFewestColumns || overflows)
      return {};
    if (rowFormat == Format::bf16 && !target.hasBf16Products)
      rowFormat = Format::f32;
    // GPUs multiply in a format of their own; weights are what the file says.
    if (target.isGpu())
      rowFormat = Format::f32;
    return kernel::PrecisionAttr::get(&getContext(), weightFormat, rowFormat,
                                      getGroup(weightFormat), /*stored=*/false);
  }

  /// What i4 becomes where the weight is looked up too: one row of it is one
  /// token, and both its ends see the error.
  static kernel::PrecisionAttr getTablePrecision(kernel::PrecisionAttr usual) {
    if (!usual || usual.getWeights() != Format::i4)
      return usual;
    return kernel::PrecisionAttr::get(usual.getContext(), Format::i8,
                                      usual.getActivations(), usual.getGroup(),
                                      /*stored=*/false);
  }

  /// Names of the weights that embeddings of the variant read.
  static llvm::DenseSet<Attribute> getTables(kernel::VariantOp variant) {
    llvm::DenseSet<Attribute> tables;
    variant.walk([&](kernel::DispatchOp dispatch) {
      auto kernel = SymbolTable::lookupNearestSymbolFrom<kernel::FuncOp>(
          dispatch, dispatch.getKernelAttr());
      if (!kernel || !isa<attn::EmbeddingOp>(kernel.getComputeOp()))
        return;
      for (Value operand : dispatch.getIns())
        if (auto weight = operand.getDefiningOp<kernel::WeightOp>())
          tables.insert(weight.getWeightAttr());
    });
    return tables;
  }

  /// Attention multiplies in bf16 where vectors or tiles do that faster than
  /// f32.
  void chooseAttention(kernel::FuncOp kernel, const Target &target,
                       Format rowFormat) {
    if (rowFormat == Format::f32 || !target.hasBf16Products)
      return;
    kernel.setPrecisionAttr(kernel::PrecisionAttr::get(
        &getContext(), Format::bf16, Format::bf16, 0, /*stored=*/false));
    ++narrowed;
  }

  /// The weight of a dispatch.
  static kernel::WeightOp getWeight(kernel::DispatchOp dispatch,
                                    attn::LinearOp op) {
    const unsigned operand = cast<BlockArgument>(op.getWeight()).getArgNumber();
    auto weight = dispatch.getIns()[operand].getDefiningOp<kernel::WeightOp>();
    assert(weight && "SelectKernels makes others attn.matmul");
    return weight;
  }

  /// As the file keeps a weight, times rows of `rowFormat` where it is in
  /// groups; null: in nothing of ours, or of GPUs, whose kernels know groups
  /// with scales of f16 alone.
  kernel::PrecisionAttr getStored(kernel::WeightOp weight, Format rowFormat,
                                  bool isGpu) {
    auto declared =
        getOperation().lookupSymbol<attn::WeightOp>(weight.getWeight());
    auto format =
        declared->getAttrOfType<StringAttr>(attn::AttnDialect::kStoredAttr);
    if (!format)
      return {};
    auto precision = kernel::PrecisionAttr::getStored(
        &getContext(), format.getValue(), rowFormat);
    const bool isPlain = precision.getScales() == kernel::Scales::f16;
    return isGpu && !isPlain ? kernel::PrecisionAttr() : precision;
  }

  /// Precisions, by weight, for one kernel, or for clones of it.
  void choose(
      kernel::FuncOp kernel, attn::LinearOp op, SymbolTable &symbols,
      llvm::function_ref<kernel::PrecisionAttr(kernel::WeightOp)> precisionOf) {
    // In the order of dispatches, so that names are the same in every run.
    llvm::MapVector<kernel::PrecisionAttr, SmallVector<kernel::DispatchOp>>
        byPrecision;
    symbols.getOp()->walk([&](kernel::DispatchOp dispatch) {
      if (dispatch.getKernel() == kernel.getSymName())
        byPrecision[precisionOf(getWeight(dispatch, op))].push_back(dispatch);
    });
    kernel::FuncOp free = kernel; // not taken by a precision yet
    for (auto &[precision, dispatches] : byPrecision) {
      kernel::FuncOp own = free ? free : cast<kernel::FuncOp>(kernel->clone());
      if (!free)
        symbols.insert(own, std::next(Block::iterator(kernel)));
      free = nullptr;
      for (kernel::DispatchOp dispatch : dispatches)
        dispatch.setKernel(own.getSymName());
      own.removePrecisionAttr();
      if (precision)
        own.setPrecisionAttr(precision);
      ++(precision ? narrowed : kept);
    }
  }

  void runStored(Format chosen) {
    for (auto variant : getOperation().getOps<kernel::VariantOp>()) {
      if (variant.getGemm())
        continue; // OpenBLAS takes f32 alone
      const Target *target = Target::find(variant.getTarget());
      assert(target && "the verifier knows the target");
      const Format rowFormat = target->isGpu() ? Format::f32 : chosen;
      SymbolTable symbols(variant);
      auto kernels =
          llvm::to_vector(variant.getBody().getOps<kernel::FuncOp>());
      for (kernel::FuncOp kernel : kernels)
        if (auto op = dyn_cast<attn::LinearOp>(kernel.getComputeOp()))
          choose(kernel, op, symbols, [&](kernel::WeightOp weight) {
            const bool narrow =
                op.getWeight().getType().getDimSize(0) < kFewestColumns;
            return narrow ? kernel::PrecisionAttr()
                          : getStored(weight, rowFormat, target->isGpu());
          });
        else if (isa<attn::AttentionOp>(kernel.getComputeOp()))
          chooseAttention(kernel, *target, rowFormat);
    }
  }

  void runOnOperation() override {
    if (weights == "stored" && activations.empty())
      return runStored(Format::f32);
    if (weights == "stored" && activations == "i8")
      return runStored(Format::i8);
    Format weightFormat, rowFormat;
    if (failed(readOptions(weightFormat, rowFormat)))
      return signalPassFailure();
    if (weightFormat == Format::f32)
      return;
    if (failed(checkGroup(weightFormat)))
      return signalPassFailure();
    for (auto variant : getOperation().getOps<kernel::VariantOp>()) {
      const Target *target = Target::find(variant.getTarget());
      assert(target && "the verifier knows the target");
      if (variant.getGemm()) {
        refuse()
            << "@" << variant.getSymName()
            << " multiplies by OpenBLAS, which takes weights of f32 alone; "
               "leave out --weights and --gemm, or the target";
        return signalPassFailure();
      }
      const llvm::DenseSet<Attribute> tables = getTables(variant);
      SymbolTable symbols(variant);
      auto kernels =
          llvm::to_vector(variant.getBody().getOps<kernel::FuncOp>());
      for (kernel::FuncOp kernel : kernels)
        if (auto op = dyn_cast<attn::LinearOp>(kernel.getComputeOp())) {
          kernel::PrecisionAttr usual =
              getPrecision(op, *target, weightFormat, rowFormat);
          choose(kernel, op, symbols, [&](kernel::WeightOp weight) {
            return tables.contains(weight.getWeightAttr())
                       ? getTablePrecision(usual)
                       : usual;
          });
        } else if (isa<attn::AttentionOp>(kernel.getComputeOp()))
          chooseAttention(kernel, *target, rowFormat);
    }
  }
};
} // namespace
} // namespace attnc
