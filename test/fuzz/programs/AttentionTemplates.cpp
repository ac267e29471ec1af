//===- AttentionTemplates.cpp - steps that attend -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention in its three forms, alone, as the block of an encoder, and in the
// parts that raise-attention puts together.
//
//===----------------------------------------------------------------------===//
#include "Regions.h"
#include "Templates.h"

namespace attnc::fuzz {

using Text = std::string;

static Text number(int64_t value) { return std::to_string(value); }

static Dims operator+(const Dims &a, const Dims &b) {
  Dims dims = a;
  dims.insert(dims.end(), b.begin(), b.end());
  return dims;
}

/// Projections to heads and back, and heads seen as columns.
Template makeHeads(Random &random, const Shapes &shapes) {
  Dims rows = random.pick(shapes.rows);
  Dims heads = {number(shapes.heads), number(shapes.size)};
  Text columns = number(shapes.heads * shapes.size);
  Text width = number(shapes.width);
  switch (random.below(3)) {
  case 0:
    return [=](EntryWriter &entry) {
      TensorText input = entry.get(rows + columns);
      entry.emit("attn.split_heads " + input.name,
                 input.type() + " -> " + makeType(rows + heads), rows + heads);
    };
  case 1:
    return [=](EntryWriter &entry) {
      TensorText input = entry.get(rows + heads);
      entry.emit("attn.merge_heads " + input.name,
                 input.type() + " -> " + makeType(rows + columns),
                 rows + columns);
    };
  default: {
    RegionText element, row;
    if (random.chance(0.6))
      element = makeElementRegion(random, rows + width, true);
    if (random.chance(0.3))
      row = makeRowRegion(random, rows + width);
    return [=](EntryWriter &entry) {
      TensorText input = entry.get(rows + heads);
      TensorText weight = entry.getMatrix({width, columns});
      entry.emit("attn.output_projection " + input.name + ", " + weight.name +
                     (element ? " " + entry.write("element", element) : "") +
                     (row ? " " + entry.write("row", row) : ""),
                 input.type() + ", " + weight.type() + " -> " +
                     makeType(rows + width),
                 rows + width);
    };
  }
  }
}

/// Rotation by tables that are any numbers, as cos and sin are.
Template makeRope(Random &random, const Shapes &shapes) {
  Dims rows = random.pick(shapes.rows);
  int64_t size = std::max<int64_t>(shapes.size, 2);
  int64_t heads = random.chance(0.7) ? shapes.heads : shapes.keyHeads;
  Dims space = rows + Dims{number(heads), number(size)};
  Dims angles = rows + Dims{number(random.between(1, size / 2))};
  bool interleaved = random.chance(0.3);
  return [=](EntryWriter &entry) {
    TensorText input = entry.get(space);
    TensorText cos = entry.get(angles), sin = entry.get(angles);
    entry.emit("attn.rope " + input.name + ", " + cos.name + ", " + sin.name +
                   (interleaved ? " interleaved" : ""),
               input.type() + ", " + cos.type(), space);
  };
}

Template makeHeadLinear(Random &random, const Shapes &shapes) {
  Dims rows = random.pick(shapes.rows);
  Text heads = number(shapes.heads), size = number(shapes.size);
  Text columns = number(random.pick({1, 4, 7, 16, 17, 33}));
  return [=](EntryWriter &entry) {
    TensorText input = entry.get(rows + Dims{heads, size});
    TensorText weight = entry.get({heads, size, columns});
    Dims result = rows + Dims{heads, columns};
    entry.emit("attn.head_linear " + input.name + ", " + weight.name,
               input.type() + ", " + weight.type() + " -> " + makeType(result),
               result);
  };
}

/// Dimensions of one attention and its regions.
namespace {
struct AttentionShape {
  AttentionForm form = AttentionForm::Padded;
  Dims query, key, value, result, space;
  RegionText score, mask;

