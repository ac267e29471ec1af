//===- BertNormalizer.h - BERT's normalization of text ----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What happens to text before it is cut into words: control characters removed,
// white space made plain, ideographs set apart, accents stripped, letters
// lowered. Each step can be off.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_BERTNORMALIZER_H
#define ATTN_RUNTIME_TEXT_BERTNORMALIZER_H

#include "Buffer.h"

namespace attnrt {

struct BertOptions {
  bool cleanText = false;    ///< drop controls, turn white space into spaces
  bool spaceChinese = false; ///< a space on either side of each ideograph
  bool stripAccents = false; ///< decompose and drop nonspacing marks
  bool lowercase = false;
};

class BertNormalizer {
public:
  BertNormalizer() { configure(BertOptions()); }
  void configure(const BertOptions &options);
  const BertOptions &options() const { return chosen; }

  /// Appends the normalized text to `out`. `text` is valid UTF-8. `marks` is
  /// working memory. False if there is no memory.
  bool apply(const char *text, size_t size, Buffer<char> &out,
             Buffer<uint32_t> &marks) const;

private:
  bool put(uint32_t code, uint8_t flags, Buffer<char> &out,
           Buffer<uint32_t> &marks) const;
  bool putInOrder(uint32_t code, uint8_t flags, Buffer<char> &out,
                  Buffer<uint32_t> &marks) const;
  bool emit(uint32_t code, uint8_t flags, Buffer<char> &out) const;
  bool flush(Buffer<uint32_t> &marks, Buffer<char> &out) const;

  BertOptions chosen;
  /// What each ASCII character becomes; 0xFF where it is dropped.
  uint8_t ascii[128];
};

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_BERTNORMALIZER_H
