//===- SentenceTransformers.h - from rows to an embedding -*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What modules.json of a sentence-transformers folder puts behind the encoder:
// pooling, then possibly a dense layer and a normalization.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_SENTENCETRANSFORMERS_H
#define ATTNC_COMPILER_IMPORT_SENTENCETRANSFORMERS_H

#include "compiler/import/Encoder.h"
#include "compiler/import/Folder.h"

namespace attnc {

/// The modules of a folder, in its own words.
struct SentenceModules {
  struct Dense {
    std::string folder; ///< holds its weights
    int64_t inputs = 0, outputs = 0;
    bool bias = true;
    Activation activation = nullptr;
  };

  std::string encoderFolder; ///< relative; empty: the folder itself
  attn::PoolKind pool = attn::PoolKind::mean;
  int64_t pooledSize = 0;
  std::optional<Dense> dense;
  bool normalize = false;

  /// Emits the modules behind the encoder: [batch, dim].
  mlir::Value emit(ProgramBuilder &program, const EncoderOutput &output) const;
};

/// Reads modules.json and what it names; nothing if that fails.
std::optional<SentenceModules> readSentenceModules(mlir::MLIRContext *context,
                                                   const ModelFolder &folder);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_SENTENCETRANSFORMERS_H