  AttentionShape(Random &random, const Shapes &shapes, AttentionForm form,
                 const Text &batch, const Text &queries, const Text &keys);
  /// The op on these operands.
  TensorText emit(EntryWriter &entry, const TensorText &q, const TensorText &k,
                  const TensorText &v) const;
};
} // namespace

AttentionShape::AttentionShape(Random &random, const Shapes &shapes,
                               AttentionForm form, const Text &batch,
                               const Text &queries, const Text &keys)
    : form(form) {
  Text size = number(shapes.size), valueSize = number(shapes.valueSize);
  Text heads = number(shapes.heads), keyHeads = number(shapes.keyHeads);
  switch (form) {
  case AttentionForm::Single:
    query = {queries, size};
    key = {keys, size};
    value = {keys, valueSize};
    result = {queries, valueSize};
    space = {"1", "1", queries, keys};
    break;
  case AttentionForm::Padded:
    query = {batch, queries, heads, size};
    key = {batch, keys, keyHeads, size};
    value = {batch, keys, keyHeads, valueSize};
    result = {batch, queries, heads, valueSize};
    space = {batch, heads, queries, keys};
    break;
  case AttentionForm::Packed:
    query = {"tokens", heads, size};
    key = {"tokens", keyHeads, size};
    value = {"tokens", keyHeads, valueSize};
    result = {"tokens", heads, valueSize};
    space = {"batch", heads, "", ""};
    break;
  case AttentionForm::Cached: // see StateTemplates.cpp
    break;
  }
  if (random.chance(0.7))
    score = makeScoreRegion(random, form, space);
  if (random.chance(0.7))
    mask = makeMaskRegion(random, form, space);
}

TensorText AttentionShape::emit(EntryWriter &entry, const TensorText &q,
                                const TensorText &k,
                                const TensorText &v) const {
  Text text = "attn.attention " + q.name + ", " + k.name + ", " + v.name;
  if (form == AttentionForm::Packed) {
    TensorText offsets = entry.getPacking().second;
    text += " offsets(" + offsets.name + " : " + offsets.type() + ")";
  }
  if (score)
    text += " " + entry.write("score", score);
  if (mask)
    text += " " + entry.write("mask", mask);
  if (form == AttentionForm::Packed)
    text += " length_bound \"seq\"";
  return entry.emit(text,
                    q.type() + ", " + k.type() + ", " + v.type() + " -> " +
                        makeType(result),
                    result);
}

Template makeAttention(Random &random, const Shapes &shapes) {
  AttentionForm form =
      random.pick({AttentionForm::Single, AttentionForm::Padded,
                   AttentionForm::Padded, AttentionForm::Packed});
  Text batch = random.chance(0.8) ? "batch" : "2";
  Text queries = random.pick<Text>({"seq", "seq", "mem", "1", "7"});
  Text keys = random.chance(0.6) ? queries
                                 : random.pick<Text>({"seq", "mem", "5", "1"});
  AttentionShape shape(random, shapes, form, batch, queries, keys);
  return [=](EntryWriter &entry) {
    TensorText q = entry.get(shape.query), k = entry.get(shape.key),
               v = entry.get(shape.value);
    shape.emit(entry, q, k, v);
  };
}

/// qkv_projection, attention, output_projection: what importers write.
Template makeEncoderAttention(Random &random, const Shapes &shapes) {
  bool packed = random.chance(0.4);
  Dims rows = packed ? Dims{"tokens"} : Dims{"batch", "seq"};
  AttentionShape shape(random, shapes,
                       packed ? AttentionForm::Packed : AttentionForm::Padded,
                       "batch", "seq", "seq");
  int64_t columns = shapes.heads * shapes.size +
                    shapes.keyHeads * (shapes.size + shapes.valueSize);
  Text width = number(shapes.width);
  RegionText bias;
  if (random.chance(0.7))
    bias = makeElementRegion(random, rows + Dims{number(columns)}, true);
  RegionText residual;
  if (random.chance(0.7))
    residual = makeElementRegion(random, rows + Dims{width}, true);
  return [=](EntryWriter &entry) {
    TensorText x = entry.get(rows + Dims{width});
    TensorText w = entry.getMatrix({number(columns), width});
    std::vector<TensorText> parts = entry.emitMany(
        "attn.qkv_projection " + x.name + ", " + w.name +
            (bias ? " " + entry.write("element", bias) : ""),
        x.type() + ", " + w.type() + " -> " + makeType(shape.query) + ", " +
            makeType(shape.key) + ", " + makeType(shape.value),
        {{"", shape.query}, {"", shape.key}, {"", shape.value}});
    TensorText o = shape.emit(entry, parts[0], parts[1], parts[2]);
    TensorText back =
        entry.getMatrix({width, number(shapes.heads * shapes.valueSize)});
    entry.emit("attn.output_projection " + o.name + ", " + back.name +
                   (residual ? " " + entry.write("element", residual) : ""),
               o.type() + ", " + back.type() + " -> " + x.type(), x.dims);
  };
}

/// A map of one value that only turns dimensions.
static TensorText turn(EntryWriter &entry, const TensorText &input,
                       const std::vector<int> &order) {
  Text results;
  Dims dims(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    // Dimension i of the input is dimension order[i] of the result.
    results += (i ? ", d" : "d") + std::to_string(order[i]);
    dims[order[i]] = input.dims[i];
  }
  return entry.emit("attn.map element(" + input.name +
                        " at affine_map<(d0, d1, d2, d3) -> (" + results +
                        ")> : " + input.type() +
                        ") {\n  ^bb0(%a: f32):\n    attn.yield %a : f32\n  }",
                    makeType(dims), dims);
}

namespace {
/// Attention of separate ops, all that its kernels depend on.
struct AttentionInParts {
  Text heads, size, columns, width;
  double scale;
  bool scaled, masked, projected, biased;
  Dims rows = {"batch", "seq"};

