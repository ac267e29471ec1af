//===- NormalizerJson.cpp - the normalizer of tokenizer.json --------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads a normalizer, or a sequence of them, into a chain of steps.
//
//===----------------------------------------------------------------------===//
#include "TokenizerReading.h"

namespace attnrt {

using Kind = NormalizerStep::Kind;

static constexpr const char *kKnown =
    "BertNormalizer, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, "
    "Replace, Prepend, Precompiled, Sequence, or null";

static attn_status readBert(const char *file, const JsonReader &reader,
                            NormalizerStep &step) {
  BertOptions options;
  Choice accents = Choice::Unsaid;
  if (attn_status status = readFields(
          file, "normalizer", reader,
          {{"clean_text", options.cleanText, JsonField::required},
           {"handle_chinese_chars", options.spaceChinese, JsonField::required},
           {"lowercase", options.lowercase, JsonField::required},
           {"strip_accents", accents}}))
    return status;
  options.stripAccents =
      accents == Choice::Unsaid ? options.lowercase : accents == Choice::Yes;
  step.bert.configure(options);
  return ATTN_OK;
}

static attn_status readReplace(const char *file, const JsonReader &reader,
                               NormalizerStep &step, NormalizerChain &chain) {
  JsonSection section;
  JsonString pattern, content;
  bool isRegex = false;
  if (attn_status status =
          readFields(file, "normalizer Replace", reader,
                     {{"pattern", section, JsonField::required},
                      {"content", content, JsonField::required}}))
    return status;
  if (attn_status status = readPattern(file, section, pattern, isRegex))
    return status;
  if (isRegex) {
    step.kind = Kind::ReplaceSpaces;
    step.anySpace = pattern == "\\s+";
    if (!step.anySpace && pattern != " {2,}")
      return fail(ATTN_ERROR_UNAVAILABLE,
                  "%s: the normalizer Replace has the expression \"%.*s\"; "
                  "known: \\s+, \" {2,}\"",
                  file, shown(pattern), pattern.text);
  } else if (pattern.size == 0) {
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: the normalizer Replace looks for an empty string", file);
  }
  return chain.keep(pattern, step.patternStart, step.patternSize) &&
                 chain.keep(content, step.contentStart, step.contentSize)
             ? ATTN_OK
             : ATTN_ERROR_OUT_OF_MEMORY;
}

static attn_status readPrepend(const char *file, const JsonReader &reader,
                               NormalizerStep &step, NormalizerChain &chain) {
  JsonString content;
  if (attn_status status =
          readFields(file, "normalizer Prepend", reader,
                     {{"prepend", content, JsonField::required}}))
    return status;
  return chain.keep(content, step.contentStart, step.contentSize)
             ? ATTN_OK
             : ATTN_ERROR_OUT_OF_MEMORY;
}

static attn_status readPrecompiled(const char *file, const JsonReader &reader,
                                   NormalizerChain &chain) {
  JsonString map;
  if (attn_status status =
          readFields(file, "normalizer Precompiled", reader,
                     {{"precompiled_charsmap", map, JsonField::required}}))
    return status;
  if (!chain.map.empty())
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: more than one normalizer Precompiled in a sequence", file);
  Buffer<char> encoded(chain.memory(), "the character map");
  if (!encoded.resize(map.size))
    return ATTN_ERROR_OUT_OF_MEMORY;
  encoded.resize(map.decode(encoded.data()));
  bool hasMemory = true;
  const char *wrong = chain.map.read(encoded, hasMemory);
  if (!hasMemory)
    return ATTN_ERROR_OUT_OF_MEMORY;
  return wrong ? fail(ATTN_ERROR_WEIGHTS,
                      "%s: the precompiled_charsmap of a normalizer %s", file,
                      wrong)
               : ATTN_OK;
}

static attn_status readStep(const char *file, const JsonReader &reader,
                            const JsonString &type, NormalizerChain &chain) {
  static const struct {
    const char *type;
    NormalizationForm form;
  } forms[] = {{"NFC", NormalizationForm::C},
               {"NFD", NormalizationForm::D},
               {"NFKC", NormalizationForm::KC},
               {"NFKD", NormalizationForm::KD}};
  NormalizerStep step;
  attn_status status = ATTN_OK;
  bool isForm = false;
  for (const auto &one : forms)
    if (type == one.type) {
      step.kind = Kind::Form;
      step.form = one.form;
      isForm = true;
    }
  if (isForm) {
  } else if (type == "BertNormalizer") {
    status = readBert(file, reader, step);
  } else if (type == "Lowercase") {
    BertOptions options;
    options.lowercase = true;
    step.bert.configure(options);
  } else if (type == "StripAccents") {
    step.kind = Kind::StripAccents;
  } else if (type == "Strip") {
    step.kind = Kind::Strip;
    status =
        readFields(file, "normalizer Strip", reader,
                   {{"strip_left", step.stripLeft, JsonField::required},
                    {"strip_right", step.stripRight, JsonField::required}});
  } else if (type == "Replace") {
    step.kind = Kind::Replace;
    status = readReplace(file, reader, step, chain);
  } else if (type == "Prepend") {
    step.kind = Kind::Prepend;
    status = readPrepend(file, reader, step, chain);
  } else if (type == "Precompiled") {
    step.kind = Kind::Precompiled;
    status = readPrecompiled(file, reader, chain);
  } else {
    return unknownKind(file, "normalizer", type, kKnown);
  }
  if (!status && !chain.add(step))
    status = fail(ATTN_ERROR_UNAVAILABLE,
                  "%s: more than %zu normalizers in a sequence", file,
                  NormalizerChain::capacity);
  return status;
}

attn_status readNormalizer(const char *file, const JsonSection &section,
                           NormalizerChain &chain) {
  if (!section.present)
    return ATTN_OK; // none: text stays as it is
  JsonString type;
  JsonSection steps;
  if (attn_status status = readFields(file, "normalizer", section.reader,
                                      {{"type", type}, {"normalizers", steps}}))
    return status;
  if (type != "Sequence")
    return readStep(file, section.reader, type, chain);
  return readElements(file, steps, [&](const JsonSection &step) {
    return readNormalizer(file, step, chain);
  });
}

} // namespace attnrt
