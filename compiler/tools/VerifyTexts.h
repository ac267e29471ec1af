//===- VerifyTexts.h - embeddings by a library and the reference -*- C++ -*-==//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of `attnc verify` that --texts asks for.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_TOOLS_VERIFYTEXTS_H
#define ATTNC_COMPILER_TOOLS_VERIFYTEXTS_H

#include "compiler/import/Import.h"
#include "compiler/interpret/Similarity.h"
#include "compiler/tools/Library.h"

namespace attnc::tools {

/// Embeds the lines of a file, empty ones left out, by the entry of an open
/// library that embeds text and by the reference in double precision.
llvm::Expected<SimilarityReport>
verifyTexts(Library &library, const ImportedModel &model, llvm::StringRef path);

} // namespace attnc::tools

#endif // ATTNC_COMPILER_TOOLS_VERIFYTEXTS_H
