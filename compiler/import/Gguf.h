//===- Gguf.h - the tensors and the metadata of a GGUF file -*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads a GGUF file (versions 2 and 3, little endian) that is already in
// memory. Tensors are views into it; metadata are copied. Nothing is believed
// before it is checked against the bytes. (The format: ggml, docs/gguf.md.)
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_GGUF_H
#define ATTNC_COMPILER_IMPORT_GGUF_H

#include "compiler/import/Safetensors.h"
#include "llvm/Support/JSON.h"

namespace attnc {

struct GgufFile {
  /// Keys and values as they stand there: "llama.block_count": 22. Numbers keep
  /// their kind (integer or not).
  llvm::json::Object metadata;
  /// In the order of the file; shapes row-major, slowest dimension first.
  std::vector<NamedWeight> tensors;
};

/// Whether the bytes begin as a GGUF file does.
bool isGguf(llvm::ArrayRef<uint8_t> bytes);

/// The file with these bytes; `file` names it in messages. Errors are A0230 to
/// A0235.
llvm::Expected<GgufFile> readGguf(llvm::ArrayRef<uint8_t> bytes,
                                  llvm::StringRef file);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_GGUF_H
