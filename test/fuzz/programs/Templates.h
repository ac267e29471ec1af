//===- Templates.h - steps that random programs are made of -----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A template is an op, or a few that belong together, with all that decides its
// kernel: dimensions, regions, attributes. The programs of a module are made of
// a few templates in ever new combinations, so that compiling a kernel pays for
// many programs.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_FUZZ_PROGRAMS_TEMPLATES_H
#define ATTNC_TEST_FUZZ_PROGRAMS_TEMPLATES_H

#include "ProgramWriter.h"

namespace attnc::fuzz {

/// Adds to a program.
using Template = std::function<void(EntryWriter &)>;

/// Widths, heads and row dimensions that the templates of a module share, so
/// that one reads what another made.
struct Shapes {
  explicit Shapes(Random &random);

  int64_t width, inner; ///< columns of rows
  int64_t heads, keyHeads, size, valueSize;
  std::vector<Dims> rows; ///< leading dimensions
  std::vector<Layer> layers;
  int64_t positions = 0; ///< of their states
  void addLayers(Random &random);
  std::string text(int64_t number) const { return std::to_string(number); }
};

Template makeMap(Random &random, const Shapes &shapes);
Template makeNormOrSoftmax(Random &random, const Shapes &shapes);
Template makeLinear(Random &random, const Shapes &shapes);
Template makeMatmul(Random &random, const Shapes &shapes);
Template makeEmbedding(Random &random, const Shapes &shapes);
Template makeIntegers(Random &random, const Shapes &shapes);
Template makePooling(Random &random, const Shapes &shapes);
Template makePacking(Random &random, const Shapes &shapes);
Template makeHeads(Random &random, const Shapes &shapes);
Template makeRope(Random &random, const Shapes &shapes);
Template makeHeadLinear(Random &random, const Shapes &shapes);
Template makeAttention(Random &random, const Shapes &shapes);
Template makeEncoderAttention(Random &random, const Shapes &shapes);
Template makeAttentionInParts(Random &random, const Shapes &shapes);
// Where there are layers:
Template makeCachedAttention(Random &random, const Shapes &shapes);
Template makePositionsInSession(Random &random, const Shapes &shapes);

/// A module of `programs` entries; `description` says what it is made of.
ModuleWriter makeModule(uint64_t seed, unsigned programs);

} // namespace attnc::fuzz

#endif // ATTNC_TEST_FUZZ_PROGRAMS_TEMPLATES_H
