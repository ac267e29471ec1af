//===- EvaluateProjection.cpp - products with weights and heads -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// attn.linear, attn.qkv_projection, attn.output_projection, attn.matmul and the
// two ways to see heads.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/Evaluation.h"
#include "compiler/interpret/LinearAlgebra.h"

using namespace mlir;
using llvm::Error;

namespace attnc::interpret {

/// Whether the entries of the module both look a declared weight up and
/// multiply by it.
bool Evaluation::isTiedTable(Value value) {
  auto get = value.getDefiningOp<attn::GetWeightOp>();
  if (!get)
    return false;
  auto [known, isNew] = weights.tied.try_emplace(get.getWeightAttr().getAttr());
  if (!isNew)
    return known->second;
  bool looked = false, multiplied = false;
  get->getParentOfType<ModuleOp>().walk([&](attn::GetWeightOp other) {
    if (other.getWeight() == get.getWeight())
      for (Operation *user : other->getUsers()) {
        looked |= isa<attn::EmbeddingOp>(user);
        multiplied |= isa<attn::LinearOp, attn::QkvProjectionOp,
                          attn::OutputProjectionOp>(user);
      }
  });
  return known->second = looked && multiplied;
}

ProductFormat Evaluation::findProduct(Value weight) const {
  auto get = weight.getDefiningOp<attn::GetWeightOp>();
  if (!weights.products || !get)
    return {};
  auto declared = SymbolTable::lookupNearestSymbolFrom<attn::WeightOp>(
      get, get.getWeightAttr());
  return weights.products->lookup(
      cast<StringAttr>(declared.getSources()[0]).getValue());
}

Tensor Evaluation::narrowWeight(Value value) {
  const kernel::PrecisionAttr own = findProduct(value).precision;
  if (weights.products && (!own || own.getStored()))
    return get(value); // of f32, or the numbers that the model has
  const std::optional<Noise> noise = drawRounding();
  Operation *declared = nullptr;
  if (auto get = value.getDefiningOp<attn::GetWeightOp>(); get && !noise)
    declared = SymbolTable::lookupNearestSymbolFrom(get, get.getWeightAttr());
  if (auto known = weights.narrowed.find(declared);
      declared && known != weights.narrowed.end())
    return known->second;
  const Tensor &weight = get(value);
  const int64_t columns = weight.shape[0], depth = weight.shape[1];
  Tensor rounded = weight.asNumbers().copy();
  NarrowFormats formats = weights.formats;
  if (own) {
    formats.weights = stringifyFormat(own.getWeights());
    formats.group = own.getGroup();
  } else if (formats.weights == "i4" && isTiedTable(value)) {
    formats.weights = "i8"; // as ChoosePrecision has it
  }
  parallel.forRange(columns, depth, [&](int64_t begin, int64_t end) {
    if (own && !noise) {
      const double *from = rounded.numberData() + begin * depth;
      const std::vector<float> singles(from, from + (end - begin) * depth);
      llvm::copy(keepWeights(singles, end - begin, depth, own),
                 rounded.numberData() + begin * depth);
      return;
    }
    for (int64_t column = begin; column < end; ++column)
      roundColumn(formats, rounded.numberData() + column * depth, depth,
                  {noise ? &*noise : nullptr, uint64_t(column * depth)});
  });
  if (declared)
    weights.narrowed[declared] = rounded;
  return rounded;
}

Tensor Evaluation::narrowRows(const Tensor &tensor, llvm::StringRef format,
                              int64_t columns, std::optional<Noise> draw) {
  Tensor rounded = tensor.asNumbers().copy();
  for (int64_t at = 0, count = rounded.numElements(); at < count; at += columns)
    roundTo(format, rounded.numberData() + at, columns,
            {draw ? &*draw : nullptr, uint64_t(at)});
  return rounded;
}

Tensor Evaluation::narrowInput(const Tensor &input, Value weight,
                               int64_t depth) {
  NarrowFormats formats;
  formats.weights = weights.formats.activations;
  const kernel::PrecisionAttr own = findProduct(weight).precision;
  if (own)
    formats.weights = stringifyFormat(own.getActivations());
  else if (weights.products)
    return input;
  // Beside weights in groups, rows of i8 are in the same groups.
  if (own && formats.weights == "i8")
    formats.group = own.getGroup();
  const std::optional<Noise> noise = drawRounding();
  Tensor rounded = input.asNumbers().copy();
  for (int64_t at = 0, count = rounded.numElements(); at < count; at += depth)
    if (formats.group)
      for (int64_t k = 0; k < depth; k += formats.group)
        roundKept(formats.weights, rounded.numberData() + at + k,
                  std::min(formats.group, depth - k),
                  {noise ? &*noise : nullptr, uint64_t(at + k)});
    else
      roundRow(formats.weights, rounded.numberData() + at, depth,
               {noise ? &*noise : nullptr, uint64_t(at)});
  return rounded;
}

Tensor Evaluation::project(const Tensor &input, int64_t depth, Value stored,
                           ArrayRef<int64_t> resultShape) {
  Tensor left = input.asNumbers();
  Tensor weight = get(stored);
  if (isNarrow()) {
    weight = narrowWeight(stored);
    left = narrowInput(left, stored, depth);
  }
  Tensor result = Tensor::numbers(resultShape);
  // The weight is [N, K]; the product wants [K, N].
  MatrixView right;
  right.rowStride = 1;
  right.columnStride = depth;
  if (weight.elements->singles.empty())
    right.numbers = weight.numberData();
  else
    right.singles = weight.elements->singles.data();
  multiply(parallel, {left.numberData(), nullptr, depth, 1}, right,
           result.rows(), result.columns(), depth, result.numberData(),
           result.columns());
  if (std::optional<Noise> noise = drawNoise())
    noise->addToProduct({left.numberData(), nullptr, depth, 1}, right,
                        result.rows(), result.columns(), depth,
                        result.numberData(), result.columns(), 0);
  return result;
}

template <typename Op> Error Evaluation::evaluateProjection(Op op) {
  const Tensor &input = get(op.getInput()), &weight = get(op.getWeight());
  // Heads, where they are the last two dimensions, are one row.
  constexpr unsigned kRow = std::is_same_v<Op, attn::LinearOp> ? 1 : 2;
  Shape shape(input.shape.begin(), input.shape.end() - kRow);
  shape.push_back(weight.shape[0]);
  Tensor result = project(input, weight.shape[1], op.getWeight(), shape);
  finishElements(op.getElementEpilogue(), /*leading=*/true, result);
  if (Error error = finishRows(op.getRowEpilogue(), result))
    return error;
  return setChecked(op.getResult(), std::move(result));
}

Error Evaluation::evaluate(attn::LinearOp op) { return evaluateProjection(op); }

Error Evaluation::evaluate(attn::OutputProjectionOp op) {
  return evaluateProjection(op);
}

Error Evaluation::evaluate(attn::QkvProjectionOp op) {
  const Tensor &input = get(op.getInput()), &weight = get(op.getWeight());
  Shape shape = input.shape;
  shape.back() = weight.shape[0];
  Tensor whole = project(input, weight.shape[1], op.getWeight(), shape);
  finishElements(op.getElementEpilogue(), /*leading=*/true, whole);
  int64_t offset = 0;
  for (Value value : op->getResults()) {
    llvm::Expected<Shape> partShape = shapeOf(value.getType());
    if (!partShape)
      return partShape.takeError();
    Tensor part = Tensor::numbers(*partShape);
    int64_t width = part.shape[part.rank() - 1] * part.shape[part.rank() - 2];
    for (int64_t row = 0, rows = whole.rows(); row < rows; ++row)
      std::copy_n(whole.numberData() + row * whole.columns() + offset, width,
                  part.numberData() + row * width);
    offset += width;
    set(value, std::move(part));
  }
  return Error::success();
}

Error Evaluation::evaluate(attn::HeadLinearOp op) {
  Tensor input = get(op.getInput()).asNumbers();
  Tensor weight = get(op.getWeight()).asNumbers();
  int64_t heads = weight.shape[0], depth = weight.shape[1],
          columns = weight.shape[2];
  Shape shape = input.shape;
  shape.back() = columns;
  Tensor result = Tensor::numbers(shape);
  int64_t rows = product(ArrayRef<int64_t>(shape).drop_back(2));
  std::optional<Noise> noise = drawNoise();
  parallel.forRange(
      heads, rows * columns * depth, [&](int64_t begin, int64_t end) {
        for (int64_t h = begin; h < end; ++h) {
          MatrixView left = {input.numberData() + h * depth, nullptr,
                             heads * depth, 1};
          MatrixView right = {weight.numberData() + h * depth * columns,
                              nullptr, columns, 1};
          double *out = result.numberData() + h * columns;
          multiply(left, right, rows, columns, depth, out, heads * columns);
          if (noise)
            noise->addToProduct(left, right, rows, columns, depth, out,
                                heads * columns, h * columns);
        }
      });
  return setChecked(op.getResult(), std::move(result));
}

Error Evaluation::evaluate(attn::SplitHeadsOp op) {
  return reshape(op.getInput(), op.getResult());
}

Error Evaluation::evaluate(attn::MergeHeadsOp op) {
  return reshape(op.getInput(), op.getResult());
}

Error Evaluation::reshape(Value input, Value result) {
  llvm::Expected<Shape> shape = shapeOf(result.getType());
  if (!shape)
    return shape.takeError();
  Tensor tensor = get(input);
  tensor.shape = *shape;
  return setChecked(result, std::move(tensor));
}

Error Evaluation::evaluate(attn::MatmulOp op) {
  Tensor lhs = get(op.getLhs()).asNumbers(), rhs = get(op.getRhs()).asNumbers();
  if (isNarrow()) { // it may have become a part of an attention
    lhs = narrowRows(lhs, weights.formats.attention, lhs.columns(),
                     drawAttentionRounding());
    rhs = narrowRows(rhs, weights.formats.attention, rhs.columns(),
                     drawAttentionRounding());
  }
  int64_t rank = lhs.rank();
  int64_t rows = lhs.shape[rank - 2], depth = lhs.shape[rank - 1];
  bool transpose = op.getTransposeRhs();
  int64_t columns = rhs.shape[transpose ? rank - 2 : rank - 1];
  Shape shape = lhs.shape;
  shape.back() = columns;
  Tensor result = Tensor::numbers(shape);
  int64_t count = product(ArrayRef<int64_t>(lhs.shape).drop_back(2));
  std::optional<Noise> noise = drawNoise();
  parallel.forRange(
      count, rows * columns * depth, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          MatrixView left = {lhs.numberData() + i * rows * depth, nullptr,
                             depth, 1};
          MatrixView right = {rhs.numberData() + i * depth * columns, nullptr,
                              transpose ? 1 : columns, transpose ? depth : 1};
          const int64_t first = i * rows * columns;
          double *out = result.numberData() + first;
          multiply(left, right, rows, columns, depth, out, columns);
          if (noise)
            noise->addToProduct(left, right, rows, columns, depth, out, columns,
                                first);
        }
      });
  return setChecked(op.getResult(), std::move(result));
}

} // namespace attnc::interpret
