//===- DescribeStates.cpp - what sessions keep, as data -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the states off a scheduled module. The entry that generates text is
// `decode`, which gives the logits of the last positions.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/DescribeStates.h"
#include "compiler/schedule/StateLayout.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"

using namespace llvm;

namespace attnc {

/// How many sequences a session needs: the most rows of any entry's mask.
static int64_t countSequences(const LibraryDescription &library) {
  int64_t most = 0;
  for (const EntryDescription &entry : library.entries) {
    if (!entry.growth)
      continue;
    const SizeExpr &batch = entry.inputs[*entry.growth].dims[0];
    int64_t count = batch.isNumber() ? batch.number() : 0;
    for (const SizeDescription &size : library.sizes)
      if (size.name == batch.asName())
        count = size.maximum;
    most = std::max(most, count);
  }
  return most;
}

/// Of everything that says where a row lies.
static std::string fingerprint(const StatesDescription &states) {
  std::string text;
  raw_string_ostream os(text);
  os << states.blockPositions;
  for (const StatesDescription::Group &group : states.groups)
    os << ";" << group.window << "," << group.blockBytes;
  for (const StatesDescription::State &state : states.states)
    os << ";" << state.name << "," << state.group << "," << state.offset;
  return toHex(BLAKE3::hash<16>(arrayRefFromStringRef(text)),
               /*LowerCase=*/true);
}

static bool generatesText(const EntryDescription &entry) {
  auto hasInput = [&](StringRef name) {
    return any_of(entry.inputs, [&](const ArgumentDescription &input) {
      return input.name == name && input.dims.size() == 2;
    });
  };
  return entry.name == "decode" && entry.growth && entry.inputs.size() == 2 &&
         entry.sizes.size() == 2 && entry.outputs.size() == 1 &&
         entry.outputs[0].dims.size() == 2 &&
         entry.outputs[0].dims[1].isNumber() && hasInput("input_ids") &&
         hasInput("attention_mask");
}

void describeStates(mlir::ModuleOp module, LibraryDescription &library) {
  StateLayout layout = getStateLayout(module);
  if (layout.places.empty())
    return;
  StatesDescription &states = library.states;
  states.blockPositions = kStateBlock;
  for (const StateGroup &group : layout.groups)
    states.groups.push_back({group.window, group.blockBytes});
  for (const StatePlace &place : layout.places) {
    attn::StateOp state = place.state;
    states.positions = state.getPositions();
    states.states.push_back({state.getSymName().str(),
                             static_cast<int32_t>(place.group), place.offset});
  }
  states.sequences = countSequences(library);
  states.fingerprint = fingerprint(states);
  for (auto [index, entry] : enumerate(library.entries))
    if (generatesText(entry))
      library.decodeEntry = index;
  if (auto stops = module->getAttrOfType<mlir::DenseI32ArrayAttr>(
          attn::AttnDialect::kStopTokensAttr))
    library.stopTokens.assign(stops.asArrayRef().begin(),
                              stops.asArrayRef().end());
}

void writeStates(json::OStream &json, const LibraryDescription &library) {
  const StatesDescription &states = library.states;
  json.attribute("positions", states.positions);
  json.attribute("sequences", states.sequences);
  json.attribute("block_positions", states.blockPositions);
  json.attributeArray("groups", [&] {
    for (const StatesDescription::Group &group : states.groups)
      json.object([&] {
        json.attribute("window", group.window);
        json.attribute("block_bytes", group.blockBytes);
      });
  });
  json.attribute("fingerprint", states.fingerprint);
  if (library.decodeEntry >= 0)
    json.attribute("generates", library.entries[library.decodeEntry].name);
  json.attributeArray("stop_tokens", [&] {
    for (int32_t token : library.stopTokens)
      json.value(token);
  });
}

} // namespace attnc