  TensorText project(EntryWriter &entry, const TensorText &x) const;
  TensorText changeScores(EntryWriter &entry, const TensorText &scores) const;
  void write(EntryWriter &entry) const;
};
} // namespace

/// A product and a bias of its own, or any rows.
TensorText AttentionInParts::project(EntryWriter &entry,
                                     const TensorText &x) const {
  Dims result = rows + Dims{columns};
  if (!projected)
    return entry.get(result);
  TensorText w = entry.getWeight({columns, width});
  TensorText linear = entry.emit(
      "attn.linear " + x.name + ", " + w.name,
      x.type() + ", " + w.type() + " -> " + makeType(result), result);
  if (!biased)
    return linear;
  TensorText b = entry.getWeight({columns});
  return entry.emit(
      "attn.map element(" + linear.name +
          " at affine_map<(i, j, k) -> (i, j, k)> : " + linear.type() + ", " +
          b.name + " at affine_map<(i, j, k) -> (k)> : " + b.type() +
          ") {\n  ^bb0(%a: f32, %b: f32):\n"
          "    %s = arith.addf %a, %b : f32\n"
          "    attn.yield %s : f32\n  }",
      linear.type(), result);
}

/// Scaled, and -inf where the mask is zero.
TensorText AttentionInParts::changeScores(EntryWriter &entry,
                                          const TensorText &scores) const {
  if (!scaled && !masked)
    return scores;
  TensorText mask = entry.getMask(rows);
  Text captures =
      scores.name +
      " at affine_map<(b, h, i, j) -> (b, h, i, j)> : " + scores.type();
  Text body = "    %f = arith.constant " + makeNumber(scaled ? scale : 1) +
              " : f32\n    %t = arith.mulf %a, %f : f32\n";
  if (masked) {
    captures += ", " + mask.name +
                " at affine_map<(b, h, i, j) -> (b, j)> : " + mask.type();
    body += "    %zero = arith.constant 0 : i32\n"
            "    %away = arith.constant 0xFF800000 : f32\n"
            "    %out = arith.cmpi eq, %m, %zero : i32\n"
            "    %u = arith.select %out, %away, %t : f32\n";
  }
  return entry.emit("attn.map element(" + captures + ") {\n  ^bb0(%a: f32" +
                        (masked ? ", %m: i32" : "") + "):\n" + body +
                        "    attn.yield " + (masked ? "%u" : "%t") +
                        " : f32\n  }",
                    scores.type(), scores.dims);
}

void AttentionInParts::write(EntryWriter &entry) const {
  TensorText x = entry.get(rows + Dims{width});
  std::vector<TensorText> parts;
  for (int i = 0; i < 3; ++i) {
    TensorText part = project(entry, x);
    Dims dims = rows + Dims{heads, size};
    TensorText split = entry.emit("attn.split_heads " + part.name,
                                  part.type() + " -> " + makeType(dims), dims);
    parts.push_back(turn(entry, split, {0, 2, 1, 3}));
  }
  Dims square = {"batch", heads, "seq", "seq"};
  TensorText s = entry.emit(
      "attn.matmul " + parts[0].name + ", " + parts[1].name + " transpose_rhs",
      parts[0].type() + ", " + parts[1].type() + " -> " + makeType(square),
      square);
  s = changeScores(entry, s);
  TensorText p = entry.emit("attn.softmax " + s.name, s.type(), square);
  Dims turned = {"batch", heads, "seq", size};
  TensorText o = entry.emit(
      "attn.matmul " + p.name + ", " + parts[2].name,
      p.type() + ", " + parts[2].type() + " -> " + makeType(turned), turned);
  TensorText merged = turn(entry, o, {0, 2, 1, 3});
  Dims result = rows + Dims{columns};
  entry.emit("attn.merge_heads " + merged.name,
             merged.type() + " -> " + makeType(result), result);
}

/// split_heads, products, scale, softmax: what raise-attention looks for.
Template makeAttentionInParts(Random &random, const Shapes &shapes) {
  AttentionInParts parts;
  parts.heads = number(shapes.heads);
  parts.size = number(shapes.size);
  parts.columns = number(shapes.heads * shapes.size);
  parts.width = number(shapes.width);
  parts.scale = 1 / std::sqrt(double(shapes.size));
  parts.scaled = random.chance(0.8);
  parts.masked = random.chance(0.5);
  parts.projected = random.chance(0.7);
  parts.biased = random.chance(0.7);
  return [=](EntryWriter &entry) { parts.write(entry); };
}

} // namespace attnc::fuzz
