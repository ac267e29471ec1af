//===- EntryVerifier.cpp - an entry of a library, case by case ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Per case: the reference first, since inputs that it refuses must not reach
// compiled code; then the library twice, into buffers with guards behind them;
// then every element. Entries that append to states run on a session of their
// own, most of them after another call of other lengths. What may be off by how
// much is derived in Verify.h.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/EntryVerifier.h"
#include "compiler/interpret/CompareOutputs.h"
#include "compiler/interpret/RelativeBound.h"
#include "compiler/interpret/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include <cmath>

using namespace mlir;
using llvm::Error;
using llvm::Expected;

namespace attnc::interpret {

/// The entry in which the library's roundings are repeated: in sessions with an
/// adapter, one that stands for the model's own.
static attn::EntryOp findAdapted(attn::EntryOp entry,
                                 const VerifyOptions &options) {
  if (options.apart && options.apart->choice)
    for (auto other : ModuleOp(options.apart->module).getOps<attn::EntryOp>())
      if (other->getAttr(attn::AttnDialect::kStandsForAttr) ==
          entry.getSymNameAttr())
        return other;
  return entry;
}

EntryVerifier::EntryVerifier(Interpreter &interpreter, Interpreter *own,
                             attn::EntryOp entry, const VerifyOptions &options,
                             VerifyCall call)
    : interpreter(interpreter), own(own), entry(entry),
      ownEntry(findAdapted(entry, options)), call(call),
      relative(getRelativeBound(entry, options.formats)),
      singleRelative(getRelativeBound(entry, {})), options(options),
      keeps(!entry.getBody().getOps<attn::AppendOp>().empty() ||
            !entry.getBody().getOps<attn::PastOp>().empty()) {
  auto wanted = options.outputs.find(entry.getSymName().str());
  for (unsigned i = 0; i < entry.getResultTypes().size(); ++i)
    if (options.outputs.empty())
      results.push_back(i);
  if (wanted != options.outputs.end())
    for (const std::string &name : wanted->second)
      for (unsigned i = 0; i < entry.getResultTypes().size(); ++i)
        if (entry.getResultName(i) == name)
          results.push_back(i);
}

/// One call of a length around the blocks of states; none for every fourth
/// case.
std::vector<SessionStep> EntryVerifier::makeHistory(const InputPlan &plan,
                                                    uint64_t seed) {
  constexpr int64_t kLengths[] = {0, 1, 63, 17, 0, 64, 65, 130};
  int64_t length = keeps ? kLengths[seed % std::size(kLengths)] : 0;
  auto module = entry->getParentOfType<ModuleOp>();
  InputPlan before = plan;
  before.mask = MaskPattern::Ragged;
  for (auto &[name, value] : before.sizes) {
    if (name == "batch")
      continue;
    auto states = module.getOps<attn::StateOp>();
    if (!states.empty())
      length = std::min<int64_t>(
          length, int64_t((*states.begin()).getPositions()) - value);
    auto size = module.lookupSymbol<attn::SizeOp>(name);
    length = std::min<int64_t>(length, size.getMaximum().value_or(length));
    if (length < int64_t(size.getMinimum().value_or(0)))
      return {};
    value = length;
  }
  if (length < 1)
    return {};
  return {SessionStep::call(entry, before, ~seed)};
}

/// Does a step to the library's session.
std::string EntryVerifier::doStep(const SessionStep &step) {
  if (step.kind != SessionStep::Call) {
    Error error = options.step(step);
    return error
               ? describe(entry, step) + ": " + llvm::toString(std::move(error))
               : "";
  }
  SmallVector<VerifyBuffer> inputs, outputs;
  std::vector<PlannedInput> planned = step.inputs;
  for (PlannedInput &input : planned)
    inputs.push_back(input.buffer());
  std::vector<GuardedOutput> unused;
  for (unsigned result : results)
    unused.emplace_back(
        product(shapeAt(entry.getResultTypes()[result], step.plan.sizes)));
  for (GuardedOutput &output : unused)
    outputs.push_back(output.buffer());
  if (Error error = call(entry.getSymName(), step.plan.sizes, inputs, outputs))
    return "the call before failed: " + llvm::toString(std::move(error));
  return "";
}

/// Brings the library's session to where the call begins.
std::string EntryVerifier::begin() {
  if (!keeps)
    return "";
  if (Error error = options.reset())
    return "the session was not reset: " + llvm::toString(std::move(error));
  for (const SessionStep &step : steps)
    if (std::string failure = doStep(step); !failure.empty())
      return failure;
  return "";
}

/// Fills `outputs`; returns what is wrong beyond single elements.
std::string EntryVerifier::callLibrary(MutableArrayRef<PlannedInput> inputs,
                                       std::vector<GuardedOutput> &outputs) {
  SmallVector<VerifyBuffer> inputBuffers;
  for (PlannedInput &input : inputs)
    inputBuffers.push_back(input.buffer());
  std::vector<GuardedOutput> again;
  for (unsigned result : results) {
    int64_t count =
        product(shapeAt(entry.getResultTypes()[result], plan.sizes));
    outputs.emplace_back(count);
    again.emplace_back(count);
  }
  for (std::vector<GuardedOutput> *buffers : {&outputs, &again}) {
    SmallVector<VerifyBuffer> outputBuffers;
    for (GuardedOutput &output : *buffers)
      outputBuffers.push_back(output.buffer());
    if (std::string failure = begin(); !failure.empty())
      return failure;
    if (Error error =
            call(entry.getSymName(), plan.sizes, inputBuffers, outputBuffers))
      return "the call failed: " + llvm::toString(std::move(error));
  }
  for (auto [index, result] : llvm::enumerate(results)) {
    std::string name = entry.getResultName(result).str();
    if (!outputs[index].isGuardIntact() || !again[index].isGuardIntact())
      return "wrote behind the end of output '" + name + "'";
    bool isFloat =
        isa<FloatType>(cast<RankedTensorType>(entry.getResultTypes()[result])
                           .getElementType());
    if (!outputs[index].isSame(again[index], isFloat))
      return "two calls gave different bits in output '" + name + "'";
  }
  return "";
}

/// Adds squared differences from `expected`, by element.
static void addSquares(const TensorValue &got, const TensorValue &expected,
                       std::vector<double> &squares) {
  for (size_t i = 0; i < squares.size(); ++i) {
    double difference = getDifference(got.numbers[i], expected.numbers[i]);
    squares[i] += difference * difference;
  }
}

/// 6 s of Verify.h by element, from sums of squares over so many runs.
static std::vector<double> getAllowances(std::vector<double> squares,
                                         int64_t columns, unsigned runs) {
  for (size_t row = 0; row < squares.size(); row += columns) {
    double sum = 0;
    for (int64_t i = 0; i < columns; ++i)
      sum += squares[row + i];
    for (int64_t i = 0; i < columns; ++i)
      squares[row + i] =
          6 * std::sqrt(std::max(squares[row + i], sum / columns) / runs);
  }
  return squares;
}

void EntryVerifier::runAgain(
    Interpreter &reference, Precision precision, unsigned runs,
    llvm::function_ref<void(ArrayRef<TensorValue>)> see) {
  for (unsigned number = 1; number <= runs; ++number) {
    reference.setSeed(number);
    // The reference took these inputs already.
    see(llvm::cantFail(runAfter(reference, &reference == own ? ownEntry : entry,
                                steps, plan.sizes, inputs, precision)));
  }
}

std::vector<TensorValue> EntryVerifier::runOnce(Interpreter &reference,
                                                Precision precision) {
  std::vector<TensorValue> results;
  runAgain(reference, precision, 1,
           [&](ArrayRef<TensorValue> values) { results = values.vec(); });
  return results;
}

Allowances EntryVerifier::measureRounding(Interpreter &reference,
                                          ArrayRef<TensorValue> expected,
                                          Precision precision) {
  constexpr unsigned kRuns = 8;
  Allowances squares;
  for (const TensorValue &value : expected)
    squares.emplace_back(value.numbers.size());
  runAgain(reference, precision, kRuns, [&](ArrayRef<TensorValue> results) {
    for (auto [result, value, sums] :
         llvm::zip_equal(results, expected, squares))
      addSquares(result, value, sums);
  });
  for (auto [value, sums] : llvm::zip_equal(expected, squares))
    sums = getAllowances(std::move(sums),
                         value.shape.empty() ? 1 : value.shape.back(), kRuns);
  return squares;
}

Allowances EntryVerifier::measureFormats(ArrayRef<TensorValue> expected,
                                         Precision precision, unsigned runs,
                                         double times) {
  std::vector<double> most(expected.size());
  runAgain(interpreter, precision, runs, [&](ArrayRef<TensorValue> results) {
    for (auto [result, value, largest] :
         llvm::zip_equal(results, expected, most))
      for (auto [got, number] : llvm::zip(result.numbers, value.numbers))
        largest = std::max(largest, getDifference(got, number));
  });
  Allowances allowances;
  for (auto [value, largest] : llvm::zip_equal(expected, most))
    allowances.emplace_back(value.numbers.size(), times * largest);
  return allowances;
}

std::optional<Allowances>
EntryVerifier::measure(unsigned way, ArrayRef<TensorValue> expected) {
  const bool isNarrow = options.formats.isNarrow();
  if (way == 0)
    return isNarrow ? measureFormats(expected, Precision::Narrow, 1, 4)
                    : measureRounding(interpreter, expected, Precision::Single);
  if (way > 1 || !isNarrow)
    return std::nullopt;
  Allowances allowances =
      measureRounding(interpreter, expected, Precision::Single);
  for (auto [sums, more] : llvm::zip_equal(
           allowances, measureFormats(expected, Precision::NarrowDrawn, 8, 3)))
    llvm::transform(llvm::zip_equal(sums, more), sums.begin(), [](auto pair) {
      return std::get<0>(pair) + std::get<1>(pair);
    });
  return allowances;
}

void EntryVerifier::compare(ArrayRef<TensorValue> expected,
                            ArrayRef<GuardedOutput> outputs,
                            VerifyCase &result) {
  std::vector<Allowances> allowances; // made when a bound is exceeded
  for (auto [index, number] : llvm::enumerate(results)) {
    const TensorValue &reference = expected[number];
    OutputError error;
    if (reference.isInteger) {
      error = compareIntegers(outputs[index].integers(), reference.integers);
    } else {
      const float *got = outputs[index].numbers();
      error = compareNumbers(got, reference.numbers, relative, {});
      for (unsigned way = 0; !(error.usedShare <= 1); ++way) {
        if (way == allowances.size()) {
          std::optional<Allowances> more = measure(way, expected);
          if (!more)
            break;
          allowances.push_back(std::move(*more));
        }
        error = compareNumbers(got, reference.numbers, relative,
                               allowances[way][number]);
      }
    }
    error.output = entry.getResultName(number).str();
    if (!(error.usedShare <= 1) && result.failure.empty())
      result.failure =
          "output '" + error.output + "' differs by more than it may";
    result.outputs.push_back(std::move(error));
  }
}

/// What the library's roundings are repeated in has to compute the same as the
/// model itself: adapters beside it, or merged.
void EntryVerifier::checkOwn(ArrayRef<TensorValue> exact, VerifyCase &result) {
  const std::vector<TensorValue> values = runOnce(*own, Precision::Double);
  std::optional<Allowances> allowances; // made when a bound is exceeded
  for (unsigned number : results) {
    if (values[number].isInteger)
      continue;
    const std::vector<float> got(values[number].numbers.begin(),
                                 values[number].numbers.end());
    const std::vector<double> &expected = exact[number].numbers;
    OutputError error =
        compareNumbers(got.data(), expected, singleRelative, {});
    if (error.usedShare <= 1)
      continue;
    if (!allowances)
      allowances = measureRounding(interpreter, exact, Precision::Single);
    error = compareNumbers(got.data(), expected, singleRelative,
                           (*allowances)[number]);
    if (!(error.usedShare <= 1) && result.failure.empty())
      result.failure = "output '" + entry.getResultName(number).str() +
                       "' of the model with its adapter apart differs from "
                       "that of the two merged";
  }
}

/// Against the reference with the library's roundings.
void EntryVerifier::compareOwn(ArrayRef<TensorValue> exact,
                               ArrayRef<GuardedOutput> outputs,
                               VerifyCase &result) {
  if (own != &interpreter)
    checkOwn(exact, result);
  const std::vector<TensorValue> rounded = runOnce(*own, Precision::Narrow),
                                 simulated = runOnce(*own, Precision::Rounded);
  const NarrowFormats &formats = options.formats;
  const bool isRepeated = formats.activations == "f32" &&
                          formats.attention == "f32" && formats.cache == "f32";
  std::optional<Allowances> allowances; // made when a bound is exceeded
  for (auto [index, number] : llvm::enumerate(results)) {
    if (rounded[number].isInteger)
      continue;
    const float *got = outputs[index].numbers();
    result.outputs[index].own =
        measureOwnRounding(got, exact[number].numbers, rounded[number].numbers,
                           simulated[number].numbers, singleRelative);
    if (!isRepeated)
      continue;
    OutputError error =
        compareNumbers(got, rounded[number].numbers, singleRelative, {});
    if (!(error.usedShare <= 1)) {
      if (!allowances)
        allowances = measureRounding(*own, rounded, Precision::Rounded);
      error = compareNumbers(got, rounded[number].numbers, singleRelative,
                             (*allowances)[number]);
    }
    if (!(error.usedShare <= 1) && result.failure.empty())
      result.failure = "output '" + result.outputs[index].output +
                       "' is off by more than f32 makes of the library's own "
                       "weights";
  }
}

std::optional<VerifyCase> EntryVerifier::run(const InputPlan &planned,
                                             uint64_t seed,
                                             ArrayRef<SessionStep> before) {
  VerifyCase result;
  result.entry = entry.getSymName().str();
  plan = planned;
  result.description = describe(entry, plan);
  steps = before;
  for (const SessionStep &step : steps)
    result.description += ", after " + describe(entry, step);
  std::vector<PlannedInput> made = makeInputs(entry, plan, seed);
  inputs.clear();
  for (const PlannedInput &input : made)
    inputs.push_back(input.value);
  Expected<std::vector<TensorValue>> expected = runAfter(
      interpreter, entry, steps, plan.sizes, inputs, Precision::Double);
  if (!expected) {
    refusal = llvm::toString(expected.takeError());
    return std::nullopt;
  }
  std::vector<GuardedOutput> outputs;
  result.failure = callLibrary(made, outputs);
  if (result.failure.empty())
    compare(*expected, outputs, result);
  if (result.failure.empty() && own)
    compareOwn(*expected, outputs, result);
  return result;
}

} // namespace attnc::interpret
