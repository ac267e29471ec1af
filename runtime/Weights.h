//===- Weights.h - the tensors that generated code reads --------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Opens the weights, compares them with what the library was compiled for, and
// resolves each of its tensors to an address. Nothing of the data is read: it
// comes into memory as calls touch it.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_WEIGHTS_H
#define ATTN_RUNTIME_WEIGHTS_H

#include "Safetensors.h"
#include "WeightsFile.h"

#include "attn/abi.h"

namespace attnrt {

class Weights {
public:
  /// `options` are checked already. On failure close() must still be called.
  attn_status open(const attn_abi_library &library, const attn_options &options,
                   Memory &memory);
  void close(Memory &memory);

  /// [library.weight_count], 64-byte aligned each.
  const unsigned char *const *pointers() const { return resolved; }
  const WeightsFile &file() const { return source; }
  /// All tensors of the file, the tokenizer's files among them.
  const TensorTable &table() const { return tensors; }

private:
  attn_status compareMetadata(const attn_abi_library &library);
  attn_status resolve(const attn_abi_library &library, Memory &memory);

  WeightsFile source;
  TensorTable tensors;
  const unsigned char **resolved = nullptr;
  int32_t count = 0;
};

} // namespace attnrt

#endif // ATTN_RUNTIME_WEIGHTS_H
