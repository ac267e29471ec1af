//===- attn-ir.cpp - hostile programs -------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the input as MLIR text of the attn dialect, as attnc does: after a look
// for what MLIR's parser does not survive (MlirText.h). What is read and
// verified must print and read again to the same text, and go through every
// stage down to LLVM IR, or be declined with an error that has a code. The last
// byte says which rewrites are left out.
//
//===----------------------------------------------------------------------===//
#include "compiler/Compile.h"
#include "compiler/cpu/Codegen.h"
#include "compiler/import/MlirText.h"
#include "mlir/Parser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"

using namespace mlir;

/// Vectors are filled, and pools used, by LLVM's library, which is not
/// instrumented.
extern "C" const char *__asan_default_options() {
  return "detect_container_overflow=0:allow_user_poisoning=0:detect_leaks=0";
}

static void require(bool holds, const char *what) {
  if (holds)
    return;
  llvm::errs() << what << "\n";
  abort();
}

static std::string print(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module->print(os);
  return text;
}

/// Kernels are unrolled over some static dimensions: large ones take long and
/// find nothing that small ones do not.
static bool isSmall(ModuleOp module) {
  unsigned ops = 0;
  bool small = true;
  auto check = [&](Type type) {
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      for (int64_t dim : tensor.getShape())
        small &= ShapedType::isDynamic(dim) || dim <= 512;
  };
  module->walk([&](Operation *op) {
    ++ops;
    llvm::for_each(op->getResultTypes(), check);
    llvm::for_each(op->getOperandTypes(), check);
  });
  return small && ops <= 300;
}

/// Every stage, then LLVM IR; all that fails must have been said.
static void compile(ModuleOp module, uint8_t choice) {
  const attnc::Target &target =
      *attnc::Target::find(choice & 1 ? "x86-64-v4" : "x86-64-v3");
  attnc::PipelineOptions options;
  options.optimize = choice & 2;
  unsigned number = 0;
  for (const attnc::Stage &stage : attnc::getStages({}, target))
    if (stage.kind == attnc::Stage::Optimize && (choice >> 2 & 15) == ++number)
      options.disabledPasses.insert(stage.name);
  bool said = false;
  ScopedDiagnosticHandler watch(module.getContext(), [&](Diagnostic &d) {
    said |= StringRef(d.str()).contains("error[A");
    return success();
  });
  using attnc::Stage;
  attnc::StageRunner runner{options, &target,
                            [](const Stage &, ModuleOp) { return success(); },
                            /*reproducer=*/""};
  if (failed(runner.run(module, {Stage::Optimize, Stage::Required,
                                 Stage::Schedule, Stage::Lower}))) {
    require(said, "a stage failed without an error that has a code");
    return;
  }
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code = attnc::translateToLLVM(module, context);
  require(code != nullptr, "the lowered program is no LLVM IR");
  require(!llvm::verifyModule(*code, &llvm::errs()), "invalid LLVM IR");
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const DialectRegistry registry = [] {
    DialectRegistry all;
    attnc::registerDialects(all);
    return all;
  }();
  if (size == 0)
    return 0;
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  std::string refusal;
  context.getDiagEngine().registerHandler([&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
      refusal += diagnostic.str();
    return success();
  });
  ParserConfig config(&context);
  std::string text(reinterpret_cast<const char *>(data), size - 1);
  if (attnc::findIndexArray(text))
    return 0;
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, config);
  require(module || !refusal.empty(), "refused without a word");
  if (!module)
    return 0;
  std::string printed = print(*module);
  OwningOpRef<ModuleOp> again = parseSourceString<ModuleOp>(printed, config);
  require(bool(again), "what was printed cannot be read");
  require(print(*again) == printed, "what was printed reads differently");
  // Only fresh programs of ours go further: other dialects' ops, and programs
  // that say they are at a later stage, are for attn-opt's users.
  bool ours = !(*module)->hasAttr(attnc::attn::AttnDialect::kStageAttr);
  for (Operation &op : *module->getBody())
    ours &=
        isa<attnc::attn::SizeOp, attnc::attn::WeightOp, attnc::attn::EntryOp>(
            op);
  if (ours && isSmall(*module))
    compile(*module, data[size - 1]);
  return 0;
}
