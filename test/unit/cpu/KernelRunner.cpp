//===- KernelRunner.cpp - compiles kernels and calls them -----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LowerKernels, ExpandMath, the conversions and LLVM's optimizer, then ORC's
// LLJIT. Kernels take one pointer per argument; a function @call_SYMBOL that
// takes an array of them is added beside each.
//
//===----------------------------------------------------------------------===//
#include "KernelRunner.h"
#include "TileEmulator.h"
#include "attn/abi.h"
#include "compiler/Passes.h"
#include "compiler/cpu/Codegen.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

using namespace mlir;

namespace attnc::test {

GuardedBuffer::GuardedBuffer(size_t elements) : elements(elements) {
  const size_t page = sysconf(_SC_PAGESIZE);
  const size_t bytes = elements * 4;
  const size_t body = (bytes + page - 1) / page * page;
  mappedBytes = body + 2 * page;
  mapping =
      mmap(nullptr, mappedBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *first = static_cast<char *>(mapping) + page;
  if (mapping == MAP_FAILED ||
      (body && mprotect(first, body, PROT_READ | PROT_WRITE) != 0)) {
    perror("mmap");
    abort();
  }
  start = first + body - bytes;
}

GuardedBuffer::GuardedBuffer(GuardedBuffer &&other) noexcept
    : mapping(other.mapping), start(other.start),
      mappedBytes(other.mappedBytes), elements(other.elements) {
  other.mapping = nullptr;
}

GuardedBuffer::~GuardedBuffer() {
  if (mapping)
    munmap(mapping, mappedBytes);
}

void GuardedBuffer::freeze() {
  const size_t page = sysconf(_SC_PAGESIZE);
  if (mappedBytes > 2 * page)
    mprotect(static_cast<char *>(mapping) + page, mappedBytes - 2 * page,
             PROT_READ);
}

std::vector<float> packPanels(const std::vector<float> &weight, int64_t rows,
                              int64_t depth, int64_t width) {
  const int64_t panels = (rows + width - 1) / width;
  std::vector<float> packed(panels * depth * width, 0.0f);
  for (int64_t n = 0; n < rows; ++n)
    for (int64_t k = 0; k < depth; ++k)
      packed[((n / width) * depth + k) * width + n % width] =
          weight[n * depth + k];
  return packed;
}

struct KernelRunner::Jit {
  std::unique_ptr<llvm::orc::LLJIT> lljit;
};

KernelRunner::KernelRunner() : jit(std::make_unique<Jit>()) {}
KernelRunner::~KernelRunner() = default;

/// @call_KERNEL(frame, worker, workers, arguments): reads the kernel's pointers
/// from an array.
static void addCallers(ModuleOp module) {
  OpBuilder b(module.getContext());
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  for (auto kernel : llvm::to_vector(module.getOps<func::FuncOp>())) {
    if (kernel.isExternal() || !kernel.isPrivate())
      continue;
    Location loc = kernel.getLoc();
    b.setInsertionPointToEnd(module.getBody());
    auto caller = func::FuncOp::create(
        b, loc, ("call_" + kernel.getSymName()).str(),
        b.getFunctionType({pointer, b.getI32Type(), b.getI32Type(), pointer},
                          {}));
    Block *block = caller.addEntryBlock();
    b.setInsertionPointToStart(block);
    SmallVector<Value> operands(block->getArguments().take_front(3));
    for (unsigned i = 3; i < kernel.getNumArguments(); ++i) {
      Value place = LLVM::GEPOp::create(
          b, loc, pointer, pointer, block->getArgument(3),
          ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(i) - 3});
      operands.push_back(LLVM::LoadOp::create(b, loc, pointer, place));
    }
    func::CallOp::create(b, loc, kernel, operands);
    func::ReturnOp::create(b, loc);
  }
}

/// The module after all passes, as the LLVM dialect; null after a diagnostic.
static OwningOpRef<ModuleOp> lower(MLIRContext &context,
                                   const std::string &text) {
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
  if (!module)
    return nullptr;
  PassManager kernels(&context);
  kernels.addPass(createLowerKernels());
  kernels.addPass(createExpandMath());
  if (failed(kernels.run(*module)))
    return nullptr;
  for (Operation &op : llvm::make_early_inc_range(*module->getBody()))
    if (isa<kernel::VariantOp, attn::SizeOp>(op))
      op.erase();
  addCallers(*module);
  PassManager toLlvm(&context);
  populateLowerToLLVM(toLlvm);
  if (failed(toLlvm.run(*module)))
    return nullptr;
  return module;
}

std::unique_ptr<KernelRunner> KernelRunner::compile(const std::string &text,
                                                    const Target &wanted) {
  static const bool initialized = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    return true;
  }();
  (void)initialized;
  DialectRegistry registry;
  registry.insert<attn::AttnDialect, kernel::KernelDialect, func::FuncDialect,
                  LLVM::LLVMDialect, scf::SCFDialect, vector::VectorDialect>();
  registerCodegenInterfaces(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  OwningOpRef<ModuleOp> module = lower(context, text);
  if (!module)
    return nullptr;

  auto llvmContext = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::Module> llvmModule =
      translateToLLVM(*module, *llvmContext);
  if (!llvmModule)
    return nullptr;
  auto check = [](llvm::Error error) {
    if (!error)
      return true;
    llvm::errs() << toString(std::move(error)) << "\n";
    return false;
  };
  const bool emulates = wanted.hasTiles && !wanted.runsHere();
  const Target target = emulates ? withoutTiles(wanted) : wanted;
  if (emulates)
    emulateTiles(*llvmModule);
  if (!check(optimizeLLVM(*llvmModule, target)))
    return nullptr;
  if (const char *path = getenv("ATTNC_KERNEL_ASSEMBLY")) {
    std::error_code code;
    llvm::raw_fd_ostream os(path, code);
    if (!check(emitAssembly(*llvmModule, target, os)))
      return nullptr;
  }
  llvm::orc::JITTargetMachineBuilder machine(
      llvm::Triple("x86_64-unknown-linux-gnu"));
  machine.setCPU(target.cpu.str());
  machine.addFeatures({target.features.str()});
  machine.setCodeGenOptLevel(llvm::CodeGenOptLevel::Aggressive);
  auto lljit = llvm::orc::LLJITBuilder()
                   .setJITTargetMachineBuilder(std::move(machine))
                   .create();
  if (!lljit) {
    check(lljit.takeError());
    return nullptr;
  }
  if (emulates && !check(defineTiles(**lljit)))
    return nullptr;
  if (!check((*lljit)->addIRModule(llvm::orc::ThreadSafeModule(
          std::move(llvmModule), std::move(llvmContext)))))
    return nullptr;
  std::unique_ptr<KernelRunner> runner(new KernelRunner());
  runner->jit->lljit = std::move(*lljit);
  return runner;
}

void *KernelRunner::lookup(const std::string &symbol) const {
  auto address = jit->lljit->lookup(symbol);
  if (!address) {
    llvm::errs() << toString(address.takeError()) << "\n";
    return nullptr;
  }
  return address->toPtr<void *>();
}

void KernelRunner::run(const std::string &symbol, std::vector<int64_t> &sizes,
                       const std::vector<void *> &arguments, int workers,
                       size_t scratchBytes, const int32_t *past) const {
  using Caller = void (*)(const attn_frame *, int32_t, int32_t, void *const *);
  auto caller = reinterpret_cast<Caller>(lookup("call_" + symbol));
  if (!caller)
    abort();
  GuardedBuffer scratch(scratchBytes * workers / 4);
  // What nobody wrote is NaN.
  std::memset(scratch.data(), 0xFF, scratch.size() * 4);
  uint32_t arrived = 0;
  attn_frame frame = {sizes.data(),
                      nullptr,
                      nullptr,
                      nullptr,
                      nullptr,
                      static_cast<unsigned char *>(scratch.data()),
                      static_cast<int64_t>(scratchBytes),
                      past,
                      nullptr,
                      &arrived};
  for (int worker = 0; worker < workers; ++worker)
    caller(&frame, worker, workers, arguments.data());
}

} // namespace attnc::test
