//===- EmitHeadLinear.cpp - a product of every head -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// out[m, h, n] = sum over k of input[m, h, k] * weight[h, k, n]. A unit of work
// is a head and a chunk of rows; tiles of rows x vectors of columns are summed
// in registers:
//
//   for unit: for columns of a tile: for rows of a tile: for k: fma
//
// so that the weight's columns of a tile stay in the nearest cache for all rows
// of the chunk. An element is one chain of multiply-adds with k ascending,
// wherever it stands. Rows past the end repeat the last one and are not stored;
// columns past the end are masked.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Emitter.h"

using namespace mlir;

namespace attnc::cpu {

namespace {
class HeadLinearEmitter {
public:
  HeadLinearEmitter(KernelEmitter &e, attn::HeadLinearOp op)
      : e(e), op(op), lanes(e.lanes) {
    ArrayRef<int64_t> weight = op.getWeight().getType().getShape();
    heads = weight[0];
    depth = weight[1];
    columns = weight[2];
    inputStride = e.rowStride(op.getInput(), 2);
    // A tile of attention's: plain rows by a matrix of a head.
    const CostModel::AttentionTile tile =
        e.model.chooseAttention({depth, columns});
    tileRows = tile.rows;
    tileVectors = tile.columns / lanes;
    chunkRows = e.model.getHeadLinearRows();
    rows = e.rowCount(op.getInput(), 2);
  }

  void emit() {
    Value chunks = e.ceilDiv(rows, chunkRows);
    auto [from, to] = e.workerRange(e.mul(e.i64(heads), chunks));
    e.loop(from, to, 1, [&](Value unit) {
      head = e.div(unit, chunks);
      Value chunk = e.sub(unit, e.mul(head, chunks));
      firstRow = e.mul(chunk, e.i64(chunkRows));
      lastRow = e.minimum(e.add(firstRow, e.i64(chunkRows)), rows);
      emitColumns();
    });
  }

private:
  void emitColumns() {
    const int64_t tile = tileVectors * lanes;
    const int64_t whole = columns / tile * tile;
    auto rowsOf = [&](Value column, int64_t width, Value mask) {
      e.loop(firstRow, lastRow, tileRows,
             [&](Value row) { emitTile(row, column, width, mask); });
    };
    if (whole)
      e.loop(e.i64(0), e.i64(whole), tile,
             [&](Value column) { rowsOf(column, tileVectors, {}); });
    if (int64_t left = columns - whole) {
      Value mask = left % lanes ? e.tailMask(e.i64(left % lanes)) : Value();
      rowsOf(e.i64(whole), llvm::divideCeil(left, lanes), mask);
    }
  }

  /// Rows from `row` on, `width` vectors of columns from `column` on, the last
  /// of them under `lastMask`.
  void emitTile(Value row, Value column, int64_t width, Value lastMask) {
    auto maskOf = [&](int64_t v) {
      return v + 1 == width ? lastMask : Value();
    };
    Value input = e.at(e.pointerOf(op.getInput()), e.mul(head, e.i64(depth)));
    SmallVector<Value> places;
    for (int64_t i = 0; i < tileRows; ++i) {
      Value index = e.minimum(e.add(row, e.i64(i)), e.sub(lastRow, e.i64(1)));
      places.push_back(e.at(input, e.mul(index, e.i64(inputStride))));
    }
    Value weight = e.at(e.pointerOf(op.getWeight()),
                        e.add(e.mul(head, e.i64(depth * columns)), column));
    auto multiply = [&](Value first, int64_t count, SmallVector<Value> sums) {
      for (int64_t k = 0; k < count; ++k) {
        Value index = e.add(first, e.i64(k));
        Value place = e.at(weight, e.mul(index, e.i64(columns)));
        SmallVector<Value> vectors;
        for (int64_t v = 0; v < width; ++v)
          vectors.push_back(
              e.loadVector(e.at(place, e.i64(v * lanes)), maskOf(v)));
        for (int64_t i = 0; i < tileRows; ++i) {
          Value element = e.splat(e.loadF32(e.at(places[i], index)));
          for (int64_t v = 0; v < width; ++v) {
            Value &sum = sums[i * width + v];
            sum = e.fma(element, vectors[v], sum);
          }
        }
      }
      return sums;
    };
    constexpr int64_t kUnroll = 4;
    const int64_t whole = depth / kUnroll * kUnroll;
    SmallVector<Value> sums(tileRows * width, e.splat(e.f32(0)));
    if (whole)
      sums =
          e.loop(e.i64(0), e.i64(whole), kUnroll, sums,
                 [&](Value first, ValueRange carried) {
                   return multiply(first, kUnroll, SmallVector<Value>(carried));
                 });
    sums = multiply(e.i64(whole), depth - whole, sums);

    Value target =
        e.at(e.outputs[0], e.add(e.mul(row, e.i64(heads * columns)),
                                 e.add(e.mul(head, e.i64(columns)), column)));
    for (int64_t i = 0; i < tileRows; ++i)
      e.ifThen(e.lessThan(e.add(row, e.i64(i)), lastRow), [&] {
        for (int64_t v = 0; v < width; ++v)
          e.storeVector(sums[i * width + v],
                        e.at(target, e.i64(i * heads * columns + v * lanes)),
                        maskOf(v));
      });
  }

  KernelEmitter &e;
  attn::HeadLinearOp op;
  int64_t lanes, heads, depth, columns, inputStride, tileRows, tileVectors;
  int64_t chunkRows;             ///< that read a tile's columns together
  Value rows;                    ///< of all leading dimensions
  Value head, firstRow, lastRow; ///< of the unit
};
} // namespace

LogicalResult KernelEmitter::emitHeadLinear(attn::HeadLinearOp op) {
  HeadLinearEmitter(*this, op).emit();
  return success();
}

} // namespace attnc::cpu
