//===- ProgramWriter.cpp - text of random programs ------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Types, weights with their recipes, entries with the inputs that they turned
// out to need.
//
//===----------------------------------------------------------------------===//
#include "ProgramWriter.h"
#include <algorithm>
#include <cstdio>

namespace attnc::fuzz {

Dims operator+(Dims dims, const std::string &last) {
  dims.push_back(last);
  return dims;
}

bool isNumber(const std::string &dim) {
  return std::all_of(dim.begin(), dim.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

std::string makeType(const Dims &dims, bool integer) {
  std::string shape, names;
  bool dynamic = false;
  for (const std::string &dim : dims) {
    shape += (isNumber(dim) ? dim : "?") + "x";
    names += (names.empty() ? "" : ", ") + dim;
    dynamic |= !isNumber(dim);
  }
  return "tensor<" + shape + (integer ? "i32" : "f32") +
         (dynamic ? ", #attn.sizes<" + names + ">>" : ">");
}

std::string makeNumber(double value) {
  char text[32];
  snprintf(text, sizeof text, "%.6e", value);
  return text;
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

std::string ModuleWriter::addSource(const std::vector<int64_t> &shape) {
  std::string name = "t" + std::to_string(sources.size());
  // Products of matrices keep the size of what they multiply; vectors are
  // weights of norms, biases, slopes.
  double spread = shape.size() == 2 ? 1 / std::sqrt(double(shape[1])) : 0.5;
  sources.push_back({name, shape, shape.size() == 1 ? 0.5 : 0.0, spread});
  return name;
}

std::string ModuleWriter::getWeight(const Dims &dims, Random &random) {
  std::vector<std::string> &symbols = known[dims];
  if (symbols.size() >= 3 || (!symbols.empty() && random.chance(0.5)))
    return random.pick(symbols);
  std::vector<int64_t> shape;
  for (const std::string &dim : dims)
    shape.push_back(std::stoll(dim));
  std::string list, recipe;
  size_t concat = dims.empty() ? 0 : random.below(dims.size());
  bool transpose = dims.size() == 2 && random.chance(0.2);
  if (!dims.empty() && shape[concat] >= 2 && !transpose && random.chance(0.2)) {
    std::vector<int64_t> first = shape, second = shape;
    first[concat] = random.between(1, shape[concat] - 1);
    second[concat] -= first[concat];
    list = "\"" + addSource(first) + "\", \"" + addSource(second) + "\"";
    recipe = " concat " + std::to_string(concat);
  } else {
    if (transpose)
      std::swap(shape[0], shape[1]);
    list = "\"" + addSource(shape) + "\"";
    recipe = transpose ? " transpose" : "";
  }
  // Rows in groups of a few parts, as checkpoints interleave heads.
  int64_t groups = random.pick({1, 2, 3, 5});
  if (dims.size() == 2 && random.chance(0.15) &&
      std::stoll(dims[0]) % groups == 0) {
    int64_t left = std::stoll(dims[0]) / groups;
    recipe += " groups [";
    for (bool first = true; left > 0; first = false) {
      int64_t part = random.between(1, left);
      recipe += (first ? "" : ", ") + std::to_string(part);
      left -= part;
    }
    recipe += "]";
  }
  if (random.chance(0.1))
    recipe += " plus " + makeNumber(random.pick({1.0, -0.25}));
  std::string symbol = "w" + std::to_string(weights.size());
  weights.push_back("attn.weight @" + symbol + " from [" + list + "]" + recipe +
                    " : " + makeType(dims));
  symbols.push_back(symbol);
  return symbol;
}

std::string ModuleWriter::finish(const std::string &weightsFile) const {
  auto size = [](const char *name, int64_t most) {
    return std::string("attn.size @") + name + " min 1 max " +
           std::to_string(most) + "\n";
  };
  std::string text = "module attributes {attn.name = \"programs\"";
  if (!sources.empty())
    text += ", attn.files = [\"" + weightsFile + "\"]";
  text += "} {\n" + size("batch", kMostBatch) + size("seq", kMostSeq) +
          size("mem", kMostMemory) +
          "attn.size @tokens derived \"batch * seq\"\n";
  for (size_t i = 0; i < layers.size(); ++i)
    for (bool ofKeys : {true, false})
      text += (ofKeys ? "attn.state @k" : "attn.state @v") + std::to_string(i) +
              " positions " + std::to_string(positions) + " : " +
              EntryWriter::makeStateType(
                  ofKeys ? layers[i].key : layers[i].value, layers[i].window) +
              "\n";
  for (const std::string &weight : weights)
    text += weight + "\n";
  for (const std::string &entry : entries)
    text += entry;
  return text + "}\n";
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

TensorText EntryWriter::addInput(const Dims &dims, bool integer,
                                 const std::string &attributes) {
  TensorText value{"%x" + std::to_string(inputs.size()), dims, integer, true};
  inputs.push_back(value.name + ": " + value.type() + " {attn.name = \"x" +
                   std::to_string(inputs.size()) + "\"" + attributes + "}");
  values.push_back(value);
  return value;
}

TensorText EntryWriter::addConstant(const Dims &dims, bool integer) {
  int64_t count = 1;
  for (const std::string &dim : dims)
    count *= std::stoll(dim);
  std::string list;
  // Nested lists are spelled as one splat or as hexadecimal bytes.
  if (count <= 64 && random.chance(0.7)) {
    static const char digits[] = "0123456789ABCDEF";
    list = "\"0x";
    for (int64_t i = 0; i < count; ++i) {
      uint32_t bits = random.below(4);
      if (!integer) {
        float number = random.normal();
        static_assert(sizeof number == sizeof bits);
        __builtin_memcpy(&bits, &number, sizeof bits);
      }
      for (unsigned byte = 0; byte < 4; ++byte, bits >>= 8)
        list += {digits[bits >> 4 & 15], digits[bits & 15]};
    }
    list += "\"";
  } else {
    list =
        integer ? std::to_string(random.below(4)) : makeNumber(random.normal());
  }
  TensorText value{nextName(), dims, integer};
  body += "  " + value.name + " = attn.constant dense<" + list +
          "> : " + value.type() + "\n";
  values.push_back(value);
  return value;
}

TensorText EntryWriter::getWeight(const Dims &dims) {
  TensorText value{nextName(), dims};
  body += "  " + value.name + " = attn.get_weight @" +
          module.getWeight(dims, random) + " : " + value.type() + "\n";
  return value;
}

TensorText EntryWriter::getMatrix(const Dims &dims) {
  return random.chance(0.93) ? getWeight(dims) : get(dims);
}

TensorText EntryWriter::get(const Dims &dims, bool integer, bool neverInput) {
  std::vector<TensorText> fitting;
  for (const TensorText &value : values)
    if (value.dims == dims && value.integer == integer &&
        !(neverInput && value.input))
      fitting.push_back(value);
  // The latest results first, so that programs become deep.
  if (!fitting.empty() && random.chance(0.9))
    return random.chance(0.6) ? fitting.back() : random.pick(fitting);
  bool fixed = std::all_of(dims.begin(), dims.end(), isNumber);
  if (fixed && dims.size() <= 3 && !integer &&
      (neverInput || random.chance(0.7)) && !dims.empty())
    return getWeight(dims);
  if (fixed && (neverInput || random.chance(0.5)))
    return addConstant(dims, integer);
  if (neverInput && fitting.empty()) {
    // A copy is no input.
    RegionText copy = {{{dims, {}, integer}},
                       "^bb0(%a: f32):\n    attn.yield %a : f32\n",
                       unsigned(dims.size())};
    for (size_t i = 0; i < dims.size(); ++i)
      copy.captures[0].map.push_back(i);
    return emit("attn.map " + write("element", copy), makeType(dims), dims);
  }
  if (std::find(dims.begin(), dims.end(), "tokens") != dims.end())
    return makePacked(dims, integer);
  std::string most = std::to_string(ModuleWriter::kTableRows - 1);
  return addInput(dims, integer,
                  integer ? ", attn.range = array<i64: 0, " + most + ">" : "");
}

/// Callers do not know how many tokens there are.
TensorText EntryWriter::makePacked(const Dims &dims, bool integer) {
  if (dims.front() == "tokens") {
    Dims padded = {"batch", "seq"};
    padded.insert(padded.end(), dims.begin() + 1, dims.end());
    TensorText input = get(padded, integer);
    TensorText rows = getPacking().first;
    return emit("attn.pack " + input.name + ", " + rows.name,
                input.type() + ", " + rows.type() + " -> " +
                    makeType(dims, integer),
                dims, integer);
  }
  RegionText indices;
  indices.block = std::string("^bb0:\n    %i = attn.index 0 : i32\n") +
                  (integer ? "    attn.yield %i : i32\n"
                           : "    %f = arith.sitofp %i : i32 to f32\n"
                             "    attn.yield %f : f32\n");
  return emit("attn.map " + write("element", indices), makeType(dims, integer),
              dims, integer);
}

TensorText EntryWriter::getMask(const Dims &dims) {
  auto [known, isNew] = masks.try_emplace(dims);
  if (isNew)
    known->second = addInput(
        dims, true, ", attn.range = array<i64: 0, 1>, attn.default = 1 : i32");
  return known->second;
}

std::pair<TensorText, TensorText> EntryWriter::getPacking() {
  if (!rows.name.empty())
    return {rows, offsets};
  TensorText mask = getMask({"batch", "seq"});
  rows = {nextName(), {"tokens"}, true};
  offsets = {nextName(), {"batch + 1"}, true};
  body += "  " + rows.name + ", " + offsets.name + " = attn.pack_index " +
          mask.name + " : " + mask.type() + " -> " + rows.type() + ", " +
          offsets.type() + "\n";
  return {rows, offsets};
}

std::string EntryWriter::makeStateType(const Dims &row, int64_t window) {
  return "!attn.state<" + makeType(row) +
         (window ? ", window = " + std::to_string(window) : "") + ">";
}

TensorText EntryWriter::getPast() {
  if (past.name.empty()) {
    std::string type = makeType({"batch"}, true);
    past = emitAside("attn.past", type, {"batch"}, true);
  }
  return past;
}

std::string EntryWriter::appendTo(const std::string &state, const Dims &row,
                                  int64_t window) {
  Dims dims = {"tokens"};
  dims.insert(dims.end(), row.begin(), row.end());
  TensorText value = get(dims), at = getPacking().second;
  std::string handle = nextName(), type = makeStateType(row, window);
  body += "  " + handle + " = attn.get_state @" + state + " : " + type +
          "\n  attn.append " + value.name + ", " + at.name + " to " + handle +
          " : " + value.type() + ", " + at.type() + ", " + type + "\n";
  return handle;
}

std::pair<std::string, std::string> EntryWriter::getAppended(size_t number) {
  auto [known, isNew] = appended.try_emplace(number);
  if (isNew) {
    const Layer &layer = module.getLayers()[number];
    std::string digits = std::to_string(number);
    known->second.first = appendTo("k" + digits, layer.key, layer.window);
    known->second.second = appendTo("v" + digits, layer.value, layer.window);
  }
  return known->second;
}

TensorText EntryWriter::emit(const std::string &op, const std::string &types,
                             const Dims &dims, bool integer) {
  return emitMany(op, types, {{"", dims, integer}}).front();
}

TensorText EntryWriter::emitAside(const std::string &op,
                                  const std::string &types, const Dims &dims,
                                  bool integer) {
  TensorText made = {nextName(), dims, integer};
  body += "  " + made.name + " = " + op + " : " + types + "\n";
  return made;
}

std::vector<TensorText>
EntryWriter::emitMany(const std::string &op, const std::string &types,
                      const std::vector<TensorText> &wanted) {
  std::vector<TensorText> made = wanted;
  // How many tokens there are is known once they are packed.
  for (const TensorText &value : wanted)
    if (std::find(value.dims.begin(), value.dims.end(), "tokens") !=
        value.dims.end())
      getPacking();
  std::string names;
  for (TensorText &value : made) {
    value.name = nextName();
    names += (names.empty() ? "" : ", ") + value.name;
    values.push_back(value);
    results.push_back(value);
  }
  body += "  " + names + " = " + op + " : " + types + "\n";
  return made;
}

std::string EntryWriter::write(const std::string &keyword,
                               const RegionText &region) {
  std::string captures, space;
  for (unsigned i = 0; i < region.dimensions; ++i)
    space += (i ? ", d" : "d") + std::to_string(i);
  for (const Capture &capture : region.captures) {
    std::string results;
    for (int at : capture.map)
      results += (results.empty() ? "" : ", ") +
                 (at < 0 ? std::to_string(-1 - at) : "d" + std::to_string(at));
    TensorText value =
        capture.isMask ? getMask(capture.dims)
                       : get(capture.dims, capture.integer, capture.neverInput);
    captures += (captures.empty() ? "" : ", ") + value.name +
                " at affine_map<(" + space + ") -> (" + results +
                ")> : " + value.type();
  }
  return keyword + "(" + captures + ") {\n  " + region.block + "  }";
}

TensorText EntryWriter::guard(const TensorText &value) {
  TensorText mask = getMask({"batch", "seq"});
  std::string space;
  for (size_t i = 0; i < value.dims.size(); ++i)
    space += (i ? ", d" : "d") + std::to_string(i);
  return emit("attn.map element(" + value.name + " at affine_map<(" + space +
                  ") -> (" + space + ")> : " + value.type() + ", " + mask.name +
                  " at affine_map<(" + space +
                  ") -> (d0, d1)> : " + mask.type() +
                  ") {\n  ^bb0(%a: f32, %m: i32):\n"
                  "    %zero = arith.constant 0 : i32\n"
                  "    %none = arith.constant 0.0 : f32\n"
                  "    %out = arith.cmpi eq, %m, %zero : i32\n"
                  "    %kept = arith.select %out, %none, %a : f32\n"
                  "    attn.yield %kept : f32\n  }",
              value.type(), value.dims);
}

std::string EntryWriter::finish() {
  // All states grow together.
  for (size_t i = 0; !appended.empty() && i < module.getLayers().size(); ++i)
    getAppended(i);
  std::vector<TensorText> returned = {results.back()};
  for (int64_t i = random.below(3); i > 0; --i)
    returned.push_back(random.pick(random.chance(0.9) ? results : values));
  for (TensorText &value : returned)
    if (guards && !value.integer && value.dims.size() >= 2 &&
        value.dims[0] == "batch" && value.dims[1] == "seq")
      value = guard(value);
  std::string arguments, types, names, list;
  for (const std::string &input : inputs)
    arguments += (arguments.empty() ? "" : ", ") + input;
  // An output is a plain buffer of the caller: its dimensions are sizes.
  for (const TensorText &value : returned) {
    bool plain = std::none_of(
        value.dims.begin(), value.dims.end(), [](const std::string &dim) {
          return dim == "tokens" || dim.find(' ') != std::string::npos;
        });
    if (!plain)
      continue;
    names += (names.empty() ? "" : ", ") + value.name;
    types += (types.empty() ? "" : ", ") + value.type();
    list += (list.empty() ? "" : ", ") + value.type() + " {attn.name = \"y" +
            std::to_string(list.size()) + "\"}";
  }
  if (names.empty())
    return "";
  std::string sizes;
  for (const char *size : {"batch", "seq", "mem"})
    sizes += (sizes.empty() ? "\"" : ", \"") + std::string(size) + "\"";
  return "attn.entry @" + name + "(" + arguments + ") -> (" + list +
         ") sizes [" + sizes + "] {\n" + body + "  attn.return " + names +
         " : " + types + "\n}\n";
}

} // namespace attnc::fuzz
