//===- PtxInstructions.cpp - what instructions do -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One handler per instruction or family; findPtxHandler() names them all.
// Registers hold 64 bits, of which an instruction uses as many as its type has.
//
//===----------------------------------------------------------------------===//
#include "Ptx.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using llvm::StringRef;

namespace attnc::emulator {
namespace {

using I = const PtxInstruction &;

uint64_t get(const PtxOperand &operand, const uint64_t *registers) {
  switch (operand.kind) {
  case PtxOperand::Register:
    return registers[operand.number] + operand.value;
  case PtxOperand::Immediate:
    return operand.value;
  case PtxOperand::Address:
    return get(operand.parts[0], registers);
  default:
    return 0;
  }
}

void set(const PtxOperand &operand, uint64_t *registers, uint64_t value) {
  if (operand.kind == PtxOperand::Register)
    registers[operand.number] = value;
  else if (operand.kind == PtxOperand::Pair)
    set(operand.parts[0], registers, value);
}

float asFloat(uint64_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

uint32_t asBits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}

int typeBytes(StringRef type) {
  unsigned bits;
  return type.drop_while([](char c) {
               return !llvm::isDigit(c);
             }).getAsInteger(10, bits)
             ? 1
             : bits / 8;
}

/// Cut to the type, and extended by its sign.
int64_t narrow(uint64_t value, StringRef type) {
  int bytes = typeBytes(type);
  if (bytes >= 8)
    return value;
  uint64_t mask = (1ull << 8 * bytes) - 1, sign = 1ull << (8 * bytes - 1);
  value &= mask;
  return type[0] == 's' && value & sign ? int64_t(value | ~mask)
                                        : int64_t(value);
}

//===-- arithmetic
//---------------------------------------------------------===//

void move(Block &, I i, uint64_t *r) {
  const PtxOperand &to = i.operands[0], &from = i.operands[1];
  if (to.kind == PtxOperand::Vector) { // unpack
    int bytes = typeBytes(i.type()) / to.parts.size();
    uint64_t value = get(from, r);
    for (size_t part = 0; part < to.parts.size(); ++part)
      set(to.parts[part], r,
          value >> 8 * bytes * part & (~0ull >> (64 - 8 * bytes)));
  } else if (from.kind == PtxOperand::Vector) { // pack
    int bytes = typeBytes(i.type()) / from.parts.size();
    uint64_t value = 0;
    for (size_t part = 0; part < from.parts.size(); ++part)
      value |= (get(from.parts[part], r) & (~0ull >> (64 - 8 * bytes)))
               << 8 * bytes * part;
    set(to, r, value);
  } else {
    set(to, r, get(from, r));
  }
}

void arithmetic(Block &block, I i, uint64_t *r) {
  const std::string &type = i.type(), &name = i.name;
  uint64_t a = get(i.operands[1], r), b = get(i.operands[2], r);
  uint64_t c = i.operands.size() > 3 ? get(i.operands[3], r) : 0;
  if (type == "f32") {
    float x = asFloat(a), y = asFloat(b), result;
    if (name == "add")
      result = x + y;
    else if (name == "sub")
      result = x - y;
    else if (name == "mul")
      result = x * y;
    else if (name == "fma" || name == "mad")
      result = std::fma(x, y, asFloat(c));
    else if (name == "max")
      result = std::fmax(x, y);
    else if (name == "min")
      result = std::fmin(x, y);
    else
      block.fail("the emulator does not know %s.f32", name.c_str());
    return set(i.operands[0], r, asBits(result));
  }
  if (type[0] == 'f')
    block.fail("the emulator does not know %s.%s", name.c_str(), type.c_str());
  int64_t x = narrow(a, type), y = narrow(b, type), result = 0;
  if (name == "add")
    result = x + y;
  else if (name == "sub")
    result = x - y;
  else if (name == "mul")
    result = x * y;
  else if (name == "mad")
    result = x * y + int64_t(c);
  else if (name == "and")
    result = x & y;
  else if (name == "or")
    result = x | y;
  else if (name == "xor")
    result = x ^ y;
  else if (name == "shl")
    result = uint64_t(x) << y;
  else if (name == "shr")
    result = type[0] == 's' ? x >> y : int64_t(uint64_t(x) >> y);
  else if (name == "max")
    result = std::max(x, y);
  else if (name == "min")
    result = std::min(x, y);
  set(i.operands[0], r,
      i.has("wide")
          ? result
          : narrow(result, type) &
                (typeBytes(type) < 8 ? (1ll << 8 * typeBytes(type)) - 1
                                     : ~0ll));
}

void compare(Block &, I i, uint64_t *r) {
  const std::string &type = i.type();
  uint64_t a = get(i.operands[1], r), b = get(i.operands[2], r);
  auto decide = [&](auto x, auto y) {
    return i.has("eq")                  ? x == y
           : i.has("ne")                ? x != y
           : i.has("lt") || i.has("lo") ? x < y
           : i.has("le") || i.has("ls") ? x <= y
           : i.has("gt") || i.has("hi") ? x > y
                                        : x >= y;
  };
  bool result = type == "f32"    ? decide(asFloat(a), asFloat(b))
                : type[0] == 's' ? decide(narrow(a, type), narrow(b, type))
                                 : decide(uint64_t(narrow(a, type)),
                                          uint64_t(narrow(b, type)));
  set(i.operands[0], r, result);
}

void select(Block &, I i, uint64_t *r) {
  set(i.operands[0], r,
      get(i.operands[3], r) ? get(i.operands[1], r) : get(i.operands[2], r));
}

void convert(Block &block, I i, uint64_t *r) {
  uint64_t a = get(i.operands[1], r);
  auto packed = [&](uint16_t (*one)(float)) {
    return uint32_t(one(asFloat(a))) << 16 |
           one(asFloat(get(i.operands[2], r)));
  };
  if (i.has("bf16x2") && i.type() == "f32")
    set(i.operands[0], r, packed(toBfloat));
  else if (i.has("f16x2") && i.type() == "f32")
    set(i.operands[0], r, packed(toHalf));
  else if (i.has("tf32"))
    set(i.operands[0], r, asBits(roundToTf32(asFloat(a))));
  else if (i.has("bf16") && i.type() == "f32")
    set(i.operands[0], r, toBfloat(asFloat(a)));
  else if (i.has("f16") && i.type() == "f32")
    set(i.operands[0], r, toHalf(asFloat(a)));
  else if (i.has("f32") && i.type() == "f16")
    set(i.operands[0], r, asBits(fromHalf(a)));
  else if (i.has("f32") && i.type() == "bf16")
    set(i.operands[0], r, asBits(fromBfloat(a)));
  else if (i.has("u64") && i.type() == "u32")
    set(i.operands[0], r, uint32_t(a));
  else if (i.has("s64") && i.type() == "s32")
    set(i.operands[0], r, int64_t(int32_t(a)));
  else if (i.has("u32") && i.type() == "u64")
    set(i.operands[0], r, uint32_t(a));
  else
    block.fail("the emulator does not know this cvt to %s",
               i.modifiers.front().c_str());
}

void approximate(Block &, I i, uint64_t *r) {
  float x = asFloat(get(i.operands[1], r));
  float y = i.name == "ex2"     ? std::exp2(x)
            : i.name == "lg2"   ? std::log2(x)
            : i.name == "rcp"   ? 1.0f / x
            : i.name == "rsqrt" ? 1.0f / std::sqrt(x)
            : i.name == "sqrt"  ? std::sqrt(x)
                                : std::tanh(x);
  set(i.operands[0], r, asBits(y));
}

void nothing(Block &, I, uint64_t *) {}

void trap(Block &block, I, uint64_t *) { block.fail("trap"); }

/// createpolicy and the like: any value will do.
void zero(Block &, I i, uint64_t *r) { set(i.operands[0], r, 0); }

//===-- loads and stores
//---------------------------------------------------===//

void load(Block &block, I i, uint64_t *r) {
  const PtxOperand &to = i.operands[0];
  size_t count = to.kind == PtxOperand::Vector ? to.parts.size() : 1;
  int bytes = typeBytes(i.type());
  uint64_t from = get(i.operands[1], r);
  block.access(from, bytes * count, Block::Read, bytes * count);
  for (size_t part = 0; part < count; ++part) {
    uint64_t value = 0;
    memcpy(&value, reinterpret_cast<char *>(from) + part * bytes, bytes);
    set(count > 1 || to.kind == PtxOperand::Vector ? to.parts[part] : to, r,
        narrow(value, i.type()));
  }
}

void store(Block &block, I i, uint64_t *r) {
  const PtxOperand &from = i.operands[1];
  size_t count = from.kind == PtxOperand::Vector ? from.parts.size() : 1;
  int bytes = typeBytes(i.type());
  uint64_t to = get(i.operands[0], r);
  block.access(to, bytes * count, Block::Write, bytes * count);
  for (size_t part = 0; part < count; ++part) {
    uint64_t value =
        get(from.kind == PtxOperand::Vector ? from.parts[part] : from, r);
    memcpy(reinterpret_cast<char *>(to) + part * bytes, &value, bytes);
  }
}

void reduceMemory(Block &block, I i, uint64_t *r) {
  uint64_t to = get(i.operands[0], r), value = get(i.operands[1], r);
  int bytes = typeBytes(i.type());
  block.access(to, bytes, Block::Write, bytes);
  if (i.has("add") && i.type() == "f32")
    *reinterpret_cast<float *>(to) += asFloat(value);
  else if (i.has("add") && bytes == 4)
    *reinterpret_cast<uint32_t *>(to) += value;
  else if (i.has("max") && i.type() == "s32")
    *reinterpret_cast<int32_t *>(to) =
        std::max(*reinterpret_cast<int32_t *>(to), int32_t(value));
  else
    block.fail("the emulator does not know this red.%s", i.type().c_str());
}

//===-- warps
//--------------------------------------------------------------===//

void shuffle(Block &block, I i, uint64_t *r) {
  Shuffle mode = i.has("bfly")   ? Shuffle::Xor
                 : i.has("up")   ? Shuffle::Up
                 : i.has("down") ? Shuffle::Down
                                 : Shuffle::Index;
  bool inside;
  uint32_t value =
      block.shuffle(&i, mode, get(i.operands[4], r), get(i.operands[1], r),
                    get(i.operands[2], r), get(i.operands[3], r), inside);
  set(i.operands[0], r, value);
  if (i.operands[0].kind == PtxOperand::Pair)
    set(i.operands[0].parts[1], r, inside);
}

void vote(Block &block, I i, uint64_t *r) {
  Vote mode = i.has("ballot") ? Vote::Ballot
              : i.has("all")  ? Vote::All
              : i.has("any")  ? Vote::Any
                              : Vote::Uniform;
  set(i.operands[0], r,
      block.vote(&i, mode, get(i.operands[2], r), get(i.operands[1], r)));
}

void elect(Block &block, I i, uint64_t *r) {
  bool elected;
  uint32_t leader = block.elect(&i, get(i.operands[1], r), elected);
  set(i.operands[0], r, leader);
  if (i.operands[0].kind == PtxOperand::Pair)
    set(i.operands[0].parts[1], r, elected);
}

/// bar.sync, bar.arrive, bar.warp.sync and barrier.cta.* alike.
void barrier(Block &block, I i, uint64_t *r) {
  if (i.has("warp"))
    return block.syncWarp(&i, get(i.operands[0], r));
  uint32_t count = i.operands.size() > 1 ? get(i.operands[1], r) : 0;
  if (i.has("arrive"))
    return block.barrierArrive(get(i.operands[0], r), count);
  block.barrierSync(get(i.operands[0], r), count);
}

//===-- matrices
//-----------------------------------------------------------===//

int matrixCount(I i) { return i.has("x4") ? 4 : i.has("x2") ? 2 : 1; }

void loadMatrix(Block &block, I i, uint64_t *r) {
  uint32_t values[4];
  const PtxOperand &to = i.operands[0];
  block.loadMatrix(&i, matrixCount(i), i.has("trans"), get(i.operands[1], r),
                   values);
  for (size_t part = 0; part < to.parts.size(); ++part)
    set(to.parts[part], r, values[part]);
}

void storeMatrix(Block &block, I i, uint64_t *r) {
  uint32_t values[4] = {};
  const PtxOperand &from = i.operands[1];
  for (size_t part = 0; part < from.parts.size(); ++part)
    values[part] = get(from.parts[part], r);
  block.storeMatrix(&i, matrixCount(i), i.has("trans"), get(i.operands[0], r),
                    values);
}

Element elementOf(I i) {
  return i.has("bf16")   ? Element::BF16
         : i.has("tf32") ? Element::TF32
         : i.has("s8")   ? Element::S8
         : i.has("u8")   ? Element::U8
                         : Element::F16;
}

/// The number behind `letter` in a shape: n of m64n128k16.
int shapeOf(I i, char letter) {
  for (const std::string &modifier : i.modifiers)
    if (modifier[0] == 'm' && modifier.size() > 4 && llvm::isDigit(modifier[1]))
      return atoi(modifier.c_str() + modifier.find(letter) + 1);
  return 0;
}

void multiply(Block &block, I i, uint64_t *r) {
  WarpMatrix shape;
  shape.k = shapeOf(i, 'k');
  shape.element = elementOf(i);
  shape.halfAccumulator = i.type() == "f16";
  uint32_t values[4][4] = {};
  for (int operand = 1; operand < 4; ++operand)
    for (size_t part = 0; part < i.operands[operand].parts.size(); ++part)
      values[operand][part] = get(i.operands[operand].parts[part], r);
  block.multiply(&i, shape, values[1], values[2], values[3], values[0]);
  for (size_t part = 0; part < i.operands[0].parts.size(); ++part)
    set(i.operands[0].parts[part], r, values[0][part]);
}

void groupMatrix(Block &block, I i, uint64_t *r) {
  if (i.has("fence"))
    return block.groupFence();
  if (i.has("commit_group"))
    return block.groupCommit();
  GroupMatrix operation;
  operation.n = shapeOf(i, 'n');
  operation.k = shapeOf(i, 'k');
  operation.element = elementOf(i);
  const PtxOperand &a = i.operands[1];
  operation.registersA = a.kind == PtxOperand::Vector;
  for (size_t part = 0; part < a.parts.size(); ++part)
    operation.fragment[part] = get(a.parts[part], r);
  operation.a = operation.registersA ? 0 : get(a, r);
  operation.b = get(i.operands[2], r);
  operation.accumulates = get(i.operands[3], r) != 0;
  auto flag = [&](size_t index) {
    return index < i.operands.size() ? int64_t(get(i.operands[index], r)) : 0;
  };
  operation.signA = flag(4);
  operation.signB = flag(5);
  operation.transposesA = !operation.registersA && flag(6);
  operation.transposesB = flag(operation.registersA ? 6 : 7);
  std::vector<uint32_t> accumulators;
  for (const PtxOperand &part : i.operands[0].parts)
    accumulators.push_back(get(part, r));
  if (int(accumulators.size()) != operation.n / 2)
    block.fail("wgmma of %d columns with %zu accumulators", operation.n,
               accumulators.size());
  block.groupMultiply(operation, accumulators.data());
  for (auto [index, part] : llvm::enumerate(i.operands[0].parts))
    set(part, r, accumulators[index]);
}

//===-- copies and mbarriers
//-----------------------------------------------===//

void copyAsync(Block &block, I i, uint64_t *r) {
  if (i.has("commit_group"))
    return block.copyCommit();
  if (i.has("wait_group"))
    return block.copyWait(get(i.operands[0], r));
  if (i.has("wait_all")) {
    block.copyCommit();
    return block.copyWait(0);
  }
  if (i.has("mbarrier")) // cp.async.mbarrier.arrive
    return block.copyArrive(get(i.operands[0], r), !i.has("noinc"));
  int bytes = get(i.operands[2], r);
  int source = i.operands.size() > 3 ? int(get(i.operands[3], r)) : bytes;
  block.copyAsync(get(i.operands[0], r), get(i.operands[1], r), bytes, source);
}

void coordinates(const PtxOperand &address, const uint64_t *r, int32_t *at) {
  for (auto [axis, part] : llvm::enumerate(address.parts[1].parts))
    at[axis] = int32_t(get(part, r));
}

void copyBulk(Block &block, I i, uint64_t *r) {
  if (i.has("commit_group"))
    return block.bulkCommit();
  if (i.has("wait_group"))
    return block.bulkWait(get(i.operands[0], r));
  bool stores = i.has("bulk_group");
  if (!i.has("tensor")) {
    if (stores)
      return block.bulkStore(get(i.operands[0], r), get(i.operands[1], r),
                             get(i.operands[2], r));
    return block.bulkLoad(get(i.operands[0], r), get(i.operands[1], r),
                          get(i.operands[2], r), get(i.operands[3], r));
  }
  int32_t at[5];
  const PtxOperand &map = i.operands[stores ? 0 : 1];
  coordinates(map, r, at);
  int rank = map.parts[1].parts.size();
  uint64_t address = get(map, r);
  if (stores)
    block.tensorStore(address, at, rank, get(i.operands[1], r));
  else
    block.tensorLoad(get(i.operands[0], r), address, at, rank,
                     get(i.operands[2], r));
}

void mbarrier(Block &block, I i, uint64_t *r) {
  const std::string &what = i.modifiers[0];
  auto operand = [&](size_t index, uint64_t otherwise) {
    return index < i.operands.size() ? get(i.operands[index], r) : otherwise;
  };
  if (what == "init")
    return block.mbarrierInit(operand(0, 0), operand(1, 0));
  if (what == "inval")
    return block.mbarrierInvalidate(operand(0, 0));
  if (what == "expect_tx")
    return block.mbarrierExpect(operand(0, 0), operand(1, 0));
  // arrive: a state first, which "_" drops
  uint64_t address = operand(1, 0);
  if (i.has("expect_tx")) {
    block.mbarrierExpect(address, operand(2, 0));
    return set(i.operands[0], r, block.mbarrierArrive(address, 1));
  }
  set(i.operands[0], r, block.mbarrierArrive(address, operand(2, 1)));
}

void mbarrierTest(Block &block, I i, uint64_t *r) {
  uint64_t address = get(i.operands[1], r);
  uint32_t parity = get(i.operands[2], r);
  // Without .parity the operand is what arrive returned: the phase's number.
  if (i.modifiers[0] == "try_wait")
    block.mbarrierWait(address, parity);
  set(i.operands[0], r, block.mbarrierTest(address, parity));
}

void fence(Block &block, I i, uint64_t *) {
  if (i.has("proxy"))
    block.fenceProxy();
}

PtxHandler findFamily(I i) {
  if (i.name == "cp")
    return i.has("bulk") ? copyBulk : copyAsync;
  if (i.name == "mbarrier")
    return i.has("try_wait") || i.has("test_wait") ? mbarrierTest : mbarrier;
  if (i.name == "wgmma" && !i.has("wait_group"))
    return groupMatrix;
  if (i.name == "cvta")
    return move;
  if (i.name == "bar" || i.name == "barrier")
    return barrier;
  return nullptr;
}

} // namespace

PtxHandler findPtxHandler(const PtxInstruction &instruction) {
  static const llvm::StringMap<PtxHandler> handlers = {
      {"mov", move},
      {"add", arithmetic},
      {"sub", arithmetic},
      {"mul", arithmetic},
      {"mad", arithmetic},
      {"fma", arithmetic},
      {"and", arithmetic},
      {"or", arithmetic},
      {"xor", arithmetic},
      {"shl", arithmetic},
      {"shr", arithmetic},
      {"max", arithmetic},
      {"min", arithmetic},
      {"setp", compare},
      {"selp", select},
      {"cvt", convert},
      {"ex2", approximate},
      {"lg2", approximate},
      {"rcp", approximate},
      {"rsqrt", approximate},
      {"sqrt", approximate},
      {"tanh", approximate},
      {"trap", trap},
      {"setmaxnreg", nothing},
      {"nanosleep", nothing},
      {"prefetch", nothing},
      {"prefetchu", nothing},
      {"membar", nothing},
      {"fence", fence},
      {"createpolicy", zero},
      {"griddepcontrol", nothing},
      {"discard", nothing},
      {"ld", load},
      {"st", store},
      {"red", reduceMemory},
      {"shfl", shuffle},
      {"vote", vote},
      {"elect", elect},
      {"ldmatrix", loadMatrix},
      {"stmatrix", storeMatrix},
      {"mma", multiply},
  };
  auto found = handlers.find(instruction.name);
  return found != handlers.end() ? found->second : findFamily(instruction);
}

} // namespace attnc::emulator
