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
extern const char attnc_runtime_asan[], attnc_runtime_asan_end[];
extern const char attnc_runtime_tsan[], attnc_runtime_tsan_end[];
extern const char attnc_header_attn[], attnc_header_attn_end[];
extern const char attnc_header_text[], attnc_header_text_end[];
}

namespace attnc {

llvm::StringRef getRuntimeArchive(Sanitizer sanitizer) {
  switch (sanitizer) {
  case Sanitizer::None:
    return {attnc_runtime_archive,
            size_t(attnc_runtime_archive_end - attnc_runtime_archive)};
  case Sanitizer::Address:
    return {attnc_runtime_asan,
            size_t(attnc_runtime_asan_end - attnc_runtime_asan)};
  case Sanitizer::Thread:
    return {attnc_runtime_tsan,
            size_t(attnc_runtime_tsan_end - attnc_runtime_tsan)};
  }
  llvm_unreachable("an unknown sanitizer");
}

llvm::StringRef getPublicHeader(llvm::StringRef name) {
  if (name == "attn.h")
    return {attnc_header_attn,
            size_t(attnc_header_attn_end - attnc_header_attn)};
  assert(name == "text.h" && "a public header");
  return {attnc_header_text, size_t(attnc_header_text_end - attnc_header_text)};
}

} // namespace attnc
