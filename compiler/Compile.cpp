//===- Compile.cpp - a model becomes a library ------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// import -> optimize -> (per target: schedule -> lower -> object) -> package.
//
//===----------------------------------------------------------------------===//
#include "compiler/Compile.h"
#include "compiler/LoweredProgram.h"
#include "compiler/Passes.h"
#include "compiler/TuningFile.h"
#include "compiler/cpu/Codegen.h"
#include "compiler/gpu/GpuProgram.h"
#include "compiler/gpu/Ptx.h"
#include "compiler/import/StoredWeights.h"
#include "compiler/package/Package.h"
#include "compiler/schedule/DescribeSchedule.h"
#include "compiler/schedule/Tuning.h"
#include "dialects/warp/Warp.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace attnc {

void registerDialects(DialectRegistry &registry) {
  registry
      .insert<attn::AttnDialect, kernel::KernelDialect, arith::ArithDialect,
              math::MathDialect, func::FuncDialect, scf::SCFDialect,
              cf::ControlFlowDialect, vector::VectorDialect, LLVM::LLVMDialect,
              DLTIDialect, warp::WarpDialect, NVVM::NVVMDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerCodegenInterfaces(registry);
}

std::vector<std::pair<std::string, std::string>> getEmitStages() {
  std::vector<std::pair<std::string, std::string>> names{
      {kImportStage.str(), "the model as it was read, in the attn dialect"}};
  for (const Stage &stage : getStages({}, Target::native()))
    names.push_back({stage.name, stage.summary});
  for (const Stage &stage : getStages({}, *Target::find("sm_80")))
    if (llvm::none_of(names, [&](const auto &known) {
          return known.first == stage.name;
        }))
      names.push_back({stage.name, stage.summary + " (GPUs)"});
  names.push_back({"ll", "LLVM IR, optimized"});
  names.push_back({"s", "assembly (processors)"});
  names.push_back({"ptx", "assembly (GPUs)"});
  return names;
}

namespace {

/// What a program was made from, for people; kept in dumps.
constexpr llvm::StringLiteral kSourceAttr = "attn.source";

/// An error whose text the diagnostics have printed.
llvm::Error alreadyReported() {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), "");
}

class Compiler {
public:
  Compiler(MLIRContext &context, const CompileOptions &options,
           llvm::raw_ostream &emitted)
      : context(context), options(options), emitted(emitted) {}

  llvm::Expected<CompileResult> run();

private:
  bool emitting() const { return !options.emit.empty(); }
  LogicalResult sawStage(llvm::StringRef stage, ModuleOp module,
                         llvm::StringRef prefix = "");
  LogicalResult sawSchedule(llvm::StringRef stage, ModuleOp module);
  llvm::Error dumpText(llvm::StringRef name,
                       llvm::function_ref<void(llvm::raw_ostream &)> print);
  llvm::Error addDigests(ModuleOp module);
  llvm::Error import();
  llvm::Error compileTarget(const Target &target, bool several);
  llvm::Error lowerTarget(const Target &target, ModuleOp module,
                          llvm::StringRef prefix);
  llvm::Error lowerGpuTarget(const Target &target, ModuleOp module,
                             llvm::StringRef prefix);
  llvm::Error describeDevice(const Target &target, ModuleOp module,
                             std::string ptx);
  llvm::Error mergeDescription(LibraryDescription description);
  llvm::Expected<CompileResult> package();

  MLIRContext &context;
  const CompileOptions &options;
  llvm::raw_ostream &emitted;
  std::unique_ptr<ImportedModel> model;
  std::vector<const Target *> targets;
  /// What the lowered program was scheduled as, for dumps.
  OwningOpRef<ModuleOp> scheduled;
  bool startsLowered = false; ///< `scheduled` came with the input
  std::optional<LibraryDescription> library;
  std::vector<llvm::SmallString<0>> objects; ///< one per target
  unsigned dumped = 0;
  bool found = false; ///< the stage of --emit was reached
  bool tuned = false; ///< the tiles of `tuning` were given to kernels
};

llvm::Error
Compiler::dumpText(llvm::StringRef name,
                   llvm::function_ref<void(llvm::raw_ostream &)> print) {
  if (options.dumpDirectory.empty())
    return llvm::Error::success();
  llvm::SmallString<128> path(options.dumpDirectory);
  if (std::error_code code = llvm::sys::fs::create_directories(
          path, /*IgnoreExisting=*/true, llvm::sys::fs::all_all))
    return llvm::createStringError(
        code, "error[A0606]: the folder for dumps '" + path +
                  "' cannot be created: " + code.message());
  llvm::sys::path::append(path,
                          llvm::formatv("{0,0+2}-{1}", dumped++, name).str());
  return writeFile(path, [&](llvm::raw_fd_ostream &os) {
    print(os);
    return llvm::Error::success();
  });
}

