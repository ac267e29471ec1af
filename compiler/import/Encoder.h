//===- Encoder.h - architectures that turn ids into rows --*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What an architecture's file gives to the importer, and the registry of them.
// To add one: a file beside Bert.cpp and a line in Encoder.cpp. Encoders of
// BERT's shape share BertLike.
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

/// What a checkpoint's class computes from the encoder's rows.
enum class Head {
  None,
  MaskedLM,    ///< logits [batch, seq, vocabulary]
  PreTraining, ///< of BERT: as MaskedLM, and seq_relationship_logits [batch, 2]
  NextSentence, ///< logits [batch, 2]
  Sequence,     ///< logits [batch, labels]
  Token,        ///< logits [batch, seq, labels]
  Question,     ///< start_logits and end_logits [batch, seq]
  Replaced      ///< of ELECTRA: logits [batch, seq]
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
  /// What emitHead emits; None as well if the checkpoint's class has a head
  /// whose tensors the folder lacks.
  virtual Head getHead() const = 0;
  /// Emits the head behind the encoder, masked positions zero.
  virtual llvm::SmallVector<EntryOutput>
  emitHead(ProgramBuilder &program, const EncoderOutput &output) const = 0;
  /// True for a tensor that may be left out of the program: a buffer, or a part
  /// that is not asked for.
  virtual bool isOptional(llvm::StringRef tensor) const = 0;
  /// True for a tensor of the head of the checkpoint's class.
  virtual bool isOfHead(llvm::StringRef tensor) const = 0;

  /// Sessions choose adapters, which change weights: what is computed of
  /// weights alone is computed in every call.
  bool weightsVary = false;
  /// The class with a head that the folder lacks, or nothing.
  std::string missingHead;
};

/// Reads the numbers of a model from its config; null if anything is wrong,
/// which is reported then. Unknown architectures are refused with a list of
/// those known.
std::unique_ptr<Encoder> readEncoder(mlir::MLIRContext *context,
                                     const ConfigFile &config,
                                     const WeightTable &weights);

// Architectures.
std::unique_ptr<Encoder> readBert(ConfigReader &config,
                                  const WeightTable &weights, Head head);
std::unique_ptr<Encoder>
readData2VecText(ConfigReader &config, const WeightTable &weights, Head head);
std::unique_ptr<Encoder> readErnie(ConfigReader &config,
                                   const WeightTable &weights, Head head);
std::unique_ptr<Encoder> readRoberta(ConfigReader &config,
                                     const WeightTable &weights, Head head);
std::unique_ptr<Encoder> readDistilBert(ConfigReader &config,
                                        const WeightTable &weights, Head head);
std::unique_ptr<Encoder> readElectra(ConfigReader &config,
                                     const WeightTable &weights, Head head);
std::unique_ptr<Encoder> readAlbert(ConfigReader &config,
                                    const WeightTable &weights, Head head);
std::unique_ptr<Encoder> readDebertaV2(ConfigReader &config,
                                       const WeightTable &weights, Head head);
std::unique_ptr<Encoder> readModernBert(ConfigReader &config,
                                        const WeightTable &weights, Head head);
std::unique_ptr<Encoder> readMPNet(ConfigReader &config,
                                   const WeightTable &weights, Head head);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_ENCODER_H
