//===- RowTemplates.cpp - steps that work on rows -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Maps, norms, products, embeddings, packing and pooling; and the module that
// templates are put together in.
//
//===----------------------------------------------------------------------===//
#include "Regions.h"
#include "Templates.h"

namespace attnc::fuzz {

using Text = std::string;

Shapes::Shapes(Random &random) {
  // Narrow weights are for panels of 48 columns or more.
  const bool wide = random.chance(0.3);
  auto columns = [&] {
    if (wide)
      return random.pick({48, 49, 63, 64, 65, 80, 95, 96, 97});
    return random.pick({1,  2,  3,  4,  5,  7,  8,  12, 15, 16, 17, 20, 24, 31,
                        32, 33, 40, 47, 48, 49, 63, 64, 65, 80, 95, 96, 97});
  };
  width = columns();
  inner = columns();
  keyHeads = random.pick({1, 1, 2, 3});
  heads = keyHeads * random.pick({1, 1, 2, 3});
  size = random.pick({1, 2, 3, 4, 5, 8, 12, 16, 17, 20, 24, 32, 33});
  valueSize = random.chance(0.7)
                  ? size
                  : random.pick({1, 3, 4, 8, 15, 16, 17, 31, 32, 33});
  std::vector<Dims> others = {{"batch"},
                              {"seq"},
                              {text(random.between(1, 9))},
                              {"tokens"},
                              {"tokens"},
                              {"batch", text(random.between(1, 4)), "seq"},
                              {"mem"},
                              {"batch", "mem"},
                              {"batch", "seq", "2"}};
  rows = {{"batch", "seq"}, random.pick(others)};
  if (random.chance(0.25))
    addLayers(random);
}

void Shapes::addLayers(Random &random) {
  rows.push_back({"tokens"});
  // Blocks of states have 64 positions; attention takes 512 at once.
  positions = random.pick({64, 100, 130, 200, 300, 700});
  for (int64_t i = random.between(1, 3); i > 0; --i)
    layers.push_back({{text(random.chance(0.7) ? keyHeads : 1), text(size)},
                      {},
                      random.pick({0, 0, 0, 1, 2, 5, 17, 63, 64, 65, 130})});
  for (Layer &layer : layers)
    layer.value = {layer.key[0], text(valueSize)};
}

static Dims operator+(Dims dims, int64_t last) {
  return std::move(dims) + std::to_string(last);
}

static int64_t pickWidth(Random &random, const Shapes &shapes) {
  return random.chance(0.7) ? shapes.width : shapes.inner;
}

/// An index space: rows of a known width, or without one.
static Dims pickSpace(Random &random, const Shapes &shapes) {
  const Dims &rows = random.pick(shapes.rows);
  if (random.chance(0.1))
    return rows;
  if (random.chance(0.1) && rows != Dims{"tokens"})
    return rows + Text("seq");
  return rows + pickWidth(random, shapes);
}

/// " element(..) {..} row(..) {..}"
static Text writeEpilogues(EntryWriter &entry, const RegionText &element,
                           const RegionText &row) {
  return (element ? " " + entry.write("element", element) : "") +
         (row ? " " + entry.write("row", row) : "");
}

Template makeMap(Random &random, const Shapes &shapes) {
  Dims space = pickSpace(random, shapes);
  RegionText element = makeElementRegion(random, space, false), row;
  if (random.chance(0.3))
    row = makeRowRegion(random, space);
  return [=](EntryWriter &entry) {
    entry.emit("attn.map" + writeEpilogues(entry, element, row),
               makeType(space), space);
  };
}

Template makeNormOrSoftmax(Random &random, const Shapes &shapes) {
  Dims space = pickSpace(random, shapes);
  if (random.chance(0.4))
    return [=](EntryWriter &entry) {
      TensorText input = entry.get(space);
      entry.emit("attn.softmax " + input.name, input.type(), space);
    };
  Text norm = makeNorm(random, "%input", [&] { return Text("%vector"); });
  return [=](EntryWriter &entry) {
    Text op = "attn.norm " + norm;
    auto replace = [&](const Text &what, const Text &by) {
      op.replace(op.find(what), what.size(), by);
    };
    replace("%input", entry.get(space).name);
    while (op.find("%vector") != Text::npos) {
      TensorText vector = entry.get({space.back()});
      replace("%vector", vector.name + " : " + vector.type());
    }
    entry.emit(op, makeType(space), space);
  };
}

Template makeLinear(Random &random, const Shapes &shapes) {
  Dims rows = random.pick(shapes.rows);
  int64_t from = pickWidth(random, shapes), to = pickWidth(random, shapes);
  Dims input = rows + from, output = rows + to;
  RegionText element, row;
  if (random.chance(0.7))
    element = makeElementRegion(random, output, true);
  if (random.chance(0.3))
    row = makeRowRegion(random, output);
  return [=](EntryWriter &entry) {
    TensorText x = entry.get(input);
    TensorText w = entry.getMatrix({std::to_string(to), std::to_string(from)});
    entry.emit("attn.linear " + x.name + ", " + w.name +
                   writeEpilogues(entry, element, row),
               x.type() + ", " + w.type() + " -> " + makeType(output), output);
  };
}

Template makeMatmul(Random &random, const Shapes &shapes) {
  Dims leading = random.pick<Dims>(
      {{}, {"batch"}, {"batch", shapes.text(shapes.heads)}, {"2"}});
  auto pick = [&] {
    return random.pick<Text>({"seq", "mem", shapes.text(shapes.width),
                              shapes.text(shapes.inner),
                              shapes.text(random.between(1, 20))});
  };
  Text m = pick(), n = pick(), k = pick();
  bool transpose = random.chance(0.5);
  return [=](EntryWriter &entry) {
    TensorText lhs = entry.get(leading + m + k);
    TensorText rhs = entry.get(transpose ? leading + n + k : leading + k + n);
    Dims result = leading + m + n;
    entry.emit("attn.matmul " + lhs.name + ", " + rhs.name +
                   (transpose ? " transpose_rhs" : ""),
               lhs.type() + ", " + rhs.type() + " -> " + makeType(result),
               result);
  };
}

Template makeEmbedding(Random &random, const Shapes &shapes) {
  Dims ids = random.pick(shapes.rows);
  Dims output = ids + pickWidth(random, shapes);
  int64_t count = random.pick({1, 1, 2, 3});
  RegionText row;
  if (random.chance(0.4))
    row = makeRowRegion(random, output);
  return [=](EntryWriter &entry) {
    Text names, tables, types, tableTypes;
    for (int64_t i = 0; i < count; ++i) {
      Text comma = i ? ", " : "";
      TensorText index = entry.get(ids, true);
      TensorText table = entry.getMatrix(
          {std::to_string(ModuleWriter::kTableRows), output.back()});
      names += comma + index.name;
      tables += comma + table.name;
      types += comma + index.type();
      tableTypes += comma + table.type();
    }
    entry.emit("attn.embedding(" + names + "), (" + tables + ")" +
                   writeEpilogues(entry, {}, row),
               "(" + types + "), (" + tableTypes + ") -> " + makeType(output),
               output);
  };
}

/// i32 values: positions and arithmetic on ids.
Template makeIntegers(Random &random, const Shapes &shapes) {
  Dims space = random.pick(shapes.rows);
  switch (random.below(3)) {
  case 0:
    if (space.back() != "tokens")
      return [=](EntryWriter &entry) {
        entry.emit("attn.positions", makeType(space, true), space, true);
      };
    [[fallthrough]];
  case 1: {
    // Rows are padded there: in packed form it counts over all sequences.
    int64_t padding = random.below(4);
    Dims ids = space.back() == "tokens" ? Dims{"batch", "seq"} : space;
    return [=](EntryWriter &entry) {
      TensorText value = entry.get(ids, true);
      entry.emit("attn.token_positions " + value.name + " padding " +
                     std::to_string(padding),
                 value.type(), ids, true);
    };
  }
  default: {
    RegionText element = makeElementRegion(random, space, false, true);
    return [=](EntryWriter &entry) {
      entry.emit("attn.map " + entry.write("element", element),
                 makeType(space, true), space, true);
    };
  }
  }
}

Template makePooling(Random &random, const Shapes &shapes) {
  Text kind = random.pick(
      {"mean", "first", "last", "max", "mean_sqrt_len", "weighted_mean"});
  Text columns = shapes.text(pickWidth(random, shapes));
  bool packed = random.chance(0.4);
  return [=](EntryWriter &entry) {
    Dims output = {"batch", columns};
    TensorText input = entry.get(packed ? Dims{"tokens", columns}
                                        : Dims{"batch", "seq", columns});
    TensorText other =
        packed ? entry.getPacking().second : entry.getMask({"batch", "seq"});
    entry.emit("attn.pool " + kind + " " + input.name +
                   (packed ? " offsets(" : " mask(") + other.name + " : " +
                   other.type() + ")",
               input.type() + " -> " + makeType(output), output);
  };
}

/// Into and out of the packed form, and zeros where the mask is.
Template makePacking(Random &random, const Shapes &shapes) {
  Text columns = shapes.text(pickWidth(random, shapes));
  Dims padded = {"batch", "seq", columns}, packed = {"tokens", columns};
  switch (random.below(3)) {
  case 0:
    return [=](EntryWriter &entry) {
      TensorText input = entry.get(padded), rows = entry.getPacking().first;
      entry.emit("attn.pack " + input.name + ", " + rows.name,
                 input.type() + ", " + rows.type() + " -> " + makeType(packed),
                 packed);
    };
  case 1:
    return [=](EntryWriter &entry) {
      TensorText input = entry.get(packed), rows = entry.getPacking().first;
      entry.emit("attn.unpack " + input.name + ", " + rows.name,
                 input.type() + ", " + rows.type() + " -> " + makeType(padded),
                 padded);
    };
  default:
    return [=](EntryWriter &entry) { entry.guard(entry.get(padded)); };
  }
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

static std::vector<Template> makeTemplates(Random &random,
                                           const Shapes &shapes) {
  using Maker = Template (*)(Random &, const Shapes &);
  // What stands twice is drawn twice as often.
  static const Maker makers[] = {makeMap,
                                 makeMap,
                                 makeNormOrSoftmax,
                                 makeLinear,
                                 makeLinear,
                                 makeMatmul,
                                 makeEmbedding,
                                 makeIntegers,
                                 makePooling,
                                 makePacking,
                                 makeHeads,
                                 makeRope,
                                 makeHeadLinear,
                                 makeAttention,
                                 makeAttention,
                                 makeEncoderAttention,
                                 makeAttentionInParts};
  std::vector<Template> templates;
  if (!shapes.layers.empty())
    for (int64_t i = random.between(1, 3); i > 0; --i)
      templates.push_back(random.chance(0.8)
                              ? makeCachedAttention(random, shapes)
                              : makePositionsInSession(random, shapes));
  for (int64_t i = random.between(4, 7); i > 0; --i)
    templates.push_back(
        makers[random.below(std::size(makers))](random, shapes));
  return templates;
}

ModuleWriter makeModule(uint64_t seed, unsigned programs) {
  Random random(seed);
  Shapes shapes(random);
  std::vector<Template> templates = makeTemplates(random, shapes);
  ModuleWriter module(shapes.layers, shapes.positions);
  for (unsigned i = 0; i < programs; ++i) {
    std::string text;
    while (text.empty()) { // an entry must have something to return
      EntryWriter entry(module, random, "p" + std::to_string(i));
      for (int64_t steps = random.between(1, 6); steps > 0; --steps)
        random.pick(templates)(entry);
      // Rows of unknown number go back to the form that callers know.
      text = entry.finish();
      if (text.empty()) {
        makePacking(random, shapes)(entry);
        text = entry.finish();
      }
    }
    module.addEntry(std::move(text));
  }
  return module;
}

} // namespace attnc::fuzz
