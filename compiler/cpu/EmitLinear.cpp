//===- EmitLinear.cpp - rows times packed weights -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// out[M, N] = epilogue(input[M, K] * weight[N, K]), M known at run time only.
// The weight lies in column panels; a strip is what the tile is wide (48
// columns of AVX-512, 16 of AVX2, both from one 48-wide panel). Loops,
// outermost first:
//
//   blocks of rows        as many as half of L2 holds; ends with the row region
//     blocks of depth     if the tile says so: sums wait in the output
//       strips            the next panel is prefetched to L2 meanwhile
//         tiles of rows   tile.rows; what is left by kernels of 1 .. rows - 1
//           chains        kChain steps of depth, added up in the output
//             depth       one accumulator per element, k ascending
//         element region  over the finished tile, still in L1
//
// An element is the same chains of multiply-adds whatever the tile, so that its
// bits depend neither on its row's place nor on the number of workers. Adding
// up short chains keeps the rounding error near that of a pairwise sum (Higham,
// "The Accuracy of Floating Point Summation", 1993) for 2% of the time. With
// few rows the workers share out the strips, and the last one runs the row
// region; else they share out the rows.
//
// Weights that are stored narrower become f32 in registers, once per tile: a
// shift for bf16, shifts and a conversion for i8 and i4. Rows that are narrower
// too have their own tiles (EmitNarrow.cpp, EmitGroups.cpp), and the provider
// "openblas" multiplies plain row-major weights (EmitOpenBlas.cpp).
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/EmitLinear.h"

using namespace mlir;

