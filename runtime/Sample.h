//===- Sample.h - choosing the next token -----------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From logits to a token, as attn_generate_options says. The draws are
// SplitMix64 (Steele et al., "Fast Splittable Pseudorandom Number Generators",
// 2014); everything is computed in double precision without libm, so that equal
// logits and seeds give equal tokens on every machine.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_SAMPLE_H
#define ATTN_RUNTIME_SAMPLE_H

#include "text/Buffer.h"

namespace attnrt {

class Sampler {
public:
  explicit Sampler(Memory &memory)
      : candidates(memory, "sampling"), marks(memory, "sampling") {}

  /// `options` are checked ones; they are copied.
  void start(const attn_generate_options &options) {
    rules = options;
    random = options.seed;
  }

  /// The next token. `logits` [count] are changed where tokens of `seen` are
  /// penalized. Fails only for want of memory.
  attn_status choose(float *logits, int64_t count, const int32_t *seen,
                     size_t seenCount, int32_t &token);

  /// Chooses as above and stores what each token's probability was, in
  /// `shares` [count]; left as it is where nothing is drawn.
  attn_status guess(float *logits, int64_t count, const int32_t *seen,
                    size_t seenCount, double *shares, int32_t &token);
  /// The next token, where another model has drawn `guessed` with the
  /// probabilities `shares` [count], which are changed. Tokens have the same
  /// distribution as those of choose(): a guess stays with the ratio of its two
  /// probabilities, else one is drawn of what the draft gave too little of.
  attn_status judge(float *logits, int64_t count, const int32_t *seen,
                    size_t seenCount, int32_t guessed, double *shares,
                    int32_t &token);

private:
  struct Candidate {
    float logit;
    int32_t token;
  };
  static bool isBetter(const Candidate &a, const Candidate &c);
  attn_status prepare(float *logits, int64_t count, const int32_t *seen,
                      size_t seenCount);
  attn_status penalize(float *logits, int64_t count, const int32_t *seen,
                       size_t seenCount);
  attn_status consider(float *logits, int64_t count, const int32_t *seen,
                       size_t seenCount, int32_t &token, size_t &kept,
                       double &total);
  attn_status rank(const float *logits, int64_t count, size_t &kept,
                   double &total);
  const Candidate &best(size_t at) const {
    return candidates[candidates.size() - 1 - at];
  }
  int32_t pick(size_t kept, double total);
  void sink(size_t at, size_t count);
  double weigh(const Candidate &candidate, float highest) const;
  size_t keep(double &total);
  double draw();

  attn_generate_options rules = ATTN_GENERATE_INIT;
  uint64_t random = 0;
  Buffer<Candidate> candidates; ///< a heap, what was taken out behind it
  Buffer<uint8_t> marks;        ///< of tokens that were penalized
};

/// e to the x, for x <= 0.
double exponential(double x);

} // namespace attnrt

#endif // ATTN_RUNTIME_SAMPLE_H
