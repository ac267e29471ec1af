//===- Ptx.cpp - from the LLVM dialect to PTX and cubins ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Translation, LLVM's optimizer at O3 and the NVPTX back end. Inline PTX that
// whole warps execute is marked convergent here, since MLIR cannot say it; f32
// numbers below the normal ones count as zero, as FlashAttention's kernels have
// it, and products and sums are not contracted unless the program says `fma`.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/Ptx.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace mlir;

namespace attnc::gpu {

void populateLowerToNvvm(OpPassManager &passes) {
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  // Regions of kernels beside them stay as they are.
  OpPassManager &functions = passes.nest<LLVM::LLVMFuncOp>();
  functions.addPass(createSCFToControlFlowPass());
  functions.addPass(createConvertMathToLLVMPass());
  functions.addPass(createArithToLLVMConversionPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
}

std::unique_ptr<llvm::Module> translateToNvvm(ModuleOp module,
                                              llvm::LLVMContext &context) {
  OwningOpRef<ModuleOp> kernels(cast<ModuleOp>(module->clone()));
  for (Operation &op : llvm::make_early_inc_range(*kernels->getBody()))
    if (!isa<LLVM::LLVMFuncOp, LLVM::GlobalOp>(op))
      op.erase();
  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  registerNVVMDialectTranslation(*module.getContext());
  std::unique_ptr<llvm::Module> code =
      translateModuleToLLVMIR(*kernels, context, "attnc");
  if (!code)
    return nullptr;
  for (llvm::Function &function : *code) {
    function.addFnAttr("denormal-fp-math-f32", "preserve-sign");
    function.addFnAttr(llvm::Attribute::NoUnwind);
    for (llvm::Instruction &instruction : llvm::instructions(function))
      if (auto *call = llvm::dyn_cast<llvm::CallInst>(&instruction))
        if (auto *text =
                llvm::dyn_cast<llvm::InlineAsm>(call->getCalledOperand());
            text && text->hasSideEffects())
          call->setConvergent();
  }
  return code;
}

static std::unique_ptr<llvm::TargetMachine>
createMachine(const Target &target) {
  static const bool initialized = [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    return true;
  }();
  (void)initialized;
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string message;
  const llvm::Target *backend =
      llvm::TargetRegistry::lookupTarget(triple, message);
  assert(backend && "the back end was just initialized");
  std::unique_ptr<llvm::TargetMachine> machine(backend->createTargetMachine(
      triple, target.cpu, target.features, llvm::TargetOptions(), std::nullopt,
      std::nullopt, llvm::CodeGenOptLevel::Aggressive));
  assert(machine && "every target names a processor that LLVM knows");
  return machine;
}

void optimizeNvvm(llvm::Module &module, const Target &target) {
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target);
  module.setTargetTriple(machine->getTargetTriple());
  module.setDataLayout(machine->createDataLayout());
  llvm::PassBuilder builder(machine.get());
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3)
      .run(module, modules);
}

std::string emitPtx(llvm::Module &module, const Target &target) {
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target);
  // Emission rewrites its module; what is emitted afterwards must not differ.
  std::unique_ptr<llvm::Module> clone = llvm::CloneModule(module);
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream os(text);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, os, nullptr,
                                   llvm::CodeGenFileType::AssemblyFile))
    llvm_unreachable("NVPTX emits assembly");
  passes.run(*clone);
  return text.str().str();
}

//===-- ptxas -------------------------------------------------------------===//

std::string findPtxas() {
  if (std::optional<std::string> named =
          llvm::sys::Process::GetEnv("ATTNC_PTXAS"))
    return *named;
  llvm::ErrorOr<std::string> found = llvm::sys::findProgramByName("ptxas");
  if (!found)
    found = llvm::sys::findProgramByName("ptxas", {"/usr/local/cuda/bin"});
  return found ? *found : "";
}

llvm::Expected<Cubin> assemblePtx(llvm::StringRef ptxas, llvm::StringRef ptx,
                                  const Target &target) {
  llvm::SmallString<128> input, output, log;
  auto temporary = [](llvm::StringRef suffix,
                      llvm::SmallVectorImpl<char> &path) {
    return llvm::sys::fs::createTemporaryFile("attnc", suffix, path);
  };
  std::error_code code = temporary("ptx", input);
  if (!code)
    code = temporary("cubin", output);
  if (!code)
    code = temporary("log", log);
  llvm::scope_exit removeFiles([&] {
    for (const auto &path : {input, output, log})
      (void)llvm::sys::fs::remove(path);
  });
  if (!code) {
    llvm::raw_fd_ostream os(input, code);
    os << ptx;
  }
  if (code)
    return llvm::createStringError(code, "error[A0534]: no temporary file for "
                                         "ptxas: " +
                                             code.message());
  std::string architecture = "-arch=" + target.name.str();
  std::string message;
  const int status = llvm::sys::ExecuteAndWait(
      ptxas, {ptxas, "-v", "-O3", architecture, input, "-o", output},
      std::nullopt, {std::nullopt, llvm::StringRef(log), llvm::StringRef(log)},
      /*SecondsToWait=*/600, /*MemoryLimit=*/0, &message);
  auto report = llvm::MemoryBuffer::getFile(log);
  std::string text = report ? (*report)->getBuffer().str() : message;
  if (status != 0)
    return llvm::createStringError("error[A0535]: '" + ptxas.str() +
                                   "' failed: " + message + text);
  auto bytes = llvm::MemoryBuffer::getFile(output);
  if (!bytes)
    return llvm::createStringError(bytes.getError(),
                                   "error[A0535]: ptxas wrote no cubin");
  Cubin cubin;
  cubin.bytes = (*bytes)->getBuffer();
  cubin.report = std::move(text);
  return cubin;
}

} // namespace attnc::gpu
