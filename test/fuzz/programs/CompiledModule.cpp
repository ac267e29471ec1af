//===- CompiledModule.cpp - programs compiled into this process -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Stages, objects, LLJIT, the runtime.
//
//===----------------------------------------------------------------------===//
#include "CompiledModule.h"
#include "GuardedMemory.h"
#include "Random.h"
#include "attn/abi.h"
#include "compiler/cpu/Codegen.h"
#include "compiler/package/Package.h"
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/TargetSelect.h"
#include <numeric>

using namespace mlir;
using llvm::Error;
using llvm::Expected;

namespace attnc::fuzz {

namespace {

/// Runs every worker after the other, in a random order, or, as a host with
/// one thread may, in this order.
struct ShuffledExecutor {
  attn_executor executor = {};
  uint64_t seed = 0;

  explicit ShuffledExecutor(int width) {
    executor.context = this;
    executor.width = width;
    executor.parallel_for = [](void *context, int32_t count,
                               void (*task)(void *, int32_t),
                               void *taskContext) {
      auto *self = static_cast<ShuffledExecutor *>(context);
      Random random(self->seed++);
      llvm::SmallVector<int32_t> order(count);
      std::iota(order.begin(), order.end(), 0);
      for (int32_t i = count - 1; i > 0; --i)
        std::swap(order[i], order[random.below(i + 1)]);
      for (int32_t i : order)
        task(taskContext, i);
    };
  }
};

/// A model opened with so many workers, and a session of it.
struct OpenModel {
  std::unique_ptr<ShuffledExecutor> executor;
  attn_model *model = nullptr;
  attn_session *session = nullptr;
};

Error makeError(const llvm::Twine &text) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), text);
}

} // namespace

struct CompiledModule::State {
  std::unique_ptr<llvm::orc::LLJIT> jit;
  GuardedMemory weights; ///< the weights file
  const attn_library *library = nullptr;
  std::string weightFormat, rowFormat, attentionFormat, cacheFormat;
  int64_t group = 0;
  OpenModel models[kMostWorkers];
};

CompiledModule::CompiledModule(std::unique_ptr<State> state)
    : state(std::move(state)) {}

CompiledModule::~CompiledModule() {
  for (OpenModel &open : state->models) {
    if (open.session)
      state->library->session_close(open.session);
    if (open.model)
      state->library->close(open.model);
  }
}

/// The functions of the runtime that tables name.
static llvm::orc::SymbolMap getRuntimeSymbols(llvm::orc::LLJIT &jit) {
  llvm::orc::SymbolMap symbols;
  auto add = [&](const char *name, auto *function) {
    symbols[jit.mangleAndIntern(name)] = llvm::orc::ExecutorSymbolDef(
        llvm::orc::ExecutorAddr::fromPtr(function),
        llvm::JITSymbolFlags::Exported | llvm::JITSymbolFlags::Callable);
  };
#define ATTNC_RUNTIME_FUNCTION(NAME) add(#NAME, &NAME)
  ATTNC_RUNTIME_FUNCTION(attnrt_open);
  ATTNC_RUNTIME_FUNCTION(attnrt_close);
  ATTNC_RUNTIME_FUNCTION(attnrt_last_error);
  ATTNC_RUNTIME_FUNCTION(attnrt_info);
  ATTNC_RUNTIME_FUNCTION(attnrt_session_open);
  ATTNC_RUNTIME_FUNCTION(attnrt_session_close);
  ATTNC_RUNTIME_FUNCTION(attnrt_session_bytes_by_name);
  ATTNC_RUNTIME_FUNCTION(attnrt_cancel);
  ATTNC_RUNTIME_FUNCTION(attnrt_call);
  ATTNC_RUNTIME_FUNCTION(attnrt_call_by_name);
  ATTNC_RUNTIME_FUNCTION(attnrt_session_reset);
  ATTNC_RUNTIME_FUNCTION(attnrt_session_length);
  ATTNC_RUNTIME_FUNCTION(attnrt_session_truncate);
  ATTNC_RUNTIME_FUNCTION(attnrt_session_fork);
  ATTNC_RUNTIME_FUNCTION(attnrt_session_reserve);
  ATTNC_RUNTIME_FUNCTION(attnrt_session_save);
  ATTNC_RUNTIME_FUNCTION(attnrt_session_load);
#undef ATTNC_RUNTIME_FUNCTION
  return symbols;
}

