//===- Encoder.h - architectures that turn ids into rows --*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What an architecture's file gives to the importer, and the registry of them.
// To add one: a file beside Bert.cpp and a line in Encoder.cpp.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_ENCODER_H
#define ATTNC_COMPILER_IMPORT_ENCODER_H

#include "compiler/import/Config.h"
#include "compiler/import/ProgramBuilder.h"

namespace attnc {

/// What an encoder computes in the open entry.
struct EncoderOutput {
  mlir::Value hidden; ///< [batch, seq, hidden]; masked rows are unspecified
  mlir::Value mask;   ///< [batch, seq]
};

/// An architecture with the numbers of one model.
class Encoder {
public:
  virtual ~Encoder() = default;
  /// One line for messages: "bert, 6 layers, ...".
  virtual std::string describe() const = 0;
  virtual int64_t getHiddenSize() const = 0;
  /// Longest sequence.
  virtual int64_t getMaxPositions() const = 0;
  virtual llvm::SmallVector<EntryInput> getInputs() const = 0;
  /// Emits the encoder into the open entry.
  virtual EncoderOutput emit(ProgramBuilder &program) const = 0;
  /// Emits the checkpoint's own sentence row [batch, hidden]; null if the
  /// checkpoint has none.
  virtual mlir::Value emitPooler(ProgramBuilder &program,
                                 const EncoderOutput &output) const = 0;
  /// True for a tensor that may be left out of the program: a buffer, or a part
  /// that is not asked for.
  virtual bool isOptional(llvm::StringRef tensor) const = 0;
};

/// Reads the numbers of a model from its config; null if anything is wrong,
/// which is reported then. Unknown architectures are refused with a list of
/// those known.
std::unique_ptr<Encoder> readEncoder(mlir::MLIRContext *context,
                                     const ConfigFile &config,
                                     const WeightTable &weights);

// Architectures.
std::unique_ptr<Encoder> readBert(ConfigReader &config,
                                  const WeightTable &weights);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_ENCODER_H
