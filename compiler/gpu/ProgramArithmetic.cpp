//===- ProgramArithmetic.cpp - numbers, control and memory of programs ----===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The small vocabulary of ProgramBuilder: arithmetic that folds, loops, loads
// and stores that convert between f32 and what memory holds.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/ProgramBuilder.h"

using namespace mlir;

namespace attnc::gpu {

static constexpr int32_t kWarp = 32; ///< threads

//===-- numbers -----------------------------------------------------------===//

Value ProgramBuilder::i64(int64_t value) {
  return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(value));
}
Value ProgramBuilder::i32(int32_t value) {
  return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(value));
}
Value ProgramBuilder::f32(float value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
}
Value ProgramBuilder::add(Value a, Value c) {
  return b.createOrFold<arith::AddIOp>(loc, a, c);
}
Value ProgramBuilder::sub(Value a, Value c) {
  return b.createOrFold<arith::SubIOp>(loc, a, c);
}
Value ProgramBuilder::mul(Value a, Value c) {
  return b.createOrFold<arith::MulIOp>(loc, a, c);
}
Value ProgramBuilder::div(Value a, Value c) {
  return b.createOrFold<arith::DivUIOp>(loc, a, c);
}
Value ProgramBuilder::rem(Value a, Value c) {
  return b.createOrFold<arith::RemUIOp>(loc, a, c);
}
Value ProgramBuilder::ceilDiv(Value a, int64_t divisor) {
  return div(add(a, i32(divisor - 1)), i32(divisor));
}
Value ProgramBuilder::minimum(Value a, Value c) {
  return b.createOrFold<arith::MinSIOp>(loc, a, c);
}
Value ProgramBuilder::maximum(Value a, Value c) {
  return b.createOrFold<arith::MaxSIOp>(loc, a, c);
}
Value ProgramBuilder::lessThan(Value a, Value c) {
  return b.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, a, c);
}
Value ProgramBuilder::equal(Value a, Value c) {
  return b.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, a, c);
}
Value ProgramBuilder::both(Value a, Value c) {
  return b.createOrFold<arith::AndIOp>(loc, a, c);
}
Value ProgramBuilder::select(Value condition, Value a, Value c) {
  return b.createOrFold<arith::SelectOp>(loc, condition, a, c);
}
Value ProgramBuilder::wide(Value a) {
  return b.createOrFold<arith::ExtSIOp>(loc, b.getI64Type(), a);
}
Value ProgramBuilder::narrow(Value a) {
  return b.createOrFold<arith::TruncIOp>(loc, b.getI32Type(), a);
}
Value ProgramBuilder::addF(Value a, Value c) {
  return arith::AddFOp::create(b, loc, a, c);
}
Value ProgramBuilder::subF(Value a, Value c) {
  return arith::SubFOp::create(b, loc, a, c);
}
Value ProgramBuilder::mulF(Value a, Value c) {
  return arith::MulFOp::create(b, loc, a, c);
}
Value ProgramBuilder::divF(Value a, Value c) {
  return arith::DivFOp::create(b, loc, a, c);
}
Value ProgramBuilder::fma(Value a, Value c, Value d) {
  return LLVM::FMAOp::create(b, loc, a.getType(), a, c, d);
}
Value ProgramBuilder::maxF(Value a, Value c) {
  return LLVM::MaxNumOp::create(b, loc, a.getType(), a, c);
}
Value ProgramBuilder::exp2(Value a) {
  return LLVM::CallIntrinsicOp::create(
             b, loc, b.getF32Type(),
             b.getStringAttr("llvm.nvvm.ex2.approx.ftz.f"), ValueRange{a})
      .getResult(0);
}

//===-- threads -----------------------------------------------------------===//

template <typename Op> Value ProgramBuilder::specialRegister() {
  Value &value = registers[Op::getOperationName()];
  if (!value)
    value =
        atHead([&]() -> Value { return Op::create(b, loc, b.getI32Type()); });
  return value;
}

Value ProgramBuilder::threadId() {
  return specialRegister<NVVM::ThreadIdXOp>();
}
Value ProgramBuilder::blockId(unsigned dim) {
  if (dim == 0)
    return specialRegister<NVVM::BlockIdXOp>();
  return dim == 1 ? specialRegister<NVVM::BlockIdYOp>()
                  : specialRegister<NVVM::BlockIdZOp>();
}
Value ProgramBuilder::lane() {
  return atHead([&] { return rem(threadId(), i32(kWarp)); });
}
Value ProgramBuilder::warpId() {
  return atHead([&] { return div(threadId(), i32(kWarp)); });
}

//===-- control -----------------------------------------------------------===//

void ProgramBuilder::loop(Value from, Value to, Value step, Body body) {
  loop(from, to, step, ValueRange(), [&](Value index, ValueRange) {
    body(index);
    return Values();
  });
}

SmallVector<Value> ProgramBuilder::loop(Value from, Value to, Value step,
                                        ValueRange initial, CarriedBody body) {
  auto loop = scf::ForOp::create(
      b, loc, from, to, step, initial,
      [&](OpBuilder &, Location, Value index, ValueRange carried) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(index.getParentBlock());
        Values next = body(index, carried);
        scf::YieldOp::create(b, loc, next);
      });
  return Values(loop.getResults());
}

void ProgramBuilder::ifThen(Value condition, function_ref<void()> body) {
  auto ifOp = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  body();
}

void ProgramBuilder::guard(Value condition, function_ref<void()> body) {
  auto ifOp = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/false);
  ifOp->setAttr(kGuardAttr, b.getUnitAttr());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(ifOp.thenBlock());
  body();
}

//===-- memory ------------------------------------------------------------===//

Value ProgramBuilder::at(Value base, Value offset, Type element) {
  return LLVM::GEPOp::create(b, loc, base.getType(), element, base,
                             ArrayRef<LLVM::GEPArg>{offset});
}

Value ProgramBuilder::pointerAt(Value address) {
  constexpr unsigned kGlobal = 1; // NVPTX
  return LLVM::IntToPtrOp::create(
      b, loc, LLVM::LLVMPointerType::get(b.getContext(), kGlobal), address);
}

Value ProgramBuilder::loadAt(Value pointer, Type element) {
  const unsigned bytes = element.getIntOrFloatBitWidth() / 8;
  Value value = LLVM::LoadOp::create(b, loc, element, pointer, bytes);
  if (isa<FloatType>(element) && !element.isF32())
    value = arith::ExtFOp::create(b, loc, b.getF32Type(), value);
  return value;
}

void ProgramBuilder::storeAt(Value value, Value pointer, Type element) {
  const unsigned bytes = element.getIntOrFloatBitWidth() / 8;
  if (isa<FloatType>(element) && !element.isF32())
    value = arith::TruncFOp::create(b, loc, element, value);
  LLVM::StoreOp::create(b, loc, value, pointer, bytes);
}

Value ProgramBuilder::load(Value argument, Value offset) {
  Type storage = storageOf(argument);
  return loadAt(at(pointerOf(argument), offset, storage), storage);
}

void ProgramBuilder::store(Value value, Value argument, Value offset) {
  Type storage = storageOf(argument);
  storeAt(value, at(pointerOf(argument), offset, storage), storage);
}

} // namespace attnc::gpu
