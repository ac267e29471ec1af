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
// of captures, of heads or batches, unsigned ones, disjunctions.
//
//===----------------------------------------------------------------------===//
#include "compiler/schedule/MaskBounds.h"
#include "mlir/IR/Matchers.h"

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

static std::optional<Linear> readLinear(Value value) {
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
  std::optional<Linear> left = readLinear(op->getOperand(0));
  std::optional<Linear> right = readLinear(op->getOperand(1));
  if (!left || !right)
    return std::nullopt;
  return isa<arith::AddIOp>(op) ? *left + *right : *left - *right;
}

/// From `difference >= 0`.
static void addBound(const Linear &difference,
                     SmallVectorImpl<KeyBound> &bounds) {
  // q + n >= kv bounds kv from above, kv >= q - n from below.
  if (difference.key == -1 && (difference.query == 0 || difference.query == 1))
    bounds.push_back({true, difference.query, difference.constant});
  if (difference.key == 1 && (difference.query == 0 || difference.query == -1))
    bounds.push_back({false, -difference.query, -difference.constant});
}

/// Adds what `condition` implies; false unless it implies nothing else.
static bool collect(Value condition, SmallVectorImpl<KeyBound> &bounds) {
  if (auto both = condition.getDefiningOp<arith::AndIOp>()) {
    const bool left = collect(both.getLhs(), bounds);
    return collect(both.getRhs(), bounds) && left;
  }
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  if (!compare)
    return false;
  std::optional<Linear> left = readLinear(compare.getLhs());
  std::optional<Linear> right = readLinear(compare.getRhs());
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
