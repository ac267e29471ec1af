//===- SplitPatterns.h - cutting as known regular expressions do -*- C++
//-*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Byte-level BPE cuts text by a regular expression. There are few of them in
// use; each known one is a function here that finds the end of a match.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_SPLITPATTERNS_H
#define ATTN_RUNTIME_TEXT_SPLITPATTERNS_H

#include "Json.h"

namespace attnrt {

/// Returns the end of the longest-first match at `at`, or `at` where the
/// expression matches nothing. `at` != `end`; the text is valid UTF-8.
using SplitPattern = const char *(*)(const char *at, const char *end);

/// The pattern of GPT-2, which ByteLevel uses by itself.
const char *matchGpt2(const char *at, const char *end);

/// A space, Gemma's pattern: no expression but a string.
const char *matchOneSpace(const char *at, const char *end);

/// The function for a regular expression; nullptr if it is not known.
SplitPattern findSplitPattern(const JsonString &expression);

/// What is known, for messages.
extern const char *const kKnownSplitPatterns;

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_SPLITPATTERNS_H
