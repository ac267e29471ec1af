//===- PtxTest.cpp - from the LLVM dialect to PTX and cubins --------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What Ptx.h promises beyond the text: statements that threads must reach
// together are not duplicated, emission leaves its module as it is, PTX says
// what it is for, ptxas is found or its failure named.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/Ptx.h"
#include "Programs.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdlib>
#include <gmock/gmock.h>

using namespace mlir;
using testing::HasSubstr;
using testing::Not;

namespace attnc::test {
namespace {

class PtxTest : public GpuTest {
protected:
  /// All of the kernels, lowered for `target` and optimised.
  std::unique_ptr<llvm::Module> lower(llvm::StringRef target) {
    OwningOpRef<ModuleOp> module = build(target);
    PassManager passes(&context);
    passes.addPass(createPlanSharedMemory());
    passes.addPass(createLowerWarp());
    passes.addPass(createExpandMath());
    gpu::populateLowerToNvvm(passes);
    EXPECT_TRUE(succeeded(passes.run(*module)));
    std::unique_ptr<llvm::Module> code = gpu::translateToNvvm(*module, llvm);
    EXPECT_TRUE(code);
    gpu::optimizeNvvm(*code, *Target::find(target));
    return code;
  }

  llvm::LLVMContext llvm;
};

std::string textOf(const llvm::Module &module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module.print(os, nullptr);
  return text;
}

TEST_F(PtxTest, SaysWhatItIsFor) {
  for (const char *name : {"sm_80", "sm_90a"}) {
    std::unique_ptr<llvm::Module> code = lower(name);
    std::string before = textOf(*code);
    std::string ptx = gpu::emitPtx(*code, *Target::find(name));
    EXPECT_EQ(textOf(*code), before) << "emission changes a copy";
    EXPECT_EQ(gpu::emitPtx(*code, *Target::find(name)), ptx);
    EXPECT_THAT(ptx, HasSubstr(std::string(".target ") + name));
    EXPECT_THAT(ptx, HasSubstr(".address_size 64"));
    EXPECT_THAT(ptx, HasSubstr(".visible .entry v_attention("));
    EXPECT_THAT(ptx, HasSubstr(".extern .shared .align 1024"));
    // Nothing that a driver would have to link.
    EXPECT_THAT(ptx, Not(HasSubstr(".extern .func")));
    // Registers alone: no stack, no dynamic indices into fragments.
    EXPECT_THAT(ptx, Not(HasSubstr(".local ")));
  }
}

TEST_F(PtxTest, StatementsWithEffectsAreConvergent) {
  std::unique_ptr<llvm::Module> code = lower("sm_90a");
  int statements = 0;
  for (const llvm::Function &function : *code)
    for (const llvm::Instruction &instruction : llvm::instructions(function))
      if (auto *call = llvm::dyn_cast<llvm::CallInst>(&instruction))
        if (auto *text =
                llvm::dyn_cast<llvm::InlineAsm>(call->getCalledOperand());
            text && text->hasSideEffects()) {
          ++statements;
          EXPECT_TRUE(call->isConvergent()) << text->getAsmString().str();
        }
  EXPECT_GT(statements, 10);
}

TEST_F(PtxTest, PtxasIsWhatTheEnvironmentSays) {
  ::setenv("ATTNC_PTXAS", "/nowhere/ptxas", 1);
  EXPECT_EQ(gpu::findPtxas(), "/nowhere/ptxas");
  const Target &target = *Target::find("sm_80");
  for (const char *program : {"/nowhere/ptxas", "/bin/false"}) {
    auto cubin = gpu::assemblePtx(program, "", target);
    ASSERT_FALSE(cubin) << program;
    EXPECT_THAT(
        llvm::toString(cubin.takeError()),
        HasSubstr(std::string("error[A0535]: '") + program + "' failed"));
  }
  // Ends well and writes nothing: an empty cubin is its business.
  auto empty = gpu::assemblePtx("/bin/true", "", target);
  ASSERT_TRUE(bool(empty)) << llvm::toString(empty.takeError());
  EXPECT_TRUE(empty->bytes.empty());
  ::unsetenv("ATTNC_PTXAS");
}

TEST_F(PtxTest, AssemblesWithoutSpills) {
  std::string ptxas = gpu::findPtxas();
  if (ptxas.empty())
    GTEST_SKIP() << "ptxas is not installed: PTX is not assembled";
  for (const char *name : {"sm_80", "sm_90a"}) {
    const Target &target = *Target::find(name);
    auto cubin =
        gpu::assemblePtx(ptxas, gpu::emitPtx(*lower(name), target), target);
    ASSERT_TRUE(bool(cubin)) << llvm::toString(cubin.takeError());
    EXPECT_TRUE(cubin->bytes.starts_with("\x7f"
                                         "ELF"));
    EXPECT_THAT(cubin->report, HasSubstr("0 bytes spill stores"));
    EXPECT_THAT(cubin->report, Not(HasSubstr("serialized")));
  }
}

} // namespace
} // namespace attnc::test
