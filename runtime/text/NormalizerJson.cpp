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

static attn_status readBert(const char *file, JsonReader reader,
                            NormalizerStep &step) {
  JsonString key;
  BertOptions options;
  Choice accents = Choice::Unsaid;
  int found = 0;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == "clean_text")
        found |= reader.readBoolean(options.cleanText) ? 1 : 0;
      else if (key == "handle_chinese_chars")
        found |= reader.readBoolean(options.spaceChinese) ? 2 : 0;
      else if (key == "lowercase")
        found |= reader.readBoolean(options.lowercase) ? 4 : 0;
      else if (key == "strip_accents")
        readChoice(reader, accents);
      else
        reader.skip();
    }
  if (reader.failed())
    return malformed(file, reader);
  if (found != 7)
    return missing(file, "normalizer",
                   !(found & 1)   ? "clean_text"
                   : !(found & 2) ? "handle_chinese_chars"
                                  : "lowercase");
  options.stripAccents =
      accents == Choice::Unsaid ? options.lowercase : accents == Choice::Yes;
  step.bert.configure(options);
  return ATTN_OK;
}

/// Reads {"String": ...} or {"Regex": ...}.
static void readPattern(JsonReader &reader, JsonString &pattern,
                        bool &isRegex) {
  JsonString kind;
  if (!reader.enterObject())
    return;
  while (reader.nextMember(kind)) {
    isRegex = kind == "Regex";
    if (pattern.text || (!isRegex && kind != "String"))
      reader.fail("expected \"String\" or \"Regex\"");
    else
      reader.readString(pattern);
  }
  if (!reader.failed() && !pattern.text)
    reader.fail("expected \"String\" or \"Regex\"");
}

static attn_status readReplace(const char *file, JsonReader reader,
                               NormalizerStep &step, NormalizerChain &chain) {
  JsonString key, pattern, content;
  bool isRegex = false;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == "pattern")
        readPattern(reader, pattern, isRegex);
      else if (key == "content")
        reader.readString(content);
      else
        reader.skip();
    }
  if (reader.failed())
    return malformed(file, reader);
  if (!pattern.text || !content.text)
    return missing(file, "normalizer Replace",
                   pattern.text ? "content" : "pattern");
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

static attn_status readPrepend(const char *file, JsonReader reader,
                               NormalizerStep &step, NormalizerChain &chain) {
  JsonString key, content;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == "prepend")
        reader.readString(content);
      else
        reader.skip();
    }
  if (reader.failed())
    return malformed(file, reader);
  if (!content.text)
    return missing(file, "normalizer Prepend", "prepend");
  return chain.keep(content, step.contentStart, step.contentSize)
             ? ATTN_OK
             : ATTN_ERROR_OUT_OF_MEMORY;
}

static attn_status readStrip(const char *file, JsonReader reader,
                             NormalizerStep &step) {
  JsonString key;
  int found = 0;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == "strip_left")
        found |= reader.readBoolean(step.stripLeft) ? 1 : 0;
      else if (key == "strip_right")
        found |= reader.readBoolean(step.stripRight) ? 2 : 0;
      else
        reader.skip();
    }
  if (reader.failed())
    return malformed(file, reader);
  return found == 3 ? ATTN_OK
                    : missing(file, "normalizer Strip",
                              found & 1 ? "strip_right" : "strip_left");
}

static attn_status readPrecompiled(const char *file, JsonReader reader,
                                   NormalizerChain &chain) {
  JsonString key, map;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == "precompiled_charsmap")
        reader.readString(map);
      else
        reader.skip();
    }
  if (reader.failed())
    return malformed(file, reader);
  if (!map.text)
    return missing(file, "normalizer Precompiled", "precompiled_charsmap");
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
    status = readStrip(file, reader, step);
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
  JsonString key, type;
  if (attn_status status = readType(file, section.reader, type))
    return status;
  if (type != "Sequence")
    return readStep(file, section.reader, type, chain);
  JsonReader reader = section.reader;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key != "normalizers") {
        reader.skip();
        continue;
      }
      if (reader.enterArray())
        while (reader.nextElement()) {
          JsonSection inner;
          inner.take(reader);
          if (reader.failed())
            break;
          // Depth is bounded by the reader's.
          if (attn_status status = readNormalizer(file, inner, chain))
            return status;
        }
    }
  return reader.failed() ? malformed(file, reader) : ATTN_OK;
}

} // namespace attnrt
