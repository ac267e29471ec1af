//===- CompileCommand.cpp - attnc compile -----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Options of `attnc compile`, progress, and the list of what was written.
//
//===----------------------------------------------------------------------===//
#include "compiler/Compile.h"
#include "compiler/Pipelines.h"
#include "compiler/Target.h"
#include "compiler/tools/Commands.h"
#include "compiler/tools/Diagnostics.h"
#include "compiler/tools/Tune.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>

using namespace llvm;

namespace attnc::tools {
namespace {

cl::SubCommand command("compile", "Compile a model to a library");
#define IN_COMPILE cl::sub(command), cl::cat(category())

cl::opt<std::string> model(cl::Positional, cl::desc("MODEL"), cl::sub(command));
cl::opt<std::string> output("o", cl::desc("Folder to write to"),
                            cl::value_desc("DIR"), IN_COMPILE);
cl::opt<std::string> name("name",
                          cl::desc("Name of the library and prefix of its "
                                   "functions (default: the folder's name)"),
                          cl::value_desc("NAME"), IN_COMPILE);
cl::list<std::string> targets(
    "target", cl::CommaSeparated,
    cl::desc("Targets, as `attnc targets` lists them (default: native)"),
    cl::value_desc("T,..."), IN_COMPILE);
cl::opt<std::string> weights(
    "weights", cl::init("f32"),
    cl::desc("Format of the weights (default: f32; stored for GGUF files, but "
             "for GPUs and OpenBLAS: what files keep in bf16 or in GGUF's "
             "blocks stays so, value for value)"),
    cl::value_desc("f32|bf16|int8|int4|stored"), IN_COMPILE);
cl::opt<std::string>
    activations("activations",
                cl::desc("Format that rows are multiplied in (default: that of "
                         "the weights; int8 with int4, in the same groups; f32 "
                         "with int8 in groups and with stored)"),
                cl::value_desc("f32|bf16|int8"), IN_COMPILE);
cl::opt<std::string>
    products("products", cl::init("bf16"),
             cl::desc("Format that GPUs multiply in (default: bf16); tf32 is "
                      "f32 with 10 bits of fraction, f32 three products of it"),
             cl::value_desc("bf16|f16|tf32|f32"), IN_COMPILE);
cl::opt<int64_t> group("group",
                       cl::desc("Weights of int4 or int8 that share a scale "
                                "(default: 32 of int4; of int8 all of a "
                                "column)"),
                       cl::value_desc("N"), IN_COMPILE);
cl::opt<std::string>
    cache("cache", cl::init("f32"),
          cl::desc("What sessions of a language model keep of keys and values "
                   "(default: f32)"),
          cl::value_desc("f32|bf16|int8"), IN_COMPILE);
cl::opt<std::string> gemm(
    "gemm",
    cl::desc("Who multiplies matrices (default: attnc; openblas for x86-64)"),
    cl::value_desc("openblas|attnc"), IN_COMPILE);
cl::opt<std::string> sanitize(
    "sanitize",
    cl::desc("Instrument the library; programs that use it are linked with "
             "-fsanitize=address or thread, by clang"),
    cl::value_desc("address|thread"), IN_COMPILE);
cl::opt<bool> embedWeights("embed-weights",
                           cl::desc("Put the weights into the library"),
                           IN_COMPILE);
cl::opt<int64_t> maxBatch("max-batch", cl::init(64),
                          cl::desc("Largest batch (default: 64)"),
                          cl::value_desc("N"), IN_COMPILE);
cl::opt<int64_t> maxSeq("max-seq",
                        cl::desc("Longest sequence (default: the model's)"),
                        cl::value_desc("N"), IN_COMPILE);
cl::list<std::string> outputs("outputs", cl::CommaSeparated,
                              cl::desc("Outputs to keep (default: all)"),
                              cl::value_desc("NAME,..."), IN_COMPILE);
cl::opt<std::string>
    adapter("adapter",
            cl::desc("Merge a LoRA or DoRA adapter: a folder in PEFT's format"),
            cl::value_desc("DIR"), IN_COMPILE);
cl::list<std::string>
    adapters("adapters", cl::CommaSeparated,
             cl::desc("Keep these adapters apart: every session chooses one"),
             cl::value_desc("[NAME=]DIR,..."), IN_COMPILE);
cl::opt<bool> allowExtra("allow-extra-tensors",
                         cl::desc("Ignore tensors that the model does not use"),
                         IN_COMPILE);
cl::opt<char> level("O", cl::Prefix, cl::init('2'),
                    cl::desc("0: leave out the optimizing rewrites"),
                    cl::value_desc("0|2"), IN_COMPILE);
cl::list<std::string> disabled("disable-pass", cl::CommaSeparated,
                               cl::desc("Rewrites to leave out, by stage name"),
                               cl::value_desc("STAGE,..."), IN_COMPILE);
cl::opt<std::string> dump("dump-ir",
                          cl::desc("Write every stage's IR to this folder"),
                          cl::value_desc("DIR"), IN_COMPILE);
cl::opt<std::string> emit("emit",
                          cl::desc("Print the IR after a stage and stop; "
                                   "'list' lists the stages"),
                          cl::value_desc("STAGE"), IN_COMPILE);
cl::opt<bool> printFusions("print-fusions",
                           cl::desc("List every fusion site: done, or declined "
                                    "and because of which op"),
                           IN_COMPILE);
cl::opt<bool> statistics("print-statistics",
                         cl::desc("Print how many sites each pass rewrote "
                                  "and declined"),
                         IN_COMPILE);
cl::opt<bool> schedule("print-schedule",
                       cl::desc("Print how kernels are cut into tiles, and "
                                "what the cost model makes of it"),
                       IN_COMPILE);
cl::opt<std::string>
    tuneShapes("tune", cl::ValueOptional,
               cl::desc("Measure, at these batches and sequences (default: "
                        "1x16,1x128,8x128), the tiles that the cost model "
                        "cannot tell apart; write the choice to "
                        "NAME.tuning.json"),
               cl::value_desc("BxS,..."), IN_COMPILE);
cl::opt<std::string> tuning("tuning",
                            cl::desc("Cut kernels as a file of --tune says"),
                            cl::value_desc("FILE"), IN_COMPILE);
cl::opt<bool> json("json", cl::desc("Print one JSON object"), IN_COMPILE);
cl::opt<bool> quiet("q", cl::desc("Print errors only"), IN_COMPILE);
cl::opt<bool> verbose("v", cl::desc("Print times of every part"), IN_COMPILE);

/// Shows the part of the work that runs: on a terminal in one line that is
/// replaced, otherwise as plain lines.
class Progress {
public:
  Progress(bool silent, bool verbose)
      : silent(silent), verbose(verbose),
        terminal(sys::Process::StandardErrIsDisplayed()) {}

