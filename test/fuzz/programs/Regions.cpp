//===- Regions.cpp - random regions ---------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Trees of scalar ops, written bottom up.
//
//===----------------------------------------------------------------------===//
#include "Regions.h"

namespace attnc::fuzz {

namespace {

using Text = std::string;

/// Writes the ops of a scalar region.
class ScalarWriter {
public:
  explicit ScalarWriter(Random &random) : random(random) {}

  Text addArgument(const char *type, std::vector<Text> &pool) {
    Text name = "%a" + std::to_string(arguments++);
    header += (header.empty() ? "" : ", ") + name + ": " + type;
    pool.push_back(name);
    return name;
  }
  /// A capture that stays whole, for attn.lookup.
  Text addTable(const Dims &dims, bool ofIntegers) {
    Table table{"%a" + std::to_string(arguments++), makeType(dims, ofIntegers),
                unsigned(dims.size())};
    header += (header.empty() ? "" : ", ") + table.name + ": " + table.type;
    (ofIntegers ? integerTables : tables).push_back(table);
    return table.name;
  }
  Text op(const Text &text) {
    Text name = "%v" + std::to_string(ops++);
    body += "    " + name + " = " + text + "\n";
    return name;
  }
  Text number(double value) {
    return op("arith.constant " + makeNumber(value) + " : f32");
  }
  Text integer(int64_t value) {
    return op("arith.constant " + std::to_string(value) + " : i32");
  }
  Text binary(const Text &kind, const Text &a, const Text &b,
              const char *type = "f32") {
    return op("arith." + kind + " " + a + ", " + b + " : " + type);
  }
  Text math(const Text &kind, const Text &a) {
    return op("math." + kind + " " + a + " : f32");
  }
  Text select(const Text &condition, const Text &a, const Text &b,
              const char *type) {
    return op("arith.select " + condition + ", " + a + ", " + b + " : " + type);
  }
  Text compare(const Text &predicate, const Text &a, const Text &b) {
    return op("arith.cmpi " + predicate + ", " + a + ", " + b + " : i32");
  }

  Text makeNumberTree(unsigned depth);
  Text makeInteger(unsigned depth);
  Text makeCondition(unsigned depth);
  /// An integer in [low, high].
  Text clamp(const Text &value, int64_t low, int64_t high) {
    Text above = binary("maxsi", value, integer(low), "i32");
    return binary("minsi", above, integer(high), "i32");
  }
  Text finish(const Text &yielded, const char *type) {
    return "^bb0" + (header.empty() ? "" : "(" + header + ")") + ":\n" + body +
           "    attn.yield " + yielded + " : " + type + "\n";
  }

  Random &random;
  std::vector<Text> numbers, integers;
  unsigned indexable = 0; ///< dimensions that attn.index may name

private:
  struct Table {
    Text name, type;
    unsigned rank;
  };
  /// An element by any indices: those outside are held to the table.
  Text lookUp(const Table &table, unsigned depth) {
    Text indices;
    for (unsigned i = 0; i < table.rank; ++i)
      indices += (i ? ", " : "") + makeInteger(depth);
    return op("attn.lookup " + table.name + "[" + indices +
              "] : " + table.type);
  }
  Text makeActivation(const Text &a);
  Text makeFromIntegers(unsigned depth);
  Text makeChoice(const Text &a, const Text &b, unsigned depth);

