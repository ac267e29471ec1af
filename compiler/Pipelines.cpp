//===- Pipelines.cpp - every stage, in order --------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The stages, and the loop that runs them.
//
//===----------------------------------------------------------------------===//
#include "compiler/Pipelines.h"
#include "compiler/Passes.h"
#include "compiler/cpu/Codegen.h"
#include "compiler/gpu/Ptx.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/FileSystem.h"
#include <cstdlib>

using namespace mlir;

namespace attnc {

/// A pass, then the clean-up that lets the next one see plain IR.
template <typename Create>
static Stage rewrite(llvm::StringRef name, llvm::StringRef summary,
                     const Create &create, Stage::Kind kind = Stage::Optimize) {
  return {name.str(), kind, summary.str(), [create](OpPassManager &passes) {
            passes.addPass(create());
            passes.addPass(createCanonicalizerPass());
            passes.addPass(createCSEPass());
          }};
}

template <typename Create>
static Stage lower(llvm::StringRef name, llvm::StringRef summary,
                   const Create &create, Stage::Kind kind) {
  return {name.str(), kind, summary.str(),
          [create](OpPassManager &passes) { passes.addPass(create()); }};
}

/// From kernels to loops, for processors.
static std::vector<Stage> getProcessorStages(const PipelineOptions &options) {
  return {
      lower("lower-kernels", "kernels become loops over vectors",
            createLowerKernels, Stage::Lower),
      lower(
          "lower-programs", "programs become phases and a plan",
          [redzones = options.redzones] {
            LowerProgramsOptions passOptions;
            passOptions.redzones = redzones;
            return createLowerPrograms(passOptions);
          },
          Stage::Lower),
      {"expand-math", Stage::Lower, "math becomes polynomials",
       [](OpPassManager &passes) {
         passes.addPass(createExpandMath());
         passes.addPass(createCanonicalizerPass());
         passes.addPass(createCSEPass());
       }},
      {"llvm", Stage::Lower, "everything becomes the LLVM dialect",
       [](OpPassManager &passes) { populateLowerToLLVM(passes); }},
  };
}

/// From kernels to programs of thread blocks, for GPUs.
static std::vector<Stage> getGpuStages(const PipelineOptions &options) {
  // As on processors, activations follow the weights.
  const bool narrow =
      options.activations == "bf16" ||
      (options.activations.empty() && options.weights == "bf16");
  return {
      lower(
          "warp", "kernels become programs of thread blocks",
          [products = options.products, narrow = narrow] {
            BuildProgramsOptions passOptions;
            passOptions.products = products;
            passOptions.activations = narrow ? "bf16" : "f32";
            return createBuildPrograms(passOptions);
          },
          Stage::Lower),
      // Before anything is moved: errors are at ops that were written so.
      lower("verify-barriers", "nobody reads a tile that has not landed",
            createVerifyBarriers, Stage::Lower),
      lower("plan-shared-memory", "tiles get their places",
            createPlanSharedMemory, Stage::Lower),
      {"nvvm", Stage::Lower, "fragments become registers",
       [](OpPassManager &passes) {
         passes.addPass(createLowerWarp());
         passes.addPass(createExpandMath());
         passes.addPass(createCanonicalizerPass());
         passes.addPass(createCSEPass());
       }},
      {"llvm", Stage::Lower, "everything becomes the LLVM dialect",
       [](OpPassManager &passes) { gpu::populateLowerToNvvm(passes); }},
  };
}

// NOLINTNEXTLINE(readability-function-size): one list, top to bottom
std::vector<Stage> getStages(const PipelineOptions &options,
                             const Target &target) {
  std::vector<Stage> stages = {
      // What the program means, on every machine. Attention first becomes one
      // op, then takes in what belongs to its scores.
      rewrite("raise-attention", "attention in parts becomes attn.attention",
              createRaiseAttention),
      rewrite("fold-scale", "scaling moves into the score region",
              createFoldScale),
      rewrite("fold-padding", "additive masks become mask regions",
              createFoldPadding),
      // Projections merge before epilogues: a bias is easier to concatenate
      // while it is a map of its own.
      rewrite("fuse-qkv", "three projections become one", createFuseQkv),
      rewrite("fuse-output-projection", "heads are read as they lie",
              createFuseOutputProjection),
      rewrite("fuse-embedding", "embeddings are summed in one pass",
              createFuseEmbedding),
      rewrite("fuse-element-epilogue", "bias, activation, residual move in",
              createFuseElementEpilogue),
      rewrite("fuse-row-epilogue", "norms move in", createFuseRowEpilogue),
      // Last among the rewrites: it looks at the whole entry, and fewer ops
      // mean fewer reasons to decline.
      rewrite("pack-tokens", "padding is left out", createPackTokens),
      rewrite(
          "drop-dead-outputs", "what nobody asked for goes",
          [outputs = options.outputs] {
            DropDeadOutputsOptions passOptions;
            passOptions.outputs.assign(outputs.begin(), outputs.end());
            return createDropDeadOutputs(passOptions);
          },
          Stage::Required),
      // Once for all targets: they share a session's blocks.
      lower(
          "choose-cache", "what sessions keep of keys and values",
          [cache = options.cache] {
            ChooseCacheOptions passOptions;
            passOptions.format = cache;
            return createChooseCache(passOptions);
          },
          Stage::Required),

      // Once per target.
      lower(
          "select-kernels", "every op becomes the dispatch of a kernel",
          [gemm = options.gemm, name = target.name.str(),
           detect = options.native == &target && !target.isGpu()] {
            SelectKernelsOptions passOptions;
            passOptions.detect = detect;
            passOptions.target = name;
            passOptions.gemm = gemm;
            return createSelectKernels(passOptions);
          },
          Stage::Schedule),
      lower(
          "choose-precision", "formats of weights and activations",
          [weights = options.weights, activations = options.activations,
           group = options.group] {
            ChoosePrecisionOptions passOptions;
            passOptions.weights = weights;
            passOptions.activations = activations;
            passOptions.group = group;
            return createChoosePrecision(passOptions);
          },
          Stage::Schedule),
      lower("choose-tiles", "tiles, layouts, scratch", createChooseTiles,
            Stage::Schedule),
      lower("cut-phases", "dispatches get their phase", createCutPhases,
            Stage::Schedule),
      lower("plan-arena", "tensors become slots", createPlanArena,
            Stage::Schedule),
  };
  llvm::append_range(stages, target.isGpu() ? getGpuStages(options)
                                            : getProcessorStages(options));
  return stages;
}

namespace {
/// For the test of reproducers: the environment variable ATTNC_TEST_FAIL_STAGE
/// names a stage, whose first pass then crashes.
struct CrashOnRequest : PassInstrumentation {
  void runBeforePass(Pass *, Operation *) override { __builtin_trap(); }
};
} // namespace

static LogicalResult runStage(const Stage &stage, ModuleOp module,
                              llvm::StringRef reproducer) {
  PassManager passes(module.getContext());
  stage.populate(passes);
  if (const char *failing = std::getenv("ATTNC_TEST_FAIL_STAGE"))
    if (stage.name == failing)
      passes.addInstrumentation(std::make_unique<CrashOnRequest>());
  // Our own verifiers are the only net in builds without assertions.
  passes.enableVerifier(true);
  if (!reproducer.empty())
    passes.enableCrashReproducerGeneration(reproducer);
  // A mistake in what the user gave has a code; anything else is ours.
  bool usersMistake = false;
  {
    ScopedDiagnosticHandler watch(module.getContext(), [&](Diagnostic &d) {
      std::string text = d.str();
      usersMistake |= llvm::StringRef(text).starts_with("error[");
      // MLIR's own words about the reproducer; ours are below.
      bool mlirs =
          llvm::StringRef(text).starts_with("Failures have been detected") ||
          llvm::StringRef(text).starts_with("A failure has been detected") ||
          llvm::StringRef(text).starts_with("A signal was caught");
      return success(mlirs); // others are passed on to the driver
    });
    if (succeeded(passes.run(module))) {
      module->setAttr(attn::AttnDialect::kStageAttr,
                      StringAttr::get(module.getContext(), stage.name));
      return success();
    }
  }
  if (usersMistake) {
    (void)llvm::sys::fs::remove(reproducer);
    return failure();
  }
  llvm::errs() << "error[A0012]: the stage '" << stage.name
               << "' failed inside the compiler\n";
  if (llvm::sys::fs::exists(reproducer))
    llvm::errs() << "note: to repeat it: attn-opt --run-reproducer "
                 << reproducer << "\n";
  return failure();
}

LogicalResult StageRunner::run(ModuleOp module,
                               llvm::ArrayRef<Stage::Kind> kinds,
                               llvm::StringRef stopAfter) const {
  auto done = module->getAttrOfType<StringAttr>(attn::AttnDialect::kStageAttr);
  llvm::StringRef last = done ? done.getValue() : llvm::StringRef(kImportStage);
  bool pending = last == kImportStage;
  std::vector<Stage> stages = getStages(options, *target);
  if (!pending && llvm::none_of(stages, [&](const Stage &stage) {
        return stage.name == last;
      }))
    return emitError(module.getLoc())
           << "error[A0011]: the program says that it is at the stage '" << last
           << "', which is not one of attnc's; `attnc compile --emit=list` "
              "lists them";
  for (const Stage &stage : stages) {
    if (!pending) {
      pending = stage.name == last;
      continue;
    }
    if (!llvm::is_contained(kinds, stage.kind))
      continue;
    bool enabled =
        stage.kind != Stage::Optimize ||
        (options.optimize && !options.disabledPasses.count(stage.name));
    if (enabled) {
      if (failed(runStage(stage, module, reproducer)))
        return failure();
      if (afterStage && failed(afterStage(stage, module)))
        return failure();
    }
    if (stage.name == stopAfter)
      return success();
  }
  return success();
}

} // namespace attnc
