//===- DescribeProducts.cpp - what products are multiplied in -------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which tensors of the model became narrow weights, by format: `attnc verify`
// repeats these roundings. Products of f32, and those with the numbers of the
// model's own file, are not told of.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/DescribeProducts.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace llvm;

namespace attnc {

std::vector<ProductsDescription> describeProducts(kernel::VariantOp variant) {
  auto module = variant->getParentOfType<mlir::ModuleOp>();
  // In the order of dispatches, so that two compilations say the same.
  using Kind = std::pair<kernel::PrecisionAttr, /*hasShortErf=*/char>;
  MapVector<Kind, SetVector<StringRef>> sources;
  variant.walk([&](kernel::DispatchOp dispatch) {
    auto kernel = mlir::SymbolTable::lookupNearestSymbolFrom<kernel::FuncOp>(
        dispatch, dispatch.getKernelAttr());
    auto linear = dyn_cast<attn::LinearOp>(kernel.getComputeOp());
    const kernel::PrecisionAttr precision = kernel.getPrecisionAttr();
    if (!linear || !precision || precision.getStored())
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
    auto declared = module.lookupSymbol<attn::WeightOp>(weight.getWeight());
    for (auto source :
         declared.getSources().getAsValueRange<mlir::StringAttr>())
      sources[{precision, isShort}].insert(source);
  });
  std::vector<ProductsDescription> products;
  for (auto &[kind, names] : sources) {
    const auto &[precision, isShort] = kind;
    products.push_back({stringifyFormat(precision.getWeights()).str(),
                        stringifyFormat(precision.getActivations()).str(),
                        precision.getGroup(),
                        isShort != 0,
                        {names.begin(), names.end()}});
  }
  return products;
}

void writeProducts(json::OStream &json,
                   ArrayRef<ProductsDescription> products) {
  json.attributeArray("products", [&] {
    for (const ProductsDescription &product : products)
      json.object([&] {
        json.attribute("weights", product.weights);
        json.attribute("activations", product.activations);
        if (product.group)
          json.attribute("group", product.group);
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
