//===- BuildMap.cpp - maps, embeddings, positions -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.map` and `attn.embedding`, one warp per row, the row region on the row
// in registers where it fits; `attn.token_positions`, one thread per sequence.
// Ids are clamped to their table: nobody checked those in device memory.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/RowProgram.h"

using namespace mlir;

namespace attnc::gpu {

/// An error unless the row region, if there is one, can run.
static LogicalResult checkRow(Operation *op, const attn::CapturedRegion &row,
                              const SizeExpr &columns) {
  if (!row || RowProgram::canRun(row, columns))
    return success();
  return op->emitError("error[A0521]: a row region that reads a row twice "
                       "needs rows of at most 2048 columns on a GPU, not '")
         << columns.str() << "'; compile for a processor";
}

LogicalResult ProgramBuilder::buildMap(attn::MapOp op) {
  attn::CapturedRegion element = op.getElementEpilogue();
  attn::CapturedRegion region = op.getRowEpilogue();
  SmallVector<SizeExpr> shape = attn::getNamedShape(op.getResult().getType());
  const bool isScalar = shape.empty();
  SizeExpr columns = isScalar ? SizeExpr(1) : shape.pop_back_val();
  if (failed(checkRow(op, region, columns)))
    return failure();
  SizeExpr rows = attn::getProduct(shape);
  begin("", RowProgram::kThreads, {{rows, RowProgram::kRows}});
  Value row = add(mul(blockId(0), i32(RowProgram::kRows)), warpId());
  ifThen(lessThan(row, size(rows)), [&] {
    SmallVector<Value> dims = unflatten(row, shape);
    RowProgram program(*this, op.getResult(), mul(wide(row), size64(columns)),
                       columns);
    RowProgram::Row values = program.generate([&](Value column) {
      SmallVector<Value> all(dims);
      if (!isScalar)
        all.push_back(column);
      return inlineRegion(element, {}, all);
    });
    program.store(region ? program.run(region, values, dims) : values);
  });
  end();
  return success();
}

LogicalResult ProgramBuilder::buildEmbedding(attn::EmbeddingOp op) {
  attn::CapturedRegion region = op.getRowEpilogue();
  SmallVector<SizeExpr> shape = attn::getNamedShape(op.getResult().getType());
  SizeExpr columns = shape.pop_back_val();
  if (failed(checkRow(op, region, columns)))
    return failure();
  SizeExpr rows = attn::getProduct(shape);
  begin("", RowProgram::kThreads, {{rows, RowProgram::kRows}});
  Value row = add(mul(blockId(0), i32(RowProgram::kRows)), warpId());
  ifThen(lessThan(row, size(rows)), [&] {
    SmallVector<std::pair<Value, Value>> sources;
    for (auto [ids, table] : llvm::zip(op.getIds(), op.getTables())) {
      Value last = size(attn::getNamedShape(table.getType())[0] + SizeExpr(-1));
      Value id = load(ids, wide(row));
      id = minimum(maximum(id, i32(0)), last);
      sources.push_back({table, mul(wide(id), strideOf(table, 0))});
    }
    RowProgram program(*this, op.getResult(), mul(wide(row), size64(columns)),
                       columns);
    RowProgram::Row values = program.generate([&](Value column) {
      Value sum;
      for (auto [table, offset] : sources) {
        Value x = load(table, add(offset, wide(column)));
        sum = sum ? addF(sum, x) : x;
      }
      return sum;
    });
    program.store(region ? program.run(region, values, unflatten(row, shape))
                         : values);
  });
  end();
  return success();
}

LogicalResult ProgramBuilder::buildTokenPositions(attn::TokenPositionsOp op) {
  constexpr int64_t kThreads = 128;
  SmallVector<SizeExpr> shape = attn::getNamedShape(op.getIds().getType());
  SizeExpr length = shape.pop_back_val();
  SizeExpr rows = attn::getProduct(shape);
  begin("", kThreads, {{rows, kThreads}});
  Value row = add(mul(blockId(0), i32(kThreads)), threadId());
  ifThen(lessThan(row, size(rows)), [&] {
    Value start = mul(wide(row), size64(length));
    Value padding = i32(op.getPadding());
    loop(i32(0), size(length), i32(1), padding,
         [&](Value index, ValueRange carried) -> Values {
           Value place = add(start, wide(index));
           Value isPadding = equal(load(op.getIds(), place), padding);
           Value next = add(carried[0], i32(1));
           store(select(isPadding, padding, next), op.getResult(), place);
           return {select(isPadding, carried[0], next)};
         });
  });
  end();
  return success();
}

} // namespace attnc::gpu
