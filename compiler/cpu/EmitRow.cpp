//===- EmitRow.cpp - row regions ------------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A row region (norm, softmax, maps of rank 1) on one row in memory, in place:
// every op runs over the whole row before the next one. A row value that is
// still needed when a later op replaces the row gets a buffer on the stack.
// Sums run in several vectors, always the same for a length, added in a fixed
// order; square roots and quotients are exact operations.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Emitter.h"
#include "llvm/ADT/TypeSwitch.h"
#include <limits>

using namespace mlir;

namespace attnc::cpu {

namespace {
class RowEmitter {
public:
  RowEmitter(KernelEmitter &emitter, const SizeExpr &length)
      : e(emitter), b(emitter.b), loc(emitter.loc), length(length) {}

  void run(const attn::CapturedRegion &region, Value row, ArrayRef<Value> dims);

private:
  using Values = MutableArrayRef<Value>;
  using Term = function_ref<void(Value column, Value mask, Values carried)>;

  void placeCaptures(const attn::CapturedRegion &region, ArrayRef<Value> dims);
  Value destination(Operation *op, Value row);
  void emitNorm(attn::NormOp op, Value target);
  void emitLayerNorm(attn::NormOp op, Value source, Value target);
  void emitSoftmax(Value source, Value target);
  void emitMap(attn::MapOp op, Value target);

  bool isStatic() const { return length.isNumber(); }
  /// The number of columns as f32.
  Value columnCount();
  void visit(function_ref<void(Value column, Value mask)> body);
  void visitDynamic(function_ref<void(Value column, Value mask)> body);
  SmallVector<Value> accumulate(ArrayRef<Value> initial, Term term,
                                function_ref<Value(Value, Value)> combine);
  SmallVector<Value> sums(unsigned count, Term addTerms);
  Value load(Value place, Value column, Value mask) {
    return e.loadVector(e.at(place, column), mask);
  }
  void store(Value value, Value place, Value column, Value mask) {
    e.storeVector(value, e.at(place, column), mask);
  }
  Value sumOfSquares(Value source);
  Value inverseRoot(Value mean, const APFloat &epsilon);

