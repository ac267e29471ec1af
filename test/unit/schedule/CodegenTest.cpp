//===- CodegenTest.cpp - what stands in an object file --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Symbols, determinism, assembly: for targets that this machine need not run.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Codegen.h"
#include "Programs.h"
#include "compiler/Passes.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Object/ELFObjectFile.h"
#include <gtest/gtest.h>

using namespace mlir;

namespace attnc::test {
namespace {

class CodegenTest : public testing::TestWithParam<const char *> {
protected:
  /// LLVM IR of a program, optimized; each time from the text.
  void compile(const char *text) {
    DialectRegistry registry;
    registry
        .insert<attn::AttnDialect, kernel::KernelDialect, func::FuncDialect>();
    registerAllExtensions(registry);
    registerCodegenInterfaces(registry);
    MLIRContext context(registry);
    context.loadAllAvailableDialects();
    auto module = parseSourceString<ModuleOp>(text, &context);
    ASSERT_TRUE(module);
    PassManager passes(&context);
    SelectKernelsOptions options;
    options.target = GetParam();
    passes.addPass(createSelectKernels(options));
    passes.addPass(createChooseTiles());
    passes.addPass(createCutPhases());
    passes.addPass(createPlanArena());
    passes.addPass(createLowerKernels());
    passes.addPass(createLowerPrograms());
    passes.addPass(createExpandMath());
    populateLowerToLLVM(passes);
    ASSERT_TRUE(succeeded(passes.run(*module)));
    code.reset();
    code = translateToLLVM(*module, llvmContext);
    ASSERT_TRUE(code);
    llvm::cantFail(optimizeLLVM(*code, target()));
  }

  const Target &target() { return *Target::find(GetParam()); }

  llvm::SmallString<0> object() {
    llvm::SmallString<0> bytes;
    llvm::raw_svector_ostream os(bytes);
    llvm::cantFail(emitObject(*code, target(), os));
    return bytes;
  }

  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> code;
};

TEST_P(CodegenTest, Symbols) {
  compile(kFusedEncoder);
  llvm::SmallString<0> bytes = object();
  auto file = llvm::cantFail(llvm::object::ObjectFile::createELFObjectFile(
      llvm::MemoryBufferRef(bytes, "object")));
  unsigned phases = 0;
  bool hasPlan = false;
  for (llvm::object::ELFSymbolRef symbol : file->symbols()) {
    llvm::StringRef name = llvm::cantFail(symbol.getName());
    uint32_t flags = llvm::cantFail(symbol.getFlags());
    if (flags & llvm::object::SymbolRef::SF_Undefined) {
      // What every C library has, besides the provider of products.
      EXPECT_TRUE(name.empty() || name == "memset" || name == "memcpy" ||
                  name == "memmove" || name == "_GLOBAL_OFFSET_TABLE_" ||
                  name == "cblas_sgemm" || name == "openblas_set_num_threads")
          << name.str();
      continue;
    }
    if (!(flags & llvm::object::SymbolRef::SF_Global))
      continue;
    // Phases and plans are for the tables, and not for the library's users.
    EXPECT_EQ(symbol.getOther() & 3, llvm::ELF::STV_HIDDEN) << name.str();
    phases += name.contains("_encode_phase_");
    hasPlan |= name.ends_with("_encode_plan");
    EXPECT_TRUE(name.contains("_encode_")) << name.str();
  }
  EXPECT_GE(phases, 9u);
  EXPECT_TRUE(hasPlan);
}

TEST_P(CodegenTest, SameTextSameBytes) {
  compile(kFusedEncoder);
  llvm::SmallString<0> first = object();
  compile(kFusedEncoder);
  // Asking for assembly in between changes nothing.
  llvm::SmallString<0> assembly;
  llvm::raw_svector_ostream os(assembly);
  llvm::cantFail(emitAssembly(*code, target(), os));
  EXPECT_TRUE(assembly.str().contains("_attention_2x20:"));
  EXPECT_TRUE(object() == first);
}

TEST_P(CodegenTest, VectorsOfTheTarget) {
  compile(kFusedEncoder);
  llvm::SmallString<0> assembly;
  llvm::raw_svector_ostream os(assembly);
  llvm::cantFail(emitAssembly(*code, target(), os));
  llvm::StringRef text = assembly;
  EXPECT_EQ(text.contains("%zmm"), target().vectorBytes == 64);
  EXPECT_EQ(text.contains("%ymm"), target().vectorBytes >= 32);
  EXPECT_EQ(text.contains("vfmadd"), target().hasFma);
}

INSTANTIATE_TEST_SUITE_P(Targets, CodegenTest,
                         testing::Values("x86-64-v4", "x86-64-v3", "x86-64"),
                         [](const auto &info) {
                           std::string name = info.param;
                           llvm::erase(name, '-');
                           return name;
                         });

} // namespace
} // namespace attnc::test
