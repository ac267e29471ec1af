//===- Safetensors.h - the tensors of a safetensors file --*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the header of a safetensors file that is already in memory. Nothing is
// copied and nothing is believed before it is checked against the bytes.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_SAFETENSORS_H
#define ATTNC_COMPILER_IMPORT_SAFETENSORS_H

#include "compiler/import/Weights.h"

namespace attnc {

struct NamedWeight {
  std::string name;
  WeightEntry entry; ///< `file` is left at 0
};

/// The tensors of the file with these bytes, in the order of their data.
/// `file` names it in messages. Errors are A0202 to A0211.
llvm::Expected<std::vector<NamedWeight>>
readSafetensors(llvm::ArrayRef<uint8_t> bytes, llvm::StringRef file);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_SAFETENSORS_H
