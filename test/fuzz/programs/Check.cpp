//===- Check.cpp - a random program against its meaning -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Per program a few cases of random sizes and patterns of inputs. Every case
// runs twice, with different numbers of workers: the bits must be the same.
//
//===----------------------------------------------------------------------===//
#include "Check.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

using namespace mlir;
using llvm::Error;
using llvm::Expected;

namespace attnc::fuzz {

//===----------------------------------------------------------------------===//
// Settings
//===----------------------------------------------------------------------===//

Setting Setting::make(uint64_t seed) {
  Random random(seed ^ 0x5E77);
  Setting setting;
  std::vector<std::string> targets;
  for (const Target &target : Target::all())
    // The plainest target multiplies by OpenBLAS, which the program is linked
    // with.
    if (!target.isGpu() && target.runsHere())
      targets.push_back(target.name.str());
  setting.target = targets.empty() ? "" : random.pick(targets);
  setting.quick = random.chance(0.9);
  setting.optimize = random.chance(0.8);
  if (setting.optimize && random.chance(0.5))
    for (const Stage &stage : getStages({}, Target::native()))
      if (stage.kind == Stage::Optimize && random.chance(0.3))
        setting.disabledPasses.insert(stage.name);
  // OpenBLAS multiplies in f32 alone.
  const Target *target = Target::find(setting.target);
  if (target && target->hasMicroKernels && random.chance(0.4)) {
    setting.weights = random.pick({"bf16", "i8", "i4"});
    if (setting.weights != "i4" && random.chance(0.3))
      setting.activations = "f32";
    // Rows stay f32 where weights of i8 have groups.
    setting.group = random.pick({32, 32, 8, 16, 64});
    if (setting.weights == "bf16" ||
        (setting.weights == "i8" && random.chance(0.7)))
      setting.group = 0;
  }
  setting.cache = random.pick({"f32", "f32", "bf16", "i8"});
  setting.inputs = random.next() >> 1;
  return setting;
}

std::string Setting::text() const {
  return "target=" + target + " quick=" + std::to_string(quick) +
         " optimize=" + std::to_string(optimize) +
         " disabled=" + llvm::join(disabledPasses, ",") +
         " weights=" + weights + " activations=" + activations +
         " group=" + std::to_string(group) + " cache=" + cache +
         " inputs=" + std::to_string(inputs) +
         " cases=" + std::to_string(cases) + " plant=" + std::to_string(plant);
}

std::optional<Setting> Setting::parse(llvm::StringRef text) {
  Setting setting;
  llvm::SmallVector<llvm::StringRef> words, passes;
  text.split(words, ' ', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef word : words) {
    auto [name, value] = word.split('=');
    uint64_t number = 0;
    bool isNumber = !value.getAsInteger(10, number);
    if (name == "target") {
      setting.target = value.str();
    } else if (name == "disabled") {
      value.split(passes, ',', -1, /*KeepEmpty=*/false);
      for (llvm::StringRef pass : passes)
        setting.disabledPasses.insert(pass.str());
    } else if (name == "weights") {
      setting.weights = value.str();
    } else if (name == "activations") {
      setting.activations = value.str();
    } else if (name == "cache") {
      setting.cache = value.str();
    } else if (!isNumber) {
      return std::nullopt;
    } else if (name == "quick") {
      setting.quick = number;
    } else if (name == "optimize") {
      setting.optimize = number;
    } else if (name == "inputs") {
      setting.inputs = number;
    } else if (name == "plant") {
      setting.plant = number;
    } else if (name == "group") {
      setting.group = number;
    } else if (name == "cases") {
      setting.cases = number;
    } else {
      return std::nullopt;
    }
  }
  if (!Target::find(setting.target))
    return std::nullopt;
  return setting;
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

Checker::Checker(MLIRContext &context, std::string scratch)
    : context(context), scratch(std::move(scratch)) {
  context.getDiagEngine().registerHandler([this](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
      diagnostics += diagnostic.str() + "\n";
    return success();
  });
}

static std::string print(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module->print(os);
  return text;
}

std::unique_ptr<Program> Checker::read(const std::string &text,
                                       const std::string &folder,
                                       std::string &what) {
  diagnostics.clear();
  ParserConfig config(&context);
  auto program = std::make_unique<Program>();
  program->module = parseSourceString<ModuleOp>(text, config);
  if (!program->module) {
    what = "the text is refused: " + diagnostics;
    return nullptr;
  }
  std::string printed = print(*program->module);
  OwningOpRef<ModuleOp> again = parseSourceString<ModuleOp>(printed, config);
  if (!again || print(*again) != printed) {
    what = "printed and read again, it differs: " + diagnostics;
    return nullptr;
  }
  if (Error error = program->weights.addFiles(*program->module, folder)) {
    what = llvm::toString(std::move(error));
    return nullptr;
  }
  return program;
}

Expected<std::unique_ptr<CompiledModule>>
Checker::compile(const Program &program, const Setting &setting,
                 Counts &counts) {
  diagnostics.clear();
  CompileChoices choices;
  choices.target = Target::find(setting.target);
  choices.quick = setting.quick;
  choices.plant = setting.plant;
  choices.pipeline.optimize = setting.optimize;
  choices.pipeline.disabledPasses = setting.disabledPasses;
  choices.pipeline.weights = setting.weights;
  choices.pipeline.activations = setting.activations;
  choices.pipeline.group = setting.group;
  if (!program.module.get().getOps<attn::StateOp>().empty())
    choices.pipeline.cache = setting.cache;
  CompileFacts facts;
  OwningOpRef<ModuleOp> module(cast<ModuleOp>(program.module.get()->clone()));
  auto compiled = CompiledModule::compile(std::move(module), program.weights,
                                          choices, scratch, facts);
  counts.kernels += facts.kernels;
  if (!compiled)
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   llvm::toString(compiled.takeError()) + "\n" +
                                       diagnostics);
  return compiled;
}

namespace {

/// What verifyCase calls: other workers every time.
class Caller {
public:
  Caller(CompiledModule &compiled, attn::EntryOp entry, uint64_t seed)
      : compiled(compiled), entry(entry), random(seed) {}

