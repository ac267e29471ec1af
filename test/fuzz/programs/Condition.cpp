//===- Condition.cpp - what rounding does to the reference ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Some random programs amplify rounding: scores of thousands, differences of
// large numbers. The reference runs again with inputs, weights and the ops of
// regions off by what f32 loses there; how far its outputs move is what the
// compiled code may be off by, beyond the bound of `attnc verify`.
//
//===----------------------------------------------------------------------===//
#include "Check.h"
#include <cmath>
#include <fstream>

using namespace mlir;
using llvm::Error;

namespace attnc::fuzz {

// What a sum of 64 products may lose in f32, relative to its terms: u times
// (2 + sqrt(64)).
static constexpr double kDataError = 10 * 0x1p-24;
static constexpr unsigned kPerturbedRuns = 3;
// The code rounds in more places than data has elements.
static constexpr double kConditionMargin = 4;

static float perturb(float value, Random &random) {
  return value * (1 + kDataError * (2 * random.unit() - 1));
}

/// The weights of a program, off by rounding: a safetensors file whose numbers
/// are all f32.
static Error perturbWeights(const Program &program, unsigned run,
                            const std::string &scratch, WeightTable &table) {
  if (program.weights.files().empty())
    return Error::success();
  auto file = llvm::MemoryBuffer::getFile(program.weights.files().front());
  if (!file)
    return llvm::errorCodeToError(file.getError());
  std::string bytes = (*file)->getBuffer().str();
  uint64_t header = 0;
  memcpy(&header, bytes.data(), 8);
  Random random(run);
  for (size_t i = 8 + header; i + 4 <= bytes.size(); i += 4) {
    float value;
    memcpy(&value, &bytes[i], 4);
    value = perturb(value, random);
    memcpy(&bytes[i], &value, 4);
  }
  std::string path = scratch + "/perturbed.safetensors";
  std::ofstream(path, std::ios::binary) << bytes;
  return table.addFile(path);
}

/// Two indices of the element at which a region's op computes; none in rows.
static llvm::SmallVector<Value, 2> getIndices(OpBuilder &b, Operation *op) {
  Region *region = op->getParentRegion();
  Operation *parent = op->getParentOp();
  if (isa<attn::AttentionOp, attn::CachedAttentionOp>(parent)) {
    unsigned query = region->getRegionNumber() == 0 ? 3 : 2;
    return {region->getArgument(query), region->getArgument(query + 1)};
  }
  auto epilogue = dyn_cast<attn::EpilogueOpInterface>(parent);
  if (!epilogue || epilogue.getElementEpilogue().region != region ||
      !isa<attn::EntryOp>(parent->getParentOp()))
    return {};
  Type space = isa<attn::QkvProjectionOp>(parent)
                   ? parent->getOperand(0).getType()
                   : parent->getResult(0).getType();
  int64_t rank = cast<RankedTensorType>(space).getRank();
  if (rank == 0)
    return {};
  auto index = [&](int64_t dim) -> Value {
    return attn::IndexOp::create(b, op->getLoc(), b.getI32Type(), dim);
  };
  return {index(0), index(rank - 1)};
}

/// 1 + 2^-23 or 1 - 2^-23, by a hash of the element's indices: roundings of
/// neighbours do not cancel.
static Value makeFactor(OpBuilder &b, Operation *op, Random &random) {
  Location loc = op->getLoc();
  auto number = [&](float value) -> Value {
    return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
  };
  llvm::SmallVector<Value, 2> indices = getIndices(b, op);
  if (indices.empty())
    return number(random.pick({1 - 0x1p-23f, 1.0f, 1 + 0x1p-23f}));
  auto integer = [&](int32_t value) -> Value {
    return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(value));
  };
  Value hash = integer(random.below(1 << 20));
  for (Value index : indices) {
    Value turned = arith::MulIOp::create(b, loc, index,
                                         integer(random.below(1 << 20) | 1));
    hash = arith::AddIOp::create(b, loc, hash, turned);
  }
  Value bit = arith::AndIOp::create(b, loc, hash, integer(64));
  Value up =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, bit, integer(0));
  return arith::SelectOp::create(b, loc, up, number(1 + 0x1p-23f),
                                 number(1 - 0x1p-23f));
}

