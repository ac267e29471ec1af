//===- Codegen.cpp - LLVM dialect to object code --------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Conversion to the LLVM dialect, translation, optimization, emission. Kernels
// arrive unrolled, on native vectors, with addresses folded: what is left for
// LLVM is to clean up, to hoist, and to allocate registers. Its vectorizers and
// unrollers stay off, so that micro-kernels keep the shape they were given and
// compiling stays quick.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Codegen.h"
#include "compiler/cpu/Sanitize.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Target/TargetOptions.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace mlir;

namespace attnc {

void registerCodegenInterfaces(DialectRegistry &registry) {
  arith::registerConvertArithToLLVMInterface(registry);
  cf::registerConvertControlFlowToLLVMInterface(registry);
  registerConvertFuncToLLVMInterface(registry);
  registerConvertMathToLLVMInterface(registry);
  vector::registerConvertVectorToLLVMInterface(registry);
}

void populateLowerToLLVM(OpPassManager &passes) {
  passes.addPass(createSCFToControlFlowPass());
  passes.addPass(createConvertVectorToLLVMPass());
  passes.addPass(createConvertMathToLLVMPass());
  passes.addPass(createArithToLLVMConversionPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createConvertFuncToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
}

std::unique_ptr<llvm::Module> translateToLLVM(ModuleOp module,
                                              llvm::LLVMContext &context) {
  // A library exports nothing of its kernels: those that only this module calls
  // are internal, phases and plans are for the tables in the same library.
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    if (function.isExternal())
      continue;
    if (function.isPrivate())
      function.setLinkage(LLVM::Linkage::Internal);
    else
      function.setVisibility_(LLVM::Visibility::Hidden);
  }
  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  return translateModuleToLLVMIR(module, context, "attnc");
}

/// A machine for `target`, for position-independent code.
static std::unique_ptr<llvm::TargetMachine>
createMachine(const Target &target, const CodegenOptions &options) {
  static const bool initialized = [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
    return true;
  }();
  (void)initialized;
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string message;
  const llvm::Target *backend =
      llvm::TargetRegistry::lookupTarget(triple, message);
  assert(backend && "the back end was just initialized");
  std::unique_ptr<llvm::TargetMachine> machine(backend->createTargetMachine(
      triple, target.cpu, target.features, llvm::TargetOptions(),
      llvm::Reloc::PIC_, llvm::CodeModel::Small,
      options.quick ? llvm::CodeGenOptLevel::Less
                    : llvm::CodeGenOptLevel::Default));
  assert(machine && "every target names a processor that LLVM knows");
  return machine;
}

/// Triple and layout of the machine, which every module is optimized and
/// emitted with.
static void setMachine(llvm::Module &module,
                       const llvm::TargetMachine &machine) {
  module.setTargetTriple(machine.getTargetTriple());
  module.setDataLayout(machine.createDataLayout());
  module.setPICLevel(llvm::PICLevel::BigPIC);
}

llvm::Error optimizeLLVM(llvm::Module &module, const Target &target,
                         const CodegenOptions &options) {
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target, options);
  setMachine(module, *machine);
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", target.cpu);
    if (!target.features.empty())
      function.addFnAttr("target-features", target.features);
    function.addFnAttr("prefer-vector-width",
                       std::to_string(target.vectorBytes * 8));
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }

  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = false;
  tuning.SLPVectorization = false;
  tuning.LoopUnrolling = false;
  tuning.LoopInterleaving = false;
  llvm::PassBuilder builder(machine.get(), tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  addSanitizer(module, options.sanitizer, builder);
  builder
      .buildPerModuleDefaultPipeline(options.quick
                                         ? llvm::OptimizationLevel::O1
                                         : llvm::OptimizationLevel::O2)
      .run(module, modules);
  return llvm::Error::success();
}

static llvm::Error emit(llvm::Module &module, const Target &target,
                        llvm::raw_pwrite_stream &os, llvm::CodeGenFileType type,
                        const CodegenOptions &options) {
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target, options);
  setMachine(module, *machine);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, os, nullptr, type))
    llvm_unreachable("x86-64 emits objects and assembly");
  passes.run(module);
  return llvm::Error::success();
}

llvm::Error emitObject(llvm::Module &module, const Target &target,
                       llvm::raw_pwrite_stream &os,
                       const CodegenOptions &options) {
  return emit(module, target, os, llvm::CodeGenFileType::ObjectFile, options);
}

llvm::Error emitAssembly(llvm::Module &module, const Target &target,
                         llvm::raw_pwrite_stream &os) {
  // Emission rewrites its module; what is emitted afterwards must not differ.
  return emit(*llvm::CloneModule(module), target, os,
              llvm::CodeGenFileType::AssemblyFile, {});
}

} // namespace attnc
