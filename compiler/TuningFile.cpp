//===- TuningFile.cpp - tiles that were measured ----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reading, writing, and holding a file to the program that it is used for.
//
//===----------------------------------------------------------------------===//
#include "compiler/TuningFile.h"
#include "compiler/package/Package.h"
#include "compiler/schedule/RowChains.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

namespace attnc {

/// The member that says what the file is, and in which version.
static constexpr StringLiteral kVersionKey = "attnc_tuning";

json::Value toJson(const CostModel::Tile &tile) {
  return json::Object{{"rows", tile.rows},
                      {"columns", tile.columns},
                      {"depth", tile.depth},
                      {"block", tile.block}};
}

static bool fromJSON(const json::Value &value, CostModel::Tile &tile,
                     json::Path path) {
  json::ObjectMapper map(value, path);
  return map && map.map("rows", tile.rows) &&
         map.map("columns", tile.columns) && map.map("depth", tile.depth) &&
         map.map("block", tile.block);
}

static bool fromJSON(const json::Value &value, TuningFile::Kernel &kernel,
                     json::Path path) {
  json::ObjectMapper map(value, path);
  return map && map.map("signature", kernel.signature) &&
         map.map("tile", kernel.tile);
}

static bool fromJSON(const json::Value &value, TuningFile::Chain &chain,
                     json::Path path) {
  json::ObjectMapper map(value, path);
  return map && map.map("signature", chain.signature) &&
         map.map("block_rows", chain.blockRows);
}

static Error refuse(StringRef path, const Twine &why) {
  return createStringError(
      "error[A0421]: '" + path + "' is no usable tuning file: " + why +
      "\nnote: `attnc compile --tune` writes one; its numbers are not meant to "
      "be changed by hand");
}

Expected<TuningFile> TuningFile::read(StringRef path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(path);
  if (!buffer)
    return refuse(path, buffer.getError().message());
  Expected<json::Value> parsed = json::parse((*buffer)->getBuffer());
  if (!parsed)
    return refuse(path, toString(parsed.takeError()));
  const json::Object *object = parsed->getAsObject();
  std::optional<int64_t> version =
      object ? object->getInteger(kVersionKey) : std::nullopt;
  if (!version)
    return refuse(path, "it has no \"" + kVersionKey + "\"");
  if (*version != kVersion)
    return refuse(path, "it is of version " + Twine(*version) +
                            "; this attnc reads " + Twine(kVersion));
  TuningFile file;
  file.path = path.str();
  json::Path::Root root("tuning");
  json::ObjectMapper map(*parsed, root);
  if (!map || !map.map("target", file.target) ||
      !map.map("processor", file.processor) ||
      !map.map("kernels", file.kernels) || !map.map("chains", file.chains))
    return refuse(path, toString(root.getError()));
  return file;
}

Error TuningFile::write(StringRef path) const {
  json::Array list;
  for (const Kernel &kernel : kernels)
    list.push_back(json::Object{{"signature", kernel.signature},
                                {"tile", toJson(kernel.tile)},
                                {"measured", json::Array(kernel.measured)}});
  json::Array ofChains;
  for (const Chain &chain : chains)
    ofChains.push_back(json::Object{{"signature", chain.signature},
                                    {"block_rows", chain.blockRows},
                                    {"measured", json::Array(chain.measured)}});
  json::Value value = json::Object{{kVersionKey, kVersion},
                                   {"target", target},
                                   {"processor", processor},
                                   {"kernels", std::move(list)},
                                   {"chains", std::move(ofChains)}};
  return writeFile(path, [&](raw_fd_ostream &os) {
    os << formatv("{0:2}", value) << "\n";
    return Error::success();
  });
}

Error TuningFile::apply(mlir::ModuleOp module,
                        kernel::VariantOp variant) const {
  auto stale = [&](const Twine &why) {
    return createStringError("error[A0422]: '" + StringRef(path) + "' " + why +
                             "\nnote: tune again with --tune, or leave out "
                             "--tuning");
  };
  if (variant.getTarget() != target)
    return stale("was measured for the target '" + StringRef(target) +
                 "', not '" + variant.getTarget() + "'");
  if (std::string here = Machine::getProcessorName();
      variant.getMachineAttr() && processor != here)
    return stale("was measured on another processor: '" + StringRef(processor) +
                 "', and this is '" + here +
                 "'; to use it nevertheless, name the target");
  const CostModel model = CostModel::of(variant);
  SmallVector<mlir::NamedAttribute> tiles;
  StringSet<> left;
  for (const Kernel &kernel : kernels)
    left.insert(kernel.signature);
  mlir::Builder b(module.getContext());
  for (auto kernel : variant.getBody().getOps<kernel::FuncOp>()) {
    if (getTileCandidates(kernel, model).size() < 2)
      continue;
    const std::string signature = getSignature(kernel);
    auto found = find_if(kernels, [&](const Kernel &known) {
      return known.signature == signature;
    });
    if (found == kernels.end())
      return stale("knows no kernel '" + StringRef(signature) +
                   "'; the model, the options or attnc are others now");
    const CostModel::Tile &tile = found->tile;
    auto attr =
        kernel::TileAttr::get(module.getContext(), tile.rows, tile.columns,
                              tile.depth, tile.block, b.getStringAttr(""));
    const std::optional<kernel::TileAttr> adopted = adopt(attr, kernel, model);
    if (!adopted)
      return refuse(path, "the tile of '" + StringRef(signature) +
                              "' does not fit the kernel");
    left.erase(signature);
    tiles.push_back(b.getNamedAttr(signature, *adopted));
  }
  if (!left.empty())
    return stale("tells of '" + left.begin()->getKey() +
                 "', which this program does not have");
  module->setAttr(kTuningAttr, b.getDictionaryAttr(tiles));
  return Error::success();
}

Error TuningFile::applyToChains(kernel::VariantOp variant) const {
  for (auto program : variant.getBody().getOps<kernel::ProgramOp>())
    for (auto [phase, ends] : enumerate(getChains(program))) {
      if (ends.first != int64_t(phase) || ends.first == ends.second)
        continue;
      const std::string signature = getChainSignature(program, phase);
      auto found = find_if(chains, [&](const Chain &chain) {
        return chain.signature == signature;
      });
      if (found == chains.end())
        continue;
      if (!fitsBlocks(program, phase, found->blockRows))
        return refuse(path, "blocks of " + Twine(found->blockRows) +
                                " rows do not fit '" + signature + "'");
      getFirstDispatch(program, phase).setBlockRows(found->blockRows);
    }
  return Error::success();
}

} // namespace attnc
