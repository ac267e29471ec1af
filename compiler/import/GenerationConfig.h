//===- GenerationConfig.h - how a model chooses tokens ---------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// generation_config.json: where a language model stops, and how its authors
// draw tokens. Compiled libraries carry both.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_GENERATIONCONFIG_H
#define ATTNC_COMPILER_IMPORT_GENERATIONCONFIG_H

#include "compiler/import/Config.h"
#include "compiler/import/Folder.h"

namespace attnc {

/// `eos_token_id`: a number, a list of numbers, or nothing. Returns whether it
/// is there; `tokens` are then replaced.
bool readStopTokens(ConfigReader &config, const ConfigFile &file,
                    int64_t vocabulary, llvm::SmallVectorImpl<int32_t> &tokens);

/// Reads the folder's generation_config.json, if there is one. Its stop tokens
/// stand instead of those of config.json, as in transformers. Settings that
/// libraries do not know are named in a warning (A0133).
llvm::LogicalResult readGenerationConfig(
    mlir::MLIRContext *context, const ModelFolder &folder, int64_t vocabulary,
    llvm::SmallVectorImpl<int32_t> &stopTokens, GenerationDefaults &defaults);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_GENERATIONCONFIG_H
