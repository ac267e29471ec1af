//===- Intrinsics.cpp - NVVM intrinsics -----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// By name, families by their beginning; the longest beginning wins.
//
//===----------------------------------------------------------------------===//
#include "Site.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using llvm::StringRef;

namespace attnc::emulator {
namespace {

template <typename T> T in(void **operands, int index) {
  return *static_cast<T *>(operands[index]);
}
template <typename T> void out(void *result, T value) {
  *static_cast<T *>(result) = value;
}

#define HANDLER(name)                                                          \
  void name([[maybe_unused]] Block &block, [[maybe_unused]] const Site &site,  \
            [[maybe_unused]] void *result, [[maybe_unused]] void **operands)

HANDLER(nothing) {}

//===-- registers
//----------------------------------------------------------===//

HANDLER(specialRegister) {
  StringRef name = StringRef(site.name).rsplit("sreg.").second;
  const Launch &launch = block.launch;
  auto axis = [&] { return name.back() - 'x'; };
  uint32_t value = 0;
  if (name == "tid.x")
    value = block.thread;
  else if (name == "ntid.x")
    value = launch.threads;
  else if (name.starts_with("tid") || name.starts_with("ntid"))
    value = name.starts_with("n");
  else if (name.starts_with("ctaid"))
    value = block.index[axis()];
  else if (name.starts_with("nctaid"))
    value = launch.grid[axis()];
  else if (name == "laneid")
    value = block.lane();
  else if (name == "warpid")
    value = block.thread / 32;
  else if (name == "warpsize")
    value = 32;
  else
    block.fail("the emulator does not know the register %s", site.name.c_str());
  out<uint32_t>(result, value);
}

//===-- numbers
//------------------------------------------------------------===//

template <float (*function)(float)> HANDLER(unary) {
  out<float>(result, function(in<float>(operands, 0)));
}
float reciprocal(float x) { return 1.0f / x; }
float reciprocalRoot(float x) { return 1.0f / std::sqrt(x); }

HANDLER(maximum) {
  out<float>(result, std::fmax(in<float>(operands, 0), in<float>(operands, 1)));
}
HANDLER(minimum) {
  out<float>(result, std::fmin(in<float>(operands, 0), in<float>(operands, 1)));
}
HANDLER(multiplyAdd) {
  out<float>(result, std::fma(in<float>(operands, 0), in<float>(operands, 1),
                              in<float>(operands, 2)));
}
template <uint16_t (*one)(float)> HANDLER(pack) {
  out<uint32_t>(result, uint32_t(one(in<float>(operands, 0))) << 16 |
                            one(in<float>(operands, 1)));
}
template <uint16_t (*one)(float)> HANDLER(narrow) {
  out<uint16_t>(result, one(in<float>(operands, 0)));
}
HANDLER(toTf32) { out<float>(result, roundToTf32(in<float>(operands, 0))); }

//===-- warps
//--------------------------------------------------------------===//

HANDLER(shuffle) {
  StringRef name = site.name;
  Shuffle mode = name.contains("bfly")   ? Shuffle::Xor
                 : name.contains(".up")  ? Shuffle::Up
                 : name.contains("down") ? Shuffle::Down
                                         : Shuffle::Index;
  bool inside;
  uint32_t value = block.shuffle(
      &site, mode, in<uint32_t>(operands, 0), in<uint32_t>(operands, 1),
      in<uint32_t>(operands, 2), in<uint32_t>(operands, 3), inside);
  out(result, value);
  if (name.ends_with("p"))
    static_cast<unsigned char *>(result)[4] = inside;
}

HANDLER(vote) {
  StringRef name = site.name;
  Vote mode = name.contains("ballot") ? Vote::Ballot
              : name.contains("all")  ? Vote::All
              : name.contains("any")  ? Vote::Any
                                      : Vote::Uniform;
  uint32_t value = block.vote(&site, mode, in<uint32_t>(operands, 0),
                              in<unsigned char>(operands, 1) & 1);
  if (mode == Vote::Ballot)
    out(result, value);
  else
    out<unsigned char>(result, value);
}

HANDLER(reduce) {
  StringRef how = StringRef(site.name).rsplit('.').second;
  uint32_t (*combine)(uint32_t, uint32_t) =
      how == "add"    ? +[](uint32_t a, uint32_t b) { return a + b; }
      : how == "umax" ? +[](uint32_t a, uint32_t b) { return a > b ? a : b; }
      : how == "umin" ? +[](uint32_t a, uint32_t b) { return a < b ? a : b; }
      : how == "max"
          ? +[](uint32_t a,
                uint32_t
                    b) { return uint32_t(std::max(int32_t(a), int32_t(b))); }
      : how == "min"
          ? +[](uint32_t a,
                uint32_t
                    b) { return uint32_t(std::min(int32_t(a), int32_t(b))); }
      : how == "and" ? +[](uint32_t a, uint32_t b) { return a & b; }
      : how == "or"  ? +[](uint32_t a, uint32_t b) { return a | b; }
                     : +[](uint32_t a, uint32_t b) { return a ^ b; };
  out(result, block.reduce(&site, in<uint32_t>(operands, 1),
                           in<uint32_t>(operands, 0), combine));
}

HANDLER(syncWarp) { block.syncWarp(&site, in<uint32_t>(operands, 0)); }

HANDLER(elect) {
  bool elected;
  out(result, block.elect(&site, in<uint32_t>(operands, 0), elected));
  static_cast<unsigned char *>(result)[4] = elected;
}

//===-- barriers
//-----------------------------------------------------------===//

HANDLER(barrierZero) { block.barrierSync(0, 0); }
HANDLER(barrierAll) { block.barrierSync(in<uint32_t>(operands, 0), 0); }
HANDLER(barrierCount) {
  block.barrierSync(in<uint32_t>(operands, 0), in<uint32_t>(operands, 1));
}
HANDLER(barrierArrive) {
  block.barrierArrive(in<uint32_t>(operands, 0), in<uint32_t>(operands, 1));
}
HANDLER(mbarrierInit) {
  block.mbarrierInit(in<uint64_t>(operands, 0), in<uint32_t>(operands, 1));
}
HANDLER(mbarrierInvalidate) {
  block.mbarrierInvalidate(in<uint64_t>(operands, 0));
}
HANDLER(mbarrierArrive) {
  out(result, block.mbarrierArrive(in<uint64_t>(operands, 0), 1));
}
HANDLER(mbarrierArriveCount) {
  out(result, block.mbarrierArrive(in<uint64_t>(operands, 0),
                                   in<uint32_t>(operands, 1)));
}
HANDLER(mbarrierArriveExpect) {
  uint64_t address = in<uint64_t>(operands, 0);
  block.mbarrierExpect(address, in<uint32_t>(operands, 1));
  out(result, block.mbarrierArrive(address, 1));
}
HANDLER(mbarrierExpect) {
  block.mbarrierExpect(in<uint64_t>(operands, 0), in<uint32_t>(operands, 1));
}
HANDLER(mbarrierTry) {
  uint64_t address = in<uint64_t>(operands, 0);
  uint32_t parity = in<uint32_t>(operands, 1);
  block.mbarrierWait(address, parity);
  out<unsigned char>(result, 1);
}
HANDLER(fenceProxy) { block.fenceProxy(); }

//===-- matrices
//-----------------------------------------------------------===//

int matrixCount(StringRef name) {
  return name.contains(".x4") ? 4 : name.contains(".x2") ? 2 : 1;
}

HANDLER(loadMatrix) {
  block.loadMatrix(&site, matrixCount(site.name),
                   StringRef(site.name).contains("trans"),
                   in<uint64_t>(operands, 0), static_cast<uint32_t *>(result));
}

HANDLER(storeMatrix) {
  int count = matrixCount(site.name);
  uint32_t values[4];
  for (int i = 0; i < count; ++i)
    values[i] = in<uint32_t>(operands, 1 + i);
  block.storeMatrix(&site, count, StringRef(site.name).contains("trans"),
                    in<uint64_t>(operands, 0), values);
}

HANDLER(multiply) {
  StringRef name = site.name;
  WarpMatrix shape;
  (void)name.drop_front(name.find('k') + 1)
      .take_while(llvm::isDigit)
      .getAsInteger(10, shape.k);
  shape.element = name.contains("bf16")   ? Element::BF16
                  : name.contains("tf32") ? Element::TF32
                  : name.contains(".s8")  ? Element::S8
                  : name.contains(".u8")  ? Element::U8
                                          : Element::F16;
  shape.halfAccumulator = name.ends_with("f16.f16");
  int bytes = shape.element == Element::TF32 ? 4
              : shape.element == Element::S8 || shape.element == Element::U8
                  ? 1
                  : 2;
  int countB = shape.k * bytes / 16, countA = 2 * countB;
  uint32_t a[4] = {}, b[2] = {}, c[4] = {}, d[4];
  for (int i = 0; i < countA; ++i)
    a[i] = in<uint32_t>(operands, i);
  for (int i = 0; i < countB; ++i)
    b[i] = in<uint32_t>(operands, countA + i);
  int countC = shape.halfAccumulator ? 2 : 4;
  for (int i = 0; i < countC; ++i)
    c[i] = in<uint32_t>(operands, countA + countB + i);
  block.multiply(&site, shape, a, b, c, d);
  memcpy(result, d, 4 * countC);
}

HANDLER(groupFence) { block.groupFence(); }
HANDLER(groupCommit) { block.groupCommit(); }

//===-- copies
//-------------------------------------------------------------===//

HANDLER(copyAsync) {
  StringRef name = site.name;
  bool counted = name.consume_back(".s");
  int bytes = 0;
  name.rsplit('.').second.getAsInteger(10, bytes);
  block.copyAsync(in<uint64_t>(operands, 0), in<uint64_t>(operands, 1), bytes,
                  counted ? in<int32_t>(operands, 2) : bytes);
}
HANDLER(copyCommit) { block.copyCommit(); }
HANDLER(copyWait) { block.copyWait(in<uint32_t>(operands, 0)); }
HANDLER(copyWaitAll) {
  block.copyCommit();
  block.copyWait(0);
}
HANDLER(copyArrive) {
  block.copyArrive(in<uint64_t>(operands, 0),
                   !StringRef(site.name).contains("noinc"));
}
int rankOf(StringRef name) { return name[name.rfind('d') - 1] - '0'; }
HANDLER(tensorLoad) {
  int32_t at[5];
  int rank = rankOf(site.name);
  for (int axis = 0; axis < rank; ++axis)
    at[axis] = in<int32_t>(operands, 3 + axis);
  block.tensorLoad(in<uint64_t>(operands, 0), in<uint64_t>(operands, 2), at,
                   rank, in<uint64_t>(operands, 1));
}
HANDLER(tensorStore) {
  int32_t at[5];
  int rank = rankOf(site.name);
  for (int axis = 0; axis < rank; ++axis)
    at[axis] = in<int32_t>(operands, 2 + axis);
  block.tensorStore(in<uint64_t>(operands, 1), at, rank,
                    in<uint64_t>(operands, 0));
}
HANDLER(bulkLoad) {
  block.bulkLoad(in<uint64_t>(operands, 0), in<uint64_t>(operands, 2),
                 in<uint32_t>(operands, 3), in<uint64_t>(operands, 1));
}
HANDLER(bulkStore) {
  block.bulkStore(in<uint64_t>(operands, 0), in<uint64_t>(operands, 1),
                  in<uint32_t>(operands, 2));
}
HANDLER(bulkCommit) { block.bulkCommit(); }
HANDLER(bulkWait) { block.bulkWait(in<uint32_t>(operands, 0)); }

struct Family {
  StringRef beginning;
  Site::Handler handler;
};

const Family families[] = {
    {"read.ptx.sreg.", specialRegister},
    {"ex2.approx", unary<exp2f>},
    {"lg2.approx", unary<log2f>},
    {"rcp.", unary<reciprocal>},
    {"rsqrt.approx", unary<reciprocalRoot>},
    {"sqrt.", unary<sqrtf>},
    {"tanh.approx", unary<tanhf>},
    {"fabs", unary<fabsf>},
    {"fmax.", maximum},
    {"fmin.", minimum},
    {"fma.rn", multiplyAdd},
    {"ff2bf16x2.rn", pack<toBfloat>},
    {"ff2f16x2.rn", pack<toHalf>},
    {"f2bf16.rn", narrow<toBfloat>},
    {"f2f16.rn", narrow<toHalf>},
    {"f2tf32.rna", toTf32},
    {"shfl.sync.", shuffle},
    {"vote.", vote},
    {"redux.sync.", reduce},
    {"bar.warp.sync", syncWarp},
    {"elect.sync", elect},
    {"barrier0", barrierZero},
    {"barrier.cta.sync.aligned.all", barrierAll},
    {"barrier.cta.sync.all", barrierAll},
    {"barrier.cta.sync.aligned.count", barrierCount},
    {"barrier.cta.sync.count", barrierCount},
    {"barrier.cta.arrive.", barrierArrive},
    {"mbarrier.init", mbarrierInit},
    {"mbarrier.inval", mbarrierInvalidate},
    {"mbarrier.arrive", mbarrierArrive},
    {"mbarrier.arrive.scope", mbarrierArriveCount},
    {"mbarrier.arrive.expect.tx", mbarrierArriveExpect},
    {"mbarrier.expect.tx", mbarrierExpect},
    {"mbarrier.try.wait.parity", mbarrierTry},
    {"fence.proxy.async", fenceProxy},
    {"fence.", nothing},
    {"membar.", nothing},
    {"setmaxnreg.", nothing},
    {"griddepcontrol.", nothing},
    {"prefetch.", nothing},
    {"nanosleep", nothing},
    {"ldmatrix.sync.aligned.m8n8.", loadMatrix},
    {"stmatrix.sync.aligned.m8n8.", storeMatrix},
    {"mma.m16n8k", multiply},
    {"wgmma.fence", groupFence},
    {"wgmma.commit_group", groupCommit},
    {"cp.async.ca.shared.global.", copyAsync},
    {"cp.async.cg.shared.global.", copyAsync},
    {"cp.async.commit.group", copyCommit},
    {"cp.async.wait.group", copyWait},
    {"cp.async.wait.all", copyWaitAll},
    {"cp.async.mbarrier.arrive", copyArrive},
    {"cp.async.bulk.tensor.g2s.tile.", tensorLoad},
    {"cp.async.bulk.tensor.s2g.tile.", tensorStore},
    {"cp.async.bulk.global.to.shared.", bulkLoad},
    {"cp.async.bulk.shared.cta.to.global", bulkStore},
    {"cp.async.bulk.commit.group", bulkCommit},
    {"cp.async.bulk.wait.group", bulkWait},
};

} // namespace

Site::Handler findIntrinsic(StringRef name) {
  const Family *best = nullptr;
  for (const Family &family : families)
    if (name.starts_with(family.beginning) &&
        (!best || family.beginning.size() > best->beginning.size()))
      best = &family;
  return best ? best->handler : nullptr;
}

void runAssembly(Block &block, const Site &site, void *result,
                 void **operands) {
  std::vector<uint64_t> registers(site.snippet.registerCount());
  for (auto [index, input] : llvm::enumerate(site.inputs)) {
    uint64_t value = 0;
    memcpy(&value, operands[index], input.bytes);
    registers[input.number] = value;
  }
  site.snippet.run(block, registers.data());
  for (auto [index, output] : llvm::enumerate(site.outputs))
    memcpy(static_cast<char *>(result) + output.offset, &registers[index],
           output.bytes);
}

} // namespace attnc::emulator