LogicalResult Compiler::sawStage(llvm::StringRef stage, ModuleOp module,
                                 llvm::StringRef prefix) {
  auto print = [&](llvm::raw_ostream &os) {
    printProgram(module, scheduled.get(), os);
  };
  if (llvm::Error error = dumpText((prefix + stage + ".mlir").str(), print)) {
    llvm::errs() << llvm::toString(std::move(error)) << "\n";
    return failure();
  }
  if (options.emit == stage) {
    found = true;
    print(emitted);
  }
  return success();
}

/// What happens around the choice of tiles.
LogicalResult Compiler::sawSchedule(llvm::StringRef stage, ModuleOp module) {
  if (stage == "choose-precision")
    for (auto variant : module.getOps<kernel::VariantOp>()) {
      options.sawKernels(variant);
      if (!options.tuning)
        continue;
      if (llvm::Error error = options.tuning->apply(module, variant)) {
        llvm::errs() << llvm::toString(std::move(error)) << "\n";
        return failure();
      }
      tuned = true;
    }
  if (stage == "cut-phases")
    for (auto variant : module.getOps<kernel::VariantOp>()) {
      options.sawChains(variant);
      if (!options.tuning)
        continue;
      if (llvm::Error error = options.tuning->applyToChains(variant)) {
        llvm::errs() << llvm::toString(std::move(error)) << "\n";
        return failure();
      }
    }
  if (stage == "cut-phases" && options.printSchedule)
    printSchedule(module, llvm::errs());
  return success();
}

/// Names each weight's bytes, so that a dumped file is only taken up again with
/// the weights it was made from.
llvm::Error Compiler::addDigests(ModuleOp module) {
  for (auto weight : module.getOps<attn::WeightOp>()) {
    if (weight.getDigest())
      continue;
    llvm::Expected<std::string> digest = model->weights.digest(weight);
    if (!digest)
      return digest.takeError();
    weight.setDigest(*digest);
  }
  return llvm::Error::success();
}

/// What AddressSanitizer refuses in the arena is marked before the first phase
/// and cleared after the last.
static void addMarkingPhases(LibraryDescription &library) {
  for (VariantDescription &variant : library.variants)
    for (ScheduleDescription &schedule : variant.schedules) {
      schedule.phases.insert(schedule.phases.begin(),
                             {"poison", getPoisonSymbol(schedule.planSymbol),
                              /*serial=*/true, RowChain()});
      schedule.phases.push_back({"unpoison",
                                 getUnpoisonSymbol(schedule.planSymbol),
                                 /*serial=*/true, RowChain()});
    }
}

/// The targets, best first, each once: the order in which a library tries them.
static std::vector<const Target *>
orderTargets(llvm::ArrayRef<const Target *> wanted) {
  std::vector<const Target *> ordered;
  for (const Target &target : Target::all())
    if (llvm::is_contained(wanted, &target))
      ordered.push_back(&target);
  return ordered;
}

/// Reads the model; a text at a later stage says where it came from and what it
/// is scheduled for.
llvm::Error Compiler::import() {
  model = importModel(context, options.model, options.import);
  if (!model || !model->module)
    return alreadyReported();
  ModuleOp module = *model->module;
  scheduled = takeSchedule(module);
  startsLowered = bool(scheduled);
  if (startsLowered)
    for (auto weight : scheduled->getOps<attn::WeightOp>())
      if (llvm::Error error = model->weights.check(weight))
        return error;
  if (auto source = module->getAttrOfType<StringAttr>(kSourceAttr))
    model->source = source.str();
  else
    module->setAttr(kSourceAttr, StringAttr::get(&context, model->source));
  if (!options.dumpDirectory.empty() || emitting())
    if (llvm::Error error = addDigests(scheduled ? *scheduled : module))
      return error;

  targets = orderTargets(options.targets);
  const Target *wanted = getScheduledTarget(scheduled ? *scheduled : module);
  if (targets.empty())
    targets.push_back(wanted ? wanted
                             : &Target::native(options.pipeline.isNarrow()));
  if (wanted && (targets.size() > 1 || targets.front() != wanted))
    return llvm::createStringError(
        "error[A0013]: the program is scheduled for the target '%s' already\n"
        "note: leave out --target, or start from an earlier stage",
        wanted->name.data());
  return llvm::Error::success();
}

