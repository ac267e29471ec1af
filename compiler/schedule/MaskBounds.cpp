//===- MaskBounds.cpp - loop bounds from affine masks ---------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Both sides of a comparison are read as a * q + c * kv + n. Their difference
// gives a bound where kv stands in it with coefficient 1 or -1 and q with one
// that makes the bound grow with q or not depend on it. Declined: comparisons
// of captures, of heads or batches, unsigned ones, disjunctions, and sums that
// may leave 32 bits, as those of regions wrap there.
//
//===----------------------------------------------------------------------===//
#include "compiler/schedule/MaskBounds.h"
#include "dialects/attn/Conditions.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/DenseMap.h"

using namespace mlir;

namespace attnc {

namespace {
/// query * q + key * kv + constant
struct Linear {
  int64_t query = 0, key = 0, constant = 0;

  Linear operator-(const Linear &other) const {
    return {query - other.query, key - other.key, constant - other.constant};
  }
  Linear operator+(const Linear &other) const {
    return {query + other.query, key + other.key, constant + other.constant};
  }
};
} // namespace

// The arguments of a mask region are b, h, q, kv, captures.
static constexpr unsigned kQueryArgument = 2, kKeyArgument = 3;

namespace {
/// Reads integers of a mask region, each once.
class LinearReader {
public:
  std::optional<Linear> read(Value value) {
    auto found = known.find(value);
    if (found != known.end())
      return found->second;
    std::optional<Linear> result = compute(value);
    // Integers of regions have 32 bits: what may leave them is no sum.
    constexpr int64_t kMost = int64_t(1) << 30;
    if (result && (std::abs(result->constant) > kMost ||
                   std::abs(result->query) > 1 || std::abs(result->key) > 1))
      result.reset();
    return known[value] = result;
  }

private:
  std::optional<Linear> compute(Value value) {
    APInt constant;
    if (matchPattern(value, m_ConstantInt(&constant)))
      return Linear{0, 0, constant.getSExtValue()};
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      if (argument.getArgNumber() == kQueryArgument)
        return Linear{1, 0, 0};
      if (argument.getArgNumber() == kKeyArgument)
        return Linear{0, 1, 0};
      return std::nullopt;
    }
    Operation *op = value.getDefiningOp();
    if (!isa<arith::AddIOp, arith::SubIOp>(op))
      return std::nullopt;
    std::optional<Linear> left = read(op->getOperand(0));
    std::optional<Linear> right = read(op->getOperand(1));
    if (!left || !right)
      return std::nullopt;
    return isa<arith::AddIOp>(op) ? *left + *right : *left - *right;
  }

  llvm::SmallDenseMap<Value, std::optional<Linear>> known;
};
} // namespace

/// From `difference >= 0`.
static void addBound(const Linear &difference,
                     SmallVectorImpl<KeyBound> &bounds) {
  // q + n >= kv bounds kv from above, kv >= q - n from below.
  if (difference.key == -1 && (difference.query == 0 || difference.query == 1))
    bounds.push_back({true, difference.query, difference.constant});
  if (difference.key == 1 && (difference.query == 0 || difference.query == -1))
    bounds.push_back({false, -difference.query, -difference.constant});
}

/// Adds what a comparison implies; false unless it implies nothing else.
static bool collectOne(Value condition, LinearReader &reader,
                       SmallVectorImpl<KeyBound> &bounds) {
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  if (!compare)
    return false;
  std::optional<Linear> left = reader.read(compare.getLhs());
  std::optional<Linear> right = reader.read(compare.getRhs());
  if (!left || !right)
    return false;
  const size_t known = bounds.size();
  const Linear one = {0, 0, 1};
  switch (compare.getPredicate()) {
  case arith::CmpIPredicate::sge:
    addBound(*left - *right, bounds);
    return bounds.size() == known + 1;
  case arith::CmpIPredicate::sgt:
    addBound(*left - *right - one, bounds);
    return bounds.size() == known + 1;
  case arith::CmpIPredicate::sle:
    addBound(*right - *left, bounds);
    return bounds.size() == known + 1;
  case arith::CmpIPredicate::slt:
    addBound(*right - *left - one, bounds);
    return bounds.size() == known + 1;
  case arith::CmpIPredicate::eq:
    addBound(*left - *right, bounds);
    addBound(*right - *left, bounds);
    return bounds.size() == known + 2;
  default:
    return false;
  }
}

/// The same for all comparisons that must hold, each once.
static bool collect(Value condition, SmallVectorImpl<KeyBound> &bounds) {
  LinearReader reader;
  bool isAll = true;
  for (Value comparison : attn::collectConditions(condition))
    isAll &= collectOne(comparison, reader, bounds);
  return isAll;
}

SmallVector<KeyBound> findKeyBounds(const attn::CapturedRegion &mask) {
  SmallVector<KeyBound> bounds;
  if (mask)
    collect(mask.yielded(), bounds);
  return bounds;
}

bool areBoundsExact(const attn::CapturedRegion &mask) {
  SmallVector<KeyBound> bounds;
  return !mask || collect(mask.yielded(), bounds);
}

} // namespace attnc
