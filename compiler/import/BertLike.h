//===- BertLike.h - encoders of BERT's shape --------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Embeddings (word, token type, position; norm), then layers of attention and
// feed-forward, each with a residual and a norm behind it. What families differ
// in is names, the numbers of positions, and the heads; a family's file says
// so.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_BERTLIKE_H
#define ATTNC_COMPILER_IMPORT_BERTLIKE_H

#include "compiler/import/Encoder.h"

namespace attnc {

/// Fields of config.json by what they say.
struct BertFields {
  llvm::StringLiteral hidden = "hidden_size";
  llvm::StringLiteral layers = "num_hidden_layers";
  llvm::StringLiteral heads = "num_attention_heads";
  llvm::StringLiteral intermediate = "intermediate_size";
  llvm::StringLiteral activation = "hidden_act";
  llvm::StringLiteral embedding = "";             ///< empty: as wide as hidden
  llvm::StringLiteral types = "type_vocab_size";  ///< empty: no token types
  llvm::StringLiteral epsilon = "layer_norm_eps"; ///< empty: 1e-12
};

/// Names of a head's tensors, without ".weight" and ".bias".
struct BertHeads {
  llvm::StringLiteral maskedDense, maskedNorm;
  llvm::StringLiteral maskedDecoder;    ///< empty: always the word table
  llvm::StringLiteral maskedBias;       ///< of the decoder: a whole name
  llvm::StringLiteral maskedActivation; ///< empty: the encoder's
  llvm::StringLiteral sequenceDense;    ///< empty: the pooler is before it
  llvm::StringLiteral sequenceActivation;
  llvm::StringLiteral sequenceOutput;
  /// Tensors of pretraining that the other heads leave out.
  llvm::StringLiteral pretraining;
};

struct BertFamily {
  llvm::StringLiteral name;
  llvm::StringLiteral prefix; ///< of the encoder's tensors in a class with head
  llvm::StringLiteral pooler; ///< empty: none
  BertFields fields;
  BertHeads heads;
};

/// Tensors of a layer, without ".weight" and ".bias".
struct BertLayer {
  std::string query, key, value, attentionOutput, attentionNorm;
  std::string intermediate, output, outputNorm;
};

class BertLike : public Encoder {
public:
  std::string describe() const override;
  int64_t getHiddenSize() const override { return hidden; }
  int64_t getMaxPositions() const override { return positions; }
  llvm::SmallVector<EntryInput> getInputs() const override;
  EncoderOutput emit(ProgramBuilder &program) const override;
  mlir::Value emitPooler(ProgramBuilder &program,
                         const EncoderOutput &output) const override;
  Head getHead() const override { return head; }
  llvm::SmallVector<EntryOutput>
  emitHead(ProgramBuilder &program, const EncoderOutput &output) const override;
  bool isOptional(llvm::StringRef tensor) const override;
  bool isOfHead(llvm::StringRef tensor) const override;

protected:
  BertLike(ConfigReader &config, const WeightTable &weights, Head head,
           const BertFamily &family);

  /// The tensors of the layer that runs as the `index`th.
  virtual BertLayer nameLayer(int64_t index) const;
  virtual mlir::Value emitPositions(ProgramBuilder &program,
                                    mlir::Value ids) const;
  /// From embedding rows to hidden rows.
  virtual mlir::Value emitProjection(ProgramBuilder &program,
                                     mlir::Value rows) const {
    return rows;
  }

  /// What distances add to the scores.
  virtual DistanceScores emitDistances(ProgramBuilder &) const { return {}; }

  // Names are without the checkpoint's prefix.
  mlir::Value weight(ProgramBuilder &program, llvm::StringRef name,
                     llvm::ArrayRef<int64_t> shape) const;
  mlir::Value linear(ProgramBuilder &program, llvm::StringRef name,
                     llvm::StringRef tensor, mlir::Value rows, int64_t inputs,
                     int64_t outputs) const;
  mlir::Value norm(ProgramBuilder &program, llvm::StringRef name,
                   llvm::StringRef tensor, mlir::Value rows,
                   int64_t columns) const;
  /// Rows of hidden numbers projected to heads.
  mlir::Value emitHeads(ProgramBuilder &program, llvm::StringRef name,
                        llvm::StringRef tensor, mlir::Value rows) const;
  /// From the heads of an attention to rows: projection, residual, norm.
  mlir::Value emitAttentionOutput(ProgramBuilder &program, llvm::StringRef name,
                                  const BertLayer &layer, mlir::Value context,
                                  mlir::Value rows) const;
  mlir::Value emitFeedForward(ProgramBuilder &program, llvm::StringRef name,
                              const BertLayer &layer, mlir::Value rows) const;
  llvm::StringRef getPrefix() const { return prefix; }
  /// The tensor's name in the file.
  std::string getSource(llvm::StringRef tensor) const;

  /// The widest rows that a configuration may ask for.
  static constexpr int64_t kMaxWidth = 65'536;

  const BertFamily &family;
  const WeightTable &weights;
  int64_t hidden, layers, heads, intermediate, vocabulary, positions;
  int64_t embedding; ///< width of the tables
  int64_t types = 0; ///< 0: no token types
  int64_t tableRows; ///< of the table of positions
  double epsilon = 1e-12;
  Activation activation;
  /// Null unless the family names one.
  Activation sequenceActivation = nullptr;

private:
  void readNumbers(ConfigReader &config);
  void refuseVariants(ConfigReader &config);
  void readHead(ConfigReader &config);
  void checkTiedDecoder(ConfigReader &config) const;
  mlir::Value emitEmbeddings(ProgramBuilder &program) const;
  mlir::Value emitAttention(ProgramBuilder &program, llvm::StringRef name,
                            const BertLayer &layer, mlir::Value rows,
                            mlir::Value padding,
                            const DistanceScores &distances) const;
  // BertHeads.cpp
  llvm::SmallVector<llvm::StringRef> getHeadTensors() const;
  int64_t countLabels(llvm::StringRef tensor) const;
  mlir::Value emitPooledRow(ProgramBuilder &program,
                            const EncoderOutput &output) const;
  mlir::Value emitMaskedHead(ProgramBuilder &program,
                             const EncoderOutput &output) const;
  mlir::Value emitSequenceHead(ProgramBuilder &program,
                               const EncoderOutput &output) const;
  mlir::Value emitReplacedHead(ProgramBuilder &program,
                               const EncoderOutput &output) const;

  std::string prefix; ///< of the encoder's tensors in this checkpoint
  Head head;
  bool tiedDecoder = true; ///< the masked LM's decoder is the word table
};

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_BERTLIKE_H
