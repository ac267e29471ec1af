//===- ProductFormats.cpp - what a library multiplies in ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Weights are rounded by packing and unpacking them.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/ProductFormats.h"
#include "compiler/package/PackWeights.h"
#include "compiler/package/UnpackPanels.h"

using namespace mlir;

namespace attnc {

std::optional<ProductFormats> readProductFormats(MLIRContext *context,
                                                 const llvm::json::Array &list,
                                                 bool isAdapted) {
  ProductFormats formats, adapted;
  for (const llvm::json::Value &value : list) {
    const llvm::json::Object *product = value.getAsObject();
    const llvm::json::Array *sources =
        product ? product->getArray("of") : nullptr;
    if (!sources)
      return std::nullopt;
    auto readFormat = [&](llvm::StringRef key) {
      return kernel::symbolizeFormat(product->getString(key).value_or(""));
    };
    std::optional<kernel::Format> weights = readFormat("weights"),
                                  activations = readFormat("activations");
    if (!weights || !activations)
      return std::nullopt;
    auto precision = kernel::PrecisionAttr::get(
        context, *weights, *activations,
        product->getInteger("group").value_or(0),
        product->getBoolean("stored").value_or(false));
    const ProductFormat format = {precision,
                                  product->getString("erf") == "short",
                                  product->getString("table") == "f32"};
    ProductFormats &target =
        product->getBoolean("adapted").value_or(false) ? adapted : formats;
    for (const llvm::json::Value &source : *sources)
      target[source.getAsString().value_or("")] = format;
  }
  // Entries that no adapter changes are the model's own in every session.
  if (isAdapted)
    for (const auto &[source, format] : adapted)
      formats[source] = format;
  return formats;
}

namespace interpret {

std::vector<double> keepWeights(ArrayRef<float> weights, int64_t columns,
                                int64_t depth,
                                kernel::PrecisionAttr precision) {
  // Any width: it decides where numbers lie, not what becomes of them.
  constexpr int64_t kWidth = 48;
  const kernel::PanelsAttr panels = precision.getPanels(kWidth);
  return unpackPanels(packPanels(weights, columns, depth, panels), columns,
                      depth, panels);
}

} // namespace interpret
} // namespace attnc