namespace attnc::cpu {

// Steps of depth in an iteration of the innermost loop, at least: enough to
// hide what the loop itself costs.
static constexpr int64_t kUnroll = 4;

LogicalResult LinearEmitter::setUp() {
  kernel::TileAttr tile = e.kernel.getTileAttr();
  auto weight = dyn_cast<BlockArgument>(op.getWeight());
  if (weight)
    panels = dyn_cast_or_null<kernel::PanelsAttr>(
        e.kernel.getLayout(weight.getArgNumber()));
  if (!tile || !panels)
    return op.emitError(
        "error[A0503]: a linear kernel needs a tile and a weight in "
        "#kernel.panels; run --attn-choose-tiles");
  panelWidth = panels.getWidth();
  tileRows = tile.getRows();
  tileColumns = tile.getColumns();
  if (tileRows < 1 || tileColumns < 1 || tileColumns % e.lanes != 0 ||
      panelWidth % tileColumns != 0)
    return op.emitError("error[A0504]: a tile of ")
           << tileRows << " x " << tileColumns << " does not fit vectors of "
           << e.lanes << " lanes and panels of " << panelWidth << " columns";
  blockDepth =
      tile.getDepth() > 0 && tile.getDepth() < depth ? tile.getDepth() : depth;
  pack = panels.getPack();
  unroll = std::max(kUnroll, pack);
  panelWords = panels.getPanelBytes(depth) / kWordBytes;
  if (blockDepth < depth && blockDepth % unroll != 0)
    return op.emitError("error[A0505]: depth blocks of ")
           << blockDepth << " are no multiple of " << unroll;
  if (tile.getBlock() % tileRows != 0)
    return op.emitError("error[A0504]: blocks of ")
           << tile.getBlock() << " rows are no multiple of the tile's "
           << tileRows;
  blockRows = tile.getBlock()
                  ? tile.getBlock()
                  : e.model.getBlockRows(blockDepth * kWordBytes, tileRows);
  kernel::PrecisionAttr precision = e.kernel.getPrecisionAttr();
  if (!precision || precision.getActivations() == kernel::Format::f32) {
    widens = panels.getFormat() != kernel::Format::f32;
    if (widens && !e.kernel.getScratch())
      return op.emitError("error[A0509]: a kernel with narrow weights needs "
                          "scratch; run --attn-choose-tiles");
    return success();
  }
  if (precision.getWeights() != panels.getFormat() || blockDepth < depth ||
      !e.kernel.getScratch())
    return op.emitError(
        "error[A0509]: a kernel with narrow rows needs panels of their format, "
        "scratch, and a tile of the whole depth; run --attn-choose-tiles");
  narrow = NarrowRows::plan(e.model, precision.getActivations(), panels, depth,
                            tileRows, tile.getBlock());
  blockRows = narrow->blockRows;
  e.roughMath = true; // the next product rounds as much again
  return success();
}

void LinearEmitter::emit() {
  Value rowTiles = e.ceilDiv(rows, tileRows);
  Value strips = e.i64((columns + tileColumns - 1) / tileColumns);
  Value rowFrom, rowTo;
  std::tie(rowFrom, rowTo) = workersRows(rowTiles);
  Value stripFrom = e.i64(0), stripTo = strips;
  const bool hasRegion = !op.getRowEpilogue().empty();
  // Every worker would narrow all rows to have strips of them, which is little
  // only where one row or two meet weights of few bits.
  const bool needsRows = narrow && !narrow->isGrouped() && hasRegion;
  Value byRows = needsRows ? Value() : sharesRows(rowTiles, strips);
  if (byRows) {
    auto [from, to] = e.workerRange(strips);
    auto choose = [&](Value whenRows, Value otherwise) -> Value {
      return arith::SelectOp::create(e.b, e.loc, byRows, whenRows, otherwise);
    };
    rowFrom = choose(rowFrom, e.i64(0));
    rowTo = choose(rowTo, rows);
    stripFrom = choose(e.i64(0), from);
    stripTo = choose(strips, to);
  }
  if (narrow && narrow->usesTiles())
    e.ifThen(e.lessThan(rowFrom, rowTo), [&] { configureTiles(); });
  e.loop(rowFrom, rowTo, blockRows, [&](Value blockFrom) {
    Value blockTo = e.minimum(e.add(blockFrom, e.i64(blockRows)), rowTo);
    if (narrow && narrow->isGrouped())
      emitGroupedRows(blockFrom, blockTo);
    else if (narrow)
      emitNarrowRows(blockFrom, blockTo);
    if (blockDepth == depth)
      emitDepthBlock(blockFrom, blockTo, stripFrom, stripTo, e.i64(0));
    else
      e.loop(e.i64(0), e.i64(depth), blockDepth, [&](Value depthFrom) {
        emitDepthBlock(blockFrom, blockTo, stripFrom, stripTo, depthFrom);
      });
    if (!hasRegion)
      return;
    if (!byRows)
      return emitRowEpilogue(blockFrom, blockTo);
    e.ifThen(byRows, [&] { emitRowEpilogue(blockFrom, blockTo); });
  });
  // Rows whose columns were shared out are whole when all workers are done.
  if (hasRegion && byRows)
    e.ifThenElse(
        byRows, [] {},
        [&] { e.whenLast([&] { emitRowEpilogue(e.i64(0), rows); }); });
}

Value LinearEmitter::sharesRows(Value rowTiles, Value strips) {
  // Chains of phases count on it: with `fewest` rows for each, workers share
  // out rows.
  const int64_t each = e.model.getFewestRows(narrow.has_value(), tileRows);
  Value fewest = e.mul(e.workers, e.i64(each));
  Value isAlone = e.lessThan(e.workers, e.i64(2));
  // Fewer strips than workers leave some idle: a worker's tiles are then those
  // of a strip, against those of its rows in all strips.
  Value ownRows = e.div(e.add(rows, e.sub(e.workers, e.i64(1))), e.workers);
  Value ownTiles = e.mul(e.ceilDiv(ownRows, tileRows), strips);
  Value areRowsLess =
      arith::AndIOp::create(e.b, e.loc, e.lessThan(strips, e.workers),
                            e.lessThan(ownTiles, rowTiles));
  Value areMany = arith::OrIOp::create(
      e.b, e.loc, areRowsLess, e.lessThan(e.sub(fewest, e.i64(1)), rows));
  return arith::OrIOp::create(e.b, e.loc, isAlone, areMany);
}

std::pair<Value, Value> LinearEmitter::workersRows(Value rowTiles) {
  // Whole tiles while there are many, else single rows, for even shares.
  Value many = e.lessThan(
      e.mul(e.workers, e.i64(e.model.getTilesPerWorker() - 1)), rowTiles);
  Value unit =
      arith::SelectOp::create(e.b, e.loc, many, e.i64(tileRows), e.i64(1));
  Value units = e.div(e.add(rows, e.sub(unit, e.i64(1))), unit);
  auto [from, to] = e.workerRange(units);
  return {e.mul(from, unit), e.minimum(e.mul(to, unit), rows)};
}

void LinearEmitter::emitDepthBlock(Value blockFrom, Value blockTo,
                                   Value stripFrom, Value stripTo,
                                   Value depthFrom) {
  const int64_t fullStrips = columns / tileColumns;
  const int64_t restColumns = columns % tileColumns;
  Strip strip;
  strip.depthFrom = depthFrom;
  strip.depthTo = e.minimum(e.add(depthFrom, e.i64(blockDepth)), e.i64(depth));
  strip.width = tileColumns;
  e.loop(stripFrom, e.minimum(stripTo, e.i64(fullStrips)), 1, [&](Value index) {
    strip.index = index;
    emitStrip(strip, blockFrom, blockTo);
  });
  if (restColumns == 0)
    return;
  strip.index = e.i64(fullStrips);
  strip.width = restColumns;
  e.ifThen(e.lessThan(strip.index, stripTo),
           [&] { emitStrip(strip, blockFrom, blockTo); });
}

void LinearEmitter::emitStrip(Strip strip, Value blockFrom, Value blockTo) {
  const int64_t perPanel = panelWidth / tileColumns;
  Value panel = e.div(strip.index, e.i64(perPanel));
  Value part = e.sub(strip.index, e.mul(panel, e.i64(perPanel)));
  Value panelStart = e.mul(panel, e.i64(panelWords));
  strip.column = e.mul(strip.index, e.i64(tileColumns));
  strip.weight = e.at(e.pointerOf(op.getWeight()),
                      e.add(panelStart, e.mul(part, e.i64(tileColumns))));
  Value scalesAt =
      e.add(e.mul(panelStart, e.i64(kWordBytes)),
            e.add(e.i64(panels.getScaleOffset(depth)),
                  e.mul(part, e.i64(tileColumns * panels.getScaleBytes()))));
  strip.scales = e.atBytes(e.pointerOf(op.getWeight()), scalesAt);
  // Each tile fetches its share of the next panel, so that all of it has come
  // after every strip of this one: several lines per iteration if tiles are
  // few.
  const int64_t stripWords = panelWords / perPanel * blockDepth / depth;
  strip.lines = prefetchedLines(e.sub(blockTo, blockFrom), stripWords);
  Value next = e.add(panelStart, e.i64(panelWords));
  next = e.add(next, e.mul(strip.depthFrom, e.i64(panelWidth / pack)));
  strip.prefetch = e.at(e.pointerOf(op.getWeight()),
                        e.add(next, e.mul(part, e.i64(stripWords))));
  // What follows the weights may be no memory at all, which a prefetch ignores.

  if (narrow && narrow->usesTiles())
    return emitTileStrip(strip, blockFrom, blockTo);
  if (widens)
    return emitWideningStrip(strip, blockFrom, blockTo);
  Value span = e.sub(blockTo, blockFrom);
  Value fullTo =
      e.add(blockFrom, e.mul(e.div(span, e.i64(tileRows)), e.i64(tileRows)));
  auto emitRows = [&](Value row, int64_t count) {
    Value rowInBlock = e.sub(row, blockFrom);
    if (narrow && narrow->isGrouped())
      emitGroupedTile(strip, row, rowInBlock, count);
    else if (narrow)
      emitNarrowTile(strip, row, rowInBlock, count);
    else
      emitTile(strip, row, rowInBlock, count);
  };
  e.loop(blockFrom, fullTo, tileRows,
         [&](Value row) { emitRows(row, tileRows); });
  Value rest = e.sub(blockTo, fullTo);
  for (int64_t count = 1; count < tileRows; ++count) {
    Value isCount = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::eq,
                                          rest, e.i64(count));
    e.ifThen(isCount, [&] { emitRows(fullTo, count); });
  }
}

