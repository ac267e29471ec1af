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
// A table that products read too lies in their panels (`#kernel.panels`), once
// for both: row n is lane n % width of the words of panel n / width, which are
// gathered and widened as in EmitWeights.cpp.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Emitter.h"

using namespace mlir;

namespace attnc::cpu {

static constexpr int64_t kCacheLineElements = 16;

namespace {
/// One row of a table in panels.
class PackedRow {
public:
  PackedRow(KernelEmitter &e, kernel::PanelsAttr panels, int64_t depth,
            Value table, Value id)
      : e(e), panels(panels), width(panels.getWidth()),
        bits(32 / panels.getPack()) {
    constexpr int64_t kWordBytes = 4;
    Value panel = e.div(id, e.i64(width));
    lane = e.sub(id, e.mul(panel, e.i64(width)));
    Value start = e.mul(panel, e.i64(panels.getPanelBytes(depth) / kWordBytes));
    words = e.at(table, e.add(start, lane));
    // Those of columns are the lane's own from here on, as words are.
    Value first = panels.getGroup() ? start : e.add(start, lane);
    scales = e.at(
        table, e.add(first, e.i64(panels.getScaleOffset(depth) / kWordBytes)));
    if (panels.getGroup())
      offsets = e.at(table, e.add(start, e.i64(panels.getOffsetsOffset(depth) /
                                               kWordBytes)));
  }

  /// Numbers from `column` on, as f32.
  Value load(Value column, Value mask) {
    Value steps = add(e.splat(e.toI32(column)), e.iota());
    Value places = arith::MulIOp::create(
        e.b, e.loc, divide(steps, panels.getPack()), e.splat(e.i32(width)));
    const kernel::Format format = panels.getFormat();
    if (format == kernel::Format::f32)
      return e.gatherAt(words, places, mask);
    Value numbers =
        toUpperEnd(e.gatherAt(words, places, mask, e.b.getI32Type()), steps);
    if (format == kernel::Format::bf16) {
      constexpr int32_t kUpperHalf = -0x10000;
      numbers = arith::AndIOp::create(e.b, e.loc, numbers,
                                      e.splat(e.i32(kUpperHalf)));
      return arith::BitcastOp::create(e.b, e.loc, e.vectorType(), numbers);
    }
    Value down = e.splat(e.i32(32 - bits));
    const bool isSigned = format == kernel::Format::i8 || !panels.isAffine();
    numbers =
        isSigned ? arith::ShRSIOp::create(e.b, e.loc, numbers, down).getResult()
                 : arith::ShRUIOp::create(e.b, e.loc, numbers, down);
    numbers = arith::SIToFPOp::create(e.b, e.loc, e.vectorType(), numbers);
    if (!panels.getGroup())
      return arith::MulFOp::create(e.b, e.loc, numbers,
                                   e.splat(e.loadF32(scales)));
    Value ofGroups = loadOfGroups(scales, steps, mask);
    if (panels.isAffine())
      return e.fma(numbers, ofGroups, loadOfGroups(offsets, steps, mask));
    return arith::MulFOp::create(e.b, e.loc, numbers, ofGroups);
  }

private:
  Value add(Value a, Value c) {
    return arith::AddIOp::create(e.b, e.loc, a, c);
  }
  Value divide(Value numbers, int64_t divisor) {
    return divisor == 1 ? numbers
                        : arith::DivUIOp::create(e.b, e.loc, numbers,
                                                 e.splat(e.i32(divisor)))
                              .getResult();
  }

  /// Moves the part of every word that holds its step to the word's upper end.
  Value toUpperEnd(Value loaded, Value steps) {
    Value part = arith::RemUIOp::create(e.b, e.loc, steps,
                                        e.splat(e.i32(panels.getPack())));
    Value up = arith::SubIOp::create(
        e.b, e.loc, e.splat(e.i32(32 - bits)),
        arith::MulIOp::create(e.b, e.loc, part, e.splat(e.i32(bits))));
    return arith::ShLIOp::create(e.b, e.loc, loaded, up);
  }

  /// What stands at `from` for the groups of steps, [group][width].
  Value loadOfGroups(Value from, Value steps, Value mask) {
    Value places =
        add(arith::MulIOp::create(e.b, e.loc, divide(steps, panels.getGroup()),
                                  e.splat(e.i32(width))),
            e.splat(e.toI32(lane)));
    if (!panels.hasHalves())
      return e.gatherAt(from, places, mask);
    // Pairs of halves are gathered, of which a lane takes its own.
    Value pairs = e.gatherAt(from, divide(places, 2), mask, e.b.getI32Type());
    Value isOdd = arith::AndIOp::create(e.b, e.loc, places, e.splat(e.i32(1)));
    Value bits = arith::ShRUIOp::create(
        e.b, e.loc, pairs,
        arith::ShLIOp::create(e.b, e.loc, isOdd, e.splat(e.i32(4))));
    const int64_t lanes = e.lanes;
    Value halves = arith::BitcastOp::create(
        e.b, e.loc, VectorType::get({lanes}, e.b.getF16Type()),
        arith::TruncIOp::create(
            e.b, e.loc, VectorType::get({lanes}, e.b.getI16Type()), bits));
    return arith::ExtFOp::create(e.b, e.loc, e.vectorType(), halves);
  }

  KernelEmitter &e;
  kernel::PanelsAttr panels;
  int64_t width, bits;
  Value lane;    ///< of the row in its panel
  Value words;   ///< of the lane
  Value scales;  ///< of the lane, or of groups of all lanes
  Value offsets; ///< of groups of all lanes
};

/// The layout of a table that products read too; null: plain rows.
kernel::PanelsAttr panelsOf(kernel::FuncOp kernel, Value table) {
  const unsigned index = cast<BlockArgument>(table).getArgNumber();
  return dyn_cast_or_null<kernel::PanelsAttr>(kernel.getLayout(index));
}
} // namespace

LogicalResult KernelEmitter::emitEmbedding(attn::EmbeddingOp op) {
  Value result = pointerOf(op.getResult());
  SmallVector<SizeExpr> shape = attn::getNamedShape(op.getResult().getType());
  const int64_t columns = shape.pop_back_val().number();
  attn::CapturedRegion row = op.getRowEpilogue();
  auto idAt = [&](Value ids, Value index) {
    return toI64(loadI32(at(pointerOf(ids), index)));
  };
  auto rowOf = [&](Value ids, Value table, Value index) {
    return at(pointerOf(table),
              mul(idAt(ids, index), i64(rowStride(table, 1))));
  };
  auto [from, end] = workerRange(size(attn::getProduct(shape)));
  Value to = end, last = sub(to, i64(1));
  loop(from, to, 1, [&](Value index) {
    SmallVector<std::function<Value(Value, Value)>> sources;
    for (auto [ids, table] : llvm::zip(op.getIds(), op.getTables())) {
      if (kernel::PanelsAttr panels = panelsOf(kernel, table)) {
        sources.push_back(
            [packed = PackedRow(*this, panels, columns, pointerOf(table),
                                idAt(ids, index))](Value column,
                                                   Value mask) mutable {
              return packed.load(column, mask);
            });
        continue;
      }
      Value source = rowOf(ids, table, index);
      sources.push_back([this, source](Value column, Value mask) {
        return loadVector(at(source, column), mask);
      });
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
      for (auto &source : sources) {
        Value x = source(column, mask);
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
