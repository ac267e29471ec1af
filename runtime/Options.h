//===- Options.h - what an application asked for ----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checks attn_options once, at open, so that the rest of the runtime can rely
// on them.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_OPTIONS_H
#define ATTN_RUNTIME_OPTIONS_H

#include "attn/abi.h"

namespace attnrt {

/// Copies `given` (NULL: the defaults) into `options`, fields that its version
/// lacks being zero, and refuses what is out of range or contradicts itself.
attn_status readOptions(const attn_abi_library &library,
                        const attn_options *given, attn_options &options);

/// The log callback. Called only while a model is opened, so never from two
/// threads at once for one model.
class Log {
public:
  explicit Log(const attn_options &options)
      : callback(options.log), context(options.log_context) {}
  void print(attn_log_level level, const char *format, ...) const
      __attribute__((format(printf, 3, 4)));

private:
  attn_log_callback callback;
  void *context;
};

} // namespace attnrt

#endif // ATTN_RUNTIME_OPTIONS_H
