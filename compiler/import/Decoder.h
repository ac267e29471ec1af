//===- Decoder.h - language models with a cache -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What an architecture that continues text gives to the importer, and the
// registry of them. To add one: a file beside Gpt2.cpp and a line in
// Decoder.cpp. A decoder becomes two entries over one cache: `decode`, the
// logits of each sequence's last new position, and `score`, those of all new
// positions.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_DECODER_H
#define ATTNC_COMPILER_IMPORT_DECODER_H

#include "compiler/import/Config.h"
#include "compiler/import/ProgramBuilder.h"

namespace attnc {

/// An architecture with the numbers of one model.
class Decoder {
public:
  virtual ~Decoder() = default;
  /// One line for messages: "llama, 5 layers, ...".
  std::string describe() const;
  /// Longest sequence.
  int64_t getMaxPositions() const { return positions; }
  /// Longest sequence that this program's positions hold for; 0: any.
  int64_t getLimit() const { return limit; }
  int64_t getVocabulary() const { return vocabulary; }
  /// Emits both entries; sequences have at most `maxPositions` positions.
  void emit(ProgramBuilder &program, int64_t maxPositions) const;
  /// True for a tensor that may be left out of the program: a buffer.
  virtual bool isOptional(llvm::StringRef tensor) const = 0;
  /// Tokens at which the model stops by itself.
  llvm::SmallVector<int32_t> stopTokens;

protected:
  /// What the layers of an entry share.
  struct Call {
    ProgramBuilder &program;
    PackedRows rows;
    RotaryTables rotary; ///< null values without rotary positions
    int64_t maxPositions;
    mlir::Value alibi = {}; ///< slopes or products; null without
  };

  Decoder(llvm::StringRef name, const WeightTable &weights)
      : name(name), weights(weights) {}

  /// Rows [tokens, hidden] of packed ids.
  virtual mlir::Value emitEmbedding(Call &call, mlir::Value ids) const = 0;
  virtual mlir::Value emitLayer(Call &call, int64_t index,
                                mlir::Value rows) const = 0;
  virtual mlir::Value emitFinalNorm(Call &call, mlir::Value rows) const = 0;
  virtual mlir::Value emitLogits(Call &call, mlir::Value rows) const = 0;

  // Tensors by name without the checkpoint's prefix.
  mlir::Value weight(Call &call, llvm::StringRef tensor,
                     llvm::ArrayRef<int64_t> shape) const;
  mlir::Value weight(Call &call, llvm::StringRef symbol,
                     llvm::ArrayRef<std::string> tensors,
                     llvm::ArrayRef<int64_t> shape,
                     const WeightRecipe &recipe) const;
  /// Rows [rows, inputs] times the weight [outputs, inputs], plus the bias if
  /// there is one.
  mlir::Value linear(Call &call, const std::string &tensor, mlir::Value rows,
                     int64_t inputs, int64_t outputs, bool bias) const;
  bool has(llvm::StringRef tensor) const;
  std::string getSource(llvm::StringRef tensor) const;

  std::string name; ///< model_type
  const WeightTable &weights;
  std::string prefix; ///< of the tensors in this checkpoint
  int64_t hidden = 0, layers = 0, heads = 0, keyHeads = 0, headSize = 0;
  int64_t intermediate = 0, vocabulary = 0, positions = 0, limit = 0;

private:
  void emitEntry(ProgramBuilder &program, llvm::StringRef entry, bool last,
                 int64_t maxPositions) const;
  virtual RotaryTables emitRotary(ProgramBuilder &, mlir::Value) const {
    return {};
  }
  virtual mlir::Value emitAlibi(const Call &) const { return {}; }
};

/// True if the config names an architecture of this registry.
bool isDecoder(const ConfigFile &config);
/// Types and classes, for messages.
std::string listDecoders();

/// Reads the numbers of a model from its config; null if anything is wrong,
/// which is reported then.
std::unique_ptr<Decoder> readDecoder(mlir::MLIRContext *context,
                                     const ConfigFile &config,
                                     const WeightTable &weights);

// Beyond these a number in a config is a mistake, not a model.
namespace decoder_limits {
constexpr int64_t kLayers = 1000, kHeads = 4096, kWidth = 1 << 20,
                  kVocabulary = 1 << 24, kPositions = 1 << 20;
} // namespace decoder_limits

// Architectures.
std::unique_ptr<Decoder> readGpt2(ConfigReader &config,
                                  const WeightTable &weights);
std::unique_ptr<Decoder> readLlama(ConfigReader &config,
                                   const WeightTable &weights);
std::unique_ptr<Decoder> readMistral(ConfigReader &config,
                                     const WeightTable &weights);
std::unique_ptr<Decoder> readQwen2(ConfigReader &config,
                                   const WeightTable &weights);
std::unique_ptr<Decoder> readQwen3(ConfigReader &config,
                                   const WeightTable &weights);
std::unique_ptr<Decoder> readGemma(ConfigReader &config,
                                   const WeightTable &weights);
std::unique_ptr<Decoder> readGemma2(ConfigReader &config,
                                    const WeightTable &weights);
std::unique_ptr<Decoder> readPhi3(ConfigReader &config,
                                  const WeightTable &weights);
std::unique_ptr<Decoder> readGptNeox(ConfigReader &config,
                                     const WeightTable &weights);
std::unique_ptr<Decoder> readFalcon(ConfigReader &config,
                                    const WeightTable &weights);
std::unique_ptr<Decoder> readBloom(ConfigReader &config,
                                   const WeightTable &weights);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_DECODER_H