  Error call(llvm::StringRef name, const std::map<std::string, int64_t> &sizes,
             llvm::ArrayRef<VerifyBuffer> inputs,
             llvm::ArrayRef<VerifyBuffer> outputs) {
    llvm::SmallVector<int64_t> ordered;
    for (auto size : entry.getSizes().getAsValueRange<StringAttr>())
      ordered.push_back(sizes.at(size.str()));
    if (!usesStates(entry))
      chooseWorkers();
    return compiled.call(name, ordered, inputs, outputs, workers,
                         random.next());
  }
  /// How workers get another session: its history begins again.
  VerifyOptions getOptions() {
    VerifyOptions options;
    options.formats = compiled.getFormats();
    options.reset = [this] {
      chooseWorkers();
      return compiled.reset(workers);
    };
    options.step = [this](const interpret::SessionStep &step) {
      return compiled.step(step, workers);
    };
    return options;
  }

private:
  /// 1 to 3, and not as many as the time before.
  void chooseWorkers() {
    workers =
        workers ? 1 + (workers + random.below(2)) % 3 : random.between(1, 3);
  }

  CompiledModule &compiled;
  attn::EntryOp entry;
  Random random;
  int workers = 0;
};

} // namespace

static std::string describe(const VerifyCase &result) {
  std::string text = result.description + ": " + result.failure;
  llvm::raw_string_ostream os(text);
  for (const OutputError &output : result.outputs)
    os << "\n  " << output.output << ": max abs "
       << llvm::format("%.3g, allowed %.3g, scale %.3g", output.maxAbs,
                       output.allowed, output.scale);
  return text;
}

bool Checker::runCase(const Program &program, attn::EntryOp entry,
                      Interpreter &interpreter, CompiledModule &compiled,
                      Finding &finding, Counts &counts) {
  std::vector<interpret::SessionStep> steps =
      makeSteps(entry, finding.plan, finding.seed);
  Caller caller(compiled, entry, finding.seed);
  const VerifyOptions options = caller.getOptions();
  interpreter.setFormats(options.formats);
  Expected<VerifyCase> result =
      verifyCase(interpreter, entry, finding.plan, finding.seed, steps, options,
                 [&](auto... arguments) { return caller.call(arguments...); });
  if (!result) {
    finding.what = "the reference: " + llvm::toString(result.takeError());
    return false;
  }
  ++counts.cases;
  counts.narrow += options.formats.isNarrow();
  counts.steps += steps.size();
  counts.outputs += result->outputs.size();
  if (result->failure.empty())
    return true;
  finding.what = describe(*result);
  bool compared = !result->outputs.empty();
  if (!compared || isBeyondCondition(program, entry, finding, steps,
                                     options.formats, *result))
    return false;
  ++counts.illConditioned;
  return true;
}

std::optional<Finding>
Checker::checkEntry(const Program &program, attn::EntryOp entry,
                    Interpreter &interpreter, CompiledModule &compiled,
                    const Setting &setting, Counts &counts) {
  uint64_t hash = setting.inputs;
  for (char c : entry.getSymName())
    hash = hash * 31 + c;
  Random random(hash);
  for (unsigned i = 0; i < setting.cases; ++i) {
    Finding finding;
    finding.program = entry.getSymName().str();
    finding.plan = makePlan(entry, random);
    finding.seed = random.next() >> 1;
    if (!runCase(program, entry, interpreter, compiled, finding, counts))
      return finding;
  }
  return std::nullopt;
}

std::vector<Finding> Checker::check(const Program &program,
                                    const Setting &setting, Counts &counts) {
  ++counts.modules;
  auto compiled = compile(program, setting, counts);
  if (!compiled)
    return {{"", "not compiled: " + llvm::toString(compiled.takeError()), {}}};
  Interpreter interpreter(*program.module, &program.weights, /*threads=*/1);
  std::vector<Finding> findings;
  for (auto entry : program.module.get().getOps<attn::EntryOp>()) {
    ++counts.programs;
    onProgram(entry.getSymName());
    if (std::optional<Finding> finding = checkEntry(
            program, entry, interpreter, **compiled, setting, counts))
      findings.push_back(std::move(*finding));
  }
  return findings;
}

std::optional<std::string> Checker::checkCase(const Program &program,
                                              const Setting &setting,
                                              const Finding &finding) {
  Counts counts;
  auto compiled = compile(program, setting, counts);
  if (!compiled)
    return "not compiled: " + llvm::toString(compiled.takeError());
  Interpreter interpreter(*program.module, &program.weights, /*threads=*/1);
  auto entry =
      program.module.get().lookupSymbol<attn::EntryOp>(finding.program);
  Finding repeated = finding;
  if (runCase(program, entry, interpreter, **compiled, repeated, counts))
    return std::nullopt;
  return repeated.what;
}

} // namespace attnc::fuzz
