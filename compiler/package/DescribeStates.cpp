//===- DescribeStates.cpp - what sessions keep, as data -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the states off a scheduled module. The entry that generates text is
// `decode`, which gives the logits of the last positions; `score` gives those
// of all positions, by which guesses of a draft are judged.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/DescribeStates.h"
#include "compiler/schedule/StateLayout.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"

using namespace llvm;

namespace attnc {

/// How many sequences a session needs: the most rows of any entry's mask, and
/// the most lengths that any kernel reads.
static int64_t countSequences(mlir::ModuleOp module,
                              const LibraryDescription &library) {
  int64_t most = 1;
  auto maximumOf = [&](StringRef name) {
    for (const SizeDescription &size : library.sizes)
      if (size.name == name)
        return size.maximum;
    llvm_unreachable("verified: sizes of types are the module's");
  };
  module.walk([&](attn::PastOp past) {
    SizeExpr count = attn::getNamedShape(past.getType())[0];
    most = std::max(most, count.evaluate(maximumOf));
  });
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
static std::string fingerprint(const StatesDescription &states,
                               const StateLayout &layout) {
  std::string text;
  raw_string_ostream os(text);
  os << states.blockPositions;
  for (const StatePlace &place : layout.places)
    os << ";" << stringifyStateFormat(attn::StateOp(place.state).getFormat());
  for (const StatesDescription::Group &group : states.groups)
    os << ";" << group.window << "," << group.blockBytes;
  for (const StatesDescription::State &state : states.states)
    os << ";" << state.name << "," << state.group << "," << state.offset;
  return toHex(BLAKE3::hash<16>(arrayRefFromStringRef(text)),
               /*LowerCase=*/true);
}

/// How a state lies in its blocks, as the programs that use it say.
static kernel::BlocksAttr findLayout(mlir::ModuleOp module, attn::StateOp op) {
  kernel::BlocksAttr layout;
  module.walk([&](kernel::StateOp use) {
    if (use.getState() != op.getSymName())
      return mlir::WalkResult::advance();
    layout = use.getLayout();
    return mlir::WalkResult::interrupt();
  });
  return layout ? layout : getBlocks(op);
}

static StatesDescription::State describe(mlir::ModuleOp module,
                                         const StatePlace &place) {
  attn::StateOp op = place.state;
  kernel::BlocksAttr blocks = findLayout(module, op);
  mlir::RankedTensorType row = op.getType().getRow();
  const int64_t heads = row.getDimSize(0), columns = row.getDimSize(1);
  const int64_t elements = blocks.getRowElements(columns);
  StatesDescription::State state;
  state.name = op.getSymName().str();
  state.group = static_cast<int32_t>(place.group);
  state.offset = place.offset;
  state.heads = heads;
  // Transposed, a line is one element of all positions.
  state.lines = blocks.getTransposed() ? elements : 1;
  const int64_t positionBytes = elements * blocks.getElementBytes();
  state.width = static_cast<int32_t>(positionBytes / state.lines);
  state.scaleBytes = static_cast<int32_t>(
      blocks.getHeadBytes(columns) / blocks.getPositions() - positionBytes);
  return state;
}

/// Takes ids and a mask to logits, of the last positions or of all.
static bool givesLogits(const EntryDescription &entry, StringRef name,
                        size_t rank) {
  auto hasInput = [&](StringRef name) {
    return any_of(entry.inputs, [&](const ArgumentDescription &input) {
      return input.name == name && input.dims.size() == 2;
    });
  };
  return entry.name == name && entry.growth && entry.inputs.size() == 2 &&
         entry.sizes.size() == 2 && entry.outputs.size() == 1 &&
         entry.outputs[0].dtype == ATTN_F32 &&
         entry.outputs[0].dims.size() == rank &&
         entry.outputs[0].dims.back().isNumber() && hasInput("input_ids") &&
         hasInput("attention_mask");
}

/// Whether `score` takes and gives per position what `decode` does for the last
/// one, so that guesses can be judged by it.
static bool agree(const EntryDescription &decode,
                  const EntryDescription &score) {
  return decode.sizes == score.sizes &&
         decode.outputs[0].dims.back() == score.outputs[0].dims.back();
}

void describeStates(mlir::ModuleOp module, LibraryDescription &library) {
  StateLayout layout = getStateLayout(module);
  if (layout.places.empty())
    return;
  StatesDescription &states = library.states;
  states.blockPositions = kStateBlock;
  for (const StateGroup &group : layout.groups)
    states.groups.push_back({group.window, group.blockBytes});
  auto narrowest = attn::StateFormat::f32;
  for (const StatePlace &place : layout.places) {
    attn::StateOp state = place.state;
    narrowest = std::max(narrowest, state.getFormat());
    states.positions = state.getPositions();
    states.states.push_back(describe(module, place));
  }
  states.format = stringifyStateFormat(narrowest).str();
  states.sequences = countSequences(module, library);
  states.fingerprint = fingerprint(states, layout);
  for (auto [index, entry] : enumerate(library.entries)) {
    if (givesLogits(entry, "decode", 2))
      library.decodeEntry = index;
    if (givesLogits(entry, "score", 3))
      library.scoreEntry = index;
  }
  if (library.decodeEntry < 0 || library.scoreEntry < 0 ||
      !agree(library.entries[library.decodeEntry],
             library.entries[library.scoreEntry]))
    library.scoreEntry = -1;
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
  json.attribute("format", states.format);
  int64_t bytes = 0;
  for (const StatesDescription::Group &group : states.groups)
    bytes += group.blockBytes;
  // Every size is whole bytes for each position.
  json.attribute("position_bytes", bytes / states.blockPositions);
  json.attributeArray("groups", [&] {
    for (const StatesDescription::Group &group : states.groups)
      json.object([&] {
        json.attribute("window", group.window);
        json.attribute("block_bytes", group.blockBytes);
      });
  });
  json.attribute("fingerprint", states.fingerprint);
  if (library.decodeEntry >= 0) {
    json.attribute("generates", library.entries[library.decodeEntry].name);
    if (library.scoreEntry >= 0)
      json.attribute("scores", library.entries[library.scoreEntry].name);
    json.attribute("chats", library.chat.has_value());
    json.attributeObject("defaults", [&] {
      const attn_generate_options &defaults = library.generateDefaults;
      json.attribute("max_tokens", defaults.max_tokens);
      json.attribute("temperature", defaults.temperature);
      json.attribute("top_k", defaults.top_k);
      json.attribute("top_p", defaults.top_p);
      json.attribute("min_p", defaults.min_p);
      json.attribute("repetition_penalty", defaults.repetition_penalty);
    });
  }
  json.attributeArray("stop_tokens", [&] {
    for (int32_t token : library.stopTokens)
      json.value(token);
  });
}

} // namespace attnc