int64_t LinearEmitter::tileIterations() {
  const int64_t steps = !narrow               ? unroll
                        : narrow->isGrouped() ? panels.getGroup()
                        : narrow->usesTiles() ? kTileWords * pack
                                              : kWords * pack;
  return std::max<int64_t>(blockDepth / steps, 1);
}

Value LinearEmitter::prefetchedLines(Value span, int64_t stripWords) {
  // A few rows of whole panels are done as fast as the processor's own
  // prefetchers stream; ours only take turns from them. Weights that are
  // widened first take too many instructions for loads to run ahead.
  const bool isBusy =
      widens || (narrow && (narrow->usesTiles() || narrow->isGrouped()));
  const int64_t fewest = isBusy || panelWidth > tileColumns ? 1
                         : pack > 1 ? tileRows
                                    : e.model.getRowsToPrefetch();
  Value iterations = e.mul(e.ceilDiv(span, tileRows), e.i64(tileIterations()));
  const int64_t lines = llvm::divideCeil(stripWords, kLine);
  Value each = e.div(e.add(iterations, e.i64(lines - 1)), iterations);
  return arith::SelectOp::create(e.b, e.loc, e.lessThan(span, e.i64(fewest)),
                                 e.i64(1), each);
}

Value LinearEmitter::tilePrefetch(const Strip &strip, Value rowInBlock) {
  Value share = e.mul(rowInBlock, e.i64(tileIterations() * kLine / tileRows));
  return e.at(strip.prefetch, e.mul(share, strip.lines));
}

