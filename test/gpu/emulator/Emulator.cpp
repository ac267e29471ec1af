//===- Emulator.cpp - programs are loaded and launched --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ORC compiles the rewritten module; a launch runs its blocks in order. With
// denormals flushed in the kernel, the host flushes them meanwhile too.
//
//===----------------------------------------------------------------------===//
#include "Emulator.h"
#include "Retarget.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/Verifier.h"
#include "llvm/IRReader/IRReader.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/TargetSelect.h"
#include <mutex>
#include <xmmintrin.h>

using namespace llvm;

extern "C" void attnc_emulator_call(const attnc::emulator::Site *site,
                                    void *result, void **operands) {
  site->handler(attnc::emulator::Block::running(), *site, result, operands);
}

extern "C" void attnc_emulator_access(uint64_t address, uint64_t bytes,
                                      int32_t kind, uint64_t alignment) {
  attnc::emulator::Block::running().access(address, bytes, kind, alignment);
}

namespace attnc::emulator {

struct Program::State {
  Retargeted module;
  std::unique_ptr<orc::LLJIT> jit;
  StringMap<void (*)(void **)> kernels;
};

Program::Program() : state(std::make_unique<State>()) {}
Program::~Program() = default;

static Expected<std::unique_ptr<orc::LLJIT>> makeJit() {
  static bool initialized = [] {
    InitializeNativeTarget();
    InitializeNativeTargetAsmPrinter();
    return true;
  }();
  (void)initialized;
  auto machine = orc::JITTargetMachineBuilder::detectHost();
  if (!machine)
    return machine.takeError();
  machine->setCodeGenOptLevel(CodeGenOptLevel::Less);
  auto jit = orc::LLJITBuilder().setJITTargetMachineBuilder(*machine).create();
  if (!jit)
    return jit.takeError();
  orc::SymbolMap symbols;
  auto define = [&](StringRef name, auto *function) {
    symbols[(*jit)->mangleAndIntern(name)] = {
        orc::ExecutorAddr::fromPtr(function), JITSymbolFlags::Exported};
  };
  define(kCallSymbol, attnc_emulator_call);
  define(kAccessSymbol, attnc_emulator_access);
  if (Error error = (*jit)->getMainJITDylib().define(
          orc::absoluteSymbols(std::move(symbols))))
    return std::move(error);
  return jit;
}

Expected<std::unique_ptr<Program>>
Program::create(std::unique_ptr<Module> module,
                std::unique_ptr<LLVMContext> context) {
  orc::ThreadSafeModule owned(std::move(module), std::move(context));
  Module &code = *owned.getModuleUnlocked();
  auto jit = makeJit();
  if (!jit)
    return jit.takeError();
  std::unique_ptr<Program> program(new Program());
  State &state = *program->state;
  Expected<Retargeted> retargeted =
      retarget(code, (*jit)->getDataLayout(), (*jit)->getTargetTriple());
  if (!retargeted)
    return retargeted.takeError();
  state.module = std::move(*retargeted);
  std::string text;
  raw_string_ostream os(text);
  if (verifyModule(code, &os))
    return createStringError("the rewritten module is not valid: " + text);
  state.jit = std::move(*jit);
  if (Error error = state.jit->addIRModule(std::move(owned)))
    return std::move(error);
  for (const std::string &kernel : state.module.kernels) {
    auto entry = state.jit->lookup("emulate." + kernel);
    if (!entry)
      return entry.takeError();
    state.kernels[kernel] = entry->toPtr<void (*)(void **)>();
  }
  return std::move(program);
}

Expected<std::unique_ptr<Program>> Program::parse(StringRef ir) {
  auto context = std::make_unique<LLVMContext>();
  SMDiagnostic diagnostic;
  std::unique_ptr<Module> module =
      parseIR(MemoryBufferRef(ir, "kernels"), diagnostic, *context);
  if (!module) {
    std::string text;
    raw_string_ostream os(text);
    diagnostic.print("", os, /*ShowColors=*/false);
    return createStringError(text);
  }
  return create(std::move(module), std::move(context));
}

Error Program::run(const Launch &launch, const Options &options,
                   Counts *counts) {
  auto kernel = state->kernels.find(launch.kernel);
  if (kernel == state->kernels.end())
    return createStringError("no kernel '" + launch.kernel + "'");
  if (launch.threads == 0 || launch.threads > 1024)
    return createStringError("%s: blocks of %u threads; expected 1 to 1024",
                             launch.kernel.c_str(), launch.threads);
  if (state->module.staticShared + launch.sharedBytes > kSharedLimit)
    return createStringError(
        "%s: %zu bytes of shared memory; a block has at most %zu",
        launch.kernel.c_str(), state->module.staticShared + launch.sharedBytes,
        kSharedLimit);
  static std::mutex one; // the window of shared memory is one
  std::lock_guard<std::mutex> lock(one);
  Counts counted;
  Block block(launch, options, counted, state->module.staticShared);
  unsigned control = _mm_getcsr();
  if (state->module.flushesDenormals)
    _mm_setcsr(control | 0x8040);
  std::string error;
  std::array<uint32_t, 3> index{};
  for (index[2] = 0; index[2] < launch.grid[2] && error.empty(); ++index[2])
    for (index[1] = 0; index[1] < launch.grid[1] && error.empty(); ++index[1])
      for (index[0] = 0; index[0] < launch.grid[0] && error.empty(); ++index[0])
        error = block.run(kernel->second, index);
  _mm_setcsr(control);
  if (counts)
    *counts = counted;
  return error.empty() ? Error::success() : createStringError(error);
}

} // namespace attnc::emulator
