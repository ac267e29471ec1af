//===- StateTemplates.cpp - steps with what sessions remember -------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention with states, appended to before; lengths and positions.
//
//===----------------------------------------------------------------------===//
#include "Regions.h"
#include "Templates.h"

namespace attnc::fuzz {

using Text = std::string;

Template makeCachedAttention(Random &random, const Shapes &shapes) {
  size_t number = random.below(shapes.layers.size());
  Layer layer = shapes.layers[number];
  // As many query heads per key head as elsewhere.
  Text heads =
      shapes.text(std::stoll(layer.key[0]) * shapes.heads / shapes.keyHeads);
  Dims query = {"tokens", heads, layer.key[1]};
  Dims result = {"tokens", heads, layer.value[1]};
  Dims space = {"batch", heads, "", ""};
  RegionText score, mask;
  if (random.chance(0.6))
    score = makeScoreRegion(random, AttentionForm::Cached, space);
  if (random.chance(0.7))
    mask = makeMaskRegion(random, AttentionForm::Cached, space);
  return [=](EntryWriter &entry) {
    TensorText q = entry.get(query);
    auto [keys, values] = entry.getAppended(number);
    TensorText at = entry.getPacking().second, past = entry.getPast();
    Text op = "attn.cached_attention " + q.name + ", " + keys + ", " + values +
              " offsets(" + at.name + " : " + at.type() + ") past(" +
              past.name + " : " + past.type() + ")";
    if (score)
      op += " " + entry.write("score", score);
    if (mask)
      op += " " + entry.write("mask", mask);
    entry.emit(op,
               q.type() + ", " +
                   EntryWriter::makeStateType(layer.key, layer.window) + ", " +
                   EntryWriter::makeStateType(layer.value, layer.window) +
                   " -> " + makeType(result),
               result);
  };
}

/// An i32 value, held to what a table has rows for.
static void emitId(EntryWriter &entry, const TensorText &value) {
  Text most = std::to_string(ModuleWriter::kTableRows - 1);
  entry.emit("attn.map element(" + value.name +
                 " at affine_map<(d0) -> (d0)> : " + value.type() +
                 ") {\n  ^bb0(%a: i32):\n    %most = arith.constant " + most +
                 " : i32\n    %id = arith.minsi %a, %most : i32\n"
                 "    attn.yield %id : i32\n  }",
             value.type(), value.dims, true);
}

/// The lengths of sequences, or the positions of their new rows.
Template makePositionsInSession(Random &random, const Shapes &) {
  if (random.chance(0.4))
    return [](EntryWriter &entry) { emitId(entry, entry.getPast()); };
  return [](EntryWriter &entry) {
    TensorText at = entry.getPacking().second, past = entry.getPast();
    TensorText positions = {"", {"tokens"}, true};
    positions = entry.emitAside(
        "attn.packed_positions " + at.name + ", " + past.name,
        at.type() + ", " + past.type() + " -> " + positions.type(),
        positions.dims, true);
    emitId(entry, positions);
  };
}

} // namespace attnc::fuzz
