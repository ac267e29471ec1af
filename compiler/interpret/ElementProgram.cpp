//===- ElementProgram.cpp - regions of scalars, run over lanes ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Registers are numbered as the values appear, arguments first, so that
// argument i is register i. What single ops become is in ElementSteps.cpp.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/ElementProgram.h"
#include <cmath>

using namespace mlir;

namespace attnc::interpret {

ElementProgram::ElementProgram(const attn::CapturedRegion &region,
                               ArrayRef<Tensor> captures, unsigned rank)
    : leading(region.leading) {
  Block &block = region.block();
  for (BlockArgument argument : block.getArguments())
    registerOf(argument);
  for (auto [index, capture] : llvm::enumerate(captures))
    addSource(capture, region.maps[index], region.leading + index, rank);
  for (Operation &op : block.without_terminator()) {
    addStep(op);
    addRounding(op);
  }
  yielded = registerOf(region.yielded());
}

unsigned ElementProgram::registerOf(Value value) {
  return registers.try_emplace(value, registers.size()).first->second;
}

ElementProgram::Frame ElementProgram::makeFrame() const {
  Frame frame;
  frame.numbers.resize(registers.size() * kLanes);
  frame.integers.resize(registers.size() * kLanes);
  for (auto [target, value] : numberConstants)
    std::fill_n(frame.number(target), kLanes, value);
  for (auto [target, value] : integerConstants)
    std::fill_n(frame.integer(target), kLanes, value);
  for (const Source &source : sources) {
    const Elements *elements = source.tensor.elements.get();
    frame.numberBases.push_back(elements ? elements->numbers.data() : nullptr);
    frame.integerBases.push_back(elements ? elements->integers.data()
                                          : nullptr);
  }
  return frame;
}

void ElementProgram::run(Frame &frame, int64_t count) const {
  assert(count <= kLanes && "more lanes than a register holds");
  for (unsigned number = 0; number < sources.size(); ++number)
    loadSource(number, frame, count);
  auto next = roundings.begin();
  for (auto [number, step] : llvm::enumerate(steps)) {
    step(frame, count);
    if (next == roundings.end() || next->step != number)
      continue;
    if (frame.noise)
      round(*next, frame, count);
    ++next;
  }
}

//===----------------------------------------------------------------------===//
// Captures
//===----------------------------------------------------------------------===//

void ElementProgram::addSource(const Tensor &capture, AffineMap map,
                               unsigned target, unsigned rank) {
  Source source{capture.elements ? capture.asNumbers() : capture,
                Shape(rank, 0), 0, target};
  int64_t stride = 1;
  for (int64_t dim = capture.rank() - 1; dim >= 0; --dim) {
    if (dim >= map.getNumResults()) {
      source.wholeStrides.insert(source.wholeStrides.begin(), stride);
    } else {
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

template <typename T>
static void loadLanes(const T *from, int64_t step, int64_t count, T *to) {
  for (int64_t lane = 0; lane < count; ++lane)
    to[lane] = from[lane * step];
}

void ElementProgram::loadSource(unsigned number, Frame &frame,
                                int64_t count) const {
  const Source &source = sources[number];
  if (!source.wholeStrides.empty())
    return;
  int64_t offset = source.offset;
  for (auto [stride, index] : llvm::zip_equal(source.strides, frame.index))
    offset += stride * index;
  // Lanes run along the last dimension; an index space of rank 0 has one lane.
  int64_t step = source.strides.empty() ? 0 : source.strides.back();
  if (source.tensor.isInteger)
    loadLanes(frame.integerBases[number] + offset, step, count,
              frame.integer(source.target));
  else
    loadLanes(frame.numberBases[number] + offset, step, count,
              frame.number(source.target));
}

//===----------------------------------------------------------------------===//
// Roundings
//===----------------------------------------------------------------------===//

/// Ops that give one of their operands, or its opposite.
static bool isExact(Operation &op) {
  return isa<arith::ConstantOp, arith::SelectOp, arith::MaximumFOp,
             arith::MinimumFOp, arith::NegFOp, math::AbsFOp, attn::LookupOp>(
      op);
}

void ElementProgram::addRounding(Operation &op) {
  const bool isUniform = !isa<attn::IndexOp, attn::LookupOp>(op) &&
                         llvm::all_of(op.getOperands(), [&](Value value) {
                           return uniform.contains(value);
                         });
  if (isUniform)
    uniform.insert(op.getResult(0));
  if (op.getResult(0).getType().isInteger() || isExact(op))
    return;
  roundings.push_back({unsigned(steps.size() - 1), registerOf(op.getResult(0)),
                       isUniform, isa<arith::SIToFPOp, arith::UIToFPOp>(op)});
}

void ElementProgram::round(const Rounding &rounding, Frame &frame,
                           int64_t count) const {
  const Noise noise = frame.noise->split(rounding.step);
  double *lanes = frame.number(rounding.target);
  for (int64_t lane = 0; lane < count; ++lane)
    if (!rounding.isOfAnInteger || roundToSingle(lanes[lane]) != lanes[lane])
      lanes[lane] = noise.addToScalar(
          lanes[lane], rounding.isUniform ? 0 : frame.first + lane);
}

} // namespace attnc::interpret