static Error addObject(llvm::orc::LLJIT &jit, llvm::Module &code,
                       const CompileChoices &choices) {
  llvm::SmallString<0> object;
  llvm::raw_svector_ostream os(object);
  CodegenOptions options;
  options.quick = choices.quick;
  if (Error error = emitObject(code, *choices.target, os, options))
    return error;
  return jit.addObjectFile(
      llvm::MemoryBuffer::getMemBufferCopy(object, code.getName()));
}

/// Code of the lowered module and tables of the library, linked.
static Expected<std::unique_ptr<llvm::orc::LLJIT>>
link(ModuleOp lowered, const LibraryDescription &library,
     const CompileChoices &choices) {
  static const bool initialized = [] {
    return !llvm::InitializeNativeTarget() &&
           !llvm::InitializeNativeTargetAsmPrinter();
  }();
  (void)initialized;
  llvm::orc::JITTargetMachineBuilder machine(
      llvm::Triple("x86_64-unknown-linux-gnu"));
  auto jit = llvm::orc::LLJITBuilder()
                 .setJITTargetMachineBuilder(std::move(machine))
                 .create();
  if (!jit)
    return jit.takeError();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code = translateToLLVM(lowered, context);
  if (!code)
    return makeError("the module was not translated to LLVM IR");
  CodegenOptions options;
  options.quick = choices.quick;
  if (Error error = optimizeLLVM(*code, *choices.target, options))
    return std::move(error);
  if (Error error = addObject(**jit, *code, choices))
    return std::move(error);
  if (Error error =
          addObject(**jit, *emitTables(library, "", context), choices))
    return std::move(error);
  if (Error error = (*jit)->getMainJITDylib().define(
          llvm::orc::absoluteSymbols(getRuntimeSymbols(**jit))))
    return std::move(error);
  return jit;
}

static Error openModels(const attn_library &library, GuardedMemory &weights,
                        llvm::MutableArrayRef<OpenModel> models) {
  for (auto [index, open] : llvm::enumerate(models)) {
    open.executor = std::make_unique<ShuffledExecutor>(index + 1);
    attn_options options = ATTN_OPTIONS_INIT;
    options.weights_data = weights.data();
    options.weights_size = weights.size();
    options.executor = &open.executor->executor;
    options.allocator = &kGuardedAllocator;
    if (library.open(&options, &open.model) ||
        library.session_open(open.model, &open.session))
      return makeError(llvm::Twine("opening failed: ") + library.last_error());
  }
  return Error::success();
}

/// What a mistake in a pass could make: a mask that ends one key early, or a
/// sum that is a difference.
static void plantMistake(ModuleOp module) {
  WalkResult done = module->walk([](arith::CmpIOp op) {
    bool ofMask = isa<attn::AttentionOp>(op->getParentOp());
    bool inclusive = op.getPredicate() == arith::CmpIPredicate::sge ||
                     op.getPredicate() == arith::CmpIPredicate::sle;
    if (!ofMask || !inclusive)
      return WalkResult::advance();
    op.setPredicate(op.getPredicate() == arith::CmpIPredicate::sge
                        ? arith::CmpIPredicate::sgt
                        : arith::CmpIPredicate::slt);
    return WalkResult::interrupt();
  });
  if (done.wasInterrupted())
    return;
  module->walk([](arith::AddFOp op) {
    OpBuilder b(op);
    op.replaceAllUsesWith(
        arith::SubFOp::create(b, op.getLoc(), op.getLhs(), op.getRhs())
            .getResult());
    return WalkResult::interrupt();
  });
}

