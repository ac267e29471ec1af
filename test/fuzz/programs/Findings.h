//===- Findings.h - what differs, as files ----------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A finding is NAME.mlir, whose first lines hold the setting and the case, and
// NAME.safetensors, the weights; NAME-small.mlir is the reduced program. A
// crash leaves the whole module.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_FUZZ_PROGRAMS_FINDINGS_H
#define ATTNC_TEST_FUZZ_PROGRAMS_FINDINGS_H

#include "Check.h"
#include "ProgramWriter.h"

namespace attnc::fuzz {

class FindingWriter {
public:
  /// Files go to `output`; the weights of the current module to `scratch`.
  FindingWriter(std::string output, std::string scratch, bool makeSmaller);
  ~FindingWriter();

  static std::string weightsName() { return "programs.safetensors"; }
  const std::string &scratchFolder() const { return scratch; }
  /// A module begins: writes its weights, and remembers its text for the case
  /// that it crashes the process.
  void begin(uint64_t seed, std::string text, const Setting &setting,
             const std::vector<SourceTensor> &sources);
  /// `program` is null if the text could not be read.
  void write(Checker &checker, const Program *program, const Finding &finding);

private:
  std::string output, scratch, text;
  Setting setting;
  uint64_t seed = 0;
  bool makeSmaller;
};

/// Runs a finding's file again; the exit status.
int repeatFinding(Checker &checker, const std::string &path);

/// Makes a program that differs smaller as long as it still does.
/// Returns null if nothing could be left out.
std::unique_ptr<Program> reduce(Checker &checker, const Program &program,
                                const Setting &setting, const Finding &finding);

} // namespace attnc::fuzz

#endif // ATTNC_TEST_FUZZ_PROGRAMS_FINDINGS_H
