//===- LowerStreams.cpp - weights of few bits, read where they lie --------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `warp.fetch`, `warp.unpack`, `warp.scaled_copy`, `warp.stream_mma`,
// `warp.block_sum`. q become
// bf16 or f16 by their bits, two in a register: put into the fraction of a
// number whose steps are 1, from which that number is subtracted. Loads of a
// `warp.stream_mma` stand before everything that waits for them.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/ProgramLowering.h"
#include <numeric>

using namespace mlir;

namespace attnc::gpu {

static constexpr int32_t kWordBits = 32;
static constexpr int64_t kRun = 64; ///< steps of K that lie together
static constexpr int32_t kMmaDepth = 16;
static constexpr int64_t kMmaSteps = kRun / kMmaDepth;

//===-- arithmetic --------------------------------------------------------===//

Value ProgramLowering::bitAnd(Value x, uint32_t mask) {
  return arith::AndIOp::create(b, loc, x, i32(int32_t(mask)));
}

Value ProgramLowering::wide(Value x) {
  return arith::ExtSIOp::create(b, loc, b.getI64Type(), x);
}

/// base + `offset` (i64) elements of `element`.
Value ProgramLowering::elementAt(Value base, Value offset, Type element) {
  return LLVM::GEPOp::create(b, loc, base.getType(), element, base,
                             ArrayRef<LLVM::GEPArg>{offset});
}

/// `count` words at `place`, by one load.
SmallVector<Value> ProgramLowering::loadWords(Value place, int64_t count) {
  auto type = VectorType::get({count}, b.getI32Type());
  Value loaded = LLVM::LoadOp::create(b, loc, type, place, 4 * count);
  Registers words;
  for (int64_t i = 0; i < count; ++i)
    words.push_back(LLVM::ExtractElementOp::create(b, loc, loaded, i32(i)));
  return words;
}

/// The numbers of a word of `bits` bits each, in pairs: 32 / bits / 2
/// registers. Pair i has its numbers `bits * i` bits up in both halves.
SmallVector<Value> ProgramLowering::decodePairs(Value word, int64_t bits,
                                                Type element) {
  if (bits == 16)
    return {word};
  // What is in the fraction stands for x = base + q, and base is subtracted:
  // numbers of f16 from 1024 on, and of bf16 from 256 on in steps of 2, which
  // half makes steps of 1. Signs are turned, so that q + 2^(bits - 1) is there;
  // of 8 bits in bf16 the sign is the exponent's last bit of what is
  // subtracted.
  auto pair = VectorType::get({2}, element);
  auto numbers = [&](Value x) -> Value {
    return LLVM::BitcastOp::create(b, loc, pair, x);
  };
  auto splat = [&](double x) -> Value {
    return arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(pair, b.getFloatAttr(element, x)));
  };
  Registers result;
  for (int64_t i = 0; i < kWordBits / bits / 2; ++i) {
    Value x = word;
    if (i > 0)
      x = arith::ShRUIOp::create(b, loc, word, i32(bits * i));
    Value value;
    if (element.isF16()) {
      Value bitsOf = exclusiveOr(bitAnd(x, bits == 8 ? 0x00ff00ff : 0x000f000f),
                                 i32(bits == 8 ? 0x64806480 : 0x64086408));
      value = arith::AddFOp::create(b, loc, numbers(bitsOf),
                                    splat(bits == 8 ? -1152 : -1032));
    } else {
      Value low, base;
      if (bits == 8) {
        low = arith::OrIOp::create(b, loc, bitAnd(x, 0x007f007f),
                                   i32(0x43804380));
        base = numbers(arith::OrIOp::create(b, loc, bitAnd(x, 0x00800080),
                                            i32(int32_t(0xc300c300))));
      } else {
        low = exclusiveOr(bitAnd(x, 0x000f000f), i32(0x43884388));
        base = splat(-136);
      }
      value = LLVM::FMAOp::create(b, loc, pair, numbers(low), splat(0.5), base);
    }
    result.push_back(LLVM::BitcastOp::create(b, loc, b.getI32Type(), value));
  }
  return result;
}

