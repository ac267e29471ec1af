//===- RowProgram.cpp - one warp works on one row -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Norms, softmax and maps of a row region. A lane adds up its own columns in
// order, then the warp adds the lanes' sums in one fixed order, so that a row
// has the same bits wherever it stands. Every lane touches its own columns
// only: rows in memory need no barrier between ops.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/RowProgram.h"
#include "llvm/ADT/TypeSwitch.h"
#include <limits>

using namespace mlir;

namespace attnc::gpu {

static constexpr int64_t kLanes = 32;
// 64 registers for the row, as many for a second one that a region keeps.
static constexpr int64_t kRegisterColumns = 64 * kLanes;
static constexpr float kLog2E = 1.44269504f;

RowProgram::RowProgram(ProgramBuilder &builder, Value result, Value offset,
                       const SizeExpr &columns)
    : e(builder), result(result), offset(offset), columns(columns),
      inRegisters(columns.isNumber() && columns.number() <= kRegisterColumns) {}

/// Whether every op takes the row over from the one before, so that no second
/// row is kept.
static bool isChain(const attn::CapturedRegion &region) {
  Value row = region.block().getArgument(0);
  for (Operation &op : region.block()) {
    if (!row.hasOneUse() || *row.getUsers().begin() != &op)
      return false;
    auto map = dyn_cast<attn::MapOp>(op);
    if (map && map.getRowEpilogue() && !isChain(map.getRowEpilogue()))
      return false;
    if (op.getNumResults() == 1)
      row = op.getResult(0);
  }
  return true;
}

bool RowProgram::canRun(const attn::CapturedRegion &region,
                        const SizeExpr &columns) {
  return (columns.isNumber() && columns.number() <= kRegisterColumns) ||
         isChain(region);
}

//===-- columns -----------------------------------------------------------===//

/// Visits this lane's columns. `valid` is null where all lanes have one; a
/// column past the row's end is replaced by the last.
void RowProgram::visit(function_ref<void(Value, int64_t, Value)> body) {
  if (!inRegisters) {
    e.loop(e.lane(), e.size(columns), e.i32(kLanes),
           [&](Value column) { body(column, 0, Value()); });
    return;
  }
  const int64_t count = columns.number();
  for (int64_t index = 0; index * kLanes < count; ++index) {
    Value column = e.add(e.lane(), e.i32(index * kLanes));
    if ((index + 1) * kLanes <= count) {
      body(column, index, Value());
      continue;
    }
    Value valid = e.lessThan(column, e.i32(count));
    body(e.minimum(column, e.i32(count - 1)), index, valid);
  }
}

Value RowProgram::read(const Source &source, Value column, int64_t index) {
  if (!source.values.empty())
    return source.values[index];
  return e.load(source.tensor, e.add(source.offset, e.wide(column)));
}

RowProgram::Row
RowProgram::transform(function_ref<Value(Value, int64_t)> value) {
  Row row;
  visit([&](Value column, int64_t index, Value valid) {
    Value x = value(column, index);
    if (inRegisters)
      row.push_back(x);
    else
      e.store(x, result, e.add(offset, e.wide(column)));
  });
  return row;
}

RowProgram::Row
RowProgram::generate(function_ref<Value(Value column)> element) {
  return transform([&](Value column, int64_t) { return element(column); });
}

RowProgram::Row RowProgram::load() {
  if (!inRegisters)
    return {};
  Source memory{{}, result, offset};
  return transform(
      [&](Value column, int64_t index) { return read(memory, column, index); });
}

void RowProgram::store(const Row &row) {
  if (!inRegisters)
    return;
  visit([&](Value column, int64_t index, Value valid) {
    auto write = [&] {
      e.store(row[index], result, e.add(offset, e.wide(column)));
    };
    if (valid)
      e.ifThen(valid, write);
    else
      write();
  });
}

Value RowProgram::reduce(const Source &source, warp::Combine combine,
                         Term term) {
  const bool isMax = combine == warp::Combine::max;
  Value neutral = e.f32(isMax ? -std::numeric_limits<float>::infinity() : 0.0f);
  auto fold = [&](Value sum, Value x) {
    return isMax ? e.maxF(sum, x) : e.addF(sum, x);
  };
  Value total = neutral;
  if (!inRegisters) {
    total = e.loop(e.lane(), e.size(columns), e.i32(kLanes), neutral,
                   [&](Value column, ValueRange carried) -> Row {
                     return {fold(carried[0], term(read(source, column, 0)))};
                   })[0];
  } else {
    visit([&](Value column, int64_t index, Value valid) {
      Value x = term(read(source, column, index));
      total = fold(total, valid ? e.select(valid, x, neutral) : x);
    });
  }
  return warp::AllReduceOp::create(e.b, e.loc, total.getType(), combine, total);
}

//===-- ops ---------------------------------------------------------------===//

Value RowProgram::columnCount() {
  if (columns.isNumber())
    return e.f32(columns.number());
  return arith::SIToFPOp::create(e.b, e.loc, e.b.getF32Type(), e.size(columns));
}

Value RowProgram::inverseRoot(Value mean, const APFloat &epsilon) {
  Value shifted =
      e.addF(mean, e.f32(static_cast<float>(epsilon.convertToDouble())));
  return e.divF(e.f32(1), math::SqrtOp::create(e.b, e.loc, shifted));
}

/// The variance is that of the differences from the mean, whose own error is
/// taken back (Chan, Golub, LeVeque, 1983).
RowProgram::Row RowProgram::layerNorm(attn::NormOp op, const Source &x,
                                      const Sources &sources) {
  auto same = [](Value v) { return v; };
  Value count = columnCount();
  Value mean = e.divF(reduce(x, warp::Combine::add, same), count);
  auto centered = [&](Value v) { return e.subF(v, mean); };
  Value error = e.divF(reduce(x, warp::Combine::add, centered), count);
  Value squares = reduce(x, warp::Combine::add, [&](Value v) {
    Value c = centered(v);
    return e.mulF(c, c);
  });
  Value variance = e.subF(e.divF(squares, count), e.mulF(error, error));
  Value inverse = inverseRoot(e.maxF(variance, e.f32(0)), op.getEpsilon());
  return transform([&](Value column, int64_t index) {
    Value y = e.mulF(e.subF(centered(read(x, column, index)), error), inverse);
    if (Value weight = op.getWeight())
      y = e.mulF(y, read(sources.at(weight), column, index));
    if (Value bias = op.getBias())
      y = e.addF(y, read(sources.at(bias), column, index));
    return y;
  });
}

RowProgram::Row RowProgram::norm(attn::NormOp op, const Sources &sources) {
  const Source &x = sources.at(op.getInput());
  if (op.getKind() == attn::NormKind::layer)
    return layerNorm(op, x, sources);
  Value squares =
      reduce(x, warp::Combine::add, [&](Value v) { return e.mulF(v, v); });
  if (op.getKind() == attn::NormKind::l2) {
    Value root = math::SqrtOp::create(e.b, e.loc, squares);
    Value divisor = e.maxF(
        root, e.f32(static_cast<float>(op.getEpsilon().convertToDouble())));
    return transform([&](Value column, int64_t index) {
      return e.divF(read(x, column, index), divisor);
    });
  }
  Value scale = inverseRoot(e.divF(squares, columnCount()), op.getEpsilon());
  return transform([&](Value column, int64_t index) {
    Value y = e.mulF(read(x, column, index), scale);
    if (Value weight = op.getWeight())
      y = e.mulF(y, read(sources.at(weight), column, index));
    return y;
  });
}

RowProgram::Row RowProgram::softmax(const Source &x) {
  auto same = [](Value v) { return v; };
  Value highest = reduce(x, warp::Combine::max, same);
  // A row of -inf alone: exp(-inf - 0) gives the zeros that it stands for.
  Value none =
      arith::CmpFOp::create(e.b, e.loc, arith::CmpFPredicate::OEQ, highest,
                            e.f32(-std::numeric_limits<float>::infinity()));
  Value shift = e.select(none, e.f32(0), highest);
  Source weights = place(transform([&](Value column, int64_t index) {
    return e.exp2(e.mulF(e.subF(read(x, column, index), shift), e.f32(kLog2E)));
  }));
  Value total = reduce(weights, warp::Combine::add, same);
  Value empty = arith::CmpFOp::create(e.b, e.loc, arith::CmpFPredicate::OEQ,
                                      total, e.f32(0));
  Value scale = e.select(empty, e.f32(0), e.divF(e.f32(1), total));
  return transform([&](Value column, int64_t index) {
    return e.mulF(read(weights, column, index), scale);
  });
}

RowProgram::Row RowProgram::map(attn::MapOp op, const Sources &sources) {
  attn::CapturedRegion element = op.getElementEpilogue();
  // The captures are rows of this region: they are read here and given as
  // arguments that the op defines.
  attn::CapturedRegion inner{element.region,
                             element.captures.take_front(0),
                             {},
                             unsigned(element.captures.size())};
  Row row = transform([&](Value column, int64_t index) {
    SmallVector<Value> loaded;
    for (auto [capture, map] : llvm::zip(element.captures, element.maps)) {
      const Source &source = sources.at(capture);
      if (map.getNumResults() == 1 && isa<AffineDimExpr>(map.getResult(0))) {
        loaded.push_back(read(source, column, index));
        continue;
      }
      int64_t fixed = 0;
      if (map.getNumResults() == 1)
        fixed = cast<AffineConstantExpr>(map.getResult(0)).getValue();
      loaded.push_back(
          e.load(source.tensor, e.add(source.offset, e.i64(fixed))));
    }
    return e.inlineRegion(inner, loaded, {column});
  });
  attn::CapturedRegion nested = op.getRowEpilogue();
  if (!nested)
    return row;
  Sources nestedSources;
  nestedSources[nested.block().getArgument(0)] = place(row);
  for (auto [index, capture] : llvm::enumerate(nested.captures))
    nestedSources[nested.block().getArgument(index + 1)] = sources.at(capture);
  return apply(nested, std::move(nestedSources));
}

RowProgram::Row RowProgram::apply(const attn::CapturedRegion &region,
                                  Sources sources) {
  for (Operation &op : region.block().without_terminator()) {
    Row row =
        llvm::TypeSwitch<Operation *, Row>(&op)
            .Case([&](attn::NormOp norm) { return this->norm(norm, sources); })
            .Case([&](attn::SoftmaxOp softmax) {
              return this->softmax(sources.at(softmax.getInput()));
            })
            .Case([&](attn::MapOp map) { return this->map(map, sources); })
            .Default([](Operation *) -> Row {
              llvm_unreachable("the verifier admits no other op in a row");
            });
    sources[op.getResult(0)] = place(std::move(row));
  }
  return sources.at(region.yielded()).values;
}

RowProgram::Row RowProgram::run(const attn::CapturedRegion &region, Row row,
                                ArrayRef<Value> dims) {
  Sources sources;
  sources[region.block().getArgument(0)] = place(std::move(row));
  // A capture's map selects its leading dimensions by the row's index;
  // dimensions that it leaves out, or reads along the row, stay whole.
  for (auto [index, capture] : llvm::enumerate(region.captures)) {
    SmallVector<Value> indices;
    for (AffineExpr expr : region.maps[index].getResults()) {
      if (auto number = dyn_cast<AffineConstantExpr>(expr)) {
        indices.push_back(e.i32(number.getValue()));
        continue;
      }
      const unsigned position = cast<AffineDimExpr>(expr).getPosition();
      if (position >= dims.size())
        break;
      indices.push_back(dims[position]);
    }
    sources[region.block().getArgument(region.leading + index)] = {
        {}, capture, e.offsetOf(capture, indices)};
  }
  return apply(region, std::move(sources));
}

LogicalResult
ProgramBuilder::buildRowProgram(const attn::CapturedRegion &region,
                                Value result, StringRef suffix) {
  SmallVector<SizeExpr> shape = attn::getNamedShape(result.getType());
  SizeExpr columns = shape.pop_back_val();
  if (!RowProgram::canRun(region, columns))
    return kernel.emitError("error[A0521]: a row region that reads a row twice "
                            "needs rows of at most 2048 columns on a GPU, not "
                            "'")
           << columns.str() << "'; compile for a processor";
  SizeExpr rows = attn::getProduct(shape);
  begin(suffix, RowProgram::kThreads, {{rows, RowProgram::kRows}});
  Value row = add(mul(blockId(0), i32(RowProgram::kRows)), warpId());
  ifThen(lessThan(row, size(rows)), [&] {
    Value offset = mul(wide(row), size64(columns));
    RowProgram program(*this, result, offset, columns);
    program.store(program.run(region, program.load(), unflatten(row, shape)));
  });
  end();
  return success();
}

} // namespace attnc::gpu
