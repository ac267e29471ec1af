//===- NeoxLike.h - GPT-NeoX, Falcon and BLOOM ------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Decoders with layer norms, one matrix for query, key and value whose rows
// stand head by head, and a feed-forward layer of two matrices that may read
// what attention reads. An architecture reads its configuration into these
// fields.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_NEOXLIKE_H
#define ATTNC_COMPILER_IMPORT_NEOXLIKE_H

#include "compiler/import/Decoder.h"
#include "compiler/import/RotarySettings.h"

namespace attnc {

class NeoxLike : public Decoder {
public:
  bool isOptional(llvm::StringRef tensor) const override;

protected:
  NeoxLike(llvm::StringRef name, const WeightTable &weights)
      : Decoder(name, weights) {}

  /// How attention knows where a key is.
  enum class Places { Rotary, Alibi, RoundedAlibi };

  // What the configurations of several architectures say in the same words.
  void readActivation(ConfigReader &config, llvm::StringRef key);
  /// Divides the model into heads, once `hidden` and `heads` are read.
  void divideHeads(ConfigReader &config);
  /// What the rows of the joint matrix are, unless all queries come first.
  void setGroups(ConfigReader &config, llvm::SmallVector<int64_t> ofAGroup);
  /// Takes off what stands before the names of this checkpoint's tensors, and
  /// looks whether a head that is the word table is it.
  void findTable(ConfigReader &config, llvm::StringRef usual);

  // Names of tensors; a layer's stand behind "LAYERS.NUMBER.".
  llvm::StringLiteral layersName = "h", attentionName = "self_attention",
                      tableName = "word_embeddings", finalNormName = "ln_f";
  llvm::StringLiteral attentionNorm = "input_layernorm";
  /// Empty where the feed-forward layer reads what attention reads.
  llvm::StringLiteral feedForwardNorm = "post_attention_layernorm";
  llvm::SmallVector<llvm::StringLiteral> headNames = {"lm_head"};

  bool hasAttentionBias = true, hasFeedForwardBias = true;
  bool hasTableNorm = false; ///< behind the embedding
  bool isParallel = false;   ///< both halves of a layer read its input
  bool addsNormed = false;   ///< what a half is added to is its norm's result
  bool isTied = true;        ///< logits by the word table
  double epsilon = 0;
  Activation activation = nullptr;
  Places places = Places::Rotary;
  RotarySettings rotary;

private:
  /// Rows of a group of the joint matrix: queries, key, value.
  llvm::SmallVector<int64_t> groups;

  RotaryTables emitRotary(ProgramBuilder &program,
                          mlir::Value positions) const override;
  mlir::Value emitAlibi(const Call &call) const override;
  mlir::Value emitEmbedding(Call &call, mlir::Value ids) const override;
  mlir::Value emitLayer(Call &call, int64_t index,
                        mlir::Value rows) const override;
  mlir::Value emitAttention(Call &call, int64_t index, mlir::Value rows) const;
  mlir::Value emitFeedForward(Call &call, int64_t index,
                              mlir::Value rows) const;
  mlir::Value emitFinalNorm(Call &call, mlir::Value rows) const override;
  mlir::Value emitLogits(Call &call, mlir::Value rows) const override;
  mlir::Value norm(Call &call, const std::string &tensor,
                   mlir::Value rows) const;
  std::string layer(int64_t index) const {
    return layersName.str() + "." + std::to_string(index) + ".";
  }
};

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_NEOXLIKE_H
