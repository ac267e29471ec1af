//===- LowerFragments.cpp - loads and products of one warp ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// bf16 and f16: `ldmatrix` and `mma.sync.m16n8k16`. f32: loads of 4 bytes and
// `mma.sync.m16n8k8` on tf32, once, or three times on the parts of both
// operands. Right operands are loaded 16 columns at a time, where the product
// wants them, so that few registers hold them.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/ProgramLowering.h"

using namespace mlir;

namespace attnc::gpu {

//===-- loads -------------------------------------------------------------===//

void ProgramLowering::lowerLoad(warp::LoadOp op) {
  if (op.getResult().getType().getRole() == warp::Role::lhs)
    fragments[op.getResult()] = loadLhs(op);
  // A right operand is loaded by the products that read it.
}

/// position + lane part + number.
ProgramLowering::Position ProgramLowering::shift(Position position, Value lane,
                                                 int64_t constant) {
  Value dynamic = position.dynamic;
  if (lane)
    dynamic = dynamic ? add(dynamic, lane) : lane;
  return {dynamic, position.constant + constant};
}

/// Columns counted in chunks of `elements`; whole chunks.
ProgramLowering::Position ProgramLowering::chunks(Position column,
                                                  int32_t elements) {
  return {column.dynamic ? div(column.dynamic, elements) : Value(),
          column.constant / elements};
}

SmallVector<Value> ProgramLowering::loadLhs(warp::LoadOp op) {
  warp::FragmentType type = op.getResult().getType();
  Position row = position(lookup(op.getRow()));
  Position column = position(lookup(op.getColumn()));
  Registers result;
  if (type.getElement().isF32()) {
    // (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4): a chunk is 4 columns.
    for (int64_t m = 0; m < type.getRows(); m += 16)
      for (int64_t k = 0; k < type.getColumns(); k += 8)
        for (int64_t i = 0; i < 4; ++i) {
          Position chunk = chunks(shift(column, {}, k + i / 2 * 4), 4);
          Value place = tilePlace(
              op.getTile(), shift(row, group, m + i % 2 * 8), chunk, false);
          result.push_back(loadWord(place, quad));
        }
    return result;
  }
  // Lanes 0-15 give rows 0-15 of the first 8 columns, the others of the next.
  Value laneRow = rem(lane, 16), laneChunk = div(lane, 16);
  for (int64_t m = 0; m < type.getRows(); m += 16)
    for (int64_t k = 0; k < type.getColumns(); k += 16) {
      Position chunk = chunks(shift(column, {}, k), 8);
      Value place = tilePlace(op.getTile(), shift(row, laneRow, m),
                              shift(chunk, laneChunk, 0), /*chunkIsLaneBit=*/
                              !chunk.dynamic);
      llvm::append_range(
          result,
          intrinsicStruct("llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3",
                          b.getI32Type(), 4, place));
    }
  return result;
}

/// The f32 `index` words after a place.
Value ProgramLowering::loadWord(Value place, Value index) {
  place = LLVM::GEPOp::create(b, loc, place.getType(), b.getF32Type(), place,
                              ArrayRef<LLVM::GEPArg>{index});
  return LLVM::LoadOp::create(b, loc, b.getF32Type(), place, 4);
}

SmallVector<Value> ProgramLowering::loadRhs(warp::LoadOp op, int64_t pair) {
  warp::FragmentType type = op.getResult().getType();
  if (type.getElement().isF32())
    return loadRhsF32(op, pair);
  Position row = position(lookup(op.getRow()));
  Position column = position(lookup(op.getColumn()));
  Registers result;
  for (int64_t k = 0; k < type.getRows(); k += 16) {
    Value place;
    StringRef name;
    if (op.getTranspose()) {
      // Rows are K: matrices (k 0-7, n 0-7), (8-15, 0-7), (0-7, 8-15), ...
      Position chunk = chunks(shift(column, {}, pair * 16), 8);
      place = tilePlace(op.getTile(), shift(row, rem(lane, 16), k),
                        shift(chunk, div(lane, 16), 0), !chunk.dynamic);
      name = "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3";
    } else {
      // Rows are N: matrices (n 0-7, k 0-7), (0-7, 8-15), (8-15, 0-7), ...
      Value laneRow = add(rem(lane, 8), mul(div(lane, 16), i32(8)));
      Position chunk = chunks(shift(column, {}, k), 8);
      place = tilePlace(op.getTile(), shift(row, laneRow, pair * 16),
                        shift(chunk, rem(div(lane, 8), 2), 0), !chunk.dynamic);
      name = "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3";
    }
    llvm::append_range(result, intrinsicStruct(name, b.getI32Type(), 4, place));
  }
  return result;
}

/// (k = t, n = g) and (k = t + 4, n = g) of each block; paired, K is taken in
/// the order 0, 2, 4, 6, 1, 3, 5, 7.
SmallVector<Value> ProgramLowering::loadRhsF32(warp::LoadOp op, int64_t pair) {
  warp::FragmentType type = op.getResult().getType();
  Position row = position(lookup(op.getRow()));
  Position column = position(lookup(op.getColumn()));
  Registers result;
  for (int64_t k = 0; k < type.getRows(); k += 8)
    for (int64_t n = pair * 16; n < pair * 16 + 16; n += 8)
      for (int64_t i = 0; i < 2; ++i) {
        // Lane and constant parts along K and along N.
        Value laneK = op.getPaired() ? mul(quad, i32(2)) : quad;
        const int64_t fixedK = k + (op.getPaired() ? i : 4 * i);
        if (!op.getTranspose()) {
          // A chunk is 4 of K: lanes 0-3 share it, paired ones take two.
          Value word = rem(laneK, 4);
          Position chunk = chunks(shift(column, {}, fixedK / 4 * 4), 4);
          if (op.getPaired())
            chunk = shift(chunk, div(laneK, 4), 0);
          Value place = tilePlace(op.getTile(), shift(row, group, n), chunk,
                                  op.getPaired() && !column.dynamic);
          result.push_back(loadWord(place, add(word, i32(fixedK % 4))));
          continue;
        }
        // A chunk is 4 of N: g / 4 says which of two.
        Position chunk = chunks(shift(column, {}, n), 4);
        Value place = tilePlace(op.getTile(), shift(row, laneK, fixedK),
                                shift(chunk, div(group, 4), 0), !chunk.dynamic);
        result.push_back(loadWord(place, rem(group, 4)));
      }
  return result;
}

//===-- products ----------------------------------------------------------===//

Value ProgramLowering::toTf32(Value x) {
  return LLVM::InlineAsmOp::create(
             b, loc, b.getI32Type(), x, "cvt.rna.tf32.f32 $0, $1;", "=r,f",
             /*has_side_effects=*/false, /*is_align_stack=*/false,
             LLVM::TailCallKind::None,
             LLVM::AsmDialectAttr::get(b.getContext(),
                                       LLVM::AsmDialect::AD_ATT),
             ArrayAttr())
      .getResult(0);
}

/// One m16n8 block.
SmallVector<Value> ProgramLowering::multiply(ValueRange lhs, ValueRange rhs,
                                             ValueRange acc, Type element) {
  StringRef name = "llvm.nvvm.mma.m16n8k16.row.col.bf16";
  Registers operands;
  auto half = VectorType::get({2}, b.getF16Type());
  for (Value value : llvm::concat<const Value>(lhs, rhs))
    operands.push_back(
        element.isF16()
            ? LLVM::BitcastOp::create(b, loc, half, value).getResult()
            : value);
  if (element.isF16())
    name = "llvm.nvvm.mma.m16n8k16.row.col.f32.f32";
  if (element.isF32())
    name = "llvm.nvvm.mma.m16n8k8.row.col.tf32";
  llvm::append_range(operands, acc);
  return intrinsicStruct(name, b.getF32Type(), 4, operands);
}

void ProgramLowering::lowerMma(warp::MmaOp op) {
  warp::FragmentType accType = op.getAcc().getType();
  Type element = op.getLhs().getType().getElement();
  const bool isF32 = element.isF32();
  const bool exact = op.getPrecision() == warp::Precision::f32;
  const int64_t depth = isF32 ? 8 : 16;
  const int64_t steps = op.getLhs().getType().getColumns() / depth;
  const int64_t rowBlocks = accType.getRows() / 16;
  const int64_t blocks = accType.getColumns() / 8;
  Registers acc = fragments.at(op.getAcc());
  // What rounding to tf32 leaves of an f32, as tf32.
  auto split = [&](ArrayRef<Value> numbers, Registers &high, Registers &low) {
    for (Value x : numbers) {
      Value top = toTf32(x);
      high.push_back(top);
      if (!exact)
        continue;
      Value rounded = LLVM::BitcastOp::create(b, loc, b.getF32Type(), top);
      low.push_back(toTf32(arith::SubFOp::create(b, loc, x, rounded)));
    }
  };
  Registers lhs = fragments.at(op.getLhs()), lhsLow;
  if (isF32) {
    Registers high;
    split(lhs, high, lhsLow);
    lhs = high;
  }
  auto load = op.getRhs().getDefiningOp<warp::LoadOp>();
  for (int64_t pair = 0; pair < blocks / 2; ++pair) {
    Registers rhs = loadRhs(load, pair), rhsLow;
    if (isF32) {
      Registers high;
      split(rhs, high, rhsLow);
      rhs = high;
    }
    for (int64_t m = 0; m < rowBlocks; ++m)
      for (int64_t n = 0; n < 2; ++n)
        for (int64_t k = 0; k < steps; ++k) {
          auto sums = MutableArrayRef<Value>(acc).slice(
              4 * (m * blocks + pair * 2 + n), 4);
          auto product = [&](ArrayRef<Value> left, ArrayRef<Value> right) {
            Registers next =
                multiply(ValueRange(left.slice(4 * (m * steps + k), 4)),
                         ValueRange(right.slice(4 * k + 2 * n, 2)),
                         ValueRange(sums), element);
            llvm::copy(next, sums.begin());
          };
          // The small ones first.
          if (exact) {
            product(lhsLow, rhs);
            product(lhs, rhsLow);
          }
          product(lhs, rhs);
        }
  }
  fragments[op.getResult()] = std::move(acc);
}

//===-- rows and conversions ----------------------------------------------===//

void ProgramLowering::lowerReduce(warp::ReduceOp op) {
  const Registers input = fragments.at(op.getInput());
  Registers result;
  if (auto acc = dyn_cast<warp::FragmentType>(op.getInput().getType())) {
    const int64_t blocks = acc.getColumns() / 8;
    for (int64_t row = 0; row < acc.getRows() / 8; ++row) {
      // Four chains, so that one waits for the other less.
      constexpr int64_t kChains = 4;
      Registers chains;
      for (int64_t i = 0; i < 2 * blocks; ++i) {
        Value x = input[4 * (row / 2 * blocks + i / 2) + 2 * (row % 2) + i % 2];
        if (i < kChains)
          chains.push_back(x);
        else
          chains[i % kChains] =
              combine(op.getCombine(), chains[i % kChains], x);
      }
      while (chains.size() > 1) {
        Value last = chains.pop_back_val();
        chains.back() = combine(op.getCombine(), chains.back(), last);
      }
      result.push_back(chains.front());
    }
  } else {
    result = input;
  }
  if (op.getAcross())
    for (Value &x : result)
      for (int32_t distance : {1, 2})
        x = combine(op.getCombine(), x, shuffleXor(x, distance));
  fragments[op.getResult()] = std::move(result);
}

Value ProgramLowering::pack(Value low, Value high, Type element) {
  auto pair = VectorType::get({2}, b.getF32Type());
  Value value = LLVM::UndefOp::create(b, loc, pair);
  value = LLVM::InsertElementOp::create(b, loc, value, low, i32(0));
  value = LLVM::InsertElementOp::create(b, loc, value, high, i32(1));
  value = arith::TruncFOp::create(b, loc, VectorType::get({2}, element), value);
  return LLVM::BitcastOp::create(b, loc, b.getI32Type(), value);
}

void ProgramLowering::lowerConvert(warp::ConvertOp op) {
  warp::FragmentType from = op.getInput().getType();
  warp::FragmentType to = op.getResult().getType();
  const Registers &input = fragments.at(op.getInput());
  const int64_t blocks = from.getColumns() / 8;
  const int64_t first = op.getColumn() / 8;
  auto at = [&](int64_t m, int64_t block, int64_t half, int64_t j) {
    return input[4 * (m * blocks + first + block) + 2 * half + j];
  };
  Registers result;
  for (int64_t m = 0; m < to.getRows() / 16; ++m) {
    if (to.getElement().isF32()) {
      // Columns 2t and 2t + 1 of a block stand as t and t + 4.
      for (int64_t k = 0; k < to.getColumns() / 8; ++k)
        for (int64_t i = 0; i < 4; ++i)
          result.push_back(at(m, k, i % 2, i / 2));
      continue;
    }
    for (int64_t k = 0; k < to.getColumns() / 16; ++k)
      for (int64_t i = 0; i < 4; ++i)
        result.push_back(pack(at(m, 2 * k + i / 2, i % 2, 0),
                              at(m, 2 * k + i / 2, i % 2, 1), to.getElement()));
  }
  fragments[op.getResult()] = std::move(result);
}

} // namespace attnc::gpu
