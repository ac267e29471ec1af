//===- Similarity.h - what precision costs embeddings -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Embeddings of the same texts, by the reference and by a library: how far each
// turned, and whether searches still find the same neighbours.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_SIMILARITY_H
#define ATTNC_COMPILER_INTERPRET_SIMILARITY_H

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"
#include <vector>

namespace attnc {

using Embedding = std::vector<double>;

/// What must hold for a library to pass.
struct SimilarityBounds {
  double meanCosine = 0.99, minCosine = 0.97, overlap = 0.95;
};

struct SimilarityReport {
  static constexpr size_t kNeighbours = 10;

  size_t texts = 0;
  double meanCosine = 0, minCosine = 0;
  size_t worst = 0; ///< the text with minCosine
  /// Of each text's kNeighbours nearest others by the reference, the share that
  /// is also among the library's; the mean over texts.
  double overlap = 0;

  bool passes(const SimilarityBounds &bounds) const;
  void print(llvm::raw_ostream &os) const;
  llvm::json::Object toJson() const;
};

/// Needs more than kNeighbours texts. An embedding that is not finite has the
/// cosine -1 to any other.
SimilarityReport compareEmbeddings(llvm::ArrayRef<Embedding> reference,
                                   llvm::ArrayRef<Embedding> got);

} // namespace attnc

#endif // ATTNC_COMPILER_INTERPRET_SIMILARITY_H