  KernelEmitter &e;
  OpBuilder &b;
  Location loc;
  SizeExpr length;                     ///< columns
  llvm::DenseMap<Value, Value> places; ///< where a row or capture lies
};
} // namespace

//===-- walking a row -----------------------------------------------------===//

/// Every vector of the row; `mask` is null where all lanes are columns.
void RowEmitter::visit(function_ref<void(Value, Value)> body) {
  if (!isStatic())
    return visitDynamic(body);
  const int64_t lanes = e.lanes, columns = length.number();
  const int64_t whole = columns / lanes * lanes;
  if (whole == lanes)
    body(e.i64(0), Value());
  else if (whole)
    e.loop(e.i64(0), e.i64(whole), lanes,
           [&](Value column) { body(column, Value()); });
  if (whole < columns)
    body(e.i64(whole), e.tailMask(e.i64(columns - whole)));
}

void RowEmitter::visitDynamic(function_ref<void(Value, Value)> body) {
  Value columns = e.size(length), lanes = e.i64(e.lanes);
  Value whole = e.mul(e.div(columns, lanes), lanes);
  e.loop(e.i64(0), whole, e.lanes,
         [&](Value column) { body(column, Value()); });
  e.ifThen(e.lessThan(whole, columns),
           [&] { body(whole, e.tailMask(e.sub(columns, whole))); });
}

Value RowEmitter::columnCount() {
  if (isStatic())
    return e.f32(length.number());
  return arith::SIToFPOp::create(b, loc, b.getF32Type(), e.size(length));
}

/// Folds `term` over the row in kParts vectors of each of the initial values:
/// vector i goes to part i mod kParts, and the parts are combined pairwise.
SmallVector<Value>
RowEmitter::accumulate(ArrayRef<Value> initial, Term term,
                       function_ref<Value(Value, Value)> combine) {
  // Four chains hide the latency of an addition.
  constexpr int64_t kParts = 4;
  const int64_t lanes = e.lanes, step = kParts * lanes;
  Value columns = e.size(length);
  Value whole = e.mul(e.div(columns, e.i64(step)), e.i64(step));
  const size_t width = initial.size();
  SmallVector<Value> parts;
  for (int64_t i = 0; i < kParts; ++i)
    parts.append(initial.begin(), initial.end());
  auto addTo = [&](MutableArrayRef<Value> parts, int64_t part, Value column,
                   Value mask) {
    term(column, mask, parts.slice(part * width, width));
  };
  if (!isStatic() || length.number() >= step)
    parts = e.loop(e.i64(0), whole, step, parts,
                   [&](Value column, ValueRange carried) {
                     SmallVector<Value> next(carried);
                     for (int64_t i = 0; i < kParts; ++i)
                       addTo(next, i, e.add(column, e.i64(i * lanes)), Value());
                     return next;
                   });
  // What is left: up to kParts vectors. Of a length known at run time only,
  // each is masked; a term of no lanes adds nothing.
  for (int64_t part = 0; part < kParts; ++part) {
    Value column = e.add(whole, e.i64(part * lanes));
    Value mask;
    if (isStatic()) {
      const int64_t left = length.number() % step - part * lanes;
      if (left <= 0)
        break;
      if (left < lanes)
        mask = e.tailMask(e.i64(left));
    } else {
      mask = e.tailMask(e.sub(columns, column));
    }
    addTo(parts, part, column, mask);
  }
  SmallVector<Value> result;
  for (size_t i = 0; i < width; ++i)
    result.push_back(
        combine(combine(parts[i], parts[width + i]),
                combine(parts[2 * width + i], parts[3 * width + i])));
  return result;
}

SmallVector<Value> RowEmitter::sums(unsigned count, Term addTerms) {
  SmallVector<Value> zeros(count, e.splat(e.f32(0)));
  SmallVector<Value> result =
      accumulate(zeros, addTerms, [&](Value x, Value y) -> Value {
        return arith::AddFOp::create(b, loc, x, y);
      });
  for (Value &sum : result)
    sum = e.reduceAdd(sum);
  return result;
}

Value RowEmitter::sumOfSquares(Value source) {
  return sums(1, [&](Value column, Value mask, Values carried) {
    Value x = load(source, column, mask);
    carried[0] = e.fma(x, x, carried[0]);
  })[0];
}

//===-- norms and softmax -------------------------------------------------===//

/// 1 / sqrt(mean + epsilon)
Value RowEmitter::inverseRoot(Value mean, const APFloat &epsilon) {
  Value shifted = arith::AddFOp::create(
      b, loc, mean, e.f32(static_cast<float>(epsilon.convertToDouble())));
  Value root = math::SqrtOp::create(b, loc, shifted);
  return arith::DivFOp::create(b, loc, e.f32(1), root);
}

/// Two passes with a correction (Chan, Golub, LeVeque, 1983): what rounding did
/// to the mean is found while the squares are summed, and taken back.
void RowEmitter::emitLayerNorm(attn::NormOp op, Value source, Value target) {
  auto overColumns = [&](Value total) -> Value {
    return arith::DivFOp::create(b, loc, total, columnCount());
  };
  Value total = sums(1, [&](Value column, Value mask, Values carried) {
    carried[0] =
        arith::AddFOp::create(b, loc, carried[0], load(source, column, mask));
  })[0];
  Value mean = e.splat(overColumns(total));
  auto centered = [&](Value column, Value mask) -> Value {
    return arith::SubFOp::create(b, loc, load(source, column, mask), mean);
  };
  SmallVector<Value> moments =
      sums(2, [&](Value column, Value mask, Values carried) {
        Value x = centered(column, mask);
        if (mask)
          x = arith::SelectOp::create(b, loc, mask, x, e.splat(e.f32(0)));
        carried[0] = arith::AddFOp::create(b, loc, carried[0], x);
        carried[1] = e.fma(x, x, carried[1]);
      });
  Value error = overColumns(moments[0]);
  Value variance =
      arith::SubFOp::create(b, loc, overColumns(moments[1]),
                            arith::MulFOp::create(b, loc, error, error));
  variance = e.maxF32(e.f32(0), variance);
  Value inverse = inverseRoot(variance, op.getEpsilon());
  Value scale = e.splat(inverse);
  Value shift = e.splat(arith::MulFOp::create(
      b, loc, arith::NegFOp::create(b, loc, error), inverse));
  visit([&](Value column, Value mask) {
    Value y = e.fma(centered(column, mask), scale, shift);
    Value weight = op.getWeight(), bias = op.getBias();
    if (weight)
      weight = load(places.lookup(weight), column, mask);
    if (bias)
      bias = load(places.lookup(bias), column, mask);
    if (weight && bias)
      y = e.fma(y, weight, bias);
    else if (weight)
      y = arith::MulFOp::create(b, loc, y, weight);
    else if (bias)
      y = arith::AddFOp::create(b, loc, y, bias);
    store(y, target, column, mask);
  });
}

void RowEmitter::emitNorm(attn::NormOp op, Value target) {
  Value source = places.lookup(op.getInput());
  if (op.getKind() == attn::NormKind::layer)
    return emitLayerNorm(op, source, target);
  Value squares = sumOfSquares(source);
  if (op.getKind() == attn::NormKind::l2) {
    Value root = math::SqrtOp::create(b, loc, squares);
    Value divisor = e.splat(e.maxF32(
        root, e.f32(static_cast<float>(op.getEpsilon().convertToDouble()))));
    return visit([&](Value column, Value mask) {
      Value x = load(source, column, mask);
      store(arith::DivFOp::create(b, loc, x, divisor), target, column, mask);
    });
  }
  Value mean = arith::DivFOp::create(b, loc, squares, columnCount());
  Value scale = e.splat(inverseRoot(mean, op.getEpsilon()));
  visit([&](Value column, Value mask) {
    Value y = arith::MulFOp::create(b, loc, load(source, column, mask), scale);
    if (Value weight = op.getWeight())
      y = arith::MulFOp::create(b, loc, y,
                                load(places.lookup(weight), column, mask));
    store(y, target, column, mask);
  });
}

void RowEmitter::emitSoftmax(Value source, Value target) {
  Value lowest = e.f32(-std::numeric_limits<float>::infinity());
  auto loadOr = [&](Value place, Value column, Value mask) -> Value {
    Value x = load(place, column, mask);
    return mask ? arith::SelectOp::create(b, loc, mask, x, e.splat(lowest)) : x;
  };
  Value highest = e.reduceMax(accumulate(
      e.splat(lowest),
      [&](Value column, Value mask, Values carried) {
        carried[0] = e.maxF32(loadOr(source, column, mask), carried[0]);
      },
      [&](Value x, Value y) { return e.maxF32(x, y); })[0]);
  // A row of -inf alone: exp(-inf - 0) gives the zeros that it stands for.
  Value none =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, highest, lowest);
  highest = arith::SelectOp::create(b, loc, none, e.f32(0), highest);
  Value shift = e.splat(highest);
  Value total = sums(1, [&](Value column, Value mask, Values carried) {
    Value shifted =
        arith::SubFOp::create(b, loc, loadOr(source, column, mask), shift);
    Value weights = math::ExpOp::create(b, loc, shifted);
    store(weights, target, column, mask);
    carried[0] = arith::AddFOp::create(b, loc, carried[0], weights);
  })[0];
  Value empty =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, total, e.f32(0));
  Value inverse = arith::DivFOp::create(b, loc, e.f32(1), total);
  Value scale =
      e.splat(arith::SelectOp::create(b, loc, empty, e.f32(0), inverse));
  visit([&](Value column, Value mask) {
    Value y = arith::MulFOp::create(b, loc, load(target, column, mask), scale);
    store(y, target, column, mask);
  });
}

