//===- Check.h - a random program against its meaning -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads a module's text, compiles it, runs its programs on random inputs and
// compares with the interpreter, by the tolerance of `attnc verify`.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_FUZZ_PROGRAMS_CHECK_H
#define ATTNC_TEST_FUZZ_PROGRAMS_CHECK_H

#include "CompiledModule.h"
#include "Random.h"

namespace attnc::fuzz {

/// How a module is compiled and on what its programs are run: all that a seed
/// decides beside the text.
struct Setting {
  std::string target;
  bool quick = true;
  bool optimize = true;
  std::set<std::string> disabledPasses;
  std::string weights = "f32", activations; ///< as PipelineOptions has them
  int64_t group = 32;                       ///< of i4
  std::string cache = "f32";                ///< what states keep
  uint64_t inputs = 1;                      ///< seed of sizes and inputs
  unsigned cases = 2;                       ///< per program
  bool plant = false;                       ///< a mistake

  static Setting make(uint64_t seed);
  /// "target=x86-64-v3 quick=1 ...", which parse() reads back.
  std::string text() const;
  static std::optional<Setting> parse(llvm::StringRef text);
};

struct Counts {
  uint64_t programs = 0, modules = 0, kernels = 0, cases = 0;
  uint64_t outputs = 0;
  /// Cases beyond verify's bound, but within what data that is off by the
  /// rounding of f32 does to the reference.
  uint64_t illConditioned = 0;
  uint64_t narrow = 0;  ///< cases with narrow weights
  uint64_t steps = 0;   ///< that came before cases of entries with states
  uint64_t refused = 0; ///< inputs that the reference does not take
};

/// A difference, or another failure.
struct Finding {
  std::string program; ///< the entry, or empty: the whole module
  std::string what;
  interpret::InputPlan plan; ///< if it is a difference
  uint64_t seed = 0;         ///< of its inputs
};

/// A module that was read, with the bytes of its weights.
struct Program {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  WeightTable weights;
};

/// Whether what an entry computes depends on earlier calls.
bool usesStates(attn::EntryOp entry);
/// Calls, forks, copies and truncations of a session before a case; makes the
/// case's own call short enough for what is left of the positions.
std::vector<interpret::SessionStep>
makeSteps(attn::EntryOp entry, interpret::InputPlan &plan, uint64_t seed);
/// Sizes around the edges of tiles, patterns of masks, ids and numbers.
interpret::InputPlan makePlan(attn::EntryOp entry, Random &random);

/// Everything that the checks of a process share.
class Checker {
public:
  Checker(mlir::MLIRContext &context, std::string scratch);

  /// Parses and verifies text; prints it and parses that again: both must be
  /// equal. Null, with `what` filled, otherwise.
  /// Weights are looked for in `folder`.
  std::unique_ptr<Program> read(const std::string &text,
                                const std::string &folder, std::string &what);
  /// All programs of a module; `only` restricts it to one entry.
  std::vector<Finding> check(const Program &program, const Setting &setting,
                             Counts &counts);
  /// One case of one program.
  std::optional<std::string> checkCase(const Program &program,
                                       const Setting &setting,
                                       const Finding &finding);
  /// Sees each program before it runs, for reports of crashes.
  std::function<void(llvm::StringRef entry)> onProgram = [](llvm::StringRef) {};

private:
  /// Whether outputs are further from the reference than its own condition
  /// explains.
  bool isBeyondCondition(const Program &program, attn::EntryOp entry,
                         const Finding &finding,
                         llvm::ArrayRef<interpret::SessionStep> steps,
                         const NarrowFormats &formats,
                         const VerifyCase &result);
  /// Fills `finding.what` if there is a difference.
  bool runCase(const Program &program, attn::EntryOp entry,
               Interpreter &interpreter, CompiledModule &compiled,
               Finding &finding, Counts &counts);
  llvm::Expected<std::unique_ptr<CompiledModule>>
  compile(const Program &program, const Setting &setting, Counts &counts);
  std::optional<Finding> checkEntry(const Program &program, attn::EntryOp entry,
                                    Interpreter &interpreter,
                                    CompiledModule &compiled,
                                    const Setting &setting, Counts &counts);

  mlir::MLIRContext &context;
  std::string scratch, diagnostics;
};

} // namespace attnc::fuzz

#endif // ATTNC_TEST_FUZZ_PROGRAMS_CHECK_H
