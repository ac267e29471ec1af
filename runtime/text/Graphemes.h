//===- Graphemes.h - characters that hang together --------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Grapheme clusters (Unicode standard annex 29), which SentencePiece's
// character map is applied to. Regional indicators are not paired: clusters of
// six bytes and more are taken apart anyway, and such a pair has eight.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_GRAPHEMES_H
#define ATTN_RUNTIME_TEXT_GRAPHEMES_H

#include <stddef.h>

namespace attnrt {

/// The end of the cluster that starts at `at`, which is not `end`. The text is
/// valid UTF-8.
const char *clusterEnd(const char *at, const char *end);

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_GRAPHEMES_H
