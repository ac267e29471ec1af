//===- Similarity.cpp - what precision costs embeddings -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Cosines and rankings.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/Similarity.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include <cmath>

namespace attnc {

static double getCosine(const Embedding &a, const Embedding &b) {
  double dot = 0, squaresA = 0, squaresB = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += a[i] * b[i];
    squaresA += a[i] * a[i];
    squaresB += b[i] * b[i];
  }
  const double cosine = dot / std::sqrt(squaresA * squaresB);
  return std::isfinite(cosine) ? cosine : -1;
}

/// The nearest others of text `query`, nearest first; of equally near ones the
/// first.
static std::vector<size_t> findNeighbours(llvm::ArrayRef<Embedding> embeddings,
                                          size_t query) {
  std::vector<std::pair<double, size_t>> others;
  for (size_t i = 0; i < embeddings.size(); ++i)
    if (i != query)
      others.push_back({-getCosine(embeddings[query], embeddings[i]), i});
  llvm::sort(others);
  others.resize(SimilarityReport::kNeighbours);
  std::vector<size_t> nearest;
  for (auto [distance, text] : others)
    nearest.push_back(text);
  return nearest;
}

SimilarityReport compareEmbeddings(llvm::ArrayRef<Embedding> reference,
                                   llvm::ArrayRef<Embedding> got) {
  assert(reference.size() == got.size() &&
         reference.size() > SimilarityReport::kNeighbours);
  SimilarityReport report;
  report.texts = reference.size();
  report.minCosine = 2;
  for (size_t i = 0; i < reference.size(); ++i) {
    const double cosine = getCosine(reference[i], got[i]);
    report.meanCosine += cosine / report.texts;
    if (cosine < report.minCosine) {
      report.minCosine = cosine;
      report.worst = i;
    }
    std::vector<size_t> neighbours = findNeighbours(got, i);
    for (size_t expected : findNeighbours(reference, i))
      if (llvm::is_contained(neighbours, expected))
        report.overlap += 1.0 / (report.texts * SimilarityReport::kNeighbours);
  }
  return report;
}

bool SimilarityReport::passes(const SimilarityBounds &bounds) const {
  return meanCosine >= bounds.meanCosine && minCosine >= bounds.minCosine &&
         overlap >= bounds.overlap;
}

void SimilarityReport::print(llvm::raw_ostream &os) const {
  os << "cosine to the reference over " << texts << " texts: mean "
     << llvm::format("%.6f", meanCosine) << ", minimum "
     << llvm::format("%.6f", minCosine) << " (text " << worst + 1
     << "); nearest " << kNeighbours << " in common "
     << llvm::format("%.1f%%", 100 * overlap) << "\n";
}

llvm::json::Object SimilarityReport::toJson() const {
  return llvm::json::Object{{"texts", static_cast<int64_t>(texts)},
                            {"mean_cosine", meanCosine},
                            {"min_cosine", minCosine},
                            {"worst_text", static_cast<int64_t>(worst + 1)},
                            {"neighbours", static_cast<int64_t>(kNeighbours)},
                            {"overlap", overlap}};
}

} // namespace attnc