  void begin(StringRef what) {
    finish();
    current = what.str();
    start = std::chrono::steady_clock::now();
    if (!silent && terminal && !verbose)
      errs() << "\r\x1b[K" << what << " ...";
    else if (!silent && !verbose)
      errs() << what << "\n";
  }
  void finish() {
    double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count();
    if (!silent && verbose && !current.empty())
      errs() << format("%-16s %7.3f s\n", current.c_str(), seconds);
    else if (!silent && terminal && !current.empty())
      errs() << "\r\x1b[K";
    current.clear();
  }

private:
  bool silent, verbose, terminal;
  std::string current;
  std::chrono::steady_clock::time_point start;
};

/// "int8" as the compiler's own name for it.
std::string toFormat(StringRef name) {
  return name.consume_front("int") ? ("i" + name).str() : name.str();
}

/// --weights, --activations, --products, --group and --cache; returns an exit
/// code on a mistake.
int readPrecision(PipelineOptions &options) {
  if (!is_contained({"f32", "bf16", "int8", "int4", "stored"}, weights))
    return usage("--weights=" + weights +
                     " is not known; expected f32, bf16, int8, int4 or stored",
                 "compile");
  const bool follows =
      activations == weights && is_contained({"bf16", "int8"}, activations);
  const bool isGroupedBytes =
      activations == "int8" && is_contained({"int4", "stored"}, weights);
  if (!activations.empty() && activations != "f32" && !follows &&
      !isGroupedBytes)
    return usage("--activations=" + activations +
                     " does not go with --weights=" + weights +
                     "; expected f32, what the weights are if that is bf16 or "
                     "int8, or int8 beside int4 and stored",
                 "compile");
  const bool isGrouped = group.getNumOccurrences() > 0;
  if (isGrouped && weights != "int4" && weights != "int8")
    return usage("--group is for --weights=int4 and --weights=int8", "compile");
  if (isGrouped && (group < 8 || group % 8 != 0))
    return usage("--group=" + Twine(group) + "; expected a multiple of 8",
                 "compile");
  if (!is_contained({"f32", "bf16", "int8"}, cache))
    return usage("--cache=" + cache +
                     " is not known; expected f32, bf16 or int8",
                 "compile");
  if (!is_contained({"bf16", "f16", "tf32", "f32"}, products))
    return usage("--products=" + products +
                     " is not known; expected bf16, f16, tf32 or f32",
                 "compile");
  options.products = products;
  options.cache = toFormat(cache);
  options.weights = toFormat(weights);
  options.activations = toFormat(activations);
  // What the default of stored weights is.
  if (weights == "stored" && activations == "f32")
    options.activations.clear();
  options.group = group;
  return kSuccess;
}

constexpr StringLiteral kTuningShapes = "1x16,1x128,8x128";

/// --tune and what it does not go with; returns an exit code on a mistake.
int checkTuning(const CompileOptions &options) {
  if (!tuneShapes.getNumOccurrences())
    return kSuccess;
  if (!tuneShapes.empty() && !parseShapes(tuneShapes))
    return usage("--tune=" + tuneShapes +
                     " is no list of shapes; expected BATCHxSEQ,..., such as " +
                     kTuningShapes,
                 "compile");
  if (!tuning.empty() || !emit.empty() || !sanitize.empty())
    return usage("--tune does not go with --tuning, --emit or --sanitize",
                 "compile");
  if (options.targets.size() > 1)
    return usage("--tune takes one target", "compile");
  return kSuccess;
}

/// What is read of the model; an exit code, as of those below.
int readImport(ImportOptions &options) {
  options.name = name;
  options.maxBatch = maxBatch;
  options.maxSeq = maxSeq;
  options.allowExtraTensors = allowExtra;
  options.adapter = adapter;
  options.adapters.assign(adapters.begin(), adapters.end());
  if (!adapter.empty() && !adapters.empty())
    return usage("give either --adapter or --adapters, not both", "compile");
  if (model.empty())
    return usage("no MODEL; give a folder, a .gguf or an .mlir file",
                 "compile");
  if (maxBatch < 1)
    return usage("--max-batch=" + Twine(maxBatch) + "; expected at least 1",
                 "compile");
  if (maxSeq.getNumOccurrences() && maxSeq < 1)
    return usage("--max-seq=" + Twine(maxSeq) + "; expected at least 1",
                 "compile");
  return kSuccess;
}

/// Who multiplies, and what code checks of itself.
int readCode(CompileOptions &options) {
  options.pipeline.gemm = gemm;
  if (!gemm.empty() && gemm != "openblas" && gemm != "attnc")
    return usage("--gemm=" + gemm + " is not known; expected openblas or attnc",
                 "compile");
  if (gemm == "attnc")
    options.pipeline.gemm.clear();
  if (!sanitize.empty() && sanitize != "address" && sanitize != "thread")
    return usage("--sanitize=" + sanitize +
                     " is not known; expected address or thread",
                 "compile");
  if (!sanitize.empty())
    options.codegen.sanitizer =
        sanitize == "address" ? Sanitizer::Address : Sanitizer::Thread;
  options.pipeline.redzones = sanitize == "address";
  return kSuccess;
}

int readTargets(CompileOptions &options) {
  for (StringRef target : targets) {
    const Target *found = target == "native"
                              ? &Target::native(options.pipeline.isNarrow())
                              : Target::find(target);
    if (!found)
      return usage("the target '" + target +
                       "' is not known; `attnc targets` lists them",
                   "compile");
    if (target == "native")
      options.pipeline.native = found;
    options.targets.push_back(found);
  }
  // Formats of files are not those of GPUs and OpenBLAS.
  const bool anyGpu = any_of(
      options.targets, [](const Target *target) { return target->isGpu(); });
  if (StringRef(model).ends_with_insensitive(".gguf") && !anyGpu &&
      options.pipeline.gemm.empty() && !weights.getNumOccurrences() &&
      activations.empty())
    options.pipeline.weights = "stored";
  if (products.getNumOccurrences() && !anyGpu)
    return usage("--products is for GPUs, and no target is one", "compile");
  for (const Target *target : options.targets)
    if (gemm == "attnc" && !target->isGpu() && !target->hasMicroKernels)
      return usage("--gemm=attnc does not go with the target " + target->name +
                       ", which multiplies by OpenBLAS",
                   "compile");
  return kSuccess;
}

/// Stages that are left out, or printed.
int readStages(CompileOptions &options) {
  options.pipeline.optimize = level != '0';
  options.emit = emit;
  std::vector<std::pair<std::string, std::string>> stages = getEmitStages();
  auto isStage = [&](StringRef name) {
    return any_of(stages, [&](auto &stage) { return stage.first == name; });
  };
  std::vector<Stage> known = getStages({}, Target::native());
  auto isRewrite = [&](StringRef name) {
    return any_of(known, [&](const Stage &stage) {
      return stage.kind == Stage::Optimize && stage.name == name;
    });
  };
  for (StringRef pass : disabled) {
    if (!isStage(pass))
      return usage("--disable-pass: '" + pass +
                       "' is not a stage; `attnc compile --emit=list` lists "
                       "them",
                   "compile");
    if (!isRewrite(pass))
      return usage("--disable-pass: nothing works without '" + pass +
                       "'; those before drop-dead-outputs may be left out",
                   "compile");
    options.pipeline.disabledPasses.insert(pass.str());
  }
  options.import.joinsProjections =
      options.pipeline.optimize &&
      !options.pipeline.disabledPasses.count("fuse-qkv");
  if (!emit.empty() && !isStage(emit))
    return usage("--emit: '" + emit +
                     "' is not a stage; `attnc compile --emit=list` lists "
                     "them",
                 "compile");
  if (!emit.empty() && json)
    return usage("--emit prints text and does not go with --json", "compile");
  return kSuccess;
}

/// Fills in the options; returns an exit code on a mistake.
int readOptions(CompileOptions &options) {
  options.model = model;
  options.outputDirectory = output;
  options.pipeline.outputs.assign(outputs.begin(), outputs.end());
  options.embedWeights = embedWeights;
  options.dumpDirectory = dump;
  options.printSchedule = schedule;
  if (int code = readImport(options.import))
    return code;
  if (quiet && verbose)
    return usage("give either -q or -v, not both", "compile");
  if (level != '0' && level != '2')
    return usage("-O takes 0 or 2", "compile");
  if (int code = readPrecision(options.pipeline))
    return code;
  if (int code = readCode(options))
    return code;
  if (int code = readTargets(options))
    return code;
  if (int code = readStages(options))
    return code;
  if (emit.empty() && output.empty())
    return usage("no output folder; give one with -o DIR", "compile");
  return checkTuning(options);
}

void printCounts(ArrayRef<PassCounts> passes) {
  errs() << format("%-24s %8s %8s\n", "pass", "applied", "missed");
  for (const PassCounts &counts : passes)
    errs() << format("%-24s %8lld %8lld\n", counts.pass.c_str(),
                     static_cast<long long>(counts.applied),
                     static_cast<long long>(counts.missed));
}

void printFiles(const CompileResult &result, ArrayRef<PassCounts> passes,
                bool asJson) {
  if (asJson) {
    json::Array files;
    json::Object counted;
    for (const PassCounts &counts : passes)
      counted[counts.pass] =
          json::Object{{"applied", counts.applied}, {"missed", counts.missed}};
    for (const std::string &file : result.files) {
      uint64_t bytes = 0;
      sys::fs::file_size(file, bytes);
      files.push_back(
          json::Object{{"path", file}, {"bytes", static_cast<int64_t>(bytes)}});
    }
    printJson(json::Object{{"files", std::move(files)},
                           {"passes", std::move(counted)}});
    return;
  }
  for (const std::string &file : result.files) {
    uint64_t bytes = 0;
    sys::fs::file_size(file, bytes);
    outs() << format("%12llu  ", static_cast<unsigned long long>(bytes)) << file
           << "\n";
  }
}

/// Measures the tiles for --tune, or reads them for --tuning.
Error findTiles(mlir::MLIRContext &context, const CompileOptions &options,
                std::optional<TuningFile> &file) {
  if (!tuning.empty()) {
    Expected<TuningFile> read = TuningFile::read(tuning);
    if (!read)
      return read.takeError();
    file = std::move(*read);
  } else if (tuneShapes.getNumOccurrences()) {
    const bool isSilent = quiet || json;
    auto shapes = parseShapes(tuneShapes.empty() ? StringRef(kTuningShapes)
                                                 : StringRef(tuneShapes));
    Expected<TuningFile> found =
        tune(context, options, *shapes, isSilent ? nulls() : errs());
    if (!found)
      return found.takeError();
    file = std::move(*found);
    file->path = "--tune";
  }
  return Error::success();
}

/// Writes NAME.tuning.json beside the library.
Error keepTiles(const TuningFile &file, const CompileOptions &options,
                CompileResult &result) {
  SmallString<128> path(options.outputDirectory);
  sys::path::append(path, result.name + ".tuning.json");
  result.files.push_back(path.str().str());
  return file.write(path);
}

int run() {
  if (emit == "list") {
    for (auto &[stage, summary] : getEmitStages())
      outs() << format("%-24s ", stage.c_str()) << summary << "\n";
    return kSuccess;
  }
  CompileOptions options;
  if (int code = readOptions(options))
    return code;
  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  context.printOpOnDiagnostic(false); // the op's text follows on request only
  DiagnosticPrinter diagnostics(context, printFusions);
  // The linker runs in this process and resets every command-line option.
  bool silent = quiet, asJson = json, counting = statistics;
  Progress progress(silent || asJson || !emit.empty(), verbose);
  const bool tunes = tuneShapes.getNumOccurrences();
  std::optional<TuningFile> file;
  if (Error error = findTiles(context, options, file))
    return report(std::move(error));
  if (file)
    options.tuning = &*file;
  options.progress = [&](StringRef what) { progress.begin(what); };
  Expected<CompileResult> result = compileModel(context, options, outs());
  progress.finish();
  if (tunes && result)
    if (Error error = keepTiles(*file, options, *result))
      return report(std::move(error));
  if (counting)
    printCounts(diagnostics.counts());
  if (!result)
    return report(result.takeError());
  if (!options.emit.empty() || (silent && !asJson))
    return kSuccess;
  printFiles(*result, diagnostics.counts(), asJson);
  return kSuccess;
}

} // namespace

Command compileCommand() {
  return {command,
          "  attnc compile all-MiniLM-L6-v2 -o out --name minilm\n"
          "  attnc compile model -o out --target x86-64-v3 --max-seq 128\n"
          "  attnc compile model -o out --dump-ir=ir --print-fusions\n"
          "  attnc compile attention.mlir --emit=plan-arena\n",
          run};
}

} // namespace attnc::tools
