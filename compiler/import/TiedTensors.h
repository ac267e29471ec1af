//===- TiedTensors.h - two names of one tensor ------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `tie_word_embeddings` says that a head's matrix is the word table. Releases
// of transformers from 5 on keep the two apart where a checkpoint has both and
// they differ; older ones take the table.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_TIEDTENSORS_H
#define ATTNC_COMPILER_IMPORT_TIEDTENSORS_H

#include "compiler/import/Config.h"
#include "compiler/import/Weights.h"

namespace attnc {

/// Refuses a checkpoint that holds the tensor `own` although it is `shared` by
/// configuration, and holds other numbers there: they would be left out in
/// silence.
void checkTied(ConfigReader &config, const WeightTable &weights,
               llvm::StringRef own, llvm::StringRef shared);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_TIEDTENSORS_H
