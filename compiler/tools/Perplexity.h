//===- Perplexity.h - how well a library foretells text -----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The perplexity of a language model over a file of texts, which blank lines
// separate: exp of the mean of -log p(token | those before it in its text). A
// text begins with the tokenizer's special tokens and is cut off where the
// library's positions end; its first token is not counted. Probabilities are
// those of the library's own logits, in double precision, so that what narrow
// weights, rows and caches cost is in them.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_TOOLS_PERPLEXITY_H
#define ATTNC_COMPILER_TOOLS_PERPLEXITY_H

#include "compiler/tools/Library.h"
#include "llvm/Support/raw_ostream.h"

namespace attnc::tools {

struct Perplexity {
  int64_t texts = 0;
  int64_t tokens = 0;  ///< that were foretold
  double surprise = 0; ///< sum of -log p, natural

  double value() const;
  void print(llvm::raw_ostream &os) const;
  llvm::json::Object toJson() const;
};

/// Over the texts in `path`; the library is open. Its session is emptied.
llvm::Expected<Perplexity> measurePerplexity(Library &library,
                                             llvm::StringRef path);

} // namespace attnc::tools

#endif // ATTNC_COMPILER_TOOLS_PERPLEXITY_H
