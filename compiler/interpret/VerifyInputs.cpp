//===- VerifyInputs.cpp - cases that a library is tried on ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lengths around every tile that kernels use (8, 16, 32, 48, 64, 128, 256), the
// largest, and every pattern of inputs at a few of them.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/VerifyInputs.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>
#include <limits>
#include <random>
#include <set>

using namespace mlir;

namespace attnc::interpret {

using Sizes = std::map<std::string, int64_t>;

//===----------------------------------------------------------------------===//
// What an entry takes
//===----------------------------------------------------------------------===//

static bool isInteger(attn::EntryOp entry, unsigned index) {
  return cast<RankedTensorType>(entry.getArgumentTypes()[index])
      .getElementType()
      .isInteger();
}

static std::optional<std::pair<int64_t, int64_t>> getRange(attn::EntryOp entry,
                                                           unsigned index) {
  auto range = entry.getArgAttrOfType<DenseI64ArrayAttr>(
      index, attn::AttnDialect::kRangeAttr);
  if (!range)
    return std::nullopt;
  return std::pair(range[0], range[1]);
}

static std::optional<int64_t> getDefault(attn::EntryOp entry, unsigned index) {
  auto value = entry.getArgAttrOfType<IntegerAttr>(
      index, attn::AttnDialect::kDefaultAttr);
  return value ? std::optional(value.getInt()) : std::nullopt;
}

static bool isMask(attn::EntryOp entry, unsigned index) {
  return isInteger(entry, index) && getDefault(entry, index) == 1 &&
         getRange(entry, index) == std::pair<int64_t, int64_t>(0, 1);
}

/// Whether a number of a region is only added to others, up to what it yields.
static bool isAddend(Value number) {
  return llvm::all_of(number.getUsers(), [](Operation *user) {
    return isa<attn::YieldOp>(user) ||
           (isa<arith::AddFOp, attn::LookupOp>(user) &&
            isAddend(user->getResult(0)));
  });
}

/// Numbers that score regions add, and that nobody else reads, may be -inf.
/// What multiplies a score would make of it a +inf, whose softmax is NaN.
static bool isScoreBias(attn::EntryOp entry, unsigned index) {
  BlockArgument argument = entry.getArgument(index);
  return !argument.use_empty() &&
         llvm::all_of(argument.getUses(), [](OpOperand &use) {
           auto attention = dyn_cast<attn::AttentionOp>(use.getOwner());
           if (!attention)
             return false;
           auto captures = attention.getScoreCaptures();
           if (!llvm::is_contained(captures, use.get()))
             return false;
           // Captures are the last arguments.
           auto numbers =
               attention.getScore().getArguments().take_back(captures.size());
           return llvm::all_of(llvm::zip(captures, numbers), [&](auto pair) {
             auto [capture, number] = pair;
             return capture != use.get() || isAddend(number);
           });
         });
}

static bool hasInput(attn::EntryOp entry,
                     llvm::function_ref<bool(unsigned)> test) {
  return llvm::any_of(llvm::seq<unsigned>(0, entry.getArgumentTypes().size()),
                      test);
}

SmallVector<int64_t> shapeAt(Type type, const Sizes &sizes) {
  SmallVector<int64_t> shape;
  for (const SizeExpr &dim : attn::getNamedShape(type))
    shape.push_back(dim.evaluate(
        [&](StringRef name) { return sizes.find(name.str())->second; }));
  return shape;
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

/// The bounds of a size: those of the module, narrowed by the library's.
static std::pair<int64_t, int64_t>
getBounds(attn::EntryOp entry, StringRef name, const VerifyOptions &options) {
  auto size =
      entry->getParentOfType<ModuleOp>().lookupSymbol<attn::SizeOp>(name);
  int64_t minimum = size.getMinimum().value_or(0);
  int64_t maximum = size.getMaximum().value_or(0);
  if (auto narrower = options.sizeBounds.find(name.str());
      narrower != options.sizeBounds.end()) {
    minimum = std::max(minimum, narrower->second.first);
    maximum = std::min(maximum, narrower->second.second);
  }
  return {minimum, maximum};
}

static std::vector<int64_t> getLengths(bool quick, int64_t maximum) {
  if (quick)
    return {1, 2, 7, 16, 17, 31, 33, 49, 65};
  std::vector<int64_t> lengths;
  for (int64_t length = 1; length <= 17; ++length)
    lengths.push_back(length);
  lengths.insert(lengths.end(), {31,  32,  33,  47,  48,          49,     63,
                                 64,  65,  127, 128, 129,         191,    255,
                                 256, 257, 384, 511, maximum - 1, maximum});
  return lengths;
}

/// Every size but `batch` takes the length; both are held to their bounds.
static Sizes getSizes(attn::EntryOp entry, const VerifyOptions &options,
                      int64_t batch, int64_t length) {
  Sizes sizes;
  for (auto name : entry.getSizes().getAsValueRange<StringAttr>()) {
    auto [minimum, maximum] = getBounds(entry, name, options);
    sizes[name.str()] =
        std::clamp(name == "batch" ? batch : length, minimum, maximum);
  }
  return sizes;
}

static void addPatterns(attn::EntryOp entry, const Sizes &sizes,
                        std::vector<InputPlan> &plans) {
  if (hasInput(entry, [&](unsigned i) { return isMask(entry, i); }))
    for (MaskPattern mask :
         {MaskPattern::Full, MaskPattern::Ragged, MaskPattern::RowMasked,
          MaskPattern::Holes, MaskPattern::LeftPadding, MaskPattern::LeftOut})
      plans.push_back({sizes, mask});
  if (hasInput(entry, [&](unsigned i) {
        return isInteger(entry, i) && !isMask(entry, i);
      }))
    for (IdPattern ids : {IdPattern::Minimum, IdPattern::Maximum})
      plans.push_back({sizes, MaskPattern::Full, ids});
  if (hasInput(entry, [&](unsigned i) { return !isInteger(entry, i); }))
    for (NumberPattern numbers :
         {NumberPattern::Large, NumberPattern::Denormal, NumberPattern::Mixed})
      plans.push_back({sizes, MaskPattern::Full, IdPattern::Random, numbers});
}

std::vector<InputPlan> planInputs(attn::EntryOp entry,
                                  const VerifyOptions &options) {
  int64_t maximum = 1;
  for (auto name : entry.getSizes().getAsValueRange<StringAttr>())
    if (name != "batch")
      maximum = std::max(maximum, getBounds(entry, name, options).second);
  std::vector<InputPlan> plans;
  std::set<Sizes> seen;
  auto addSizes = [&](int64_t batch, int64_t length, MaskPattern mask) {
    Sizes sizes = getSizes(entry, options, batch, length);
    if (seen.insert(sizes).second)
      plans.push_back({sizes, mask});
  };
  for (int64_t length : getLengths(options.quick, maximum))
    addSizes(1, length, MaskPattern::Full);
  for (int64_t batch : {3, 8})
    for (int64_t length : {1, 5, 16, 17, 33, 48, 65, 128})
      if (!options.quick || (batch == 3 && length <= 33))
        addSizes(batch, length, MaskPattern::Ragged);
  addPatterns(entry, getSizes(entry, options, 3, 17), plans);
  if (!options.quick) {
    addPatterns(entry, getSizes(entry, options, 1, 33), plans);
    addPatterns(entry, getSizes(entry, options, 8, 70), plans);
  }
  return plans;
}

static StringRef getName(MaskPattern pattern) {
  switch (pattern) {
  case MaskPattern::Full:
    return "full mask";
  case MaskPattern::Ragged:
    return "ragged mask";
  case MaskPattern::RowMasked:
    return "one row fully masked";
  case MaskPattern::Holes:
    return "holes in the mask";
  case MaskPattern::LeftPadding:
    return "left padding";
  case MaskPattern::LeftOut:
    return "optional inputs left out";
  }
  llvm_unreachable("an unknown pattern");
}

std::string describe(attn::EntryOp entry, const InputPlan &plan) {
  std::vector<std::string> parts;
  for (auto name : entry.getSizes().getAsValueRange<StringAttr>())
    parts.push_back(
        (name + " " + Twine(plan.sizes.find(name.str())->second)).str());
  if (hasInput(entry, [&](unsigned i) { return isMask(entry, i); }))
    parts.push_back(getName(plan.mask).str());
  if (plan.ids != IdPattern::Random)
    parts.push_back(plan.ids == IdPattern::Minimum ? "smallest ids"
                                                   : "largest ids");
  if (plan.numbers == NumberPattern::Large)
    parts.push_back("numbers up to 1e4");
  if (plan.numbers == NumberPattern::Denormal)
    parts.push_back("denormal numbers");
  if (plan.numbers == NumberPattern::Mixed)
    parts.push_back("numbers of all magnitudes");
  return parts.empty() ? "no sizes" : llvm::join(parts, ", ");
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

namespace {

/// Random numbers that are the same with every C++ library.
class Random {
public:
  explicit Random(uint64_t seed) : engine(seed) {}
  /// In [0, 1).
  double unit() { return double(engine() >> 11) * 0x1p-53; }
  /// In [minimum, maximum].
  int64_t integer(int64_t minimum, int64_t maximum) {
    return minimum + int64_t(unit() * double(maximum - minimum + 1));
  }
  double normal() {
    return std::sqrt(-2 * std::log(1 - unit())) *
           std::cos(6.283185307179586 * unit());
  }

private:
  std::mt19937_64 engine;
};

} // namespace

static int32_t maskElement(MaskPattern pattern, int64_t row, int64_t column,
                           int64_t length, int64_t kept, Random &random) {
  switch (pattern) {
  case MaskPattern::Full:
  case MaskPattern::LeftOut:
    return 1;
  case MaskPattern::Ragged:
    return column < kept;
  case MaskPattern::RowMasked:
    return row != 0 && column < kept;
  case MaskPattern::Holes:
    return random.unit() < 0.7;
  case MaskPattern::LeftPadding:
    return column >= length - kept;
  }
  llvm_unreachable("an unknown pattern");
}

static void fillMask(MaskPattern pattern, ArrayRef<int64_t> shape,
                     Random &random, std::vector<int32_t> &mask) {
  int64_t length = shape.empty() ? 1 : shape.back(), kept = 0;
  for (int64_t i = 0, count = mask.size(); i < count; ++i) {
    // The second row is a whole one, so that a ragged batch has its longest.
    if (i % length == 0)
      kept = i == length ? length : random.integer(1, length);
    mask[i] =
        maskElement(pattern, i / length, i % length, length, kept, random);
  }
}

static float numberElement(NumberPattern pattern, Random &random) {
  switch (pattern) {
  case NumberPattern::Normal:
    return random.normal();
  case NumberPattern::Large:
    return 2e4 * random.unit() - 1e4;
  case NumberPattern::Denormal:
    return std::numeric_limits<float>::min() * (random.unit() - 0.5);
  case NumberPattern::Mixed:
    // Zeros of both signs, and 60 binades around one.
    if (random.unit() < 0.1)
      return random.unit() < 0.5 ? 0.0f : -0.0f;
    return std::ldexp(random.normal(), random.integer(-30, 10));
  }
  llvm_unreachable("an unknown pattern");
}

VerifyBuffer PlannedInput::buffer() {
  if (leftOut)
    return {};
  size_t bytes = 4 * value.numElements();
  return value.isInteger ? VerifyBuffer{integers.data(), bytes}
                         : VerifyBuffer{numbers.data(), bytes};
}

std::vector<PlannedInput> makeInputs(attn::EntryOp entry, const InputPlan &plan,
                                     uint64_t seed) {
  Random random(seed);
  std::vector<PlannedInput> inputs;
  for (auto [index, type] : llvm::enumerate(entry.getArgumentTypes())) {
    PlannedInput input;
    input.value.shape = shapeAt(type, plan.sizes);
    input.value.isInteger = isInteger(entry, index);
    int64_t count = input.value.numElements();
    std::optional<int64_t> standIn = getDefault(entry, index);
    input.leftOut = plan.mask == MaskPattern::LeftOut && standIn;
    // Ids without a range may be anything: small ones are the likeliest to fit.
    auto [minimum, maximum] =
        getRange(entry, index).value_or(std::pair<int64_t, int64_t>(0, 3));
    if (input.leftOut) {
      input.integers.assign(count, *standIn);
    } else if (isMask(entry, index)) {
      input.integers.resize(count);
      fillMask(plan.mask, input.value.shape, random, input.integers);
    } else if (input.value.isInteger) {
      for (int64_t i = 0; i < count; ++i)
        input.integers.push_back(plan.ids == IdPattern::Minimum ? minimum
                                 : plan.ids == IdPattern::Maximum
                                     ? maximum
                                     : random.integer(minimum, maximum));
    } else {
      bool bias = isScoreBias(entry, index);
      for (int64_t i = 0; i < count; ++i)
        input.numbers.push_back(bias && random.unit() < 0.3
                                    ? -std::numeric_limits<float>::infinity()
                                    : numberElement(plan.numbers, random));
    }
    input.value.numbers.assign(input.numbers.begin(), input.numbers.end());
    input.value.integers.assign(input.integers.begin(), input.integers.end());
    inputs.push_back(std::move(input));
  }
  return inputs;
}

} // namespace attnc::interpret
