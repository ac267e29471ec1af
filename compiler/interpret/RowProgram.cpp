//===- RowProgram.cpp - regions of rows, run row by row -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Slot 0 is the row itself, slot 1 + i capture i, then one slot per op. A slot
// is a pointer: the row and captures are read where they lie.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/RowProgram.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <limits>

using namespace mlir;

namespace attnc::interpret {

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

static double sumOfSquares(const double *from, double shift, int64_t columns) {
  double sum = 0;
  for (int64_t i = 0; i < columns; ++i)
    sum += (from[i] - shift) * (from[i] - shift);
  return sum;
}

void normalizeRow(attn::NormKind kind, double epsilon, const double *weight,
                  const double *bias, const double *from, double *to,
                  int64_t columns, const std::optional<Noise> &noise,
                  int64_t number) {
  double shift = 0, divisor = 1;
  switch (kind) {
  case attn::NormKind::layer:
    for (int64_t i = 0; i < columns; ++i)
      shift += from[i];
    shift /= columns;
    divisor = std::sqrt(sumOfSquares(from, shift, columns) / columns + epsilon);
    break;
  case attn::NormKind::rms:
    divisor = std::sqrt(sumOfSquares(from, 0, columns) / columns + epsilon);
    break;
  case attn::NormKind::l2:
    divisor = std::max(std::sqrt(sumOfSquares(from, 0, columns)), epsilon);
    break;
  }
  for (int64_t i = 0; i < columns; ++i)
    to[i] = (from[i] - shift) / divisor;
  if (noise && bias)
    noise->addToRow(to, columns, number * columns);
  for (int64_t i = 0; i < columns; ++i)
    to[i] = to[i] * (weight ? weight[i] : 1) + (bias ? bias[i] : 0);
}

void softmaxRow(const double *from, double *to, int64_t columns) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double largest = -kInfinity;
  bool isNaN = false;
  for (int64_t i = 0; i < columns; ++i) {
    isNaN |= std::isnan(from[i]);
    largest = std::max(largest, from[i]);
  }
  if (largest == -kInfinity && !isNaN)
    return void(std::fill_n(to, columns, 0.0));
  double sum = 0;
  for (int64_t i = 0; i < columns; ++i)
    sum += to[i] = std::exp(from[i] - largest);
  for (int64_t i = 0; i < columns; ++i)
    to[i] /= sum;
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

RowProgram::RowProgram(const attn::CapturedRegion &region,
                       ArrayRef<Tensor> captures, ShapeOf shapeOf) {
  Block &block = region.block();
  columns = shapeOf(block.getArgument(0).getType()).back();
  for (BlockArgument argument : block.getArguments())
    addSlot(argument, shapeOf);
  for (auto [capture, map] : llvm::zip_equal(captures, region.maps))
    addSource(capture, map);
  for (Operation &op : block.without_terminator())
    addStep(op, shapeOf);
  yielded = slots.at(region.yielded());
}

unsigned RowProgram::addSlot(Value value, ShapeOf shapeOf) {
  unsigned slot = slotSizes.size();
  slots[value] = slot;
  slotSizes.push_back(
      isa<BlockArgument>(value) ? 0 : product(shapeOf(value.getType())));
  return slot;
}

void RowProgram::addSource(const Tensor &capture, AffineMap map) {
  Source source{capture.asNumbers(), Shape(map.getNumDims(), 0), 0};
  int64_t stride = 1;
  for (int64_t dim = capture.rank() - 1; dim >= 0; --dim) {
    // Dimensions that the map leaves out stay whole.
    if (dim < map.getNumResults()) {
      AffineExpr expr = map.getResult(dim);
      if (auto constant = dyn_cast<AffineConstantExpr>(expr))
        source.offset += stride * constant.getValue();
      else
        source.strides[cast<AffineDimExpr>(expr).getPosition()] += stride;
    }
    stride *= capture.shape[dim];
  }
  sources.push_back(std::move(source));
}

void RowProgram::addStep(Operation &op, ShapeOf shapeOf) {
  llvm::TypeSwitch<Operation &>(op)
      .Case([&](attn::NormOp op) {
        unsigned from = slots.at(op.getInput());
        int weight = op.getWeight() ? slots.at(op.getWeight()) : -1;
        int bias = op.getBias() ? slots.at(op.getBias()) : -1;
        unsigned to = addSlot(op.getResult(), shapeOf);
        steps.push_back([=, kind = op.getKind(),
                         epsilon = op.getEpsilon().convertToDouble(),
                         size = slotSizes[to]](Frame &frame) {
          normalizeRow(
              kind, epsilon, weight < 0 ? nullptr : frame.slots[weight],
              bias < 0 ? nullptr : frame.slots[bias], frame.slots[from],
              frame.storage[to].data(), size, frame.noise, frame.number);
        });
      })
      .Case([&](attn::SoftmaxOp op) {
        unsigned from = slots.at(op.getInput());
        unsigned to = addSlot(op.getResult(), shapeOf);
        steps.push_back([=, size = slotSizes[to]](Frame &frame) {
          softmaxRow(frame.slots[from], frame.storage[to].data(), size);
        });
      })
      .Case([&](attn::MapOp op) { addMap(op, shapeOf); })
      .Default([](Operation &) {
        llvm_unreachable("verified: row regions hold norm, softmax and map");
      });
}

void RowProgram::addMap(attn::MapOp op, ShapeOf shapeOf) {
  SmallVector<Tensor> shapes;
  SmallVector<unsigned> captures;
  for (Value capture : op.getElementCaptures()) {
    captures.push_back(slots.at(capture));
    shapes.push_back(
        {shapeOf(capture.getType()), /*isInteger=*/false, nullptr});
  }
  unsigned number = maps.size();
  maps.push_back(std::make_shared<ElementProgram>(op.getElementEpilogue(),
                                                  shapes, /*rank=*/1));
  unsigned to = addSlot(op.getResult(), shapeOf);
  steps.push_back(
      [=, program = maps.back(), size = slotSizes[to]](Frame &frame) {
        ElementProgram::Frame &lanes = frame.elements[number];
        for (auto [index, slot] : llvm::enumerate(captures))
          lanes.numberBases[index] = frame.slots[slot];
        for (int64_t first = 0; first < size; first += ElementProgram::kLanes) {
          int64_t count = std::min(ElementProgram::kLanes, size - first);
          lanes.index = {first};
          lanes.first = frame.number * size + first;
          program->run(lanes, count);
          std::copy_n(program->yieldedNumbers(lanes), count,
                      frame.storage[to].data() + first);
        }
      });
}

RowProgram::Frame RowProgram::makeFrame() const {
  Frame frame;
  for (int64_t size : slotSizes) {
    frame.storage.emplace_back(size);
    frame.slots.push_back(frame.storage.back().data());
  }
  for (const auto &map : maps)
    frame.elements.push_back(map->makeFrame());
  return frame;
}

void RowProgram::run(Frame &frame, double *row, ArrayRef<int64_t> index,
                     int64_t number, const std::optional<Noise> &noise) const {
  frame.slots[0] = row;
  frame.number = number;
  for (auto [map, lanes] : llvm::enumerate(frame.elements))
    if (noise)
      lanes.noise = noise->split(map);
  for (auto [capture, source] : llvm::enumerate(sources)) {
    int64_t offset = source.offset;
    for (auto [dim, stride] : llvm::enumerate(source.strides))
      if (stride)
        offset += stride * index[dim];
    frame.slots[1 + capture] = source.tensor.numberData() + offset;
  }
  const size_t arguments = 1 + sources.size();
  for (auto [i, step] : llvm::enumerate(steps)) {
    if (noise)
      frame.noise = noise->split(maps.size() + i);
    step(frame);
    const int64_t size = slotSizes[arguments + i];
    // The last is the op's result, which gets its own.
    if (noise && i + 1 < steps.size())
      noise->addToRow(frame.storage[arguments + i].data(), size,
                      (number * steps.size() + i) * size);
  }
  if (frame.slots[yielded] != row)
    std::copy_n(frame.slots[yielded], columns, row);
}

} // namespace attnc::interpret