/// The numbers of a word as f32, one by one: 32 / bits of them.
SmallVector<Value> ProgramLowering::decodeFloats(Value word, int64_t bits) {
  const int64_t pack = kWordBits / bits;
  Registers result;
  for (int64_t k = 0; k < pack; ++k) {
    const int64_t place = k / 2 + k % 2 * (pack / 2);
    Value x = word;
    if (place + 1 < pack)
      x = arith::ShLIOp::create(b, loc, x, i32(kWordBits - bits * (place + 1)));
    x = arith::ShRSIOp::create(b, loc, x, i32(kWordBits - bits));
    result.push_back(arith::SIToFPOp::create(b, loc, b.getF32Type(), x));
  }
  return result;
}

//===-- tiles -------------------------------------------------------------===//

/// Row and part of a run that this thread reads in a round.
std::pair<Value, Value> ProgramLowering::piece(int64_t round) {
  Value number = add(thread, i32(round * program.getThreads()));
  return {div(number, 4), rem(number, 4)};
}

void ProgramLowering::lowerFetch(warp::FetchOp op) {
  const int64_t bits = op.getBits(), words = bits / 2;
  const int64_t rounds =
      llvm::divideCeil(4 * op.getCount(), int64_t(program.getThreads()));
  Value last = arith::SubIOp::create(b, loc, lookup(op.getRows()), i32(1));
  Value k = lookup(op.getK());
  Registers result, scales;
  for (int64_t round = 0; round < rounds; ++round) {
    auto [tileRow, part] = piece(round);
    Value row = minimum(add(lookup(op.getRow()), tileRow), last);
    Value offset =
        LLVM::MulOp::create(b, loc, wide(row),
                            arith::ConstantOp::create(
                                b, loc, b.getI64IntegerAttr(op.getRowBytes())));
    Value within =
        add(mul(div(k, kRun), i32(kRun * bits / 8)), mul(part, i32(4 * words)));
    offset = LLVM::AddOp::create(b, loc, offset, wide(within));
    llvm::append_range(result, loadWords(elementAt(lookup(op.getWeights()),
                                                   offset, b.getI8Type()),
                                         words));
    if (!op.getScales())
      continue;
    const int64_t pack = kWordBits / bits;
    for (int64_t word = 0; word < words; ++word) {
      Value step = add(add(k, i32(4 * pack * word)), mul(part, i32(pack)));
      Value place =
          add(mul(div(step, op.getGroup()), i32(op.getScaleStride())), row);
      place = elementAt(lookup(op.getScales()), wide(place), b.getI32Type());
      scales.push_back(LLVM::LoadOp::create(b, loc, b.getI32Type(), place, 4));
    }
  }
  llvm::append_range(result, scales);
  fragments[op.getResult()] = std::move(result);
}

/// Numbers of one word, at row and step of the tile.
void ProgramLowering::unpackWord(warp::UnpackOp op, Value word, Value scale,
                                 Value row, Value step) {
  auto fetch = op.getWords().getDefiningOp<warp::FetchOp>();
  const int64_t bits = fetch.getBits(), perWord = kWordBits / bits;
  Type element = op.getTile().getType().getElement();
  const int64_t perChunk = 128 / element.getIntOrFloatBitWidth();
  Registers registers; // of 32 bits
  if (element.isF32() || scale) {
    Registers numbers = decodeFloats(word, bits);
    if (scale) {
      Value factor = LLVM::BitcastOp::create(b, loc, b.getF32Type(), scale);
      for (Value &x : numbers)
        x = arith::MulFOp::create(b, loc, x, factor);
    }
    if (element.isF32())
      for (Value x : numbers)
        registers.push_back(LLVM::BitcastOp::create(b, loc, b.getI32Type(), x));
    else
      for (int64_t i = 0; i < perWord; i += 2)
        registers.push_back(pack(numbers[i], numbers[i + 1], element));
  } else {
    registers = decodePairs(word, bits, element);
  }
  // A word's numbers are half a chunk, a chunk, or two.
  const int64_t atOnce = std::min<int64_t>(registers.size(), 4);
  for (int64_t first = 0; first < int64_t(registers.size()); first += atOnce) {
    Value chunk = add(div(step, perChunk), i32(first / 4));
    Value place = tilePlace(op.getTile(), {row, 0}, {chunk, 0}, false);
    if (perWord < perChunk)
      place = LLVM::GEPOp::create(
          b, loc, place.getType(), b.getI8Type(), place,
          ArrayRef<LLVM::GEPArg>{mul(div(rem(step, perChunk), perWord),
                                     i32(16 * perWord / perChunk))});
    Value value = LLVM::UndefOp::create(
        b, loc, VectorType::get({atOnce}, b.getI32Type()));
    for (int64_t i = 0; i < atOnce; ++i)
      value = LLVM::InsertElementOp::create(b, loc, value, registers[first + i],
                                            i32(i));
    LLVM::StoreOp::create(b, loc, value, place, 4 * atOnce);
  }
}

