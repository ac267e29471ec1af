//===- LibraryFormats.cpp - what a library rounds -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Members that libraries of earlier versions lack are taken to be what those
// did.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/LibraryFormats.h"
#include "compiler/Target.h"
#include "compiler/import/AdapterSet.h"

using namespace llvm;

namespace attnc::tools {

/// The description of the variant that runs.
static Expected<const json::Object *> getVariant(const Library &library) {
  Expected<json::Value> info = library.info();
  if (!info)
    return info.takeError();
  std::optional<StringRef> running = info->getAsObject()->getString("variant");
  const json::Array *variants = library.description().getArray("variants");
  for (const json::Value &value : *variants)
    if (value.getAsObject()->getString("name") == running)
      return value.getAsObject();
  return nullptr;
}

/// A format of a later attnc has errors that nobody here can bound.
static Error checkFormat(const char *what, StringRef format) {
  if (kernel::symbolizeFormat(format))
    return Error::success();
  return createStringError(
      "error[A0705]: the library keeps or multiplies its " + Twine(what) +
      " in '" + format +
      "'; this attnc knows f32, bf16, i8 and i4\nnote: verify it with the "
      "attnc that made it, or compile the model again");
}

Expected<NarrowFormats> getFormats(const Library &library) {
  Expected<const json::Object *> found = getVariant(library);
  if (!found)
    return found.takeError();
  NarrowFormats formats;
  if (*found) {
    const json::Object &variant = **found;
    formats.weights = variant.getString("weights").value_or("f32");
    if (formats.weights == "stored") // the numbers that the model has
      formats.weights = "f32";
    formats.activations = variant.getString("activations").value_or("f32");
    // Libraries that do not say it multiply so at most.
    formats.attention =
        variant.getString("attention")
            .value_or(formats.activations == "f32" ? "f32" : "bf16");
    formats.group = variant.getInteger("group").value_or(formats.group);
  }
  if (const json::Object *states = library.description().getObject("states"))
    formats.cache = states->getString("format").value_or("f32");
  for (auto [what, format] : {std::pair("weights", formats.weights),
                              std::pair("activations", formats.activations),
                              std::pair("attention", formats.attention),
                              std::pair("caches", formats.cache)})
    if (Error error = checkFormat(what, format))
      return std::move(error);
  return formats;
}

Expected<std::optional<ProductFormats>>
getProducts(const Library &library, const NarrowFormats &formats,
            bool isAdapted, mlir::MLIRContext *context) {
  Expected<const json::Object *> found = getVariant(library);
  if (!found)
    return found.takeError();
  const json::Object *variant = *found;
  if (!variant || !formats.isNarrow())
    return std::nullopt;
  const Target *target = Target::find(variant->getString("name").value_or(""));
  if (!target || target->isGpu())
    return std::nullopt;
  if (const json::Array *products = variant->getArray("products"))
    return readProductFormats(context, *products, isAdapted);
  // Caches alone are narrow; where products are, earlier libraries may not say.
  if (formats.weights == "f32" && formats.activations == "f32")
    return ProductFormats();
  return std::nullopt;
}

std::optional<unsigned> findChoice(const ImportedModel &model,
                                   StringRef adapter) {
  for (auto [index, name] : enumerate(model.weights.choices()))
    if (name == adapter)
      return index;
  return std::nullopt;
}

/// The rank of every tensor; nothing if the member is of another form.
static std::optional<std::map<std::string, int64_t>>
readRanks(const json::Object &products) {
  std::map<std::string, int64_t> ranks;
  for (const auto &[names, value] : products) {
    SmallVector<StringRef> tensors;
    StringRef(names).split(tensors, '|');
    const json::Array *list = value.getAsArray();
    if (!list || list->size() != tensors.size())
      return std::nullopt;
    for (auto [tensor, rank] : zip(tensors, *list))
      ranks[tensor.str()] = rank.getAsInteger().value_or(0);
  }
  return ranks;
}

std::unique_ptr<ImportedModel> importApart(const Library &library,
                                           ImportedModel &model, StringRef path,
                                           ImportOptions options,
                                           const ChosenAdapter &chosen) {
  const json::Object *products =
      library.description().getObject("adapter_ranks");
  if (!products)
    return nullptr;
  options.adapterRanks = readRanks(*products);
  if (!options.adapterRanks)
    return nullptr;
  options.adapter.clear();
  // A dumped program has its own.
  if (chosen.isApart &&
      !(*model.module)->hasAttr(attn::AttnDialect::kAdaptersAttr))
    options.adapters = {chosen.name + "=" + chosen.folder};
  options.joinsProjections = any_of(*products, [](const auto &product) {
    return StringRef(product.first).contains('|');
  });
  std::unique_ptr<ImportedModel> apart =
      importModel(*(*model.module)->getContext(), path, options);
  if (!apart || !apart->module ||
      (chosen.isApart && !findChoice(*apart, chosen.name)))
    return nullptr;
  for (const auto &[tensors, ranks] : apart->weights.adapterRanks)
    if (!products->get(tensors))
      return nullptr;
  return apart;
}

} // namespace attnc::tools