/// The result of every op on numbers in regions, off by a rounding or two.
static OwningOpRef<ModuleOp> perturbRegions(ModuleOp module, Random &random) {
  OwningOpRef<ModuleOp> perturbed(cast<ModuleOp>(module->clone()));
  llvm::SmallVector<Operation *> scalars;
  perturbed->walk([&](Operation *op) {
    if (attn::isRegionScalarOp(op) && !isa<arith::ConstantOp>(op) &&
        op->getResult(0).getType().isF32())
      scalars.push_back(op);
  });
  for (Operation *op : scalars) {
    OpBuilder b(op->getContext());
    b.setInsertionPointAfter(op);
    Value by = makeFactor(b, op, random);
    Value result = op->getResult(0);
    auto moved = arith::MulFOp::create(b, op->getLoc(), result, by);
    result.replaceAllUsesExcept(moved, moved);
  }
  return perturbed;
}

/// The largest distance between two values of an output, infinite if one alone
/// is a number.
static double getDistance(const TensorValue &a, const TensorValue &b) {
  double most = 0;
  for (auto [x, y] : llvm::zip(a.numbers, b.numbers)) {
    bool equal = x == y || (std::isnan(x) && std::isnan(y));
    double distance = equal ? 0 : std::fabs(x - y);
    most = std::max(most, std::isnan(distance) ? INFINITY : distance);
  }
  return a.integers == b.integers ? most : INFINITY;
}

static void perturb(TensorValue &value, Random &random) {
  for (double &element : value.numbers)
    element *= 1 + kDataError * (2 * random.unit() - 1);
}

/// With narrow products, what rounding does to a reference that rounds both
/// sides of them as the code does.
bool Checker::isBeyondCondition(const Program &program, attn::EntryOp entry,
                                const Finding &finding,
                                llvm::ArrayRef<interpret::SessionStep> before,
                                const NarrowFormats &formats,
                                const VerifyCase &result) {
  auto run = [&](unsigned number, const WeightTable &weights) {
    std::vector<interpret::SessionStep> steps = before;
    std::vector<TensorValue> values;
    Random random(finding.seed + number);
    for (auto &input : interpret::makeInputs(entry, finding.plan, finding.seed))
      values.push_back(input.value);
    if (number) {
      for (TensorValue &value : values)
        perturb(value, random);
      for (interpret::SessionStep &step : steps)
        for (interpret::PlannedInput &input : step.inputs)
          perturb(input.value, random);
    }
    OwningOpRef<ModuleOp> perturbed = perturbRegions(*program.module, random);
    Interpreter interpreter(number ? *perturbed : *program.module, &weights,
                            /*threads=*/1);
    interpreter.setFormats(formats);
    return interpret::runAfter(
        interpreter, entry, steps, finding.plan.sizes, values,
        formats.isNarrow() ? Precision::Narrow : Precision::Double);
  };
  auto expected = run(0, program.weights);
  if (!expected)
    return llvm::consumeError(expected.takeError()), true;
  std::vector<double> explained(result.outputs.size());
  for (unsigned number = 1; number <= kPerturbedRuns; ++number) {
    WeightTable weights;
    if (Error error = perturbWeights(program, number, scratch, weights))
      return llvm::consumeError(std::move(error)), true;
    auto other = run(number, weights);
    if (!other)
      return llvm::consumeError(other.takeError()), true;
    for (auto [index, most] : llvm::enumerate(explained))
      most = std::max(most, getDistance((*expected)[index], (*other)[index]));
  }
  for (auto [output, most] : llvm::zip(result.outputs, explained))
    if (!(output.maxAbs <= output.allowed + kConditionMargin * most) &&
        !(output.usedShare <= 1))
      return true;
  return false;
}

} // namespace attnc::fuzz
