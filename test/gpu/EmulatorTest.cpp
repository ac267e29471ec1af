//===- EmulatorTest.cpp - what the emulator does and refuses --------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Plain kernels, and what a kernel must not do: each of these errors is one
// that a GPU would not, or not always, report.
//
//===----------------------------------------------------------------------===//
#include "Kernels.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace attnc::emulator;
using testing::HasSubstr;

namespace {

constexpr const char *kHeader = R"(
target triple = "nvptx64-nvidia-cuda"
@shared = external addrspace(3) global [0 x i8], align 1024
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.barrier.cta.sync.aligned.count(i32, i32)
declare i32 @llvm.nvvm.shfl.sync.idx.i32(i32, i32, i32, i32)
declare void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3), i32)
declare i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3))
define ptx_kernel void @k(ptr addrspace(1) %x) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %p = getelementptr i32, ptr addrspace(1) %x, i32 %t
  %s = getelementptr i32, ptr addrspace(3) @shared, i32 %t
)";

/// Runs `body` as the kernel of one block on a buffer of 64 numbers; returns
/// the error's text.
std::string runBody(const std::string &body, Buffer<int32_t> &x,
                    uint32_t threads = 64, uint32_t sharedBytes = 256) {
  auto program = Program::parse(kHeader + body + "  ret void\n}\n");
  if (!program)
    return llvm::toString(program.takeError());
  void *xs = x.data();
  Launch launch;
  launch.kernel = "k";
  launch.threads = threads;
  launch.sharedBytes = sharedBytes;
  launch.parameters = {&xs};
  return llvm::toString((*program)->run(launch, {}));
}

std::string errorOf(const std::string &body) {
  Buffer<int32_t> x(64);
  return runBody(body, x);
}

TEST(Emulator, SumsOfBlocks) {
  std::string text = kernelText("block-sum.ll");
  for (int n : {1, 31, 128, 129, 1000}) {
    Outcome outcome = runBlockSum(text, n, {});
    EXPECT_EQ(outcome.error, "") << n;
    EXPECT_EQ(outcome.difference, 0) << n;
  }
}

TEST(Emulator, EveryOrderOfThreads) {
  std::string text = kernelText("block-sum.ll");
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Options options;
    options.seed = seed;
    EXPECT_TRUE(runBlockSum(text, 300, options).isRight(0)) << seed;
  }
}

TEST(Emulator, ThreadsSeeEachOthersWrites) {
  Buffer<int32_t> x(64);
  EXPECT_EQ(runBody(R"(
  store i32 %t, ptr addrspace(3) %s
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %o = xor i32 %t, 63
  %q = getelementptr i32, ptr addrspace(3) @shared, i32 %o
  %v = load i32, ptr addrspace(3) %q
  store i32 %v, ptr addrspace(1) %p
)",
                    x),
            "");
  for (int i = 0; i < 64; ++i)
    EXPECT_EQ(x[i], 63 - i);
}

TEST(Emulator, InlineAssembly) {
  Buffer<int32_t> x(64);
  EXPECT_EQ(runBody(R"(
  %v = call i32 asm sideeffect "{\0A.reg .pred q;\0A.reg .b32 r;\0Asetp.lt.s32 q, $1, 10;\0Aadd.s32 r, $1, 0x10;\0A@!q bra OUT;\0Amul.lo.s32 r, r, -2;\0AOUT:\0Amov.b32 $0, r;\0A}", "=r,r"(i32 %t)
  store i32 %v, ptr addrspace(1) %p
)",
                    x),
            "");
  for (int i = 0; i < 64; ++i)
    EXPECT_EQ(x[i], i < 10 ? -2 * (i + 16) : i + 16);
}

TEST(Emulator, SharedMemoryStartsAsNaN) {
  Buffer<int32_t> x(64);
  EXPECT_EQ(runBody(R"(
  %v = load i32, ptr addrspace(3) %s
  store i32 %v, ptr addrspace(1) %p
)",
                    x),
            "");
  EXPECT_EQ(x[5], -1);
}

