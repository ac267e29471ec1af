//===- ProgramRunner.h - compiles attn text and runs it --------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From attn to machine code in this process, without a library around it: plays
// the part of the runtime (plan, arena, frame, phases) as include/attn/abi.h
// asks, and compares with the interpreter. The arena is filled with NaNs first,
// and what lies behind it is watched.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_UNIT_SCHEDULE_PROGRAMRUNNER_H
#define ATTNC_TEST_UNIT_SCHEDULE_PROGRAMRUNNER_H

#include "compiler/Target.h"
#include "compiler/interpret/Interpreter.h"
#include "compiler/schedule/ProgramInfo.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace attnc::test {

class ProgramRunner {
public:
  using Sizes = std::map<std::string, int64_t>;

  /// Compiles the only entry of `text` for `target`; weights get random
  /// elements. Null after a message on stderr.
  static std::unique_ptr<ProgramRunner> compile(const std::string &text,
                                                const Target &target,
                                                llvm::StringRef gemm = "");
  ~ProgramRunner();

  /// The interpreter's results.
  std::vector<TensorValue> expect(const Sizes &sizes,
                                  const std::vector<TensorValue> &inputs);
  /// The compiled program's, one worker of each phase after the other. An
  /// input that is not there takes its default.
  std::vector<TensorValue>
  run(const Sizes &sizes, const std::vector<std::optional<TensorValue>> &inputs,
      int workers = 1);

  ScheduleInfo schedule;
  /// What the last run needed.
  int64_t arenaBytes = 0;

private:
  struct Jit;

  struct Call;

  explicit ProgramRunner(const std::string &text);
  bool lower(const Target &target, llvm::StringRef gemm);
  bool addWeights();
  void packWeights(mlir::ModuleOp scheduled);
  bool link(mlir::ModuleOp lowered, const Target &target);
  void plan(Call &call, const Sizes &sizes);
  void *makeInput(Call &call, unsigned index,
                  const std::optional<TensorValue> &given);
  void *makeOutput(Call &call, unsigned index);
  void *allocate(size_t bytes);
  unsigned char *allocateGuarded(Call &call, size_t bytes);

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> source;
  attn::EntryOp entry;
  WeightTable table;
  std::unique_ptr<Interpreter> interpreter;
  std::string directory;
  std::vector<const unsigned char *> weights;
  std::vector<std::unique_ptr<void, void (*)(void *)>> memory;
  std::unique_ptr<Jit> jit;
};

/// Random elements, the same for the same seed.
TensorValue randomNumbers(llvm::ArrayRef<int64_t> shape, unsigned seed);
TensorValue randomIntegers(llvm::ArrayRef<int64_t> shape, int64_t most,
                           unsigned seed);

/// Checks that results agree within f32 roundings.
void expectNear(const std::vector<TensorValue> &results,
                const std::vector<TensorValue> &expected);

} // namespace attnc::test

#endif // ATTNC_TEST_UNIT_SCHEDULE_PROGRAMRUNNER_H
