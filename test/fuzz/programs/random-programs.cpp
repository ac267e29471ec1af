//===- random-programs.cpp - compiled programs against their meaning ------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   random-programs --seed S --count N [--seconds T] [--output DIR]
//   random-programs --repeat FILE.mlir
//
// Makes programs from the seeds S, S+1, ..., one module of programs per seed,
// until there were N of them or T seconds are over. Each is compiled, run on
// random inputs and compared with the interpreter. What differs, fails or
// crashes is written to DIR as text with its weights and the setting, and made
// smaller; --repeat runs such a file again. Exits with 1 if there was a
// finding.
//
//===----------------------------------------------------------------------===//
#include "Check.h"
#include "Findings.h"
#include "Templates.h"
#include "compiler/Compile.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include <chrono>

using namespace attnc;
using namespace attnc::fuzz;
using namespace llvm;

static cl::opt<uint64_t> seed("seed", cl::init(1), cl::desc("First seed"));
static cl::opt<uint64_t> programs("count", cl::init(1000),
                                  cl::desc("How many programs"));
static cl::opt<unsigned> perModule("per-module", cl::init(96),
                                   cl::desc("Programs of one module"));
static cl::opt<double> seconds("seconds", cl::init(0),
                               cl::desc("Stop after so many seconds"));
static cl::opt<std::string> output("output", cl::init("."),
                                   cl::desc("Folder for findings"));
static cl::opt<std::string> repeat("repeat", cl::desc("A finding's file"));
static cl::opt<bool> printOnly("print",
                               cl::desc("Only print the first module"));
static cl::opt<bool> plant("plant",
                           cl::desc("Plant a mistake, which must be found"));
static cl::opt<bool> makeSmaller("reduce", cl::init(true),
                                 cl::desc("Make findings smaller"));
static cl::opt<unsigned> mostFindings("most-findings", cl::init(10),
                                      cl::desc("Stop after so many"));

static double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

static void print(const Counts &counts, double spent, size_t findings) {
  outs() << counts.programs << " programs in " << counts.modules
         << " modules with " << counts.kernels << " kernels, " << counts.cases
         << " cases (" << counts.narrow << " narrow, " << counts.steps
         << " steps of sessions before), " << counts.outputs << " outputs ("
         << counts.illConditioned << " cases ill-conditioned), " << findings
         << " findings, " << format("%.1f", spent) << " s, "
         << format("%.1f", counts.programs / spent) << " programs/s\n";
  outs().flush();
}

/// One module of a seed; returns how many findings it gave.
static size_t runSeed(Checker &checker, FindingWriter &writer, uint64_t seed,
                      unsigned programs, Counts &counts) {
  ModuleWriter module = makeModule(seed, programs);
  std::string text = module.finish(writer.weightsName());
  if (printOnly) {
    outs() << text;
    return 0;
  }
  Setting setting = Setting::make(seed);
  setting.plant = plant;
  writer.begin(seed, text, setting, module.getSources());
  std::string what;
  std::unique_ptr<Program> program =
      checker.read(text, writer.scratchFolder(), what);
  if (!program) {
    writer.write(checker, nullptr, {"", what, {}});
    return 1;
  }
  std::vector<Finding> findings = checker.check(*program, setting, counts);
  for (const Finding &finding : findings)
    writer.write(checker, program.get(), finding);
  return findings.size();
}

static int runSeeds(Checker &checker, FindingWriter &writer) {
  double start = now(), told = start;
  Counts counts;
  size_t findings = 0;
  for (uint64_t current = seed; counts.programs < programs; ++current) {
    if (seconds > 0 && now() - start > seconds)
      break;
    unsigned here = std::min<uint64_t>(perModule, programs - counts.programs);
    findings += runSeed(checker, writer, current, here, counts);
    if (printOnly || findings >= mostFindings)
      break;
    if (now() - told > 60) {
      told = now();
      print(counts, told - start, findings);
      outs() << "  next seed " << current + 1 << "\n";
    }
  }
  print(counts, now() - start, findings);
  return findings ? 1 : 0;
}

int main(int argc, char **argv) {
  cl::ParseCommandLineOptions(
      argc, argv, "Random programs: compiled code against the interpreter\n");
  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  if (std::error_code code = sys::fs::create_directories(output)) {
    errs() << "error: " << output << ": " << code.message() << "\n";
    return 2;
  }
  SmallString<128> scratch;
  if (std::error_code code =
          sys::fs::createUniqueDirectory("random-programs", scratch)) {
    errs() << "error: no folder for temporary files: " << code.message()
           << "\n";
    return 2;
  }
  int result;
  {
    Checker checker(context, std::string(scratch));
    FindingWriter writer(output, std::string(scratch), makeSmaller);
    result = repeat.empty() ? runSeeds(checker, writer)
                            : repeatFinding(checker, repeat);
  }
  sys::fs::remove_directories(scratch);
  return result;
}
