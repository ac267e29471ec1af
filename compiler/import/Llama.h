//===- Llama.h - Llama and its kin ------------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Touvron et al., "LLaMA", 2023, as `transformers.LlamaForCausalLM` computes
// it: RMS norms before each half of a layer, rotary positions, key heads shared
// by query heads, a gated feed-forward layer. What a family does otherwise is
// in a table (Llama.cpp): Mistral, Qwen 2 and 3, Gemma 1 and 2, Phi-3.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_LLAMA_H
#define ATTNC_COMPILER_IMPORT_LLAMA_H

#include "compiler/import/Decoder.h"
#include "compiler/import/RotarySettings.h"

namespace attnc {

struct LlamaFamily {
  llvm::StringLiteral name;
  bool hasBias = false;       ///< of query, key and value, whatever config says
  bool hasHeadNorms = false;  ///< of query and key
  bool hasWindow = false;     ///< `sliding_window` counts
  bool asksForWindow = false; ///< only where `use_sliding_window` is true
  int64_t usualWindow = 0;    ///< where config.json does not speak of one
  bool isJoined = false;      ///< one tensor each for q, k, v and for gate, up
  bool isGemma = false;       ///< weights of norms less one, embeddings scaled
  /// Norms behind each half of a layer too, soft caps, a window in every other
  /// layer.
  bool isGemma2 = false;
  double usualEpsilon = 1e-6;
};

class Llama : public Decoder {
public:
  Llama(ConfigReader &config, const WeightTable &weights,
        const LlamaFamily &family);
  bool isOptional(llvm::StringRef tensor) const override;

private:
  // The configuration (LlamaSettings.cpp).
  void readNumbers(ConfigReader &config);
  void checkNumbers(ConfigReader &config);
  void readWindows(ConfigReader &config);
  void readKinds(ConfigReader &config, llvm::ArrayRef<std::string> kinds);
  void readActivation(ConfigReader &config);
  void readScores(ConfigReader &config);

  RotaryTables emitRotary(ProgramBuilder &program,
                          mlir::Value places) const override;
  mlir::Value emitEmbedding(Call &call, mlir::Value ids) const override;
  mlir::Value emitLayer(Call &call, int64_t index,
                        mlir::Value rows) const override;
  ProjectedHeads emitProjection(Call &call, int64_t index,
                                mlir::Value rows) const;
  mlir::Value emitAttention(Call &call, int64_t index, mlir::Value rows) const;
  mlir::Value emitFeedForward(Call &call, int64_t index,
                              mlir::Value rows) const;
  mlir::Value emitFinalNorm(Call &call, mlir::Value rows) const override;
  mlir::Value emitLogits(Call &call, mlir::Value rows) const override;
  mlir::Value norm(Call &call, const std::string &tensor, mlir::Value rows,
                   int64_t size) const;

  const LlamaFamily &family;
  double epsilon = 0, scoreScale = 1;
  double scoreCap = 0, logitCap = 0; ///< 0: none
  bool attentionBias = false, feedForwardBias = false, isTied = false;
  bool isInterleaved = false; ///< rotated pairs are adjacent
  bool addsOne = false;       ///< to the weights of norms
  Activation activation = nullptr;
  RotarySettings rotary;
  llvm::SmallVector<int64_t> windows; ///< per layer; 0: none
};

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_LLAMA_H