void ProgramLowering::lowerUnpack(warp::UnpackOp op) {
  auto fetch = op.getWords().getDefiningOp<warp::FetchOp>();
  const int64_t bits = fetch.getBits(), words = bits / 2;
  const int64_t pack = kWordBits / bits, threads = program.getThreads();
  const int64_t pieces = 4 * fetch.getCount();
  const int64_t rounds = llvm::divideCeil(pieces, threads);
  Registers all = fragments.at(op.getWords());
  for (int64_t round = 0; round < rounds; ++round) {
    auto [row, part] = piece(round);
    auto store = [&, row = row, part = part] {
      for (int64_t word = 0; word < words; ++word) {
        const int64_t index = round * words + word;
        unpackWord(op, all[index],
                   fetch.getScales() ? all[rounds * words + index] : Value(),
                   row, add(mul(part, i32(pack)), i32(4 * pack * word)));
      }
    };
    if ((round + 1) * threads <= pieces) {
      store();
      continue;
    }
    auto branch =
        scf::IfOp::create(b, loc, lessThan(row, i32(fetch.getCount())), false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    store();
  }
}

/// A chunk of the tile, of q and scales.
Value ProgramLowering::loadScaled(warp::ScaledCopyOp op, Value row,
                                  Value column) {
  Type element = op.getTile().getType().getElement();
  const int64_t count = 128 / element.getIntOrFloatBitWidth();
  Value valid =
      arith::AndIOp::create(b, loc, lessThan(row, lookup(op.getRows())),
                            lessThan(column, lookup(op.getColumns())));
  // What is not read has an address all the same.
  row = select(valid, row, i32(0));
  column = select(valid, column, i32(0));
  Value offset = LLVM::AddOp::create(
      b, loc, LLVM::MulOp::create(b, loc, wide(row), lookup(op.getStride())),
      wide(column));
  Registers words = loadWords(
      elementAt(lookup(op.getSource()), offset, b.getI8Type()), count / 4);
  Value scales = lookup(op.getScales());
  Registers factors;
  if (op.getTransposed())
    for (int64_t i = 0; i < count; i += 4)
      llvm::append_range(
          factors,
          loadWords(
              elementAt(scales, wide(add(column, i32(i))), b.getF32Type()), 4));
  else
    factors = {
        LLVM::LoadOp::create(b, loc, b.getI32Type(),
                             elementAt(scales, wide(row), b.getF32Type()), 4)};
  auto type = VectorType::get({count}, b.getF32Type());
  Value numbers = LLVM::UndefOp::create(b, loc, type);
  for (int64_t i = 0; i < count; ++i) {
    // q + 128 in the fraction of 2^23, and that taken off again.
    Value bits = exclusiveOr(words[i / 4], i32(int32_t(0x80808080)));
    if (i % 4)
      bits = arith::ShRUIOp::create(b, loc, bits, i32(8 * (i % 4)));
    bits = arith::OrIOp::create(b, loc, bitAnd(bits, 0xff), i32(0x4b000000));
    Value q = arith::SubFOp::create(
        b, loc, LLVM::BitcastOp::create(b, loc, b.getF32Type(), bits),
        arith::ConstantOp::create(b, loc, b.getF32FloatAttr(8388736.0f)));
    Value factor = LLVM::BitcastOp::create(b, loc, b.getF32Type(),
                                           factors[op.getTransposed() ? i : 0]);
    Value number =
        select(valid, arith::MulFOp::create(b, loc, q, factor),
               arith::ConstantOp::create(b, loc, b.getF32FloatAttr(0)));
    numbers = LLVM::InsertElementOp::create(b, loc, numbers, number, i32(i));
  }
  if (element.isF32())
    return numbers;
  return arith::TruncFOp::create(b, loc, VectorType::get({count}, element),
                                 numbers);
}

void ProgramLowering::lowerScaledCopy(warp::ScaledCopyOp op) {
  constexpr int64_t kChunk = 16;
  warp::TileType tile = op.getTile().getType();
  const int64_t perRow = tile.getRowBytes() / kChunk;
  const int64_t chunks = tile.getRows() * perRow;
  const int64_t threads = program.getThreads();
  for (int64_t first = 0; first < chunks; first += threads) {
    Value chunk = add(thread, i32(first));
    Value tileRow = div(chunk, perRow), tileChunk = rem(chunk, perRow);
    auto copy = [&] {
      Value value =
          loadScaled(op, add(lookup(op.getRow()), tileRow),
                     add(lookup(op.getColumn()),
                         mul(tileChunk, i32(tile.getColumns() / perRow))));
      LLVM::StoreOp::create(
          b, loc, value,
          tilePlace(op.getTile(), {tileRow, 0}, {tileChunk, 0}, false), kChunk);
    };
    if (first + threads <= chunks) {
      copy();
      continue;
    }
    auto branch =
        scf::IfOp::create(b, loc, lessThan(chunk, i32(chunks)), false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    copy();
  }
}

//===-- streams -----------------------------------------------------------===//

/// First of the four steps of K that a lane has of product `step` of a run:
/// `lane` is lane % 4.
static std::pair<int64_t, int64_t> stepPlace(int64_t bits, int64_t step) {
  // {per lane, fixed}, as the words of the run lie.
  if (bits == 16)
    return {16, 4 * step};
  if (bits == 8)
    return {4, 16 * step};
  return {8, 32 * (step / 2) + 4 * (step % 2)};
}

/// Four numbers of a row of the left side as two pairs of the operands' type.
SmallVector<Value> ProgramLowering::loadLeft(warp::StreamMmaOp op, Value row,
                                             Value k) {
  Type element = op.getElement(), operand = op.getOperand();
  const int64_t depth = op.getDepth();
  Value safe = k, valid;
  if (depth % (kRun * op.getRuns())) {
    valid = lessThan(k, i32(depth));
    safe = minimum(k, i32(depth - 4));
  }
  Value offset = LLVM::AddOp::create(
      b, loc, LLVM::MulOp::create(b, loc, wide(row), lookup(op.getStride())),
      wide(safe));
  Value place = elementAt(lookup(op.getLhs()), offset, element);
  Registers words = loadWords(place, element.isF32() ? 4 : 2);
  if (valid)
    for (Value &word : words)
      word = select(valid, word, i32(0));
  if (!element.isF32())
    return words;
  for (Value &word : words)
    word = LLVM::BitcastOp::create(b, loc, b.getF32Type(), word);
  return {pack(words[0], words[1], operand), pack(words[2], words[3], operand)};
}

/// A run's words of one row of weights, for this lane.
SmallVector<Value> ProgramLowering::loadRun(warp::StreamMmaOp op, Value row,
                                            Value k) {
  const int64_t bits = op.getBits(), depth = op.getDepth();
  Value offset = LLVM::MulOp::create(
      b, loc, wide(row),
      arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(op.getRowBytes())));
  Value base = elementAt(lookup(op.getWeights()), offset, b.getI8Type());
  auto at = [&](Value byte) {
    return elementAt(base, wide(byte), b.getI8Type());
  };
  if (bits < 16) {
    // Whole runs: past the last, that one again, by rows of zeros.
    Value last = i32((depth - 1) / kRun * kRun);
    Value run = div(minimum(k, last), kRun);
    return loadWords(
        at(add(mul(run, i32(kRun * bits / 8)), mul(quad, i32(2 * bits)))),
        bits / 2);
  }
  Registers words;
  for (int64_t half = 0; half < 2; ++half) {
    Value first = add(k, add(mul(quad, i32(16)), i32(8 * half)));
    Value valid = lessThan(first, i32(depth));
    Value safe = minimum(first, i32(depth - 8));
    for (Value word : loadWords(at(mul(safe, i32(2))), 4))
      words.push_back(
          depth % (kRun * op.getRuns()) ? select(valid, word, i32(0)) : word);
  }
  return words;
}

void ProgramLowering::lowerStreamMma(warp::StreamMmaOp op) {
  const int64_t bits = op.getBits(), runs = op.getRuns();
  warp::FragmentType type = op.getAcc().getType();
  const int64_t blocks = type.getColumns() / 8;
  Value rows = lookup(op.getRows());
  Value lastRow = arith::SubIOp::create(b, loc, rows, i32(1));
  Value lastColumn =
      arith::SubIOp::create(b, loc, lookup(op.getColumns()), i32(1));
  Value column = lookup(op.getColumn());

  // Everything that is read, before anything waits for it.
  SmallVector<Registers> weights; // [run][block]
  for (int64_t run = 0; run < runs; ++run)
    for (int64_t n = 0; n < blocks; ++n) {
      Value row = minimum(add(add(column, group), i32(8 * n)), lastColumn);
      weights.push_back(
          loadRun(op, row, add(lookup(op.getK()), i32(kRun * run))));
    }
  auto loadRows = [&](Value row) {
    Registers all; // two pairs per product
    row = minimum(row, lastRow);
    for (int64_t run = 0; run < runs; ++run)
      for (int64_t step = 0; step < kMmaSteps; ++step) {
        auto [perLane, fixed] = stepPlace(bits, step);
        Value k = add(lookup(op.getK()), i32(kRun * run + fixed));
        llvm::append_range(all,
                           loadLeft(op, row, add(k, mul(quad, i32(perLane)))));
      }
    return all;
  };
  Registers upper = loadRows(group);
  // With at most eight rows the lower half of the operand is zeros.
  SmallVector<Type> types(upper.size(), b.getI32Type());
  auto branch = scf::IfOp::create(b, loc, types, lessThan(i32(8), rows), true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(b, loc, loadRows(add(group, i32(8))));
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, loc, Registers(upper.size(), i32(0)));
  }
  Registers lower(branch.getResults());

  Registers sums = fragments.at(op.getAcc());
  for (int64_t run = 0; run < runs; ++run)
    for (int64_t n = 0; n < blocks; ++n) {
      Value k = add(lookup(op.getK()), i32(kRun * run));
      const size_t first = 2 * kMmaSteps * run, count = 2 * kMmaSteps;
      multiplyRun(
          op, weights[run * blocks + n], ArrayRef(upper).slice(first, count),
          ArrayRef(lower).slice(first, count), k, add(column, i32(8 * n)),
          MutableArrayRef<Value>(sums).slice(4 * n, 4));
    }
  fragments[op.getResult()] = std::move(sums);
}

