//===- UnigramJson.cpp - a Unigram model of tokenizer.json ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads tokens and their scores. Scores become numbers as in `tokenizers`,
// where the last bit may differ from the nearest double: on it hangs how ties
// fall.
//
//===----------------------------------------------------------------------===//
#include "TokenizerReading.h"

namespace attnrt {

// The nearest doubles.
static const double powersOfTen[] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10,
    1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21,
    1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32,
    1e33, 1e34, 1e35, 1e36, 1e37, 1e38, 1e39, 1e40};

/// A number of JSON as its digits, an integer, divided or multiplied by a power
/// of ten. False if that power is beyond what a score needs.
static bool parseScore(const char *text, size_t size, double &score) {
  const char *at = text, *end = text + size;
  bool negative = *at == '-';
  at += negative;
  uint64_t digits = 0;
  int exponent = 0;
  bool fraction = false, full = false;
  for (; at != end && *at != 'e' && *at != 'E'; ++at) {
    if (*at == '.') {
      fraction = true;
      continue;
    }
    uint64_t digit = static_cast<uint64_t>(*at - '0');
    full = full || digits > (UINT64_MAX - digit) / 10;
    if (full && !fraction)
      return false; // no score has twenty digits before the point
    if (full)
      continue;
    digits = digits * 10 + digit;
    exponent -= fraction;
  }
  if (at != end) {
    ++at;
    bool below = *at == '-'; // a digit follows, or a sign and a digit
    at += below || *at == '+';
    int given = 0;
    for (; at != end && given < 1000; ++at)
      given = given * 10 + (*at - '0');
    exponent += below ? -given : given;
  }
  if (exponent < -40 || exponent > 40)
    return false;
  score = static_cast<double>(digits);
  score = exponent < 0 ? score / powersOfTen[-exponent]
                       : score * powersOfTen[exponent];
  score = negative ? -score : score;
  return true;
}

attn_status readUnigram(const char *file, JsonReader reader, int32_t unknownId,
                        bool fallsBackToBytes, Tokenizer &tokenizer) {
  Unigram &model = tokenizer.unigram;
  Vocabulary &vocabulary = tokenizer.vocabulary;
  tokenizer.model = ModelKind::Unigram;
  model.unknownId = unknownId;
  model.fallsBackToBytes = fallsBackToBytes;
  JsonString token;
  if (reader.enterArray())
    while (reader.nextElement()) {
      const char *text = nullptr;
      size_t size = 0;
      double score = 0;
      if (!reader.enterArray() || !reader.nextElement() ||
          !reader.readString(token) || !reader.nextElement() ||
          !reader.readNumber(text, size) || reader.nextElement())
        reader.fail("expected a token and its score");
      else if (!parseScore(text, size, score))
        reader.fail("a score that is beyond what scores are");
      if (reader.failed())
        break;
      if (!vocabulary.add(token, static_cast<int32_t>(model.scores.size())) ||
          !model.scores.push(score))
        return ATTN_ERROR_OUT_OF_MEMORY;
    }
  if (reader.failed())
    return malformed(file, reader);
  if (!vocabulary.index())
    return ATTN_ERROR_OUT_OF_MEMORY;
  if (vocabulary.size() != vocabulary.added())
    return fail(ATTN_ERROR_WEIGHTS, "%s: a token of the model is there twice",
                file);
  if (unknownId < 0)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: a Unigram model without \"unk_id\" is not known", file);
  if (static_cast<size_t>(unknownId) >= vocabulary.size())
    return fail(ATTN_ERROR_WEIGHTS,
                "%s: \"unk_id\" is %d, but the vocabulary has %zu tokens", file,
                unknownId, vocabulary.size());
  return model.finish() ? ATTN_OK : ATTN_ERROR_OUT_OF_MEMORY;
}

} // namespace attnrt
