//===- ToyLibrary.cpp - the toy as a shared library -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the packager would generate around the tables: NAME_library(), the only
// exported symbol, for tests that load and unload the library.
//
//===----------------------------------------------------------------------===//
#include "Toy.h"

extern "C" {

static const char *describe(void) { return toy::library.description; }

static attn_status openToy(const attn_options *options, attn_model **model) {
  return attnrt_open(&toy::library, options, model);
}

__attribute__((visibility("default"))) const attn_library *toy_library(void) {
  static const attn_library table = {sizeof(attn_library),
                                     ATTN_ABI_VERSION,
                                     "toy",
                                     describe,
                                     attnrt_last_error,
                                     openToy,
                                     attnrt_close,
                                     attnrt_info,
                                     attnrt_session_open,
                                     attnrt_session_close,
                                     attnrt_session_bytes_by_name,
                                     attnrt_call_by_name,
                                     attnrt_cancel,
                                     nullptr,
                                     nullptr};
  return &table;
}

} // extern "C"