void LinearEmitter::emitPrefetch(const Strip &strip, Value tilePlace,
                                 Value iteration) {
  Value first = e.mul(e.mul(iteration, e.i64(kLine)), strip.lines);
  Value place = e.at(tilePlace, first);
  e.loop(e.i64(0), strip.lines, 1, [&](Value line) {
    e.prefetch(e.at(place, e.mul(line, e.i64(kLine))), kPrefetchToL2);
  });
}

void LinearEmitter::emitTile(const Strip &strip, Value row, Value rowInBlock,
                             int64_t count) {
  const unsigned vectors = (strip.width + e.lanes - 1) / e.lanes;
  // Blocks of depth may be shorter than a chain.
  const bool isBuffered =
      !op.getElementEpilogue().empty() || depth > std::min(kChain, blockDepth);
  TileSums tile{count, vectors, isBuffered,
                isBuffered ? tileBuffer() : outputAt(row, strip.column)};
  Value input =
      e.at(e.pointerOf(op.getInput()), e.mul(row, e.i64(inputStride)));
  prefetchOutput(row, strip, count);
  if (blockDepth < depth)
    e.ifThen(e.lessThan(e.i64(0), strip.depthFrom), [&] {
      copySums(strip, row, e.add(row, e.i64(count)), tile.place,
               /*back=*/false);
    });
  Value prefetch = tilePrefetch(strip, rowInBlock);
  auto steps = [&](Value k, int64_t count, ValueRange carried) {
    SmallVector<Value> now(carried);
    if (count == unroll)
      emitPrefetch(strip, prefetch,
                   e.div(e.sub(k, strip.depthFrom), e.i64(unroll)));
    for (int64_t step = 0; step < count; ++step)
      multiplyAdd(strip, e.at(input, k), k, step, vectors, now);
    return now;
  };
  const int64_t number = count * vectors;
  Value singlesFrom = strip.depthFrom;
  if (widens && !strip.widened && number <= e.model.getFewSums() &&
      blockDepth >= 2 * kChain)
    singlesFrom = emitChainPairs(strip, tile, steps);
  e.loop(singlesFrom, strip.depthTo, kChain, [&](Value chainFrom) {
    Value chainTo = e.minimum(e.add(chainFrom, e.i64(kChain)), strip.depthTo);
    SmallVector<Value> sums(number, e.splat(e.f32(0)));
    Value unrolledTo =
        e.add(chainFrom, e.mul(e.div(e.sub(chainTo, chainFrom), e.i64(unroll)),
                               e.i64(unroll)));
    sums = e.loop(
        chainFrom, unrolledTo, unroll, sums,
        [&](Value k, ValueRange carried) { return steps(k, unroll, carried); });
    // At most once, at the very end; a loop, because it carries values.
    if (depth % unroll != 0)
      sums = e.loop(unrolledTo, chainTo, unroll, sums,
                    [&](Value k, ValueRange carried) {
                      return steps(k, depth % unroll, carried);
                    });
    finishChain(strip, tile, chainFrom, sums);
  });
  emitElementEpilogue(strip, row, e.add(row, e.i64(count)),
                      isBuffered ? tile.place : Value());
}

