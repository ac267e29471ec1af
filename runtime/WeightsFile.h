//===- WeightsFile.h - where the weights' bytes come from -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The bytes of a weights file: embedded in the library, given in memory, or a
// file mapped read-only. The path defaults to NAME.weights beside the library,
// which for a static link is beside the program.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_WEIGHTSFILE_H
#define ATTN_RUNTIME_WEIGHTSFILE_H

#include "attn/abi.h"

namespace attnrt {

class Memory;

class WeightsFile {
public:
  /// `options` are checked already. On failure close() must still be called.
  attn_status open(const attn_abi_library &library, const attn_options &options,
                   Memory &memory);
  void close(Memory &memory);

  const unsigned char *data() const { return bytes; }
  uint64_t size() const { return byteCount; }
  /// The path, or "in memory", or "embedded in the library".
  const char *source() const { return path ? path : origin; }
  bool isMapped() const { return mapped; }

private:
  attn_status map(const char *libraryName);
  attn_status keepPath(const char *text, Memory &memory);

  const unsigned char *bytes = nullptr;
  uint64_t byteCount = 0;
  const char *origin = "";
  char *path = nullptr;
  size_t pathBytes = 0;
  bool mapped = false;
};

} // namespace attnrt

#endif // ATTN_RUNTIME_WEIGHTSFILE_H
