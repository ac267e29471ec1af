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
  // What it does not have is NULL, fields of later versions too.
  static attn_library table;
  table.struct_size = sizeof(table);
  table.abi_version = ATTN_ABI_VERSION;
  table.name = "toy";
  table.describe = describe;
  table.last_error = attnrt_last_error;
  table.open = openToy;
  table.close = attnrt_close;
  table.info = attnrt_info;
  table.session_open = attnrt_session_open;
  table.session_close = attnrt_session_close;
  table.session_bytes = attnrt_session_bytes_by_name;
  table.call = attnrt_call_by_name;
  table.cancel = attnrt_cancel;
  return &table;
}

} // extern "C"