Value LinearEmitter::emitChainPairs(
    const Strip &strip, const TileSums &tile,
    llvm::function_ref<SmallVector<Value>(Value, int64_t, ValueRange)> steps) {
  const int64_t number = tile.rows * tile.vectors;
  Value pairs = e.div(e.sub(strip.depthTo, strip.depthFrom), e.i64(2 * kChain));
  Value end = e.add(strip.depthFrom, e.mul(pairs, e.i64(2 * kChain)));
  e.loop(strip.depthFrom, end, 2 * kChain, [&](Value chainFrom) {
    Value secondFrom = e.add(chainFrom, e.i64(kChain));
    SmallVector<Value> zeros(2 * number, e.splat(e.f32(0)));
    SmallVector<Value> sums =
        e.loop(e.i64(0), e.i64(kChain), unroll, zeros,
               [&](Value k, ValueRange carried) {
                 SmallVector<Value> both = steps(e.add(chainFrom, k), unroll,
                                                 carried.take_front(number));
                 both.append(steps(e.add(secondFrom, k), unroll,
                                   carried.drop_front(number)));
                 return both;
               });
    finishChain(strip, tile, chainFrom, ValueRange(sums).take_front(number));
    finishChain(strip, tile, secondFrom, ValueRange(sums).drop_front(number));
  });
  return end;
}

void LinearEmitter::finishChain(const Strip &strip, const TileSums &tile,
                                Value chainFrom, ValueRange sums) {
  const int64_t stride = tile.isBuffered ? tileColumns : columns;
  for (int64_t r = 0; r < tile.rows; ++r)
    for (unsigned v = 0; v < tile.vectors; ++v) {
      Value place = e.at(tile.place, e.i64(r * stride + v * e.lanes));
      Value mask = tile.isBuffered ? Value() : columnMask(strip, v);
      Value sum = sums[r * tile.vectors + v];
      if (panels.getFormat() == kernel::Format::i8 && !panels.getGroup())
        sum = arith::MulFOp::create(
            e.b, e.loc, sum,
            e.loadVector(e.at(strip.scales, e.i64(v * e.lanes))));
      if (depth > std::min(kChain, blockDepth))
        sum = arith::AddFOp::create(e.b, e.loc, sum,
                                    earlierChains(chainFrom, place, mask));
      e.storeVector(sum, place, mask);
    }
}

Value LinearEmitter::outputAt(Value row, Value column) {
  return e.at(e.outputs[0], e.add(e.mul(row, e.i64(columns)), column));
}

Value LinearEmitter::tileBuffer() {
  if (!buffer)
    buffer = e.stackBuffer(tileRows * tileColumns);
  return buffer;
}

void LinearEmitter::prefetchOutput(Value row, const Strip &strip,
                                   int64_t count) {
  Value place = outputAt(row, strip.column);
  for (int64_t r = 0; r < count; ++r)
    for (int64_t word = 0; word < strip.width; word += kLine)
      e.prefetchToWrite(e.at(place, e.i64(r * columns + word)));
}

void LinearEmitter::multiplyAdd(const Strip &strip, Value input, Value k,
                                int64_t step, unsigned vectors,
                                MutableArrayRef<Value> sums) {
  SmallVector<Value> w;
  for (unsigned v = 0; v < vectors; ++v) {
    w.push_back(loadWeights(strip, k, step, v));
    if (strip.isFirst)
      e.store(w.back(), widenedPlace(strip, k, step, v));
  }
  for (int64_t r = 0; r < int64_t(sums.size() / vectors); ++r) {
    Value x = e.splat(e.loadF32(e.at(input, e.i64(r * inputStride + step))));
    for (unsigned v = 0; v < vectors; ++v)
      sums[r * vectors + v] = e.fma(x, w[v], sums[r * vectors + v]);
  }
}