llvm::Expected<CompileResult> Compiler::run() {
  options.progress("import");
  if (llvm::Error error = import())
    return error;
  ModuleOp module = *model->module;
  if (!module->hasAttr(attn::AttnDialect::kStageAttr)) {
    module->setAttr(attn::AttnDialect::kStageAttr,
                    StringAttr::get(&context, kImportStage));
    if (failed(sawStage(kImportStage, module)))
      return alreadyReported();
  }
  if (emitting() && found)
    return CompileResult();

  options.progress("optimize");
  StageRunner runner{options.pipeline, targets.front(),
                     [&](const Stage &stage, ModuleOp module) {
                       return sawStage(stage.name, module);
                     }};
  if (failed(
          runner.run(module, {Stage::Optimize, Stage::Required}, options.emit)))
    return alreadyReported();
  if (emitting() && found)
    return CompileResult();

  // Rewrites have made weights of others.
  if (options.pipeline.weights == "stored")
    markStoredWeights(model->weights, module);
  for (const Target *target : targets)
    if (llvm::Error error = compileTarget(*target, targets.size() > 1))
      return error;
  if (emitting()) {
    if (found)
      return CompileResult();
    return llvm::createStringError(
        "error[A0010]: the stage '%s' does not come after the one that the "
        "input is at, or is switched off",
        options.emit.c_str());
  }
  return package();
}

llvm::Error Compiler::compileTarget(const Target &target, bool several) {
  options.progress("schedule");
  // The other targets start from the same optimized program.
  OwningOpRef<ModuleOp> module(cast<ModuleOp>((*model->module)->clone()));
  if (llvm::any_of(options.targets, [](auto *other) { return other->isGpu(); }))
    (*module)->setAttr(kPlainTablesAttr, UnitAttr::get(module->getContext()));
  std::string prefix = several ? target.name.str() + "-" : "";
  PipelineOptions pipeline = options.pipeline;
  if (options.targets.empty())
    pipeline.native = &target;
  StageRunner runner{pipeline, &target,
                     [&](const Stage &stage, ModuleOp module) {
                       if (failed(sawStage(stage.name, module, prefix)))
                         return failure();
                       return sawSchedule(stage.name, module);
                     }};
  if (failed(runner.run(*module, {Stage::Schedule}, options.emit)))
    return alreadyReported();
  if (options.tuning && !tuned && !(emitting() && found))
    return llvm::createStringError(
        "error[A0422]: '%s' cannot be used: the program's tiles are chosen "
        "already, or '%s' has none to choose\nnote: leave out --tuning",
        options.tuning->path.c_str(), target.name.data());
  if (emitting() && found)
    return llvm::Error::success();
  if (!startsLowered)
    scheduled = cast<ModuleOp>((*module)->clone());
  llvm::Expected<LibraryDescription> description = describeLibrary(*scheduled);
  if (!description)
    return description.takeError();
  if (llvm::Error error = checkNames(*description))
    return error;
  if (options.pipeline.redzones)
    addMarkingPhases(*description);
  if (llvm::Error error = mergeDescription(std::move(*description)))
    return error;
  // Before code generation, which takes most of the time.
  if (llvm::Error error =
          checkTokenizer(context, *library, model->files, model->maxLength))
    return error;
  setGenerateDefaults(*library, model->generation);

  options.progress("generate code");
  if (failed(runner.run(*module, {Stage::Lower}, options.emit)))
    return alreadyReported();
  if (emitting() && found)
    return llvm::Error::success();
  return lowerTarget(target, *module, prefix);
}

/// PTX, and a cubin where ptxas is installed.
llvm::Error Compiler::lowerGpuTarget(const Target &target, ModuleOp module,
                                     llvm::StringRef prefix) {
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> code =
      gpu::translateToNvvm(module, llvmContext);
  if (!code)
    return alreadyReported();
  gpu::optimizeNvvm(*code, target);
  auto printLL = [&](llvm::raw_ostream &os) { code->print(os, nullptr); };
  if (llvm::Error error = dumpText((prefix + "ll.ll").str(), printLL))
    return error;
  if (options.emit == "ll") {
    found = true;
    printLL(emitted);
    return llvm::Error::success();
  }
  std::string ptx = gpu::emitPtx(*code, target);
  if (llvm::Error error = dumpText((prefix + "ptx.ptx").str(),
                                   [&](llvm::raw_ostream &os) { os << ptx; }))
    return error;
  if (options.emit == "ptx") {
    found = true;
    emitted << ptx;
    return llvm::Error::success();
  }
  if (emitting())
    return llvm::Error::success();
  return describeDevice(target, module, std::move(ptx));
}

