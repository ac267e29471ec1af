//===- PreTokenizerJson.cpp - the pre_tokenizer of tokenizer.json ---------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads a pre-tokenizer, or a sequence of them, into a chain of steps.
//
//===----------------------------------------------------------------------===//
#include "TokenizerReading.h"
#include "Utf8.h"

namespace attnrt {

using Kind = PreTokenizerStep::Kind;
using Prefix = PreTokenizerStep::Prefix;

static constexpr const char *kKnown =
    "BertPreTokenizer, ByteLevel, Digits, Metaspace, Punctuation, Split, "
    "WhitespaceSplit, Sequence";

static attn_status readByteLevel(const char *file, const JsonReader &reader,
                                 PreTokenizerStep &step) {
  bool prefix = false, cuts = true;
  // Not trim_offsets: ids do not depend on it.
  if (attn_status status =
          readFields(file, "pre_tokenizer ByteLevel", reader,
                     {{"add_prefix_space", prefix, JsonField::required},
                      {"use_regex", cuts}}))
    return status;
  step.prefix = prefix ? Prefix::Always : Prefix::Never;
  step.pattern = cuts ? matchGpt2 : nullptr;
  return ATTN_OK;
}

static attn_status readMetaspace(const char *file, const JsonReader &reader,
                                 PreTokenizerStep &step) {
  JsonString replacement, scheme;
  Choice prefix = Choice::Unsaid;
  if (attn_status status =
          readFields(file, "pre_tokenizer Metaspace", reader,
                     {{"replacement", replacement, JsonField::required},
                      {"prepend_scheme", scheme},
                      {"add_prefix_space", prefix},
                      {"split", step.cuts}}))
    return status;
  // Decoding never makes a string longer.
  char text[24];
  size_t length = 0;
  if (replacement.size > 0 && replacement.size <= sizeof(text)) {
    size_t size = replacement.decode(text);
    scanCharacter(text, size, length);
    if (length != size)
      length = 0;
    memcpy(step.replacement, text, length);
  }
  step.replacementSize = length;
  if (length == 0)
    return fail(
        ATTN_ERROR_WEIGHTS,
        "%s: the replacement \"%.*s\" of Metaspace is not one character", file,
        shown(replacement), replacement.text);
  if (!scheme.text || scheme == "always")
    step.prefix = Prefix::Always;
  else if (scheme == "first")
    step.prefix = Prefix::First;
  else if (scheme == "never")
    step.prefix = Prefix::Never;
  else
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: the prepend_scheme of Metaspace is \"%.*s\"; known: "
                "always, first, never",
                file, shown(scheme), scheme.text);
  if (prefix == Choice::No && step.prefix != Prefix::Never)
    return fail(ATTN_ERROR_WEIGHTS,
                "%s: Metaspace says \"add_prefix_space\": false, but its "
                "prepend_scheme is not \"never\"",
                file);
  return ATTN_OK;
}

static attn_status readSplit(const char *file, const JsonReader &reader,
                             PreTokenizerStep &step) {
  JsonSection section;
  JsonString pattern, behavior;
  bool inverts = false, isRegex = false;
  if (attn_status status =
          readFields(file, "pre_tokenizer Split", reader,
                     {{"pattern", section, JsonField::required},
                      {"behavior", behavior, JsonField::required},
                      {"invert", inverts}}))
    return status;
  if (attn_status status = readPattern(file, section, pattern, isRegex))
    return status;
  step.pattern = isRegex          ? findSplitPattern(pattern)
                 : pattern == " " ? matchOneSpace
                                  : nullptr;
  if (!step.pattern)
    return fail(
        ATTN_ERROR_UNAVAILABLE,
        "%s: the pre_tokenizer Split has the pattern \"%.*s\"; known: %s", file,
        shown(pattern), pattern.text, kKnownSplitPatterns);
  step.dropsGaps = behavior == "Removed" && inverts;
  step.joinsGaps = behavior == "MergedWithPrevious" && !inverts;
  if (!step.dropsGaps && !step.joinsGaps && (behavior != "Isolated" || inverts))
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: the pre_tokenizer Split has the behavior \"%.*s\"%s; "
                "known: Isolated, MergedWithPrevious, and Removed with "
                "\"invert\": true",
                file, shown(behavior), behavior.text,
                inverts ? ", inverted" : "");
  return ATTN_OK;
}

