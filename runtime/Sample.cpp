//===- Sample.cpp - choosing the next token -------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Candidates form a heap from which the likeliest are taken one by one, until
// top_k, top_p or min_p end it: of a large vocabulary only what may be drawn is
// ever sorted. Equal logits rank by token id, so that the order is total. A NaN
// counts as -inf; where nothing is more than that, nothing is chosen.
//
//===----------------------------------------------------------------------===//
#include "Sample.h"

#include "Errors.h"

#include <inttypes.h>
#include <string.h>

namespace attnrt {

double exponential(double x) {
  constexpr double kLog2E = 1.4426950408889634;
  constexpr double kLn2High = 0.693147180369123816490,
                   kLn2Low = 1.90821492927058770002e-10;
  if (!(x > -708))
    return 0;
  // x = n ln 2 + r, |r| <= ln 2 / 2: the Taylor series to r^13 is exact to the
  // last bit or two.
  int64_t n = static_cast<int64_t>(x * kLog2E - 0.5);
  double r = (x - static_cast<double>(n) * kLn2High) -
             static_cast<double>(n) * kLn2Low;
  double sum = 1;
  for (int k = 13; k > 0; --k)
    sum = 1 + r / k * sum;
  uint64_t bits = static_cast<uint64_t>(n + 1023) << 52;
  double power;
  memcpy(&power, &bits, sizeof(power));
  return sum * power;
}

bool Sampler::isBetter(const Candidate &a, const Candidate &c) {
  return a.logit > c.logit || (a.logit == c.logit && a.token < c.token);
}

attn_status Sampler::penalize(float *logits, int64_t count, const int32_t *seen,
                              size_t seenCount) {
  float penalty = rules.repetition_penalty;
  if (penalty == 0 || penalty == 1)
    return ATTN_OK;
  size_t size = static_cast<size_t>(count);
  if (!marks.resize(size))
    return ATTN_ERROR_OUT_OF_MEMORY;
  memset(marks.data(), 0, size);
  // Each token once, however often it was seen.
  for (size_t i = 0; i < seenCount; ++i) {
    if (seen[i] < 0 || seen[i] >= count || marks[seen[i]])
      continue;
    marks[seen[i]] = 1;
    float &logit = logits[seen[i]];
    logit = logit > 0 ? logit / penalty : logit * penalty;
  }
  return ATTN_OK;
}

/// Lets the candidate at `at` sink to its place in a heap of `count`.
void Sampler::sink(size_t at, size_t count) {
  Candidate *heap = candidates.data();
  Candidate moving = heap[at];
  for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
    if (child + 1 < count && isBetter(heap[child + 1], heap[child]))
      ++child;
    if (!isBetter(heap[child], moving))
      break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = moving;
}

double Sampler::weigh(const Candidate &candidate, float highest) const {
  // Infinite logits too, whose difference would be no number.
  if (candidate.logit == highest)
    return 1;
  return exponential((double(candidate.logit) - highest) / rules.temperature);
}

/// Takes out what may be drawn, best first, and puts it behind the heap, the
/// best at the end. Returns how many; their weights sum to `total`.
size_t Sampler::keep(double &total) {
  size_t count = candidates.size();
  for (size_t at = count / 2; at-- > 0;)
    sink(at, count);
  Candidate *heap = candidates.data();
  float highest = heap[0].logit;
  size_t most = rules.top_k > 0 && size_t(rules.top_k) < count
                    ? size_t(rules.top_k)
                    : count;
  // What top_p is a share of.
  double whole = 0;
  bool takesShare = rules.top_p > 0 && rules.top_p < 1;
  if (takesShare && most == count)
    for (size_t i = 0; i < count; ++i)
      whole += weigh(heap[i], highest);
  size_t taken = 0;
  total = 0;
  auto takeNext = [&]() {
    Candidate best = heap[0];
    heap[0] = heap[count - taken - 1];
    heap[count - taken - 1] = best;
    ++taken;
    if (taken < count)
      sink(0, count - taken);
    return weigh(best, highest);
  };
  if (takesShare && most < count) {
    while (taken < most)
      whole += takeNext();
    // They are sorted now: find the share among them.
    size_t kept = 0;
    for (double sum = 0;
         kept < taken && (kept == 0 || sum < rules.top_p * whole); ++kept) {
      double weight = weigh(heap[count - 1 - kept], highest);
      if (kept && weight < rules.min_p)
        break;
      sum += weight;
      total = sum;
    }
    return kept;
  }
  while (taken < most && (!takesShare || total < rules.top_p * whole)) {
    double weight = weigh(heap[0], highest);
    if (taken && (weight < rules.min_p || weight == 0))
      break;
    total += takeNext();
  }
  return taken;
}

/// In [0, 1).
double Sampler::draw() {
  random += 0x9e3779b97f4a7c15ull;
  uint64_t z = random;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1p-53;
}

/// The penalty, and -inf for NaN.
attn_status Sampler::prepare(float *logits, int64_t count, const int32_t *seen,
                             size_t seenCount) {
  attn_status status = penalize(logits, count, seen, seenCount);
  if (status != ATTN_OK)
    return status;
  constexpr float kNever = -__builtin_inff();
  bool isAny = false;
  for (int64_t i = 0; i < count; ++i) {
    const bool isPossible = logits[i] > kNever;
    logits[i] = isPossible ? logits[i] : kNever;
    isAny |= isPossible;
  }
  if (isAny)
    return ATTN_OK;
  return fail(ATTN_ERROR_WEIGHTS,
              "of %" PRId64 " logits none is a number to choose by: weights of "
              "the model, or what is made of them, are NaN or infinite",
              count);
}

/// Ranks what may be drawn: best(0) to best(kept - 1).
attn_status Sampler::rank(const float *logits, int64_t count, size_t &kept,
                          double &total) {
  if (!candidates.resize(static_cast<size_t>(count)))
    return ATTN_ERROR_OUT_OF_MEMORY;
  for (int64_t i = 0; i < count; ++i)
    candidates[i] = {logits[i], static_cast<int32_t>(i)};
  kept = keep(total);
  return ATTN_OK;
}

/// Draws one of the first `kept`, whose weights sum to `total`.
int32_t Sampler::pick(size_t kept, double total) {
  float highest = best(0).logit;
  double left = draw() * total;
  size_t at = 0;
  for (; at + 1 < kept; ++at) {
    left -= weigh(best(at), highest);
    if (left < 0)
      break;
  }
  return best(at).token;
}

static int32_t findLargest(const float *logits, int64_t count) {
  int32_t token = 0;
  for (int64_t i = 1; i < count; ++i)
    if (logits[i] > logits[token])
      token = static_cast<int32_t>(i);
  return token;
}

/// Brings the candidates in order; with a temperature of 0, `token` is the one,
/// and nothing is ranked.
attn_status Sampler::consider(float *logits, int64_t count, const int32_t *seen,
                              size_t seenCount, int32_t &token, size_t &kept,
                              double &total) {
  kept = 0;
  total = 0;
  attn_status status = prepare(logits, count, seen, seenCount);
  if (status != ATTN_OK)
    return status;
  if (rules.temperature != 0)
    return rank(logits, count, kept, total);
  token = findLargest(logits, count);
  return ATTN_OK;
}

attn_status Sampler::choose(float *logits, int64_t count, const int32_t *seen,
                            size_t seenCount, int32_t &token) {
  size_t kept;
  double total;
  attn_status status =
      consider(logits, count, seen, seenCount, token, kept, total);
  if (status == ATTN_OK && rules.temperature != 0)
    token = pick(kept, total);
  return status;
}

attn_status Sampler::guess(float *logits, int64_t count, const int32_t *seen,
                           size_t seenCount, double *shares, int32_t &token) {
  size_t kept;
  double total;
  attn_status status =
      consider(logits, count, seen, seenCount, token, kept, total);
  if (status != ATTN_OK || rules.temperature == 0)
    return status;
  token = pick(kept, total);
  memset(shares, 0, static_cast<size_t>(count) * sizeof(double));
  for (size_t at = 0; at < kept; ++at)
    shares[best(at).token] = weigh(best(at), best(0).logit) / total;
  return status;
}

attn_status Sampler::judge(float *logits, int64_t count, const int32_t *seen,
                           size_t seenCount, int32_t guessed, double *shares,
                           int32_t &token) {
  size_t kept;
  double total;
  attn_status status =
      consider(logits, count, seen, seenCount, token, kept, total);
  if (status != ATTN_OK || rules.temperature == 0)
    return status;
  float highest = best(0).logit;
  double wanted = 0, missing = 0;
  for (size_t at = 0; at < kept; ++at) {
    double share = weigh(best(at), highest) / total;
    double &given = shares[best(at).token];
    if (best(at).token == guessed)
      wanted = share / given;
    // From here on, what the draft gave too little.
    given = share > given ? share - given : 0;
    missing += given;
  }
  token = guessed;
  if (draw() < wanted)
    return ATTN_OK;
  // Nothing is missing where the two agree but for rounding.
  double left = draw() * missing;
  for (size_t at = 0; at < kept && missing > 0; ++at) {
    double share = shares[best(at).token];
    if (share > 0)
      token = best(at).token;
    left -= share;
    if (share > 0 && left < 0)
      break;
  }
  return ATTN_OK;
}

} // namespace attnrt
