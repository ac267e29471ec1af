//===- LibraryFormats.h - what a library rounds -----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `attnc verify` reads off a library's description: formats, and how the
// program looks whose roundings it repeats.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_TOOLS_LIBRARYFORMATS_H
#define ATTNC_COMPILER_TOOLS_LIBRARYFORMATS_H

#include "compiler/import/Import.h"
#include "compiler/interpret/NarrowProducts.h"
#include "compiler/interpret/ProductFormats.h"
#include "compiler/tools/Library.h"

namespace attnc::tools {

/// What --adapter says.
struct ChosenAdapter {
  std::string name, folder;
  bool isApart = false; ///< the library has it beside its weights, not merged
};

/// What the variant that runs multiplies in; the description outlives this.
llvm::Expected<NarrowFormats> getFormats(const Library &library);

/// The formats of single products of the variant that runs, in sessions with an
/// adapter or without; nothing where the library does not tell them. GPUs
/// multiply in a format of their own.
llvm::Expected<std::optional<ProductFormats>>
getProducts(const Library &library, const NarrowFormats &formats,
            bool isAdapted, mlir::MLIRContext *context);

/// The model as the library has it: with the chosen adapter beside its
/// products, whose ranks are the library's. Null if the library keeps no
/// adapters, or not in products like these. `model` is the same one, with the
/// adapter merged.
std::unique_ptr<ImportedModel>
importApart(const Library &library, ImportedModel &model, llvm::StringRef path,
            ImportOptions options, const ChosenAdapter &chosen);

/// The choice of a model's weights that an adapter is.
std::optional<unsigned> findChoice(const ImportedModel &model,
                                   llvm::StringRef adapter);

} // namespace attnc::tools

#endif // ATTNC_COMPILER_TOOLS_LIBRARYFORMATS_H
