//===- EmitMatmul.cpp - products of matrices, one per leading index -------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// out[.., m, n] = sum over k of lhs[.., m, k] * rhs[.., k, n], or rhs[.., n,
// k]. Both sides are activations in plain rows, and every dimension may be
// known at run time only. The workers share out tiles of rows of all
// matrices.
//
// - rhs[k, n]: lanes run along n, one accumulator per element, k ascending.
// - rhs[n, k]: lanes run along k; an element is the sum of one vector.
//
// Either way an element is computed alike wherever it stands. Tails are masked.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Emitter.h"

using namespace mlir;

namespace attnc::cpu {

namespace {
class MatmulEmitter {
public:
  MatmulEmitter(KernelEmitter &e, attn::MatmulOp op)
      : e(e), op(op), tileRows(e.model.getMatmulRows()) {
    auto shape = attn::getNamedShape(op.getResult().getType());
    auto lhs = attn::getNamedShape(op.getLhs().getType());
    rank = shape.size();
    leading.assign(shape.begin(), shape.end() - 2);
    rows = e.size(shape[rank - 2]);
    columns = e.size(shape[rank - 1]);
    depth = e.size(lhs[rank - 1]);
    matrices = e.size(attn::getProduct(leading));
  }

  void emit() {
    Value perMatrix = e.ceilDiv(rows, tileRows);
    auto [from, to] = e.workerRange(e.mul(matrices, perMatrix));
    e.loop(from, to, 1, [&](Value tile) {
      Value matrix = e.div(tile, perMatrix);
      Value row = e.mul(e.sub(tile, e.mul(matrix, perMatrix)), e.i64(tileRows));
      SmallVector<Value> indices = e.unflatten(matrix, leading);
      rhs = e.at(e.pointerOf(op.getRhs()), e.offsetOf(op.getRhs(), indices));
      indices.push_back(row);
      lhs = e.at(e.pointerOf(op.getLhs()), e.offsetOf(op.getLhs(), indices));
      out = e.at(e.outputs[0], e.offsetOf(op.getResult(), indices));
      Value count = e.sub(rows, row);
      e.ifThenElse(
          e.lessThan(count, e.i64(tileRows)),
          [&] { e.loop(e.i64(0), count, 1, [&](Value r) { emitRows(r, 1); }); },
          [&] { emitRows(e.i64(0), tileRows); });
    });
  }

private:
  void emitRows(Value first, int64_t count) {
    if (op.getTransposeRhs())
      e.loop(e.i64(0), columns, 1,
             [&](Value column) { emitDots(first, count, column); });
    else
      overVectors(columns, [&](Value column, Value mask) {
        emitVectors(first, count, column, mask);
      });
  }

  /// `body` at 0, lanes, 2 * lanes, ... below count, masked at the end.
  void overVectors(Value count,
                   function_ref<void(Value index, Value mask)> body) {
    Value whole = e.mul(e.div(count, e.i64(e.lanes)), e.i64(e.lanes));
    e.loop(e.i64(0), whole, e.lanes, [&](Value index) { body(index, {}); });
    e.ifThen(e.lessThan(whole, count),
             [&] { body(whole, e.tailMask(e.sub(count, whole))); });
  }

  Value place(Value base, Value tensor, Value row, Value column) {
    Value stride = e.strideOf(tensor, rank - 2);
    return e.at(base, e.add(e.mul(row, stride), column));
  }

  void emitVectors(Value first, int64_t count, Value column, Value mask) {
    SmallVector<Value> sums(count, e.splat(e.f32(0)));
    sums = e.loop(e.i64(0), depth, 1, sums, [&](Value k, ValueRange carried) {
      Value right = e.loadVector(place(rhs, op.getRhs(), k, column), mask);
      SmallVector<Value> next;
      for (int64_t r = 0; r < count; ++r) {
        Value row = e.add(first, e.i64(r));
        Value left = e.loadF32(place(lhs, op.getLhs(), row, k));
        next.push_back(e.fma(e.splat(left), right, carried[r]));
      }
      return next;
    });
    for (int64_t r = 0; r < count; ++r)
      e.storeVector(sums[r],
                    place(out, op.getResult(), e.add(first, e.i64(r)), column),
                    mask);
  }

  SmallVector<Value> multiplyAddDots(Value first, Value column, Value k,
                                     Value mask, ValueRange sums) {
    Value right = e.loadVector(place(rhs, op.getRhs(), column, k), mask);
    SmallVector<Value> next;
    for (auto [r, sum] : llvm::enumerate(sums)) {
      Value row = e.add(first, e.i64(r));
      Value left = e.loadVector(place(lhs, op.getLhs(), row, k), mask);
      next.push_back(e.fma(left, right, sum));
    }
    return next;
  }

  void emitDots(Value first, int64_t count, Value column) {
    Value whole = e.mul(e.div(depth, e.i64(e.lanes)), e.i64(e.lanes));
    SmallVector<Value> sums(count, e.splat(e.f32(0)));
    sums = e.loop(e.i64(0), whole, e.lanes, sums,
                  [&](Value k, ValueRange carried) {
                    return multiplyAddDots(first, column, k, {}, carried);
                  });
    // At most one masked step; a loop, because it carries values.
    sums =
        e.loop(whole, depth, e.lanes, sums, [&](Value k, ValueRange carried) {
          Value mask = e.tailMask(e.sub(depth, k));
          return multiplyAddDots(first, column, k, mask, carried);
        });
    for (int64_t r = 0; r < count; ++r)
      e.store(e.reduceAdd(sums[r]),
              place(out, op.getResult(), e.add(first, e.i64(r)), column));
  }

  KernelEmitter &e;
  attn::MatmulOp op;
  const int64_t tileRows;
  unsigned rank;
  SmallVector<SizeExpr> leading;
  Value rows, columns, depth, matrices;
  Value lhs, rhs, out; ///< at the tile's first row; rhs at the matrix
};
} // namespace

LogicalResult KernelEmitter::emitMatmul(attn::MatmulOp op) {
  MatmulEmitter(*this, op).emit();
  return success();
}

} // namespace attnc::cpu
