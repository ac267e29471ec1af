//===- BuildLinear.cpp - products on tensor cores -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.linear` and `attn.matmul`. A block owns a tile of the result and walks
// K with `stages` stages of tiles in shared memory, of which all but one are
// being copied while one is multiplied:
//
//   copy stages 0 .. S - 2
//   for k: wait for stage k; sync; copy stage k + S - 1; multiply stage k
//   element region on the sums in registers; store
//
// The row region runs as a second program over complete rows.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/LinearBuilder.h"

using namespace mlir;

namespace attnc::gpu {

ProductTile chooseProductTile(kernel::FuncOp kernel, Operands operands) {
  // Rows of 64 bytes of K per stage, in four stages: two blocks fit on a
  // multiprocessor of sm_80.
  const bool isF32 = operands == Operands::TF32 || operands == Operands::F32;
  const int64_t depth = isF32 ? 16 : 32;
  kernel::TileAttr tile = kernel.getTileAttr();
  if (tile && tile.getRows() == 128)
    return {128, 128, depth, 4, 2, 4};
  return {64, 64, depth, 4, 2, 2};
}

Value ProductBuilder::warpRow() {
  return e.mul(e.div(e.warpId(), e.i32(t.warpColumns)),
               e.i32(t.rows / t.warpRows));
}

Value ProductBuilder::warpColumn() {
  return e.mul(e.rem(e.warpId(), e.i32(t.warpColumns)),
               e.i32(t.columns / t.warpColumns));
}

void ProductBuilder::allocate(bool rhsIsDepthByColumns) {
  isDepthByColumns = rhsIsDepthByColumns;
  MLIRContext *context = e.b.getContext();
  Type element = e.operandType();
  auto alloc = [&](int64_t rows, int64_t columns) -> Value {
    auto type = warp::TileType::get(context, t.stages, rows, columns, element);
    return warp::AllocOp::create(e.b, e.loc, type, /*panels=*/false,
                                 IntegerAttr(), warp::LayoutAttr());
  };
  lhsTile = alloc(t.rows, t.depth);
  rhsTile =
      isDepthByColumns ? alloc(t.depth, t.columns) : alloc(t.columns, t.depth);
}

Value ProductBuilder::stage(Value tile, Value index) {
  auto type = cast<warp::TileType>(tile.getType());
  auto one = warp::TileType::get(e.b.getContext(), 1, type.getRows(),
                                 type.getColumns(), type.getElement());
  return warp::StageOp::create(e.b, e.loc, one, tile, index);
}

void ProductBuilder::copy(const Side &side, Value tile, Value row,
                          Value column) {
  Type element = e.storageOf(side.argument);
  Value source = e.at(e.pointerOf(side.argument), side.start, element);
  const bool async = side.aligned && element == e.operandType();
  warp::CopyOp::create(e.b, e.loc, source, row, column, side.rows, side.columns,
                       side.stride, element, tile, async, side.aligned);
}

/// One stage: steps of the instruction's K.
Value ProductBuilder::multiply(Value lhs, Value rhs, Value sums) {
  MLIRContext *context = e.b.getContext();
  const int64_t step = e.operandDepth();
  const int64_t rows = t.rows / t.warpRows;
  const int64_t columns = t.columns / t.warpColumns;
  Type element = e.operandType();
  auto lhsType =
      warp::FragmentType::get(context, warp::Role::lhs, rows, step, element);
  auto rhsType =
      warp::FragmentType::get(context, warp::Role::rhs, step, columns, element);
  for (int64_t k = 0; k < t.depth; k += step) {
    Value left = warp::LoadOp::create(e.b, e.loc, lhsType, lhs, warpRow(),
                                      e.i32(k), false, false);
    Value right = warp::LoadOp::create(
        e.b, e.loc, rhsType, rhs, isDepthByColumns ? e.i32(k) : warpColumn(),
        isDepthByColumns ? warpColumn() : e.i32(k), isDepthByColumns, false);
    sums = warp::MmaOp::create(e.b, e.loc, sums.getType(), left, right, sums,
                               e.precision());
  }
  return sums;
}

Value ProductBuilder::build(const Side &lhs, const Side &rhs, Value row,
                            Value column, Value depth) {
  OpBuilder &b = e.b;
  auto accType = warp::FragmentType::get(
      b.getContext(), warp::Role::acc, t.rows / t.warpRows,
      t.columns / t.warpColumns, b.getF32Type());
  Value steps = e.ceilDiv(depth, t.depth);
  auto copyStage = [&](Value step) {
    Value index = e.rem(step, e.i32(t.stages));
    Value k = e.mul(step, e.i32(t.depth));
    copy(lhs, stage(lhsTile, index), row, k);
    if (isDepthByColumns)
      copy(rhs, stage(rhsTile, index), k, column);
    else
      copy(rhs, stage(rhsTile, index), column, k);
  };
  for (int64_t s = 0; s < t.stages - 1; ++s) {
    e.ifThen(e.lessThan(e.i32(s), steps), [&] { copyStage(e.i32(s)); });
    warp::CommitOp::create(b, e.loc);
  }
  Value zero = warp::SplatOp::create(b, e.loc, accType, e.f32(0));
  return e.loop(e.i32(0), steps, e.i32(1), zero,
                [&](Value step, ValueRange carried) -> SmallVector<Value> {
                  warp::WaitOp::create(b, e.loc, t.stages - 2);
                  warp::SyncOp::create(b, e.loc);
                  Value next = e.add(step, e.i32(t.stages - 1));
                  e.ifThen(e.lessThan(next, steps), [&] { copyStage(next); });
                  warp::CommitOp::create(b, e.loc);
                  Value index = e.rem(step, e.i32(t.stages));
                  return {multiply(stage(lhsTile, index), stage(rhsTile, index),
                                   carried[0])};
                })[0];
}

/// Chunks of 16 bytes of a tile, in elements.
static int64_t chunkElements(ProgramBuilder &e) {
  return 128 / e.operandType().getIntOrFloatBitWidth();
}

LinearBuilder::LinearBuilder(ProgramBuilder &e, attn::LinearOp op)
    : e(e), op(op), narrow(getNarrowWeights(e, op.getWeight())) {
  leading = attn::getNamedShape(op.getResult().getType());
  columns = leading.pop_back_val().number();
  depth = attn::getNamedShape(op.getWeight().getType())[1].number();
  rowCount = attn::getProduct(leading);
}

void LinearBuilder::finish(Value sums, Value row, Value column) {
  OpBuilder &b = e.b;
  Value rows = e.size(rowCount);
  attn::CapturedRegion element = op.getElementEpilogue();
  // Weights of one scale a row were multiplied as q.
  const bool isScaled = narrow && narrow->group == 0;
  if (element || isScaled) {
    auto map = warp::MapOp::create(b, e.loc, sums.getType(), sums, row, column);
    OpBuilder::InsertionGuard guard(b);
    Block *block = b.createBlock(
        &map.getBody(), {}, {b.getF32Type(), b.getI32Type(), b.getI32Type()},
        {e.loc, e.loc, e.loc});
    Value m = block->getArgument(1), n = block->getArgument(2);
    // Captures of elements past the edges are those of the edge.
    SmallVector<Value> dims = e.unflatten(m, leading);
    SmallVector<Value> safe =
        e.unflatten(e.minimum(m, e.sub(rows, e.i32(1))), leading);
    dims.push_back(n);
    safe.push_back(e.minimum(n, e.i32(columns - 1)));
    Value result = block->getArgument(0);
    if (isScaled) {
      Value scales = e.at(e.pointerOf(op.getWeight()),
                          e.i64(narrow->scaleOffset), b.getI8Type());
      Type number = b.getF32Type();
      Value place = e.at(scales, e.wide(safe.back()), number);
      result = e.mulF(result, e.loadAt(place, number));
    }
    if (element)
      result = e.inlineRegion(element, result, dims, safe);
    warp::YieldOp::create(b, e.loc, result);
    sums = map.getResult(0);
  }
  warp::StoreOp::create(b, e.loc, sums, e.pointerOf(op.getResult()), row,
                        column, rows, e.i32(columns), e.i64(columns),
                        e.storageOf(op.getResult()), columns % 2 == 0);
}

void LinearBuilder::begin(StringRef suffix, int64_t threads,
                          ArrayRef<GridSize> grid,
                          ArrayRef<ProgramBuilder::MapShape> maps) {
  e.begin(suffix, threads, grid, maps);
  if (canStream())
    e.launchWhere(rowCount, kFewRows, /*atMost=*/!suffix.empty());
}

void LinearBuilder::buildTiles() {
  ProductTile tile = narrow ? chooseNarrowTile(e.kernel, e.operands)
                            : chooseProductTile(e.kernel, e.operands);
  begin("", tile.threads(), {{rowCount, tile.rows}, {columns, tile.columns}});
  ProductBuilder product(e, tile);
  if (narrow)
    product.allocateNarrow();
  else
    product.allocate(false);
  Value rows = e.size(rowCount);
  Value row = e.mul(e.blockId(0), e.i32(tile.rows));
  Value column = e.mul(e.blockId(1), e.i32(tile.columns));
  e.ifThen(e.lessThan(row, rows), [&] {
    const int64_t chunk = chunkElements(e);
    const unsigned rank = op.getInput().getType().getRank();
    ProductBuilder::Side lhs{op.getInput(),
                             e.i64(0),
                             rows,
                             e.i32(depth),
                             e.strideOf(op.getInput(), rank - 2),
                             e.isAligned(op.getInput(), chunk)};
    ProductBuilder::Side rhs{op.getWeight(), e.i64(0),     e.i32(columns),
                             e.i32(depth),   e.i64(depth), depth % chunk == 0};
    Value sums = narrow ? product.buildNarrow(lhs, op.getWeight(), *narrow,
                                              columns, row, column, depth)
                        : product.build(lhs, rhs, row, column, e.i32(depth));
    finish(sums, e.add(row, product.warpRow()),
           e.add(column, product.warpColumn()));
  });
  e.end();
}

bool LinearBuilder::canUseGroups() {
  constexpr int64_t kAligned = 8; // strides of tensor maps: 16 bytes
  return e.target.sm >= 90 && !e.precision() && depth % kAligned == 0 &&
         e.storageOf(op.getInput()) == e.operandType() &&
         e.storageOf(op.getWeight()) == e.operandType() &&
         e.isAligned(op.getInput(), kAligned);
}

void LinearBuilder::buildGroups() {
  using Product = GroupProductBuilder;
  const int64_t tileColumns = Product::chooseColumns(columns);
  const unsigned rank = op.getInput().getType().getRank();
  begin(
      "", Product::kThreads,
      {{rowCount, Product::kRows}, {columns, tileColumns}},
      {Product::describe(op.getInput(), rowCount, depth,
                         e.strideExpr(op.getInput(), rank - 2), Product::kRows),
       Product::describe(op.getWeight(), columns, depth, depth, tileColumns)});
  Product product(e, tileColumns);
  product.allocate();
  Value row = e.mul(e.blockId(0), e.i32(Product::kRows));
  Value column = e.mul(e.blockId(1), e.i32(tileColumns));
  e.ifThen(e.lessThan(row, e.size(rowCount)), [&] {
    product.build(row, column, depth, [&](Value sums, Value sumsRow) {
      finish(sums, sumsRow, column);
    });
  });
  e.end();
}

void LinearBuilder::build() {
  if (canStream())
    buildFewRows();
  if (canUseGroups())
    buildGroups();
  else
    buildTiles();
}

LogicalResult ProgramBuilder::buildLinear(attn::LinearOp op) {
  LinearBuilder(*this, op).build();
  if (attn::CapturedRegion region = op.getRowEpilogue())
    return buildRowProgram(region, op.getResult(), "_rows");
  return success();
}

LogicalResult ProgramBuilder::buildMatmul(attn::MatmulOp op) {
  ProductTile tile = chooseProductTile(kernel, operands);
  auto shape = attn::getNamedShape(op.getResult().getType());
  const unsigned rank = shape.size();
  SizeExpr columnCount = shape[rank - 1], rowCount = shape[rank - 2];
  ArrayRef<SizeExpr> leading = ArrayRef(shape).drop_back(2);
  begin("", tile.threads(),
        {{rowCount, tile.rows},
         {columnCount, tile.columns},
         {attn::getProduct(leading), 1}});
  ProductBuilder product(*this, tile);
  product.allocate(!op.getTransposeRhs());
  Value rows = size(rowCount), columns = size(columnCount);
  Value depth = size(attn::getNamedShape(op.getLhs().getType())[rank - 1]);
  Value row = mul(blockId(0), i32(tile.rows));
  Value column = mul(blockId(1), i32(tile.columns));
  ifThen(both(lessThan(row, rows), lessThan(column, columns)), [&] {
    SmallVector<Value> batch =
        unflatten(leading.empty() ? i32(0) : blockId(2), leading);
    auto side = [&](Value argument, Value sideRows,
                    Value sideColumns) -> ProductBuilder::Side {
      return {argument,
              offsetOf(argument, batch),
              sideRows,
              sideColumns,
              strideOf(argument, rank - 2),
              isAligned(argument, chunkElements(*this))};
    };
    ProductBuilder::Side rhs = op.getTransposeRhs()
                                   ? side(op.getRhs(), columns, depth)
                                   : side(op.getRhs(), depth, columns);
    Value sums =
        product.build(side(op.getLhs(), rows, depth), rhs, row, column, depth);
    Type element = storageOf(op.getResult());
    Value target =
        at(pointerOf(op.getResult()), offsetOf(op.getResult(), batch), element);
    const bool paired = columnCount.isNumber() && columnCount.number() % 2 == 0;
    warp::StoreOp::create(b, loc, sums, target, add(row, product.warpRow()),
                          add(column, product.warpColumn()), rows, columns,
                          strideOf(op.getResult(), rank - 2), element, paired);
  });
  end();
  return success();
}

/// One product per head: rows of the head by its matrix [K, N].
LogicalResult ProgramBuilder::buildHeadLinear(attn::HeadLinearOp op) {
  ProductTile tile = chooseProductTile(kernel, operands);
  SmallVector<SizeExpr> shape = attn::getNamedShape(op.getResult().getType());
  const int64_t columns = shape.pop_back_val().number();
  const int64_t heads = shape.pop_back_val().number();
  auto weight = attn::getNamedShape(op.getWeight().getType());
  const int64_t depth = weight[1].number();
  const unsigned rowDim = shape.size() - 1;
  SizeExpr rowCount = attn::getProduct(shape);
  begin("", tile.threads(),
        {{rowCount, tile.rows}, {columns, tile.columns}, {heads, 1}});
  ProductBuilder product(*this, tile);
  product.allocate(true);
  Value rows = size(rowCount), head = wide(blockId(2));
  Value row = mul(blockId(0), i32(tile.rows));
  Value column = mul(blockId(1), i32(tile.columns));
  ifThen(lessThan(row, rows), [&] {
    const int64_t chunk = chunkElements(*this);
    ProductBuilder::Side lhs{op.getInput(),
                             mul(head, i64(depth)),
                             rows,
                             i32(depth),
                             strideOf(op.getInput(), rowDim),
                             isAligned(op.getInput(), chunk)};
    ProductBuilder::Side rhs{op.getWeight(), mul(head, i64(depth * columns)),
                             i32(depth),     i32(columns),
                             i64(columns),   columns % chunk == 0};
    Value sums = product.build(lhs, rhs, row, column, i32(depth));
    Type element = storageOf(op.getResult());
    Value target =
        at(pointerOf(op.getResult()), mul(head, i64(columns)), element);
    warp::StoreOp::create(b, loc, sums, target, add(row, product.warpRow()),
                          add(column, product.warpColumn()), rows, i32(columns),
                          i64(heads * columns), element, columns % 2 == 0);
  });
  end();
  return success();
}

} // namespace attnc::gpu
