//===- DescribeProducts.cpp - what products are multiplied in -------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which tensors of the model became narrow weights, by format: `attnc verify`
// repeats these roundings. Products of f32 are not told of.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/DescribeProducts.h"
#include "compiler/schedule/ProgramInfo.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace llvm;

namespace attnc {

/// Names of the weights that embeddings of the variant read in rows of f32.
static DenseSet<mlir::Attribute> getPlainTables(kernel::VariantOp variant) {
  DenseSet<mlir::Attribute> tables;
  variant.walk([&](kernel::DispatchOp dispatch) {
    if (!isa<attn::EmbeddingOp>(getKernel(dispatch).getComputeOp()))
      return;
    for (mlir::Value operand : dispatch.getIns())
      if (auto weight = operand.getDefiningOp<kernel::WeightOp>();
          weight && !weight.getLayoutAttr())
        tables.insert(weight.getWeightAttr());
  });
  return tables;
}

std::vector<ProductsDescription> describeProducts(kernel::VariantOp variant) {
  auto module = variant->getParentOfType<mlir::ModuleOp>();
  const DenseSet<mlir::Attribute> plainTables = getPlainTables(variant);
  // In the order of dispatches, so that two compilations say the same.
  using Kind = std::tuple<kernel::PrecisionAttr, /*hasShortErf=*/char,
                          /*hasPlainTable=*/char, /*isAdapted=*/char>;
  MapVector<Kind, SetVector<StringRef>> sources;
  variant.walk([&](kernel::DispatchOp dispatch) {
    kernel::FuncOp kernel = getKernel(dispatch);
    auto linear = dyn_cast<attn::LinearOp>(kernel.getComputeOp());
    const kernel::PrecisionAttr precision = kernel.getPrecisionAttr();
    if (!linear || !precision)
      return;
    // Emitters of narrow rows take it for every erf of the kernel.
    const char isShort = precision.getActivations() != kernel::Format::f32 &&
                         kernel
                             .walk([](mlir::math::ErfOp) {
                               return mlir::WalkResult::interrupt();
                             })
                             .wasInterrupted();
    const unsigned operand =
        cast<mlir::BlockArgument>(linear.getWeight()).getArgNumber();
    auto weight = dispatch.getIns()[operand].getDefiningOp<kernel::WeightOp>();
    const char isAdapted =
        dispatch->getParentOfType<kernel::ProgramOp>()->hasAttr(
            attn::AttnDialect::kStandsForAttr);
    const char isPlain = plainTables.contains(weight.getWeightAttr());
    auto declared = module.lookupSymbol<attn::WeightOp>(weight.getWeight());
    for (auto source :
         declared.getSources().getAsValueRange<mlir::StringAttr>())
      sources[{precision, isShort, isPlain, isAdapted}].insert(source);
  });
  std::vector<ProductsDescription> products;
  for (auto &[kind, names] : sources) {
    const auto &[precision, isShort, isPlain, isAdapted] = kind;
    products.push_back({precision,
                        isShort != 0,
                        isPlain != 0,
                        isAdapted != 0,
                        {names.begin(), names.end()}});
  }
  return products;
}

void writeProducts(json::OStream &json,
                   ArrayRef<ProductsDescription> products) {
  json.attributeArray("products", [&] {
    for (const ProductsDescription &product : products)
      json.object([&] {
        const kernel::PrecisionAttr precision = product.precision;
        json.attribute("weights", stringifyFormat(precision.getWeights()));
        json.attribute("activations",
                       stringifyFormat(precision.getActivations()));
        if (precision.getGroup())
          json.attribute("group", precision.getGroup());
        if (precision.getStored())
          json.attribute("stored", true);
        if (product.hasPlainTable)
          json.attribute("table", "f32");
        if (product.isAdapted)
          json.attribute("adapted", true);
        if (product.hasShortErf)
          json.attribute("erf", "short");
        json.attributeArray("of", [&] {
          for (const std::string &source : product.sources)
            json.value(source);
        });
      });
  });
}

} // namespace attnc