Value LinearEmitter::earlierChains(Value chainFrom, Value place, Value mask) {
  // The first chain adds to zero and reads nothing.
  Value lanes = e.splat(e.lessThan(e.i64(0), chainFrom));
  if (mask)
    lanes = arith::AndIOp::create(e.b, e.loc, lanes, mask);
  return e.loadVector(place, lanes);
}

Value LinearEmitter::columnMask(const Strip &strip, unsigned vector) {
  const int64_t left = strip.width - int64_t(vector) * e.lanes;
  return left >= int64_t(e.lanes) ? Value() : e.tailMask(e.i64(left));
}

void LinearEmitter::emitElementEpilogue(const Strip &strip, Value row,
                                        Value rowTo, Value sums) {
  if (op.getElementEpilogue().empty() && !sums)
    return;
  auto finish = [&] {
    // A loop and not count copies: erf of a whole tile would not fit the
    // instruction cache, and its sums not the registers.
    e.loop(row, rowTo, 1, [&](Value index) {
      Value from;
      if (sums)
        from = e.at(sums, e.mul(e.sub(index, row), e.i64(tileColumns)));
      emitElements(index, strip.column, strip.width, from);
    });
  };
  if (blockDepth == depth)
    return finish();
  Value last = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::eq,
                                     strip.depthTo, e.i64(depth));
  e.ifThenElse(last, finish,
               [&] { copySums(strip, row, rowTo, sums, /*back=*/true); });
}

void LinearEmitter::copySums(const Strip &strip, Value row, Value rowTo,
                             Value sums, bool back) {
  e.loop(row, rowTo, 1, [&](Value index) {
    Value inTile = e.mul(e.sub(index, row), e.i64(tileColumns));
    for (int64_t at = 0; at < strip.width; at += e.lanes) {
      Value mask = columnMask(strip, at / e.lanes);
      Value outside = e.at(outputAt(index, strip.column), e.i64(at));
      Value inside = e.at(e.at(sums, inTile), e.i64(at));
      if (back)
        e.storeVector(e.loadVector(inside), outside, mask);
      else
        e.storeVector(e.loadVector(outside, mask), inside);
    }
  });
}

void LinearEmitter::emitElements(Value row, Value column, int64_t width,
                                 Value sums) {
  attn::CapturedRegion region = op.getElementEpilogue();
  SmallVector<Value> dims = e.unflatten(row, leading);
  Value out = outputAt(row, column);
  dims.push_back(column);
  for (int64_t at = 0; at < width; at += e.lanes) {
    dims.back() = e.add(column, e.i64(at));
    Value mask =
        at + e.lanes <= width ? Value() : e.tailMask(e.i64(width - at));
    Value place = e.at(out, e.i64(at));
    Value value =
        sums ? e.loadVector(e.at(sums, e.i64(at))) : e.loadVector(place, mask);
    if (!region.empty())
      value = e.inlineRegion(region, value, dims, leading.size(), mask);
    e.storeVector(value, place, mask);
  }
}

void LinearEmitter::emitRowEpilogue(Value rowFrom, Value rowTo) {
  attn::CapturedRegion region = op.getRowEpilogue();
  if (region.empty())
    return;
  e.loop(rowFrom, rowTo, 1, [&](Value row) {
    Value place = e.at(e.outputs[0], e.mul(row, e.i64(columns)));
    e.emitRow(region, place, columns, e.unflatten(row, leading));
  });
}

LinearEmitter::LinearEmitter(KernelEmitter &e, attn::LinearOp op)
    : e(e), op(op) {
  auto shape = attn::getNamedShape(op.getResult().getType());
  leading.assign(shape.begin(), shape.end() - 1);
  columns = shape.back().number();
  depth = attn::getNamedShape(op.getWeight().getType())[1].number();
  inputStride = e.rowStride(op.getInput(), 1);
  rows = e.rowCount(op.getResult(), 1);
}

LogicalResult KernelEmitter::emitLinear(attn::LinearOp op) {
  LinearEmitter linear(*this, op);
  kernel::TileAttr tile = kernel.getTileAttr();
  if (tile && tile.getProvider() == "openblas")
    return linear.emitOpenBlas();
  if (failed(linear.setUp()))
    return failure();
  linear.emit();
  return success();
}

} // namespace attnc::cpu
