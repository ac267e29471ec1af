//===- EmitEmbedding.cpp - embedding kernels ------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `attn.embedding`: rows of the tables, added from left to right, then the row
// region on the row that was just written. Rows are split over the workers. Ids
// are in range: the runtime checked them.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Emitter.h"

using namespace mlir;

namespace attnc::cpu {

static constexpr int64_t kCacheLineElements = 16;

LogicalResult KernelEmitter::emitEmbedding(attn::EmbeddingOp op) {
  Value result = pointerOf(op.getResult());
  SmallVector<SizeExpr> shape = attn::getNamedShape(op.getResult().getType());
  const int64_t columns = shape.pop_back_val().number();
  attn::CapturedRegion row = op.getRowEpilogue();
  auto rowOf = [&](Value ids, Value table, Value index) {
    Value id = toI64(loadI32(at(pointerOf(ids), index)));
    return at(pointerOf(table), mul(id, i64(rowStride(table, 1))));
  };
  auto [from, end] = workerRange(size(attn::getProduct(shape)));
  Value to = end, last = sub(to, i64(1));
  loop(from, to, 1, [&](Value index) {
    SmallVector<Value> sources;
    for (auto [ids, table] : llvm::zip(op.getIds(), op.getTables())) {
      sources.push_back(rowOf(ids, table, index));
      SizeExpr rows = attn::getNamedShape(table.getType())[0];
      // Rows of a table that outgrows the cache are fetched one row ahead:
      // their order is random.
      if (rows.isNumber() &&
          !model.isTooLargeForCache(rows.number() * columns * 4))
        continue;
      Value next = rowOf(ids, table, minimum(add(index, i64(1)), last));
      for (int64_t i = 0; i < columns; i += kCacheLineElements)
        prefetch(at(next, i64(i)), /*locality=*/3);
    }
    Value target = at(result, mul(index, i64(columns)));
    auto vector = [&](Value column, Value mask) {
      Value sum;
      for (Value source : sources) {
        Value x = loadVector(at(source, column), mask);
        sum = sum ? arith::AddFOp::create(b, loc, sum, x).getResult() : x;
      }
      storeVector(sum, at(target, column), mask);
    };
    const int64_t whole = columns / lanes * lanes;
    if (whole)
      loop(i64(0), i64(whole), lanes,
           [&](Value column) { vector(column, Value()); });
    if (whole < columns)
      vector(i64(whole), tailMask(i64(columns - whole)));
    if (row)
      emitRow(row, target, columns, unflatten(index, shape));
  });
  return success();
}

} // namespace attnc::cpu
