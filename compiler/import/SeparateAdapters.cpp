//===- SeparateAdapters.cpp - adapters that sessions choose ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Folders become tensors. Several sources of one weight share both products:
// `down` has the ranks of all of them, one after the other, and `up` a block
// for each. The factor of DoRA is in `up` too, so that the program multiplies
// only the model's own product by it. Declined: tensors that the model lacks.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/SeparateAdapters.h"
#include "compiler/import/AdapterSet.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Folder.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace attnc::attn;

namespace attnc {

//===----------------------------------------------------------------------===//
// Folders
//===----------------------------------------------------------------------===//

const LowRankUpdate *SeparateAdapter::findUpdate(StringRef tensor) const {
  auto found = contents.updates.find(tensor.str());
  return found == contents.updates.end() ? nullptr : &found->second;
}

LogicalResult AdapterSet::fail(StringRef code, const llvm::Twine &what,
                               const llvm::Twine &todo) {
  return reportError(&context, code, what, todo);
}

LogicalResult AdapterSet::read(ArrayRef<std::string> given) {
  for (StringRef text : given) {
    auto [name, folder] = text.split('=');
    if (folder.empty()) {
      folder = text;
      name = llvm::sys::path::filename(text.rtrim('/'));
    }
    if (name.empty() || !llvm::all_of(name, [](char c) {
          return llvm::isAlnum(c) || c == '_' || c == '-' || c == '.';
        }))
      return fail("A0245", "an adapter has the name " + quote(name),
                  "names have letters, digits and '_-.': give NAME=DIR");
    if (llvm::any_of(adapters, [&, name = name](const SeparateAdapter &other) {
          return other.name == name;
        }))
      return fail("A0245", "two adapters have the name " + quote(name),
                  "give NAME=DIR for one of them");
    SeparateAdapter &adapter = adapters.emplace_back();
    adapter.name = name.str();
    adapter.folder = makeAbsolute(folder);
    if (failed(readAdapter(context, folder, weights, adapter.contents)) ||
        failed(checkReplacements(adapter)) ||
        failed(checkSharedTables(module, adapter.folder, weights,
                                 listChanges(adapter.contents))))
      return failure();
  }
  return success();
}

LogicalResult AdapterSet::checkReplacements(const SeparateAdapter &adapter) {
  for (const auto &[name, entry] : adapter.contents.replacements) {
    const WeightEntry *base = weights.find(name);
    if (!base)
      return fail("A0244",
                  adapter.folder + ": the model has no tensor " + quote(name) +
                      ", which sessions without this adapter need",
                  kMergeAdapter);
    const LowRankUpdate *update = adapter.findUpdate(name);
    if (update && !update->magnitude.empty())
      return fail("A0244",
                  adapter.folder + ": the tensor " + quote(name) +
                      " is replaced and brought to other magnitudes at once",
                  kMergeAdapter);
    if (base->shape != entry.shape)
      return fail("A0243",
                  adapter.folder + ": the tensor " + quote(name) + " is " +
                      formatShape(entry.shape) + "; the model's is " +
                      formatShape(base->shape),
                  kMergeAdapter);
  }
  return success();
}

void AdapterSet::nameFolders() {
  OpBuilder builder(&context);
  SmallVector<Attribute> names;
  for (const SeparateAdapter &adapter : adapters)
    names.push_back(builder.getStringAttr(adapter.name + "=" + adapter.folder));
  module->setAttr(AttnDialect::kAdaptersAttr, builder.getArrayAttr(names));
}

int64_t AdapterSet::getRank(StringRef tensor) const {
  auto least = leastRanks.find(tensor.str());
  int64_t rank = least == leastRanks.end() ? 0 : least->second;
  for (const SeparateAdapter &adapter : adapters)
    if (const LowRankUpdate *update = adapter.findUpdate(tensor))
      rank = std::max(rank, update->rank);
  return rank;
}

int64_t AdapterSet::getRank(ArrayRef<StringRef> tensors) const {
  const bool isChanged = llvm::any_of(tensors, [&](StringRef tensor) {
    return llvm::any_of(adapters, [&](const SeparateAdapter &adapter) {
      return adapter.findUpdate(tensor) != nullptr;
    });
  });
  int64_t sum = 0;
  for (StringRef tensor : tensors)
    sum += getRank(tensor);
  return isChanged ? sum : 0;
}

int64_t AdapterSet::getRows(StringRef tensor) const {
  for (const SeparateAdapter &adapter : adapters)
    if (const LowRankUpdate *update = adapter.findUpdate(tensor))
      return update->out;
  return weights.find(tensor)->shape[0];
}

int64_t AdapterSet::getColumns(StringRef tensor) const {
  for (const SeparateAdapter &adapter : adapters)
    if (const LowRankUpdate *update = adapter.findUpdate(tensor))
      return update->in;
  return weights.find(tensor)->shape[1];
}

bool AdapterSet::hasFactor(ArrayRef<StringRef> tensors) const {
  return llvm::any_of(tensors, [&](StringRef tensor) {
    return llvm::any_of(adapters, [&](const SeparateAdapter &adapter) {
      const LowRankUpdate *update = adapter.findUpdate(tensor);
      return update && !update->magnitude.empty();
    });
  });
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

std::vector<float> AdapterSet::makeDown(ArrayRef<StringRef> tensors,
                                        const SeparateAdapter *adapter) const {
  const int64_t in = getColumns(tensors.front());
  std::vector<float> down(getRank(tensors) * in);
  int64_t before = 0;
  for (StringRef tensor : tensors) {
    if (const LowRankUpdate *update =
            adapter ? adapter->findUpdate(tensor) : nullptr)
      llvm::copy(update->down, down.begin() + before * in);
    before += getRank(tensor);
  }
  return down;
}

llvm::Expected<std::vector<float>>
AdapterSet::makeFactors(ArrayRef<StringRef> tensors,
                        const SeparateAdapter *adapter) const {
  std::vector<float> factors;
  for (StringRef tensor : tensors) {
    const LowRankUpdate *update =
        adapter ? adapter->findUpdate(tensor) : nullptr;
    if (!update || update->magnitude.empty()) {
      factors.insert(factors.end(), getRows(tensor), 1.0f);
      continue;
    }
    llvm::Expected<std::vector<float>> elements = weights.read(tensor);
    if (!elements)
      return elements.takeError();
    for (double factor : update->getRowFactors(*elements))
      factors.push_back(static_cast<float>(factor));
  }
  return factors;
}

std::vector<float> AdapterSet::makeUp(ArrayRef<StringRef> tensors,
                                      ArrayRef<float> factors,
                                      const SeparateAdapter *adapter) const {
  const int64_t width = getRank(tensors);
  std::vector<float> up(factors.size() * width);
  int64_t row = 0, column = 0;
  for (StringRef tensor : tensors) {
    if (const LowRankUpdate *update =
            adapter ? adapter->findUpdate(tensor) : nullptr)
      for (int64_t o = 0; o < update->out; ++o)
        for (int64_t k = 0; k < update->rank; ++k)
          up[(row + o) * width + column + k] = static_cast<float>(
              update->scale * update->up[o * update->rank + k] *
              factors[row + o]);
    row += getRows(tensor);
    column += getRank(tensor);
  }
  return up;
}

/// Gives `source` its tensor, of one adapter or of sessions without any.
llvm::Error AdapterSet::addTensor(StringRef source,
                                  const SeparateAdapter *adapter) {
  StringRef names = source.substr(source.find(':') + 1);
  SmallVector<StringRef> tensors;
  names.split(tensors, '|');
  std::optional<unsigned> choice;
  if (adapter) {
    choice = adapter->choice;
    if (llvm::none_of(tensors, [&](StringRef tensor) {
          return adapter->findUpdate(tensor) != nullptr;
        }))
      return llvm::Error::success();
  }
  // A program from outside may name anything here.
  for (StringRef tensor : tensors) {
    const WeightEntry *entry = weights.find(tensor);
    if (!entry || entry->shape.size() != 2 ||
        getColumns(tensor) != getColumns(tensors.front()))
      return makeError("A0244",
                       "the program has products for adapters of " +
                           listNames(tensors) + ", but " + quote(tensor) +
                           (entry ? " is " + formatShape(entry->shape)
                                  : " is in no weights file"),
                       "give the model that the program was made from");
  }
  if (getRank(tensors) == 0)
    return makeError("A0244",
                     "no adapter changes " + listNames(tensors) +
                         ", for which the program has products",
                     "give the adapters that the program was made with");
  if (source.starts_with(kAdapterDown)) {
    std::vector<int64_t> &ranks = weights.adapterRanks[names.str()];
    ranks.clear();
    for (StringRef tensor : tensors)
      ranks.push_back(getRank(tensor));
    weights.addTensor(source, {getRank(tensors), getColumns(tensors.front())},
                      makeDown(tensors, adapter), choice);
    return llvm::Error::success();
  }
  llvm::Expected<std::vector<float>> factors = makeFactors(tensors, adapter);
  if (!factors)
    return factors.takeError();
  const int64_t rows = factors->size();
  if (source.starts_with(kAdapterFactor))
    weights.addTensor(source, {rows}, std::move(*factors), choice);
  else
    weights.addTensor(source, {rows, getRank(tensors)},
                      makeUp(tensors, *factors, adapter), choice);
  return llvm::Error::success();
}

LogicalResult AdapterSet::addTensors() {
  for (SeparateAdapter &adapter : adapters)
    adapter.choice = weights.addChoice(adapter.name);
  bool good = true;
  auto addSource = [&](StringRef source) -> llvm::Error {
    if (llvm::Error error = addTensor(source, nullptr))
      return error;
    for (const SeparateAdapter &adapter : adapters)
      if (llvm::Error error = addTensor(source, &adapter))
        return error;
    return llvm::Error::success();
  };
  // A lowered program keeps its weights in a module inside.
  module.walk([&](WeightOp weight) {
    for (StringRef source : getSources(weight))
      if (source.starts_with(kAdapterDown) || source.starts_with(kAdapterUp) ||
          source.starts_with(kAdapterFactor))
        if (llvm::Error error = addSource(source))
          good &= succeeded(reportError(&context, std::move(error)));
  });
  for (SeparateAdapter &adapter : adapters) {
    for (const auto &[name, entry] : adapter.contents.replacements)
      weights.replaceInChoice(adapter.choice, name, entry);
    weights.keepAlive(std::move(adapter.contents.tensors));
  }
  return success(good);
}

LogicalResult addSeparateAdapters(ModuleOp module, ArrayRef<std::string> given,
                                  const ImportOptions &options,
                                  WeightTable &weights) {
  AdapterSet adapters(
      module, weights,
      options.adapterRanks.value_or(std::map<std::string, int64_t>()));
  if (failed(adapters.read(given)))
    return failure();
  if (!module->hasAttr(AttnDialect::kAdaptersAttr) &&
      failed(addAdaptedEntries(module, adapters, options.joinsProjections)))
    return failure();
  adapters.nameFolders();
  return adapters.addTensors();
}

} // namespace attnc