  std::vector<Table> tables, integerTables;
  Text header, body;
  unsigned arguments = 0, ops = 0;
};

} // namespace

Text ScalarWriter::makeInteger(unsigned depth) {
  if (depth == 0 || random.chance(0.3)) {
    if (indexable && random.chance(0.3))
      return op("attn.index " + std::to_string(random.below(indexable)) +
                " : i32");
    if (depth && !integerTables.empty() && random.chance(0.4))
      return lookUp(random.pick(integerTables), depth - 1);
    if (!integers.empty() && random.chance(0.7))
      return random.pick(integers);
    return integer(random.between(-9, 20));
  }
  if (random.chance(0.12))
    return op(Text(random.chance(0.5) ? "arith.extui " : "arith.extsi ") +
              makeCondition(depth - 1) + " : i1 to i32");
  Text a = makeInteger(depth - 1), b = makeInteger(depth - 1);
  if (random.chance(0.12))
    return select(makeCondition(depth - 1), a, b, "i32");
  Text kind = random.pick(
      {"addi", "subi", "muli", "andi", "ori", "xori", "maxsi", "minsi"});
  return binary(kind, a, b, "i32");
}

Text ScalarWriter::makeCondition(unsigned depth) {
  if (depth > 0 && random.chance(0.35)) {
    Text kind = random.pick({"andi", "ori", "xori"});
    Text a = makeCondition(depth - 1), b = makeCondition(depth - 1);
    return binary(kind, a, b, "i1");
  }
  if (random.chance(0.05))
    return op(Text("arith.constant ") +
              (random.chance(0.5) ? "true" : "false"));
  Text predicate = random.pick(
      {"eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge"});
  unsigned below = depth ? depth - 1 : 0;
  Text a = makeInteger(below), b = makeInteger(below);
  return compare(predicate, a, b);
}

/// A number of moderate size made of integers.
Text ScalarWriter::makeFromIntegers(unsigned depth) {
  Text value;
  switch (random.below(3)) {
  case 0:
    value = op("arith.sitofp " + clamp(makeInteger(depth), -60, 60) +
               " : i32 to f32");
    break;
  case 1:
    value = op("arith.uitofp " + clamp(makeInteger(depth), 0, 60) +
               " : i32 to f32");
    break;
  default:
    return op(Text(random.chance(0.5) ? "arith.uitofp " : "arith.sitofp ") +
              makeCondition(depth) + " : i1 to f32");
  }
  return binary("mulf", value, number(random.normal() * 0.05));
}

Text ScalarWriter::makeActivation(const Text &a) {
  switch (random.below(11)) {
  case 10: { // an angle of moderate size
    Text small = binary("minimumf", a, number(30));
    small = binary("maximumf", small, number(-30));
    return math(random.chance(0.5) ? "cos" : "sin", small);
  }
  case 0:
    return math("tanh", a);
  case 1:
    return math("erf", a);
  case 2: { // gelu
    Text inner = math("erf", binary("mulf", a, number(0.70710678)));
    Text sum = binary("addf", inner, number(1));
    return binary("mulf", binary("mulf", a, number(0.5)), sum);
  }
  case 3: { // silu
    Text e = math("exp", op("arith.negf " + a + " : f32"));
    return binary("divf", a, binary("addf", e, number(1)));
  }
  case 4: // relu, as a maximum or as a choice whose sides meet
    return random.chance(0.5) ? binary("maximumf", a, number(0))
                              : makeChoice(a, number(0), 0);
  case 5:
    return math("sqrt", binary("addf", math("absf", a), number(0.05)));
  case 6:
    return math("rsqrt", binary("addf", binary("mulf", a, a), number(0.5)));
  case 7:
    return math("exp", binary("minimumf", a, number(2)));
  case 8:
    return math("exp2", binary("minimumf", a, number(3)));
  default:
    return math("absf", a);
  }
}

/// The larger or the smaller, by a comparison; or one of two by integers.
Text ScalarWriter::makeChoice(const Text &a, const Text &b, unsigned depth) {
  if (depth && random.chance(0.5))
    return select(makeCondition(depth - 1), a, b, "f32");
  Text predicate =
      random.pick({"olt", "ole", "ogt", "oge", "ult", "ule", "ugt", "uge",
                   "oeq", "ueq", "one", "une", "ord", "uno"});
  Text condition =
      op("arith.cmpf " + predicate + ", " + a + ", " + b + " : f32");
  return select(condition, a, b, "f32");
}

Text ScalarWriter::makeNumberTree(unsigned depth) {
  if (depth == 0 || random.chance(0.15)) {
    if (!tables.empty() && random.chance(0.4))
      return lookUp(random.pick(tables), 2);
    if (!numbers.empty() && random.chance(0.85))
      return random.pick(numbers);
    return number(random.normal());
  }
  Text a = makeNumberTree(depth - 1);
  switch (random.below(10)) {
  case 0:
  case 1:
    return binary("addf", a, makeNumberTree(depth - 1));
  case 2:
    return binary("subf", a, makeNumberTree(depth - 1));
  case 3:
    return binary("mulf", a, number(random.normal()));
  case 4: // a gate: the other side stays small
    return binary("mulf", a, math("tanh", makeNumberTree(depth - 1)));
  case 5: {
    Text b = math("absf", makeNumberTree(depth - 1));
    return binary("divf", a, binary("addf", b, number(1)));
  }
  case 6:
    return makeChoice(a, makeNumberTree(depth - 1), depth);
  case 7:
    return binary(random.chance(0.5) ? "maximumf" : "minimumf", a,
                  makeNumberTree(depth - 1));
  case 8:
    return binary("addf", a, makeFromIntegers(depth - 1));
  default:
    return makeActivation(a);
  }
}

//===----------------------------------------------------------------------===//
// Element regions
//===----------------------------------------------------------------------===//

static std::vector<int> allOf(size_t count) {
  std::vector<int> map;
  for (size_t i = 0; i < count; ++i)
    map.push_back(i);
  return map;
}

/// A capture that `space` can index.
static Capture makeCapture(Random &random, const Dims &space, bool integer) {
  Capture capture;
  capture.integer = integer;
  switch (space.empty() ? 3 : random.below(6)) {
  case 0: // a bias
    capture.map = {int(space.size()) - 1};
    break;
  case 1: // one number per row
    capture.map = allOf(space.size() - 1);
    break;
  case 2: // turned
    capture.map = allOf(space.size());
    std::swap(capture.map[random.below(space.size())],
              capture.map[random.below(space.size())]);
    break;
  case 3: // a place of a small table
    capture.dims = {"3"};
    capture.map = {-1 - int(random.below(3))};
    return capture;
  default: // a residual
    capture.map = allOf(space.size());
  }
  for (int at : capture.map)
    capture.dims.push_back(space[at]);
  return capture;
}

RegionText makeElementRegion(Random &random, const Dims &space,
                             bool accumulator, bool integer) {
  RegionText region;
  region.dimensions = space.size();
  ScalarWriter writer(random);
  writer.indexable = space.size();
  if (accumulator)
    writer.addArgument("f32", writer.numbers);
  for (int64_t i = random.between(accumulator ? 0 : 1, 3); i > 0; --i) {
    bool ofIntegers = random.chance(integer ? 0.8 : 0.15);
    if (random.chance(0.12)) {
      Dims table = random.chance(0.5) ? Dims{"7"} : Dims{"3", "5"};
      region.captures.push_back({table, {}, ofIntegers});
      writer.addTable(table, ofIntegers);
      continue;
    }
    region.captures.push_back(makeCapture(random, space, ofIntegers));
    writer.addArgument(ofIntegers ? "i32" : "f32",
                       ofIntegers ? writer.integers : writer.numbers);
  }
  if (integer) {
    Text value =
        writer.clamp(writer.makeInteger(3), 0, ModuleWriter::kTableRows - 1);
    region.block = writer.finish(value, "i32");
    return region;
  }
  Text value = writer.makeNumberTree(random.between(1, 4));
  // What the op computed is not lost.
  if (accumulator)
    value = writer.binary("addf", value, "%a0");
  region.block = writer.finish(value, "f32");
  return region;
}

//===----------------------------------------------------------------------===//
// Row regions
//===----------------------------------------------------------------------===//

Text makeNorm(Random &random, const Text &input,
              const std::function<Text()> &vector) {
  int64_t kind = random.below(3);
  static const char *const names[] = {"layer", "rms", "l2"};
  Text text = Text(names[kind]) + " " + input;
  if (kind < 2 && random.chance(0.8))
    text += " weight(" + vector() + ")";
  if (kind == 0 && random.chance(0.8))
    text += " bias(" + vector() + ")";
  return text + " epsilon " + makeNumber(random.pick({1e-5, 1e-12, 1e-3, 0.1}));
}

RegionText makeRowRegion(Random &random, const Dims &space) {
  RegionText region;
  region.dimensions = space.size() - 1;
  Text columns = space.back();
  Text row = makeType({columns}), body, header = "%row: " + row;
  unsigned count = 0;
  auto capture = [&](const Dims &dims, std::vector<int> map, bool whole) {
    Text name = "%c" + std::to_string(region.captures.size());
    region.captures.push_back({dims, std::move(map)});
    Text type = whole ? row : makeType({});
    header += ", " + name + ": " + type;
    return std::pair(name, type);
  };
  auto vector = [&] {
    auto [name, type] = capture({columns}, {}, true);
    return name + " : " + type;
  };
  Text current = "%row";
  // Rows whose length is known at run time only are read once.
  bool fixed = isNumber(columns);
  for (int64_t i = fixed ? random.between(1, 3) : 1; i > 0; --i) {
    Text made = "%r" + std::to_string(count++);
    switch (random.below(fixed ? 4 : 2)) {
    case 0:
      body += "    " + made + " = attn.softmax " + current + " : " + row + "\n";
      break;
    case 1:
      body += "    " + made + " = attn.norm " +
              makeNorm(random, current, vector) + " : " + row + "\n";
      break;
    default: { // arithmetic with the row before, a whole row or one number
      auto [other, type] = random.chance(0.3) ? std::pair(Text("%row"), row)
                           : random.chance(0.5)
                               ? capture(space, allOf(space.size() - 1), true)
                               : capture(Dims(space.begin(), space.end() - 1),
                                         allOf(space.size() - 1), false);
      ScalarWriter writer(random);
      writer.addArgument("f32", writer.numbers);
      writer.addArgument("f32", writer.numbers);
      Text value = writer.makeNumberTree(2);
      value = writer.binary("addf", value, "%a0");
      body += "    " + made + " = attn.map element(" + current +
              " at affine_map<(d0) -> (d0)> : " + row + ", " + other +
              " at affine_map<(d0) -> (" + (type == row ? "d0" : "") +
              ")> : " + type + ") {\n  " + writer.finish(value, "f32") +
              "    } : " + row + "\n";
    }
    }
    current = made;
  }
  region.block = "^bb0(" + header + "):\n" + body + "    attn.yield " +
                 current + " : " + row + "\n";
  return region;
}

//===----------------------------------------------------------------------===//
// Regions of attention
//===----------------------------------------------------------------------===//

/// Dimensions of (b, h, q, kv) that captures of a form may be indexed by.
static std::vector<std::vector<int>> getCaptureMaps(AttentionForm form) {
  switch (form) {
  case AttentionForm::Single:
    return {{2, 3}, {3}, {2}};
  case AttentionForm::Padded:
    return {{0, 1, 2, 3}, {1, 2, 3}, {0, 3},    {2, 3},   {1},
            {0, 2},       {3},       {0, 2, 1}, {0, 3, 1}};
  case AttentionForm::Packed:
  case AttentionForm::Cached:
    return {{1}, {0}, {0, 1}};
  }
  return {};
}

static Capture makeAttentionCapture(Random &random, AttentionForm form,
                                    const Dims &space, bool integer) {
  Capture capture;
  capture.map = random.pick(getCaptureMaps(form));
  capture.integer = integer;
  for (int at : capture.map)
    capture.dims.push_back(space[at]);
  return capture;
}

RegionText makeScoreRegion(Random &random, AttentionForm form,
                           const Dims &space) {
  RegionText region;
  region.dimensions = 4;
  ScalarWriter writer(random);
  Text score = writer.addArgument("f32", writer.numbers);
  for (int i = 0; i < 4; ++i)
    writer.addArgument("i32", writer.integers);
  score = writer.binary("mulf", score, writer.number(0.1 + random.unit()));
  std::vector<Text> biases;
  if (random.chance(0.25)) { // a bias by distance, per head
    region.captures.push_back({{space[1], "9"}, {1}, false, true});
    Text table = writer.addTable({"9"}, false);
    Text distance = writer.binary("subi", "%a4", "%a3", "i32");
    Text place = writer.binary("addi", distance, writer.integer(4), "i32");
    Text bias = writer.op("attn.lookup " + table + "[" + place +
                          "] : " + makeType({"9"}));
    score = writer.binary("addf", score, bias);
  }
  for (int64_t i = random.below(3); i > 0; --i) {
    Capture capture = makeAttentionCapture(random, form, space, false);
    // An input that is added may be -inf; a slope is a number.
    bool added = random.chance(0.5);
    capture.neverInput = !added;
    region.captures.push_back(capture);
    Text argument = writer.addArgument("f32", biases);
    if (added) {
      score = writer.binary("addf", score, argument);
      continue;
    }
    Text distance = writer.binary("subi", "%a4", "%a3", "i32");
    Text steps = writer.op("arith.sitofp " + distance + " : i32 to f32");
    Text slope = writer.binary("mulf", steps, writer.number(0.05));
    score =
        writer.binary("addf", score, writer.binary("mulf", argument, slope));
  }
  if (random.chance(0.3)) {
    double cap = 1 + 20 * random.unit();
    Text small = writer.binary("mulf", score, writer.number(1 / cap));
    score =
        writer.binary("mulf", writer.math("tanh", small), writer.number(cap));
  }
  if (random.chance(0.3)) {
    Text other = writer.binary("addf", score, writer.number(random.normal()));
    score = writer.select(writer.makeCondition(2), score, other, "f32");
  }
  region.block = writer.finish(score, "f32");
  return region;
}

/// Conditions that models use; `%a2` is q, `%a3` is kv.
static Text makeKnownMask(ScalarWriter &writer) {
  Random &random = writer.random;
  Text q = "%a2", kv = "%a3";
  Text width = writer.integer(random.between(0, 20));
  switch (random.below(6)) {
  case 0: // causal
    return writer.compare(random.pick({"sge", "sgt"}), q, kv);
  case 1: // causal, written the other way round
    return writer.compare(random.pick({"sle", "slt"}), kv, q);
  case 2: // a window to the left
    return writer.compare("sgt", kv, writer.binary("subi", q, width, "i32"));
  case 3: // a window to the right
    return writer.compare("sle", kv, writer.binary("addi", q, width, "i32"));
  case 4: // a prefix
    return writer.compare("slt", kv, width);
  default: // the distance on both sides
    Text distance = writer.binary("subi", q, kv, "i32");
    Text left = writer.compare("sle", distance, width);
    Text right =
        writer.compare("sge", distance, writer.integer(-random.between(0, 20)));
    return writer.binary("andi", left, right, "i1");
  }
}

RegionText makeMaskRegion(Random &random, AttentionForm form,
                          const Dims &space) {
  RegionText region;
  region.dimensions = 4;
  ScalarWriter writer(random);
  for (int i = 0; i < 4; ++i)
    writer.addArgument("i32", writer.integers);
  std::vector<Text> captured;
  // What encoders do: keys count that the mask names.
  const Dims padded = {"batch", "seq"};
  Text counted;
  if (form == AttentionForm::Padded && padded == Dims{space[0], space[3]} &&
      random.chance(0.5)) {
    region.captures.push_back({padded, {0, 3}, true, false, true});
    counted = writer.compare("ne", writer.addArgument("i32", writer.integers),
                             writer.integer(0));
  }
  for (int64_t i = random.below(counted.empty() ? 3 : 2); i > 0; --i) {
    region.captures.push_back(makeAttentionCapture(random, form, space, true));
    captured.push_back(writer.addArgument("i32", writer.integers));
  }
  Text condition =
      random.chance(0.7) ? makeKnownMask(writer) : writer.makeCondition(3);
  for (const Text &capture : captured) {
    Text other = random.chance(0.6)
                     ? writer.compare("ne", capture, writer.integer(0))
                     : writer.compare("slt", "%a3", capture);
    condition = writer.binary(random.pick({"andi", "andi", "ori", "xori"}),
                              condition, other, "i1");
  }
  if (random.chance(0.3))
    condition = writer.binary(random.pick({"andi", "ori"}), condition,
                              makeKnownMask(writer), "i1");
  if (!counted.empty())
    condition = random.chance(0.3)
                    ? counted
                    : writer.binary("andi", condition, counted, "i1");
  region.block = writer.finish(condition, "i1");
  return region;
}

} // namespace attnc::fuzz