//===-- maps --------------------------------------------------------------===//

void RowEmitter::emitMap(attn::MapOp op, Value target) {
  attn::CapturedRegion element = op.getElementEpilogue();
  // The captures are rows of this region, not arguments of the kernel: they are
  // loaded here and given as arguments that the op defines.
  attn::CapturedRegion inner{element.region,
                             element.captures.take_front(0),
                             {},
                             unsigned(element.captures.size())};
  visit([&](Value column, Value mask) {
    SmallVector<Value> loaded;
    for (auto [capture, map] : llvm::zip(element.captures, element.maps)) {
      Value place = places.lookup(capture);
      if (map.getNumResults() == 1 && isa<AffineDimExpr>(map.getResult(0))) {
        loaded.push_back(load(place, column, mask));
        continue;
      }
      int64_t index = 0;
      if (map.getNumResults() == 1)
        index = cast<AffineConstantExpr>(map.getResult(0)).getValue();
      loaded.push_back(e.splat(e.loadF32(e.at(place, e.i64(index)))));
    }
    store(e.inlineRegion(inner, loaded, {column}, 0, mask), target, column,
          mask);
  });
  if (attn::CapturedRegion row = op.getRowEpilogue()) {
    RowEmitter nested(e, length);
    for (auto [index, capture] : llvm::enumerate(row.captures))
      nested.places[row.block().getArgument(index + 1)] =
          places.lookup(capture);
    nested.run(row, target, {});
  }
}