static attn_status readDigits(const char *file, const JsonReader &reader,
                              PreTokenizerStep &step) {
  bool individual = false;
  if (attn_status status =
          readFields(file, "pre_tokenizer Digits", reader,
                     {{"individual_digits", individual, JsonField::required}}))
    return status;
  step.digits = true;
  step.together = !individual;
  return ATTN_OK;
}

static attn_status readPunctuation(const char *file, const JsonReader &reader,
                                   PreTokenizerStep &step) {
  JsonString behavior;
  if (attn_status status =
          readFields(file, "pre_tokenizer Punctuation", reader,
                     {{"behavior", behavior, JsonField::required}}))
    return status;
  step.together = behavior == "Contiguous";
  if (!step.together && behavior != "Isolated")
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: the pre_tokenizer Punctuation has the behavior \"%.*s\"; "
                "known: Isolated, Contiguous",
                file, shown(behavior), behavior.text);
  return ATTN_OK;
}

static attn_status readStep(const char *file, const JsonReader &reader,
                            const JsonString &type, PreTokenizer &chain) {
  PreTokenizerStep step;
  attn_status status = ATTN_OK;
  if (type == "BertPreTokenizer") {
    step.kind = Kind::Bert;
  } else if (type == "WhitespaceSplit") {
    step.kind = Kind::WhiteSpace;
  } else if (type == "ByteLevel") {
    step.kind = Kind::ByteLevel;
    status = readByteLevel(file, reader, step);
  } else if (type == "Metaspace") {
    step.kind = Kind::Metaspace;
    status = readMetaspace(file, reader, step);
  } else if (type == "Digits") {
    step.kind = Kind::Classes;
    status = readDigits(file, reader, step);
  } else if (type == "Punctuation") {
    step.kind = Kind::Classes;
    status = readPunctuation(file, reader, step);
  } else if (type == "Split") {
    step.kind = Kind::Split;
    status = readSplit(file, reader, step);
  } else {
    return unknownKind(file, "pre_tokenizer", type, kKnown);
  }
  if (status)
    return status;
  const PreTokenizerStep *before = chain.last();
  if (before && before->kind == Kind::Metaspace)
    return fail(
        ATTN_ERROR_UNAVAILABLE,
        "%s: the pre_tokenizer Metaspace must come last in its sequence", file);
  // What rewrites text does so once.
  if (chain.byteLevel() &&
      (step.kind == Kind::ByteLevel || step.kind == Kind::Metaspace))
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: the pre_tokenizer ByteLevel may be followed by Digits, "
                "Punctuation and Split, not by %.*s",
                file, shown(type), type.text);
  return chain.add(step)
             ? ATTN_OK
             : fail(ATTN_ERROR_UNAVAILABLE,
                    "%s: more than %zu pre_tokenizers in a sequence", file,
                    PreTokenizer::capacity);
}

static attn_status readSteps(const char *file, const JsonReader &reader,
                             PreTokenizer &chain) {
  JsonString type;
  JsonSection steps;
  if (attn_status status =
          readFields(file, "pre_tokenizer", reader,
                     {{"type", type}, {"pretokenizers", steps}}))
    return status;
  if (type != "Sequence")
    return readStep(file, reader, type, chain);
  return readElements(file, steps, [&](const JsonSection &step) {
    return readSteps(file, step.reader, chain);
  });
}

attn_status readPreTokenizer(const char *file, const JsonSection &section,
                             Tokenizer &tokenizer) {
  PreTokenizer &chain = tokenizer.preTokenizer;
  if (section.present) {
    if (attn_status status = readSteps(file, section.reader, chain))
      return status;
  }
  if (tokenizer.model == ModelKind::WordPiece && chain.size() == 0)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: there is no pre_tokenizer; known with WordPiece: "
                "BertPreTokenizer, WhitespaceSplit",
                file);
  // Which piece is the first one is a matter of where its characters came from,
  // and normalizers move them.
  if (chain.size() && chain.last()->kind == Kind::Metaspace &&
      chain.last()->prefix == Prefix::First && tokenizer.normalizer.size())
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: Metaspace with the prepend_scheme \"first\" behind a "
                "normalizer; known: without one, or always, never",
                file);
  if (tokenizer.model == ModelKind::Bpe && tokenizer.bpe.unknownIsMissing &&
      !chain.byteLevel())
    return fail(ATTN_ERROR_WEIGHTS,
                "%s: the model's unknown token is not in the vocabulary", file);
  return ATTN_OK;
}

} // namespace attnrt
