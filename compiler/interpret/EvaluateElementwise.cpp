//===- EvaluateElementwise.cpp - maps, norms, epilogues -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// attn.map, attn.norm, attn.softmax, and the element and row regions that every
// op with epilogues finishes its result with.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/Evaluation.h"

using namespace mlir;
using llvm::Error;

namespace attnc::interpret {

Shape indexOfRow(int64_t row, ArrayRef<int64_t> rowDims) {
  Shape index(rowDims.size());
  for (int64_t dim = rowDims.size() - 1; dim >= 0; --dim) {
    index[dim] = row % rowDims[dim];
    row /= rowDims[dim];
  }
  return index;
}

static bool holdsErf(Operation *op) {
  return op->walk([](math::ErfOp) { return WalkResult::interrupt(); })
      .wasInterrupted();
}

bool Evaluation::hasShortErf(Operation *op) const {
  if (!isNarrow() || !weights.products || !holdsErf(op))
    return false;
  if (auto linear = dyn_cast<attn::LinearOp>(op))
    return findProduct(linear.getWeight()).hasShortErf;
  // Maps have become regions of the product that they read.
  SmallVector<Value> read(op->getOperands());
  while (!read.empty()) {
    Operation *from = read.pop_back_val().getDefiningOp();
    if (!from || holdsErf(from))
      continue;
    if (auto linear = dyn_cast<attn::LinearOp>(from)) {
      if (findProduct(linear.getWeight()).hasShortErf)
        return true;
    } else if (isa<attn::MapOp>(from)) {
      llvm::append_range(read, from->getOperands());
    }
  }
  return false;
}

void Evaluation::finishElements(const attn::CapturedRegion &region,
                                bool leading, Tensor &tensor) {
  if (!region)
    return;
  ElementProgram program(region, gather(region.captures), tensor.rank());
  int64_t columns = tensor.columns();
  ArrayRef<int64_t> rowDims =
      ArrayRef<int64_t>(tensor.shape)
          .take_front(tensor.rank() ? tensor.rank() - 1 : 0);
  const std::optional<Noise> noise = drawNoise();
  const bool isShort = hasShortErf(region.region->getParentOp());
  auto finish = [&](int64_t begin, int64_t end) {
    ElementProgram::Frame frame = program.makeFrame();
    frame.noise = noise;
    frame.hasShortErf = isShort;
    for (int64_t row = begin; row < end; ++row) {
      frame.index = indexOfRow(row, rowDims);
      if (tensor.rank())
        frame.index.push_back(0);
      for (int64_t first = 0; first < columns; first += program.kLanes) {
        int64_t count = std::min(program.kLanes, columns - first);
        int64_t at = row * columns + first;
        frame.first = at;
        if (tensor.rank())
          frame.index.back() = first;
        if (leading)
          std::copy_n(tensor.numberData() + at, count, frame.number(0));
        program.run(frame, count);
        if (tensor.isInteger)
          std::copy_n(program.yieldedIntegers(frame), count,
                      tensor.integerData() + at);
        else
          std::copy_n(program.yieldedNumbers(frame), count,
                      tensor.numberData() + at);
      }
    }
  };
  parallel.forRange(tensor.rows(), columns * program.cost(), finish);
}

Error Evaluation::finishRows(const attn::CapturedRegion &region,
                             Tensor &tensor) {
  if (!region)
    return Error::success();
  // Every size in the region is one of the op's operands or results, so it has
  // a value by now, unless it is new: then the types disagree with the sizes.
  Error error = Error::success();
  auto shapeOfValid = [&](Type type) -> Shape {
    llvm::Expected<Shape> shape = shapeOf(type);
    if (shape)
      return *shape;
    error = llvm::joinErrors(std::move(error), shape.takeError());
    return Shape(cast<RankedTensorType>(type).getRank(), 0);
  };
  RowProgram program(region, gather(region.captures), shapeOfValid);
  if (error)
    return error;
  int64_t columns = tensor.columns();
  auto rowDims = ArrayRef<int64_t>(tensor.shape).drop_back();
  const std::optional<Noise> noise = drawNoise();
  parallel.forRange(tensor.rows(), columns * program.cost(),
                    [&](int64_t begin, int64_t end) {
                      RowProgram::Frame frame = program.makeFrame();
                      for (int64_t row = begin; row < end; ++row)
                        program.run(frame, tensor.numberData() + row * columns,
                                    indexOfRow(row, rowDims), row, noise);
                    });
  return Error::success();
}

Error Evaluation::evaluate(attn::MapOp op) {
  llvm::Expected<Shape> shape = shapeOf(op.getType());
  if (!shape)
    return shape.takeError();
  Tensor result = op.getType().getElementType().isInteger()
                      ? Tensor::integers(*shape)
                      : Tensor::numbers(*shape);
  finishElements(op.getElementEpilogue(), /*leading=*/false, result);
  if (Error error = finishRows(op.getRowEpilogue(), result))
    return error;
  return setChecked(op.getResult(), std::move(result));
}

Error Evaluation::evaluate(attn::NormOp op) {
  Tensor input = get(op.getInput()).asNumbers();
  Tensor result = Tensor::numbers(input.shape);
  Tensor weight, bias;
  if (op.getWeight())
    weight = get(op.getWeight()).asNumbers();
  if (op.getBias())
    bias = get(op.getBias()).asNumbers();
  int64_t columns = input.columns();
  const std::optional<Noise> noise = drawNoise();
  parallel.forRange(input.rows(), columns * 8, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      normalizeRow(op.getKind(), op.getEpsilon().convertToDouble(),
                   weight.elements ? weight.numberData() : nullptr,
                   bias.elements ? bias.numberData() : nullptr,
                   input.numberData() + row * columns,
                   result.numberData() + row * columns, columns, noise, row);
  });
  return setChecked(op.getResult(), std::move(result));
}

Error Evaluation::evaluate(attn::SoftmaxOp op) {
  Tensor input = get(op.getInput()).asNumbers();
  Tensor result = Tensor::numbers(input.shape);
  int64_t columns = input.columns();
  parallel.forRange(
      input.rows(), columns * 30, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row)
          softmaxRow(input.numberData() + row * columns,
                     result.numberData() + row * columns, columns);
      });
  return setChecked(op.getResult(), std::move(result));
}

} // namespace attnc::interpret