/// What the tables of a variant for a GPU hold, once its kernels are known.
llvm::Error Compiler::describeDevice(const Target &target, ModuleOp module,
                                     std::string ptx) {
  VariantDescription &variant = library->variants.back();
  auto device = std::make_shared<DeviceDescription>();
  device->program = gpu::describe(module);
  device->chip = target.sm;
  device->isExact = target.name.ends_with("a");
  if (std::string ptxas = gpu::findPtxas(); !ptxas.empty()) {
    llvm::Expected<gpu::Cubin> cubin = gpu::assemblePtx(ptxas, ptx, target);
    if (!cubin)
      return cubin.takeError();
    device->images.push_back({cubin->bytes.str().str(), /*isPtx=*/false});
  }
  device->images.push_back({std::move(ptx), /*isPtx=*/true});
  // Scratch has become a slot since the library was described.
  llvm::Expected<LibraryDescription> lowered = describeLibrary(module);
  if (!lowered)
    return lowered.takeError();
  variant.schedules = std::move(lowered->variants.front().schedules);
  variant.device = std::move(device);
  return llvm::Error::success();
}

llvm::Error Compiler::lowerTarget(const Target &target, ModuleOp module,
                                  llvm::StringRef prefix) {
  if (target.isGpu())
    return lowerGpuTarget(target, module, prefix);
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> code = translateToLLVM(module, llvmContext);
  if (!code)
    return alreadyReported();
  if (llvm::Error error = optimizeLLVM(*code, target, options.codegen))
    return error;
  auto printLL = [&](llvm::raw_ostream &os) { code->print(os, nullptr); };
  if (llvm::Error error = dumpText((prefix + "ll.ll").str(), printLL))
    return error;
  if (options.emit == "ll") {
    found = true;
    printLL(emitted);
    return llvm::Error::success();
  }
  if (!options.dumpDirectory.empty() || options.emit == "s") {
    llvm::SmallString<0> assembly;
    llvm::raw_svector_ostream os(assembly);
    if (llvm::Error error = emitAssembly(*code, target, os))
      return error;
    if (llvm::Error error =
            dumpText((prefix + "s.s").str(),
                     [&](llvm::raw_ostream &os) { os << assembly; }))
      return error;
    if (options.emit == "s") {
      found = true;
      emitted << assembly;
      return llvm::Error::success();
    }
  }
  llvm::raw_svector_ostream os(objects.emplace_back());
  return emitObject(*code, target, os, options.codegen);
}

/// The variants of all targets in one description; they share the weights.
llvm::Error Compiler::mergeDescription(LibraryDescription description) {
  if (!library) {
    library = std::move(description);
    return llvm::Error::success();
  }
  if (library->layoutFingerprint != description.layoutFingerprint)
    return llvm::createStringError(
        "error[A0607]: the targets '%s' and '%s' read the weights in different "
        "layouts; compile them into two libraries",
        library->variants.front().name.c_str(),
        description.variants.front().name.c_str());
  library->variants.push_back(std::move(description.variants.front()));
  if (!description.gemm.empty())
    library->gemm = description.gemm;
  return llvm::Error::success();
}

llvm::Expected<CompileResult> Compiler::package() {
  options.progress("package");
  library->source = model->source;
  PackageOptions packageOptions;
  packageOptions.directory = options.outputDirectory;
  packageOptions.embedWeights = options.embedWeights;
  packageOptions.sanitizer = options.codegen.sanitizer;
  packageOptions.knownContent = options.knownContent;
  // A lowered program declares no weights; the one it came from does.
  if (model->module->getOps<attn::WeightOp>().empty())
    model->module = std::move(scheduled);
  describeAdapters(*library, *model->module, model->weights);
  llvm::Expected<std::vector<std::string>> files =
      writePackage(*library, *model, objects, packageOptions);
  if (!files)
    return files.takeError();
  CompileResult result;
  result.files = *files;
  result.name = library->name;
  result.contentDigest = library->contentDigest;
  for (const auto &object : objects)
    result.codeBytes += object.size();
  return result;
}

} // namespace

llvm::Expected<CompileResult> compileModel(MLIRContext &context,
                                           const CompileOptions &options,
                                           llvm::raw_ostream &emitted) {
  return Compiler(context, options, emitted).run();
}

} // namespace attnc