Expected<std::unique_ptr<CompiledModule>>
CompiledModule::compile(OwningOpRef<ModuleOp> module,
                        const WeightTable &weights,
                        const CompileChoices &choices, llvm::StringRef scratch,
                        CompileFacts &facts) {
  llvm::SmallString<128> weightsPath(scratch);
  llvm::sys::path::append(weightsPath, "programs.weights");
  StageRunner runner{choices.pipeline, choices.target,
                     [](const Stage &, ModuleOp) { return success(); },
                     /*reproducer=*/""};
  if (failed(runner.run(*module,
                        {Stage::Optimize, Stage::Required, Stage::Schedule})))
    return makeError("a stage declined the program");
  Expected<LibraryDescription> library = describeLibrary(*module);
  if (!library)
    return library.takeError();
  for (auto variant : module->getOps<kernel::VariantOp>())
    for ([[maybe_unused]] auto kernel :
         variant.getBody().getOps<kernel::FuncOp>())
      ++facts.kernels;
  if (choices.plant)
    plantMistake(*module);
  if (Error error = writeWeights(*library, *module, weights, {}, weightsPath))
    return std::move(error);
  if (failed(runner.run(*module, {Stage::Lower})))
    return makeError("a stage of lowering declined the program");
  auto file = llvm::MemoryBuffer::getFile(weightsPath);
  if (!file)
    return makeError("the weights file cannot be read back");
  auto state = std::make_unique<State>();
  state->weights = GuardedMemory((*file)->getBufferSize(), 64);
  memcpy(state->weights.data(), (*file)->getBufferStart(),
         (*file)->getBufferSize());
  state->weights.freeze();

  auto jit = link(*module, *library, choices);
  if (!jit)
    return jit.takeError();
  state->jit = std::move(*jit);
  state->weightFormat = library->variants.front().weights;
  state->rowFormat = library->variants.front().activations;
  state->attentionFormat = library->variants.front().attention;
  state->cacheFormat = library->states.format;
  state->group = library->variants.front().group;
  auto table = state->jit->lookup(library->name + "_library");
  if (!table)
    return table.takeError();
  state->library = table->toPtr<const attn_library *(*)()>()();
  std::unique_ptr<CompiledModule> compiled(
      new CompiledModule(std::move(state)));
  if (Error error =
          openModels(*compiled->state->library, compiled->state->weights,
                     compiled->state->models))
    return std::move(error);
  return compiled;
}

Error CompiledModule::call(llvm::StringRef entry, llvm::ArrayRef<int64_t> sizes,
                           llvm::ArrayRef<VerifyBuffer> inputs,
                           llvm::ArrayRef<VerifyBuffer> outputs, int workers,
                           uint64_t seed) {
  OpenModel &open = state->models[workers - 1];
  open.executor->seed = seed;
  std::vector<GuardedMemory> memory;
  std::vector<attn_buffer> in, out;
  for (const VerifyBuffer &buffer : inputs) {
    if (!buffer.data) {
      in.push_back({nullptr, 0});
      continue;
    }
    memory.emplace_back(buffer.bytes, 4);
    memcpy(memory.back().data(), buffer.data, buffer.bytes);
    memory.back().freeze();
    in.push_back({memory.back().data(), buffer.bytes});
  }
  for (const VerifyBuffer &buffer : outputs) {
    memory.emplace_back(buffer.bytes, 4);
    memcpy(memory.back().data(), buffer.data, buffer.bytes);
    out.push_back({memory.back().data(), buffer.bytes});
  }
  if (state->library->call(open.session, entry.str().c_str(), sizes.data(),
                           sizes.size(), in.data(), in.size(), out.data(),
                           out.size()))
    return makeError(state->library->last_error());
  for (auto [from, to] : llvm::zip(out, outputs))
    memcpy(to.data, from.data, to.bytes);
  return Error::success();
}

Error CompiledModule::reset(int workers) {
  if (state->library->session_reset(state->models[workers - 1].session))
    return makeError(state->library->last_error());
  return Error::success();
}

/// One sequence as bytes, made another of them.
static attn_status copySequence(const attn_library &library,
                                attn_session *session, int64_t from,
                                int64_t to) {
  size_t bytes = 0;
  if (attn_status status =
          library.session_save(session, from, nullptr, 0, &bytes))
    return status;
  GuardedMemory memory(bytes, 1);
  if (attn_status status =
          library.session_save(session, from, memory.data(), bytes, &bytes))
    return status;
  memory.freeze();
  return library.session_load(session, to, memory.data(), bytes);
}

Error CompiledModule::step(const interpret::SessionStep &step, int workers) {
  using interpret::SessionStep;
  attn_session *session = state->models[workers - 1].session;
  const attn_library &library = *state->library;
  attn_status status =
      step.kind == SessionStep::Truncate
          ? library.session_truncate(session, step.sequence, step.length)
      : step.kind == SessionStep::Fork
          ? library.session_fork(session, step.sequence, step.to)
          : copySequence(library, session, step.sequence, step.to);
  return status ? makeError(library.last_error()) : Error::success();
}

NarrowFormats CompiledModule::getFormats() const {
  NarrowFormats formats;
  formats.weights = state->weightFormat;
  formats.activations = state->rowFormat;
  formats.attention = state->attentionFormat;
  formats.cache = state->cacheFormat;
  if (state->group)
    formats.group = state->group;
  return formats;
}

} // namespace attnc::fuzz
