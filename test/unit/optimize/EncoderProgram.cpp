//===- EncoderProgram.cpp - a small encoder as attn text
//-------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See EncoderProgram.h.
//
//===----------------------------------------------------------------------===//
#include "EncoderProgram.h"
#include "llvm/Support/raw_ostream.h"

namespace attnc {

/// The tensor type of some dimensions, names or numbers.
static std::string tensor(std::vector<std::string> dims,
                          const std::string &element = "f32") {
  bool named = false;
  std::string type = "tensor<", sizes;
  for (const std::string &dim : dims) {
    bool isNumber = std::isdigit(static_cast<unsigned char>(dim[0]));
    named |= !isNumber;
    type += (isNumber ? dim : "?") + "x";
    sizes += (sizes.empty() ? "" : ", ") + dim;
  }
  return type + element + (named ? ", #attn.sizes<" + sizes + ">>" : ">");
}

static std::string dim(int64_t number) { return std::to_string(number); }

static std::string rows(int64_t columns) {
  return tensor({"batch", "seq", dim(columns)});
}

static const std::string kIds = tensor({"batch", "seq"}, "i32");
static const std::string kRow3 = "(d0, d1, d2) -> (d0, d1, d2)";
static const std::string kColumn3 = "(d0, d1, d2) -> (d2)";
static const std::string kIdentity4 = "(d0, d1, d2, d3) -> (d0, d1, d2, d3)";
static const std::string kTranspose4 = "(d0, d1, d2, d3) -> (d0, d2, d1, d3)";

std::string EncoderProgram::weight(const std::string &name,
                                   std::vector<int64_t> dims) {
  std::vector<std::string> names;
  int64_t elements = 1;
  for (int64_t size : dims) {
    names.push_back(dim(size));
    elements *= size;
  }
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> numbers(elements);
  for (float &number : numbers)
    number = uniform(random);
  std::string value = fresh();
  if (shape.weights) {
    symbols += "attn.weight @" + name + " from [\"" + name +
               "\"] : " + tensor(names) + "\n";
    line(value + " = attn.get_weight @" + name + " : " + tensor(names));
    shapes.emplace_back(name, dims);
    tensors.push_back(std::move(numbers));
    return value;
  }
  // The bits of every element, row after row.
  std::string bits;
  for (float number : numbers) {
    llvm::raw_string_ostream os(bits);
    for (int byte = 0; byte < 4; ++byte)
      os << llvm::format(
          "%02X", reinterpret_cast<const unsigned char *>(&number)[byte]);
  }
  line(value + " = attn.constant dense<\"0x" + bits + "\"> : " + tensor(names));
  return value;
}

std::string EncoderProgram::map(const std::string &type,
                                std::vector<Operand> operands,
                                const std::string &arithmetic) {
  std::string value = fresh(), captures, arguments;
  for (size_t i = 0; i < operands.size(); ++i) {
    const char *comma = i ? ", " : "";
    captures += comma + operands[i].value + " at affine_map<" +
                operands[i].map + "> : " + operands[i].type;
    bool isInteger = operands[i].type.find("i32") != std::string::npos;
    arguments +=
        comma + ("%a" + std::to_string(i)) + (isInteger ? ": i32" : ": f32");
  }
  line(value + " = attn.map element(" + captures + ") {");
  line("^bb0(" + arguments + "):");
  body += arithmetic;
  // Without arithmetic the map only moves elements.
  line(arithmetic.empty() ? "attn.yield %a0 : f32" : "attn.yield %r : f32");
  line("} : " + type);
  return value;
}

std::string EncoderProgram::add(const std::string &a, const std::string &b) {
  std::string type = rows(kHidden);
  return map(type, {{a, kRow3, type}, {b, kRow3, type}},
             "%r = arith.addf %a0, %a1 : f32\n");
}

std::string EncoderProgram::linear(const std::string &x,
                                   const std::string &name, int64_t in,
                                   int64_t out, bool bias) {
  std::string w = weight(name + ".weight", {out, in}), value = fresh();
  line(value + " = attn.linear " + x + ", " + w + " : " + rows(in) + ", " +
       tensor({dim(out), dim(in)}) + " -> " + rows(out));
  if (!bias)
    return value;
  std::string b = weight(name + ".bias", {out});
  return map(rows(out),
             {{value, kRow3, rows(out)}, {b, kColumn3, tensor({dim(out)})}},
             "%r = arith.addf %a0, %a1 : f32\n");
}

std::string EncoderProgram::norm(const std::string &x,
                                 const std::string &name) {
  std::string type = tensor({dim(kHidden)});
  std::string g = weight(name + ".weight", {kHidden});
  std::string b = weight(name + ".bias", {kHidden}), value = fresh();
  line(value + " = attn.norm layer " + x + " weight(" + g + " : " + type +
       ") bias(" + b + " : " + type + ") epsilon 1.0e-05 : " + rows(kHidden));
  return value;
}

std::string EncoderProgram::embed() {
  std::string positions = fresh();
  line(positions + " = attn.positions : " + kIds);
  std::string sum;
  for (auto [ids, name, size] :
       {std::tuple(std::string("%ids"), std::string("words"), kWords),
        std::tuple(std::string("%types"), std::string("types"), kTypes),
        std::tuple(positions, std::string("positions"), kPositions)}) {
    std::string table = weight("embed." + name, {size, kHidden}),
                value = fresh();
    line(value + " = attn.embedding(" + ids + "), (" + table + ") : (" + kIds +
         "), (" + tensor({dim(size), dim(kHidden)}) + ") -> " + rows(kHidden));
    sum = sum.empty() ? value : add(sum, value);
  }
  return norm(sum, "embed.norm");
}

std::string EncoderProgram::attendRaw(const std::string heads[3],
                                      const std::string &bias) {
  std::string h = dim(kHeads), d = dim(kHeadSize);
  std::string major = tensor({"batch", h, "seq", d}),
              split = tensor({"batch", "seq", h, d}),
              scores = tensor({"batch", h, "seq", "seq"});
  std::string parts[3];
  for (int i = 0; i < 3; ++i)
    parts[i] = map(major, {{heads[i], kTranspose4, split}}, "");
  std::string product = fresh(), probabilities = fresh(), output = fresh();
  line(product + " = attn.matmul " + parts[0] + ", " + parts[1] +
       " transpose_rhs : " + major + ", " + major + " -> " + scores);
  std::string masked = map(scores,
                           {{product, kIdentity4, scores},
                            {bias, "(d0, d1, d2, d3) -> (d0, 0, 0, d3)",
                             tensor({"batch", "1", "1", "seq"})}},
                           "%c = arith.constant 0.57735 : f32\n"
                           "%s = arith.mulf %a0, %c : f32\n"
                           "%r = arith.addf %s, %a1 : f32\n");
  line(probabilities + " = attn.softmax " + masked + " : " + scores);
  line(output + " = attn.matmul " + probabilities + ", " + parts[2] + " : " +
       scores + ", " + major + " -> " + major);
  return map(split, {{output, kTranspose4, major}}, "");
}

/// Adds what the query has at the distance, and the key.
std::string EncoderProgram::attendByDistance(const std::string heads[3],
                                             const std::string &bias,
                                             const std::string &prefix) {
  std::string split = tensor({"batch", "seq", dim(kHeads), dim(kHeadSize)});
  std::string scores = tensor({"batch", "seq", dim(kHeads), dim(kDistances)});
  std::string matrices = tensor({dim(kHeads), dim(kHeadSize), dim(kDistances)});
  std::string table = tensor({dim(kDistances)});
  std::string parts[2];
  for (int i = 0; i < 2; ++i) {
    std::string matrix = weight(prefix + ".distances." + dim(i),
                                {kHeads, kHeadSize, kDistances});
    parts[i] = fresh();
    line(parts[i] + " = attn.head_linear " + heads[i] + ", " + matrix + " : " +
         split + ", " + matrices + " -> " + scores);
  }
  std::string output = fresh();
  line(output + " = attn.attention " + heads[0] + ", " + heads[1] + ", " +
       heads[2] + " score(" + bias +
       " at affine_map<(b, h, q, k) -> (b, 0, 0, k)> : " +
       tensor({"batch", "1", "1", "seq"}) + ", " + parts[0] +
       " at affine_map<(b, h, q, k) -> (b, q, h)> : " + scores + ", " +
       parts[1] + " at affine_map<(b, h, q, k) -> (b, k, h)> : " + scores +
       ") {");
  line("^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %m: f32, %t: " +
       table + ", %u: " + table + "):");
  line("%two = arith.constant 2 : i32");
  line("%d = arith.subi %i, %j : i32");
  line("%n = arith.addi %d, %two : i32");
  for (const char *part : {"t", "u"})
    line("%x" + std::string(part) + " = attn.lookup %" + part +
         "[%n] : " + table);
  line("%y = arith.addf %xt, %xu : f32");
  line("%z = arith.addf %s, %y : f32");
  line("%r = arith.addf %z, %m : f32");
  line("attn.yield %r : f32");
  line("} : " + split + ", " + split + ", " + split + " -> " + split);
  return output;
}

std::string EncoderProgram::attend(const std::string &x,
                                   const std::string &bias,
                                   const std::string &prefix) {
  std::string split = tensor({"batch", "seq", dim(kHeads), dim(kHeadSize)});
  std::string heads[3];
  const char *names[3] = {"query", "key", "value"};
  for (int i = 0; i < 3; ++i) {
    std::string part =
        linear(x, prefix + "." + names[i], kHidden, kHidden, shape.biases);
    heads[i] = fresh();
    line(heads[i] + " = attn.split_heads " + part + " : " + rows(kHidden) +
         " -> " + split);
  }
  std::string output;
  if (shape.rawAttention) {
    output = attendRaw(heads, bias);
  } else if (shape.distances) {
    output = attendByDistance(heads, bias, prefix);
  } else {
    std::string query = map(split, {{heads[0], kIdentity4, split}},
                            "%c = arith.constant 0.57735 : f32\n"
                            "%r = arith.mulf %a0, %c : f32\n");
    output = fresh();
    line(output + " = attn.attention " + query + ", " + heads[1] + ", " +
         heads[2] + " score(" + bias +
         " at affine_map<(b, h, q, k) -> (b, 0, 0, k)> : " +
         tensor({"batch", "1", "1", "seq"}) + ") {");
    line("^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %m: f32):");
    line("%r = arith.addf %s, %m : f32");
    line("attn.yield %r : f32");
    line("} : " + split + ", " + split + ", " + split + " -> " + split);
  }
  std::string merged = fresh();
  line(merged + " = attn.merge_heads " + output + " : " + split + " -> " +
       rows(kHidden));
  return linear(merged, prefix + ".output", kHidden, kHidden, true);
}

std::string EncoderProgram::layer(const std::string &x, const std::string &bias,
                                  int index) {
  std::string prefix = "layer." + std::to_string(index);
  std::string y =
      norm(add(attend(x, bias, prefix + ".attention"), x), prefix + ".norm1");
  std::string up = linear(y, prefix + ".up", kHidden, kInner, true);
  std::string active = map(rows(kInner), {{up, kRow3, rows(kInner)}},
                           "%t = math.erf %a0 : f32\n"
                           "%r = arith.mulf %t, %a0 : f32\n");
  std::string down = linear(active, prefix + ".down", kInner, kHidden, true);
  return norm(add(down, y), prefix + ".norm2");
}

EncoderProgram::EncoderProgram(const EncoderShape &shape, unsigned seed)
    : shape(shape), random(seed) {
  std::string x = embed();
  std::string bias =
      map(tensor({"batch", "1", "1", "seq"}),
          {{"%mask", "(d0, d1, d2, d3) -> (d0, d3)", kIds}},
          "%zero = arith.constant 0 : i32\n"
          "%kept = arith.cmpi ne, %a0, %zero : i32\n"
          "%f = arith.constant 0.0 : f32\n"
          "%n = arith.constant " +
              std::string(shape.finiteMask ? "-3.0e+38" : "0xFF800000") +
              " : f32\n"
              "%r = arith.select %kept, %f, %n : f32\n");
  for (int index = 0; index < shape.layers; ++index)
    x = layer(x, bias, index);
  std::string last = shape.head ? linear(x, "head", kHidden, kHidden, true) : x;
  std::string hidden = map(rows(kHidden),
                           {{last, kRow3, rows(kHidden)},
                            {"%mask", "(d0, d1, d2) -> (d0, d1)", kIds}},
                           "%zero = arith.constant 0 : i32\n"
                           "%kept = arith.cmpi ne, %a1, %zero : i32\n"
                           "%f = arith.constant 0.0 : f32\n"
                           "%r = arith.select %kept, %a0, %f : f32\n");
  std::string pooled = tensor({"batch", dim(kHidden)});
  line("%pool = attn.pool mean " + x + " mask(%mask : " + kIds +
       ") : " + rows(kHidden) + " -> " + pooled);
  line("%unit = attn.norm l2 %pool epsilon 1.0e-12 : " + pooled);
  line("attn.return " + hidden + ", %unit : " + rows(kHidden) + ", " + pooled);
  auto argument = [](const char *name, int64_t last) {
    return "%" + std::string(name) + ": " + kIds + " {attn.name = \"" + name +
           "\", attn.range = array<i64: 0, " + std::to_string(last) + ">}";
  };
  text = "attn.size @batch min 1 max 8\nattn.size @seq min 1 max 9\n" +
         symbols + "attn.entry @encode(" + argument("ids", kWords - 1) + ", " +
         argument("mask", 1) + ", " + argument("types", kTypes - 1) + ") -> (" +
         rows(kHidden) + " {attn.name = \"hidden\"}, " + pooled +
         " {attn.name = \"pooled\"}) sizes [\"batch\", \"seq\"] {\n" + body +
         "}\n";
}

std::string EncoderProgram::getWeightsFile() const {
  std::string header = "{", data;
  for (size_t i = 0; i < tensors.size(); ++i) {
    std::string dims;
    for (int64_t size : shapes[i].second)
      dims += (dims.empty() ? "" : ",") + std::to_string(size);
    size_t begin = data.size();
    data.append(reinterpret_cast<const char *>(tensors[i].data()),
                tensors[i].size() * sizeof(float));
    header += (i ? ",\"" : "\"") + shapes[i].first +
              "\":{\"dtype\":\"F32\",\"shape\":[" + dims +
              "],\"data_offsets\":[" + std::to_string(begin) + "," +
              std::to_string(data.size()) + "]}";
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  uint64_t length = header.size();
  return std::string(reinterpret_cast<const char *>(&length), 8) + header +
         data;
}

} // namespace attnc