TEST(Emulator, RefusesAccessBeyondABuffer) {
  EXPECT_THAT(errorOf(R"(
  %q = getelementptr i32, ptr addrspace(1) %p, i32 1
  store i32 0, ptr addrspace(1) %q
)"),
              HasSubstr("thread 63: it writes 4 bytes at offset 256 of a "
                        "buffer of 256 bytes"));
  EXPECT_THAT(errorOf(R"(
  %q = getelementptr i32, ptr addrspace(1) %x, i32 -1
  %v = load i32, ptr addrspace(1) %q
  store i32 %v, ptr addrspace(1) %p
)"),
              HasSubstr("it reads 4 bytes at "));
  EXPECT_THAT(errorOf(R"(
  %q = getelementptr i32, ptr addrspace(3) %s, i32 32
  store i32 0, ptr addrspace(3) %q
)"),
              HasSubstr("thread 32: it writes 4 bytes at offset 256 of shared "
                        "memory, which has 256"));
}

TEST(Emulator, RefusesMisalignedAccess) {
  EXPECT_THAT(errorOf(R"(
  %v = load <2 x i32>, ptr addrspace(1) %p, align 8
  store <2 x i32> %v, ptr addrspace(3) @shared, align 8
)"),
              HasSubstr("thread 1: it reads 8 bytes"));
}

TEST(Emulator, SaysWhoIsStuck) {
  EXPECT_THAT(errorOf(R"(
  %few = icmp ult i32 %t, 32
  br i1 %few, label %wait, label %end
wait:
  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 1, i32 64)
  br label %end
end:
)"),
              HasSubstr("stuck: 32 threads, the first of them 0, wait for a "
                        "barrier"));
}

TEST(Emulator, RefusesADividedWarp) {
  EXPECT_THAT(errorOf(R"(
  %odd = trunc i32 %t to i1
  br i1 %odd, label %one, label %other
one:
  %v = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 -1, i32 %t, i32 0, i32 31)
  br label %end
other:
  %w = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 -1, i32 %t, i32 1, i32 31)
  br label %end
end:
)"),
              HasSubstr("lanes of one warp wait for each other at different "
                        "instructions"));
}

TEST(Emulator, RefusesMbarriersMisused) {
  EXPECT_THAT(errorOf(R"(
  %v = call i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3) @shared)
)"),
              HasSubstr("the mbarrier at shared offset 0 is not initialized"));
  EXPECT_THAT(errorOf(R"(
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @shared, i32 2)
  %v = call i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3) @shared)
  %r = call i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3) @shared)
  call void asm sideeffect "mbarrier.arrive.shared.b64 _, [$0], 3;", "r"(ptr addrspace(3) @shared)
)"),
              HasSubstr("more arrivals at the mbarrier at shared offset 0"));
}

TEST(Emulator, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(errorOf(R"(
  call void asm sideeffect "frobnicate.b32 $0;", "r"(i32 %t)
)"),
              HasSubstr("does not know 'frobnicate.b32'"));
  auto program = Program::parse(R"(
target triple = "nvptx64-nvidia-cuda"
declare i32 @llvm.nvvm.read.ptx.sreg.clock()
define ptx_kernel void @k() {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.clock()
  ret void
}
)");
  ASSERT_TRUE(bool(program));
  Launch launch;
  launch.kernel = "k";
  EXPECT_THAT(llvm::toString((*program)->run(launch, {})),
              HasSubstr("read.ptx.sreg.clock"));
  launch.kernel = "other";
  EXPECT_THAT(llvm::toString((*program)->run(launch, {})),
              HasSubstr("no kernel 'other'"));
}

TEST(Emulator, RefusesTooMuchSharedMemory) {
  Buffer<int32_t> x(64);
  EXPECT_THAT(runBody("", x, 64, 228 * 1024),
              HasSubstr("a block has at most 232448"));
}

} // namespace