/// sums += one run of rows, whose pairs for each product are `upper` and
/// `lower`, by the words of one block of columns.
void ProgramLowering::multiplyRun(warp::StreamMmaOp op, ArrayRef<Value> words,
                                  ArrayRef<Value> upper, ArrayRef<Value> lower,
                                  Value k, Value column,
                                  MutableArrayRef<Value> sums) {
  const bool isScaled = bool(op.getScales());
  // Products whose sums have one scale.
  const int64_t together =
      (isScaled ? std::gcd<int64_t>(op.getGroup(), kRun) : kRun) / kMmaDepth;
  Type operand = op.getOperand();
  Registers pairs;
  for (Value word : words)
    llvm::append_range(pairs, decodePairs(word, op.getBits(), operand));
  for (int64_t first = 0; first < kMmaSteps; first += together) {
    Registers part(sums);
    if (isScaled)
      part.assign(4, arith::ConstantOp::create(b, loc, b.getF32FloatAttr(0)));
    for (int64_t step = first; step < first + together; ++step)
      part = multiply({upper[2 * step], lower[2 * step], upper[2 * step + 1],
                       lower[2 * step + 1]},
                      {pairs[2 * step], pairs[2 * step + 1]}, part, operand);
    if (isScaled)
      part = addScaled(op, sums, part, add(k, i32(kMmaDepth * first)), column);
    llvm::copy(part, sums.begin());
  }
}

