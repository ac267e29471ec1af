//===- Embedded.cpp - files built into the compiler --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The runtime archive and the public headers, so that attnc is one program that
// can be moved anywhere.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/Package.h"

extern "C" {
extern const char attnc_runtime_archive[], attnc_runtime_archive_end[];
extern const char attnc_header_attn[], attnc_header_attn_end[];
extern const char attnc_header_text[], attnc_header_text_end[];
}

namespace attnc {

llvm::StringRef getRuntimeArchive() {
  return {attnc_runtime_archive,
          size_t(attnc_runtime_archive_end - attnc_runtime_archive)};
}

llvm::StringRef getPublicHeader(llvm::StringRef name) {
  if (name == "attn.h")
    return {attnc_header_attn,
            size_t(attnc_header_attn_end - attnc_header_attn)};
  assert(name == "text.h" && "a public header");
  return {attnc_header_text, size_t(attnc_header_text_end - attnc_header_text)};
}

} // namespace attnc
