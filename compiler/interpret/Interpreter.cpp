//===- Interpreter.cpp - reference semantics of attn ----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checks sizes and inputs, walks the entry's body, drops values after their
// last use. The ops themselves are in the Evaluate*.cpp files.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/Interpreter.h"
#include "compiler/interpret/Evaluation.h"
#include "dialects/attn/EntryStorage.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <limits>

using namespace mlir;
using llvm::Error;
using llvm::Expected;
using llvm::Twine;

namespace attnc {

int64_t TensorValue::numElements() const { return interpret::product(shape); }

namespace interpret {

// Codes of messages: sizes, inputs, values that do not fit while the program
// runs, programs that cannot run.
static constexpr StringLiteral kSizes = "A0710";
static constexpr StringLiteral kInputs = "A0711";
static constexpr StringLiteral kValues = "A0712";
static constexpr StringLiteral kProgram = "A0713";

static Error fail(StringRef code, const Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 "error[" + code + "]: " + message);
}

Error errorAt(Operation *op, const Twine &message) {
  std::string place;
  llvm::raw_string_ostream(place) << op->getLoc();
  return fail(kValues, "'" + op->getName().getStringRef() + "' at " + place +
                           ": " + message);
}

static std::string toString(ArrayRef<int64_t> shape) {
  return "[" +
         llvm::join(llvm::map_range(
                        shape, [](int64_t dim) { return std::to_string(dim); }),
                    ", ") +
         "]";
}

//===----------------------------------------------------------------------===//
// Sizes and values
//===----------------------------------------------------------------------===//

Expected<int64_t> Evaluation::evaluate(const SizeExpr &expr) const {
  for (const std::string &name : expr.names())
    if (!sizes.count(name))
      return fail(kProgram, "size '" + name + "' has no value");
  return expr.evaluate(
      [&](StringRef name) { return sizes.find(name.str())->second; });
}

Expected<Shape> Evaluation::shapeOf(Type type) const {
  Shape shape;
  for (const SizeExpr &dim : attn::getNamedShape(type)) {
    Expected<int64_t> value = evaluate(dim);
    if (!value)
      return value.takeError();
    shape.push_back(*value);
  }
  return shape;
}

/// Ops that move numbers, or see them otherwise, and compute none.
static bool isExact(Operation *op) {
  if (auto map = dyn_cast<attn::MapOp>(op))
    return !map.getRowEpilogue() &&
           isa<BlockArgument>(map.getElementEpilogue().yielded());
  return isa<attn::SplitHeadsOp, attn::MergeHeadsOp, attn::GetWeightOp,
             attn::ConstantOp, attn::PackOp, attn::UnpackOp>(op);
}

Error Evaluation::setChecked(Value value, Tensor tensor) {
  Expected<Shape> shape = shapeOf(value.getType());
  if (!shape)
    return shape.takeError();
  if (*shape != tensor.shape)
    return errorAt(value.getDefiningOp(),
                   "the result has the shape " + toString(tensor.shape) +
                       ", but its type says " + toString(*shape));
  if (std::optional<Noise> noise = drawNoise())
    if (!tensor.isInteger && !isExact(value.getDefiningOp()))
      for (int64_t row = 0, columns = tensor.columns(); row < tensor.rows();
           ++row)
        noise->addToRow(tensor.numberData() + row * columns, columns,
                        row * columns);
  set(value, std::move(tensor));
  return Error::success();
}

std::optional<Noise> Evaluation::drawNoise() {
  if (precision != Precision::Single && precision != Precision::Rounded)
    return std::nullopt;
  // Apart from the keys of other seeds by more than a run draws.
  return Noise((seed << 32) + drawn++);
}

std::optional<Noise> Evaluation::drawRounding() {
  if (precision != Precision::NarrowDrawn)
    return std::nullopt;
  return Noise((seed << 32) + drawn++);
}

std::optional<Noise> Evaluation::drawAttentionRounding() {
  if (precision != Precision::Rounded)
    return drawRounding();
  return Noise((seed << 32) + drawn++);
}

SmallVector<Tensor> Evaluation::gather(ValueRange operands) const {
  return llvm::map_to_vector(operands, [&](Value value) { return get(value); });
}

Error Evaluation::run(Operation &op) {
  return llvm::TypeSwitch<Operation *, Error>(&op)
      .Case<attn::MapOp, attn::NormOp, attn::SoftmaxOp, attn::LinearOp,
            attn::QkvProjectionOp, attn::OutputProjectionOp, attn::SplitHeadsOp,
            attn::MergeHeadsOp, attn::HeadLinearOp, attn::MatmulOp,
            attn::AttentionOp, attn::EmbeddingOp, attn::PositionsOp,
            attn::TokenPositionsOp, attn::PackIndexOp, attn::PackOp,
            attn::UnpackOp, attn::PoolOp, attn::GetWeightOp, attn::ConstantOp,
            attn::RopeOp, attn::GetStateOp, attn::PastOp,
            attn::PackedPositionsOp, attn::AppendOp, attn::CachedAttentionOp>(
          [&](auto known) { return evaluate(known); })
      .Default([&](Operation *unknown) {
        return errorAt(unknown, "the interpreter runs ops of the attn dialect");
      });
}

//===----------------------------------------------------------------------===//
// Weights and constants
//===----------------------------------------------------------------------===//

Error Evaluation::evaluate(attn::GetWeightOp op) {
  Operation *symbol =
      SymbolTable::lookupNearestSymbolFrom(op, op.getWeightAttr());
  auto weight = dyn_cast_or_null<attn::WeightOp>(symbol);
  if (!weight)
    return errorAt(op, "no weight '" + op.getWeight() + "'");
  auto [cached, isNew] = weights.tensors.try_emplace(weight);
  if (isNew) {
    if (!weights.table) {
      weights.tensors.erase(cached);
      return errorAt(op, "the program has weights, but no table of weights was "
                         "given");
    }
    Expected<std::vector<float>> elements =
        weights.table->materialize(weight, weights.choice);
    if (!elements) {
      weights.tensors.erase(cached);
      return elements.takeError();
    }
    Tensor &tensor = cached->second;
    tensor.shape = Shape(op.getType().getShape());
    tensor.elements = std::make_shared<Elements>();
    // Vectors are read by many ops as doubles; matrices only row by row.
    if (tensor.rank() < 2)
      tensor.elements->numbers.assign(elements->begin(), elements->end());
    else
      tensor.elements->singles = std::move(*elements);
  }
  return setChecked(op.getResult(), cached->second);
}

Error Evaluation::evaluate(attn::ConstantOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  auto elements = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!elements)
    return errorAt(op, "only dense constants have a value here");
  Tensor tensor = type.getElementType().isInteger()
                      ? Tensor::integers(type.getShape())
                      : Tensor::numbers(type.getShape());
  if (tensor.isInteger)
    for (auto [index, value] : llvm::enumerate(elements.getValues<APInt>()))
      tensor.integerData()[index] = value.getSExtValue();
  else
    for (auto [index, value] : llvm::enumerate(elements.getValues<APFloat>()))
      tensor.numberData()[index] = value.convertToDouble();
  return setChecked(op.getResult(), std::move(tensor));
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

/// Fails unless `sizes` gives exactly the entry's sizes, within their bounds.
static Error checkSizes(ModuleOp module, attn::EntryOp entry,
                        const std::map<std::string, int64_t> &sizes) {
  for (auto name : entry.getSizes().getAsRange<StringAttr>()) {
    auto given = sizes.find(name.str());
    if (given == sizes.end())
      return fail(kSizes, "entry '" + entry.getSymName() +
                              "' takes the size '" + name.getValue() +
                              "', which was not given");
    auto size = module.lookupSymbol<attn::SizeOp>(name);
    if (!size)
      continue;
    int64_t minimum = size.getMinimum().value_or(0);
    int64_t maximum = size.getMaximum().value_or(INT64_MAX);
    if (given->second < minimum || given->second > maximum)
      return fail(kSizes, "size '" + name.getValue() + "' is " +
                              Twine(given->second) + "; expected " +
                              Twine(minimum) + " to " + Twine(maximum));
  }
  for (const auto &[name, value] : sizes)
    if (!llvm::is_contained(entry.getSizes().getAsValueRange<StringAttr>(),
                            name))
      return fail(kSizes, "entry '" + entry.getSymName() + "' takes no size '" +
                              name + "'");
  return Error::success();
}

/// Elements of an integer input: 32 bits, and within `attn.range`.
static Error checkRange(attn::EntryOp entry, unsigned index,
                        const TensorValue &input) {
  auto range = entry.getArgAttrOfType<DenseI64ArrayAttr>(
      index, attn::AttnDialect::kRangeAttr);
  int64_t minimum = range ? range[0] : INT32_MIN;
  int64_t maximum = range ? range[1] : INT32_MAX;
  for (auto [at, value] : llvm::enumerate(input.integers))
    if (value < minimum || value > maximum)
      return fail(kInputs, "input '" + entry.getArgName(index) + "': element " +
                               Twine(at) + " is " + Twine(value) +
                               "; expected " + Twine(minimum) + " to " +
                               Twine(maximum));
  return Error::success();
}

static Error checkInput(const Evaluation &evaluation, attn::EntryOp entry,
                        unsigned index, const TensorValue &input) {
  auto type = cast<RankedTensorType>(entry.getArgumentTypes()[index]);
  std::string name = "input '" + entry.getArgName(index).str() + "': ";
  Expected<Shape> shape = evaluation.shapeOf(type);
  if (!shape)
    return shape.takeError();
  if (ArrayRef<int64_t>(*shape) != ArrayRef<int64_t>(input.shape))
    return fail(kInputs, name + "expected the shape " + toString(*shape) +
                             ", got " + toString(input.shape));
  if (type.getElementType().isInteger() != input.isInteger)
    return fail(kInputs, name + "expected " +
                             (input.isInteger ? "numbers, got integers"
                                              : "integers, got numbers"));
  size_t elements =
      input.isInteger ? input.integers.size() : input.numbers.size();
  if (elements != size_t(input.numElements()))
    return fail(kInputs, name + "the shape " + toString(input.shape) + " has " +
                             Twine(input.numElements()) + " elements, but " +
                             Twine(elements) + " were given");
  return input.isInteger ? checkRange(entry, index, input) : Error::success();
}

static Tensor toTensor(const TensorValue &value) {
  auto elements = std::make_shared<Elements>();
  elements->numbers = value.numbers;
  elements->integers = value.integers;
  return {Shape(ArrayRef<int64_t>(value.shape)), value.isInteger,
          std::move(elements)};
}

/// Rounds the numbers of a caller's tensor to what its memory holds.
static void round(Tensor &tensor, Type storage) {
  if (!storage)
    return;
  const llvm::fltSemantics &format =
      cast<FloatType>(storage).getFloatSemantics();
  for (double &number : tensor.elements->numbers)
    number = attn::fromStorage(attn::toStorage(number, format), format);
}

static TensorValue toTensorValue(const Tensor &tensor) {
  Tensor converted = tensor.asNumbers();
  return {llvm::SmallVector<int64_t>(ArrayRef<int64_t>(converted.shape)),
          converted.isInteger, converted.elements->numbers,
          converted.elements->integers};
}

/// Runs the body; a value's elements go after its last use.
static Error runBody(Evaluation &evaluation, Block &body) {
  llvm::DenseMap<Value, Operation *> lastUses;
  for (Operation &op : body)
    for (Value operand : op.getOperands())
      lastUses[operand] = &op;
  for (Operation &op : body.without_terminator()) {
    if (Error error = evaluation.run(op))
      return error;
    for (Value operand : op.getOperands())
      if (lastUses[operand] == &op)
        evaluation.drop(operand);
    for (Value result : op.getResults())
      if (result.use_empty())
        evaluation.drop(result);
  }
  return Error::success();
}

} // namespace interpret