/// sums + scale * part, of the group of step `k` and the columns of a block
/// that begins at `column`.
SmallVector<Value> ProgramLowering::addScaled(warp::StreamMmaOp op,
                                              ArrayRef<Value> sums,
                                              ArrayRef<Value> part, Value k,
                                              Value column) {
  Value last = i32(op.getDepth() - 1);
  Value place =
      add(mul(div(minimum(k, last), op.getGroup()), i32(op.getScaleStride())),
          add(column, mul(quad, i32(2))));
  Registers words = loadWords(
      elementAt(lookup(op.getScales()), wide(place), b.getF32Type()), 2);
  Registers result;
  for (int64_t i = 0; i < 4; ++i) {
    Value scale = LLVM::BitcastOp::create(b, loc, b.getF32Type(), words[i % 2]);
    result.push_back(LLVM::FMAOp::create(b, loc, part[i], scale, sums[i]));
  }
  return result;
}

//===-- blocks ------------------------------------------------------------===//

void ProgramLowering::lowerBlockSum(warp::BlockSumOp op) {
  constexpr int32_t kWarp = 32;
  const Registers input = fragments.at(op.getInput());
  const int64_t count = input.size();
  const int64_t warps = program.getThreads() / kWarp;
  Value base = tileBase(op.getTile());
  auto place = [&](Value warp, int64_t index) {
    Value word =
        add(add(mul(warp, i32(count * kWarp)), lane), i32(index * kWarp));
    return sharedAt(add(base, mul(word, i32(4))));
  };
  Value own = div(thread, kWarp);
  for (int64_t i = 0; i < count; ++i)
    LLVM::StoreOp::create(b, loc, input[i], place(own, i), 4);
  intrinsic("llvm.nvvm.barrier.cta.sync.aligned.all", {}, i32(0));
  Registers result;
  for (int64_t i = 0; i < count; ++i) {
    Value sum;
    for (int64_t warp = 0; warp < warps; ++warp) {
      Value part =
          LLVM::LoadOp::create(b, loc, b.getF32Type(), place(i32(warp), i), 4);
      sum = sum ? arith::AddFOp::create(b, loc, sum, part).getResult() : part;
    }
    result.push_back(sum);
  }
  fragments[op.getResult()] = std::move(result);
}

bool ProgramLowering::lowerStreamOp(Operation &op) {
  if (auto fetch = dyn_cast<warp::FetchOp>(op))
    lowerFetch(fetch);
  else if (auto unpack = dyn_cast<warp::UnpackOp>(op))
    lowerUnpack(unpack);
  else if (auto copy = dyn_cast<warp::ScaledCopyOp>(op))
    lowerScaledCopy(copy);
  else if (auto stream = dyn_cast<warp::StreamMmaOp>(op))
    lowerStreamMma(stream);
  else if (auto sum = dyn_cast<warp::BlockSumOp>(op))
    lowerBlockSum(sum);
  else
    return false;
  return true;
}

} // namespace attnc::gpu
