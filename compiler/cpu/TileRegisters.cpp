//===- TileRegisters.cpp - the registers of AMX ---------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One call of an intrinsic per instruction.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/TileRegisters.h"

using namespace mlir;

namespace attnc::cpu {

void TileRegisters::call(StringRef name, ArrayRef<int64_t> tiles,
                         ArrayRef<Value> operands) {
  SmallVector<Value> all;
  for (int64_t tile : tiles)
    all.push_back(arith::ConstantOp::create(
        e.b, e.loc, e.b.getI8IntegerAttr(static_cast<int8_t>(tile))));
  all.append(operands.begin(), operands.end());
  LLVM::CallIntrinsicOp::create(e.b, e.loc,
                                e.b.getStringAttr("llvm.x86." + name), all);
}

void TileRegisters::configure(Value place) {
  // Intel's manual, volume 1, "TILECFG": palette 1; columns' bytes as u16 from
  // byte 16 on, rows as u8 from byte 48 on.
  int32_t words[kRowBytes / 4] = {1};
  for (int64_t word = 4; word < 8; ++word)
    words[word] = kRowBytes << 16 | kRowBytes;
  words[12] = words[13] = kRows * 0x01010101;
  for (auto [index, word] : llvm::enumerate(words))
    e.store(e.i32(word), e.at(place, e.i64(index)));
  call("ldtilecfg", {}, place);
}

void TileRegisters::zero(int64_t tile) { call("tilezero", tile); }

void TileRegisters::load(int64_t tile, Value place, Value strideBytes) {
  call("tileloadd64", tile, {place, strideBytes});
}

void TileRegisters::store(int64_t tile, Value place, Value strideBytes) {
  call("tilestored64", tile, {place, strideBytes});
}

void TileRegisters::multiply(bool isBf16, int64_t sums, int64_t a, int64_t b) {
  call(isBf16 ? "tdpbf16ps" : "tdpbusd", {sums, a, b});
}

} // namespace attnc::cpu