//===----------------------------------------------------------------------===//
// Interpreter
//===----------------------------------------------------------------------===//

struct Interpreter::State {
  ModuleOp module;
  interpret::Parallel parallel;
  interpret::WeightCache weights;
  uint64_t seed = 0;
};

Interpreter::Interpreter(ModuleOp module, const WeightTable *weights,
                         unsigned threads)
    : state(new State{module, interpret::Parallel(threads),
                      interpret::WeightCache{weights}}) {}

Interpreter::~Interpreter() = default;

void Interpreter::setSeed(uint64_t seed) { state->seed = seed; }

void Interpreter::setFormats(const NarrowFormats &formats) {
  state->weights.formats = formats;
  state->weights.narrowed.clear();
}

void Interpreter::setProducts(const ProductFormats &products) {
  state->weights.products = &products;
}

void Interpreter::setChoice(std::optional<unsigned> choice) {
  assert(state->weights.tensors.empty() && "no weight was read yet");
  state->weights.choice = choice;
}

Expected<std::vector<TensorValue>>
Interpreter::run(StringRef name, const std::map<std::string, int64_t> &sizes,
                 ArrayRef<TensorValue> inputs, Precision precision,
                 SessionState *session) {
  using namespace interpret;
  auto entry = state->module.lookupSymbol<attn::EntryOp>(name);
  if (!entry)
    return fail(kProgram, "the module has no entry '" + name + "'");
  if (Error error = checkSizes(state->module, entry, sizes))
    return error;
  if (inputs.size() != entry.getNumArguments())
    return fail(kInputs, "entry '" + name + "' takes " +
                             Twine(entry.getNumArguments()) + " inputs, got " +
                             Twine(inputs.size()));
  SessionState fresh;
  Evaluation evaluation(state->parallel, state->weights,
                        session ? *session : fresh, sizes, precision);
  evaluation.setSeed(state->seed);
  for (auto [index, input] : llvm::enumerate(inputs)) {
    if (Error error = checkInput(evaluation, entry, index, input))
      return error;
    Tensor tensor = toTensor(input);
    round(tensor, attn::getEntryStorage(entry.getArgAttrDict(index)));
    evaluation.set(entry.getArgument(index), std::move(tensor));
  }
  Block &body = entry.getBody().front();
  if (Error error = runBody(evaluation, body))
    return error;
  std::vector<TensorValue> results;
  for (Value result : body.getTerminator()->getOperands())
    results.push_back(toTensorValue(evaluation.get(result)));
  evaluation.finish();
  return results;
}

} // namespace attnc