//===-- the region --------------------------------------------------------===//

/// A capture's map selects its leading dimensions by the row's index;
/// dimensions that the map leaves out, or that it reads along the row itself,
/// stay whole.
void RowEmitter::placeCaptures(const attn::CapturedRegion &region,
                               ArrayRef<Value> dims) {
  for (auto [index, capture] : llvm::enumerate(region.captures)) {
    BlockArgument argument = region.block().getArgument(region.leading + index);
    if (places.count(argument))
      continue;
    SmallVector<Value> indices;
    for (AffineExpr expr : region.maps[index].getResults()) {
      if (auto number = dyn_cast<AffineConstantExpr>(expr)) {
        indices.push_back(e.i64(number.getValue()));
        continue;
      }
      const unsigned position = cast<AffineDimExpr>(expr).getPosition();
      if (position >= dims.size())
        break;
      indices.push_back(dims[position]);
    }
    places[argument] = e.at(e.pointerOf(capture), e.offsetOf(capture, indices));
  }
}

/// The row itself, unless a value in it is needed after `op`.
Value RowEmitter::destination(Operation *op, Value row) {
  for (auto [value, place] : places) {
    if (place != row)
      continue;
    for (Operation *user : value.getUsers())
      if (op->isBeforeInBlock(user)) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToStart(&e.function.front());
        Value count = arith::ConstantOp::create(
            b, loc, b.getI64IntegerAttr(length.number()));
        constexpr unsigned kAlignment = 64;
        return LLVM::AllocaOp::create(
            b, loc, LLVM::LLVMPointerType::get(b.getContext()), b.getF32Type(),
            count, kAlignment);
      }
  }
  return row;
}

void RowEmitter::run(const attn::CapturedRegion &region, Value row,
                     ArrayRef<Value> dims) {
  placeCaptures(region, dims);
  places[region.block().getArgument(0)] = row;
  for (Operation &op : region.block().without_terminator()) {
    Value target = destination(&op, row);
    llvm::TypeSwitch<Operation *>(&op)
        .Case([&](attn::NormOp norm) { emitNorm(norm, target); })
        .Case([&](attn::SoftmaxOp softmax) {
          emitSoftmax(places.lookup(softmax.getInput()), target);
        })
        .Case([&](attn::MapOp map) { emitMap(map, target); })
        .Default([](Operation *) {
          llvm_unreachable("the verifier admits no other op in a row region");
        });
    places[op.getResult(0)] = target;
  }
  Value result = places.lookup(region.yielded());
  if (result != row)
    visit([&](Value column, Value mask) {
      store(load(result, column, mask), row, column, mask);
    });
}

bool KernelEmitter::isRowChain(const attn::CapturedRegion &region) {
  Block &block = region.block();
  Value row = block.getArgument(0);
  for (Operation &op : block) {
    if (!row.hasOneUse() || *row.getUsers().begin() != &op)
      return false;
    auto map = dyn_cast<attn::MapOp>(op);
    if (map && map.getRowEpilogue() && !isRowChain(map.getRowEpilogue()))
      return false;
    if (op.getNumResults() == 1)
      row = op.getResult(0);
  }
  return true;
}

void KernelEmitter::emitRow(const attn::CapturedRegion &region, Value row,
                            const SizeExpr &columns, ArrayRef<Value> dims) {
  assert((columns.isNumber() || isRowChain(region)) && "rows that are kept");
  RowEmitter(*this, columns).run(region, row, dims);
}

} // namespace attnc::cpu
