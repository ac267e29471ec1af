//===- TileEmulator.cpp - AMX in software ---------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As in Intel's manual, volume 2, under LDTILECFG, TILELOADD, TILESTORED,
// TILEZERO, TDPBSSD and TDPBF16PS. Tiles hold garbage until they are written.
//
//===----------------------------------------------------------------------===//
#include "TileEmulator.h"
#include "llvm/ADT/bit.h"
#include "llvm/IR/Instructions.h"
#include <cstdlib>
#include <cstring>

namespace attnc::test {
namespace {

struct Tile {
  int64_t rows, rowBytes; ///< as configured
  uint8_t bytes[16][64];
};
Tile tiles[8];
bool configured = false;

[[noreturn]] void fault(const char *what) {
  fprintf(stderr, "emulated AMX: %s\n", what);
  abort();
}

Tile &get(int8_t index) {
  if (!configured)
    fault("tiles are not configured");
  if (index < 0 || index > 7)
    fault("no such tile");
  return tiles[index];
}

void configure(const uint8_t *place) {
  if (place[0] != 1 || place[1] != 0)
    fault("not palette 1 from row 0");
  for (int index = 0; index < 8; ++index) {
    uint16_t rowBytes;
    std::memcpy(&rowBytes, place + 16 + 2 * index, 2);
    tiles[index].rows = place[48 + index];
    tiles[index].rowBytes = rowBytes;
    if (tiles[index].rows > 16 || rowBytes > 64)
      fault("a tile that is too large");
    std::memset(tiles[index].bytes, 0xAB, sizeof(tiles[index].bytes));
  }
  configured = true;
}

void load(int8_t index, const uint8_t *place, int64_t stride) {
  Tile &tile = get(index);
  for (int64_t row = 0; row < tile.rows; ++row)
    std::memcpy(tile.bytes[row], place + row * stride, tile.rowBytes);
}

void store(int8_t index, uint8_t *place, int64_t stride) {
  Tile &tile = get(index);
  for (int64_t row = 0; row < tile.rows; ++row)
    std::memcpy(place + row * stride, tile.bytes[row], tile.rowBytes);
}

void zero(int8_t index) {
  std::memset(get(index).bytes, 0, sizeof(Tile::bytes));
}

/// sums[m][n] += `product` of the words a[m][k] and b[k][n].
template <typename T, typename Product>
void multiply(int8_t sums, int8_t a, int8_t b, Product product) {
  Tile &result = get(sums), &left = get(a), &right = get(b);
  if (sums == a || sums == b || a == b)
    fault("a product of tiles that are not three");
  if (result.rows != left.rows || result.rowBytes != right.rowBytes ||
      left.rowBytes / 4 != right.rows)
    fault("tiles of shapes that do not fit");
  for (int64_t m = 0; m < result.rows; ++m)
    for (int64_t k = 0; k < right.rows; ++k)
      for (int64_t n = 0; n < result.rowBytes / 4; ++n) {
        T sum;
        std::memcpy(&sum, result.bytes[m] + 4 * n, 4);
        sum = product(sum, left.bytes[m] + 4 * k, right.bytes[k] + 4 * n);
        std::memcpy(result.bytes[m] + 4 * n, &sum, 4);
      }
}

void multiplyBytes(int8_t sums, int8_t a, int8_t b) {
  multiply<int32_t>(sums, a, b,
                    [](int32_t sum, const uint8_t *x, const uint8_t *y) {
                      for (int i = 0; i < 4; ++i)
                        sum += int32_t(x[i]) * int8_t(y[i]);
                      return sum;
                    });
}

float toFloat(const uint8_t *bf16) {
  return llvm::bit_cast<float>(uint32_t(bf16[0]) << 16 | uint32_t(bf16[1])
                                                             << 24);
}

void multiplyBf16(int8_t sums, int8_t a, int8_t b) {
  multiply<float>(sums, a, b,
                  [](float sum, const uint8_t *x, const uint8_t *y) {
                    for (int i = 0; i < 4; i += 2)
                      sum += toFloat(x + i) * toFloat(y + i);
                    return sum;
                  });
}

struct Instruction {
  const char *intrinsic, *function;
  void *address;
};
const Instruction kInstructions[] = {
    {"llvm.x86.ldtilecfg", "emulated_ldtilecfg",
     reinterpret_cast<void *>(configure)},
    {"llvm.x86.tileloadd64", "emulated_tileloadd",
     reinterpret_cast<void *>(load)},
    {"llvm.x86.tilestored64", "emulated_tilestored",
     reinterpret_cast<void *>(store)},
    {"llvm.x86.tilezero", "emulated_tilezero", reinterpret_cast<void *>(zero)},
    {"llvm.x86.tdpbusd", "emulated_tdpbusd",
     reinterpret_cast<void *>(multiplyBytes)},
    {"llvm.x86.tdpbf16ps", "emulated_tdpbf16ps",
     reinterpret_cast<void *>(multiplyBf16)},
};

} // namespace

void emulateTiles(llvm::Module &module) {
  for (const Instruction &instruction : kInstructions) {
    llvm::Function *intrinsic = module.getFunction(instruction.intrinsic);
    if (!intrinsic)
      continue;
    llvm::FunctionCallee function = module.getOrInsertFunction(
        instruction.function, intrinsic->getFunctionType());
    for (llvm::User *user : llvm::make_early_inc_range(intrinsic->users())) {
      auto *call = llvm::cast<llvm::CallInst>(user);
      llvm::SmallVector<llvm::Value *> arguments(call->args());
      llvm::CallInst::Create(function, arguments, "", call->getIterator());
      call->eraseFromParent();
    }
    intrinsic->eraseFromParent();
  }
}

llvm::Error defineTiles(llvm::orc::LLJIT &jit) {
  llvm::orc::SymbolMap symbols;
  for (const Instruction &instruction : kInstructions)
    symbols[jit.mangleAndIntern(instruction.function)] = {
        llvm::orc::ExecutorAddr::fromPtr(instruction.address),
        llvm::JITSymbolFlags::Exported};
  return jit.getMainJITDylib().define(
      llvm::orc::absoluteSymbols(std::move(symbols)));
}

bool canRunKernels(const Target &target) {
  return target.runsHere() ||
         (target.hasTiles && Target::find("x86-64-v4-vnni")->runsHere());
}

Target withoutTiles(Target target) {
  // The features of AMX stand last.
  target.features = target.features.split(",+amx").first;
  return target;
}

} // namespace attnc::test
