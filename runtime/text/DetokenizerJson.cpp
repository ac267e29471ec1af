//===- DetokenizerJson.cpp - the decoder of tokenizer.json ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads a decoder, or a sequence of them, and the texts of all tokens.
//
//===----------------------------------------------------------------------===//
#include "Detokenizer.h"
#include "TokenizerReading.h"

namespace attnrt {

using Kind = DecoderStep::Kind;

static constexpr const char *kKnown =
    "ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace, WordPiece, "
    "Sequence, or null";

// Far beyond any vocabulary: room for ids is taken up to the largest.
static constexpr int32_t kMostIds = 1 << 24;
static constexpr const char *kTooLarge = "an id above 16777215";

class DetokenizerReader {
public:
  DetokenizerReader(const char *file, Detokenizer &into)
      : file(file), into(into) {}

  attn_status readTopLevel(JsonReader &reader);

private:
  attn_status readDecoder(const JsonReader &reader);
  attn_status readStep(const JsonReader &reader, const JsonString &type);
  attn_status readTokens(const JsonReader &model);
  attn_status readAdded(const JsonSection &added,
                        const JsonSection &normalizer);
  bool keep(const JsonString &string, size_t &start, size_t &size);

  const char *file;
  Detokenizer &into;
};

bool Detokenizer::setToken(int32_t id, const JsonString &text, bool special) {
  size_t index = static_cast<size_t>(id);
  while (tokens.size() <= index)
    if (!tokens.push({0, 0, false, false}))
      return false;
  size_t start = texts.size();
  if (!texts.resize(start + text.size))
    return false;
  size_t size = text.decode(texts.data() + start);
  texts.resize(start + size);
  tokens[index] = {start, size, true, special};
  return true;
}

/// Tokens that are looked for in normalized text are written normalized.
bool Detokenizer::normalizeToken(int32_t id, const NormalizerChain &normalizer,
                                 NormalizerScratch &scratch) {
  Token &token = tokens[static_cast<size_t>(id)];
  const char *text = texts.data() + token.start;
  size_t size = token.size;
  if (!normalizer.apply(text, size, scratch))
    return false;
  if (normalizer.size() == 0)
    return true;
  // Special tokens are known by their text, so by another they are none.
  token.special =
      token.special && size == token.size &&
      (size == 0 || memcmp(texts.data() + token.start, text, size) == 0);
  token.start = texts.size();
  token.size = size;
  return texts.append(text, size);
}

bool DetokenizerReader::keep(const JsonString &string, size_t &start,
                             size_t &size) {
  Buffer<char> &strings = into.strings;
  start = strings.size();
  if (!strings.resize(start + string.size))
    return false;
  size = string.decode(strings.data() + start);
  strings.resize(start + size);
  return true;
}

attn_status DetokenizerReader::readStep(const JsonReader &reader,
                                        const JsonString &type) {
  static const struct {
    const char *type;
    Kind kind;
    const char *pattern; // the field that holds it; nullptr: none
  } known[] = {{"ByteLevel", Kind::ByteLevel, nullptr},
               {"ByteFallback", Kind::ByteFallback, nullptr},
               {"Fuse", Kind::Fuse, nullptr},
               {"Strip", Kind::Strip, "content"},
               {"Replace", Kind::Replace, "pattern"},
               {"Metaspace", Kind::Metaspace, "replacement"},
               {"WordPiece", Kind::WordPiece, "prefix"}};
  const auto *kind = known, *end = known + sizeof(known) / sizeof(*known);
  while (kind != end && type != kind->type)
    ++kind;
  if (kind == end)
    return unknownKind(file, "decoder", type, kKnown);
  DecoderStep step;
  step.kind = kind->kind;
  JsonSection looked;
  JsonString pattern, content, scheme;
  bool isRegex = false;
  if (attn_status status = readFields(file, "decoder", reader,
                                      {{"start", step.left},
                                       {"stop", step.right},
                                       {"cleanup", step.cleans},
                                       {"prepend_scheme", scheme}}))
    return status;
  if (step.kind == Kind::Replace) {
    if (attn_status status =
            readFields(file, "decoder", reader,
                       {{kind->pattern, looked, JsonField::required},
                        {"content", content, JsonField::required}}))
      return status;
    if (attn_status status = readPattern(file, looked, pattern, isRegex))
      return status;
  } else if (kind->pattern) {
    if (attn_status status =
            readFields(file, "decoder", reader,
                       {{kind->pattern, pattern, JsonField::required}}))
      return status;
  }
  step.keepsFirst = scheme.text && scheme == "never";
  if (isRegex)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: the decoder Replace has the expression \"%.*s\"; known "
                "are strings only",
                file, shown(pattern), pattern.text);
  if (kind->pattern && pattern.size == 0)
    return fail(ATTN_ERROR_UNAVAILABLE, "%s: the decoder's \"%s\" is empty",
                file, kind->pattern);
  if (!keep(pattern, step.patternStart, step.patternSize) ||
      !keep(content, step.contentStart, step.contentSize))
    return ATTN_ERROR_OUT_OF_MEMORY;
  if (into.count == Detokenizer::capacity)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: more than %zu decoders in a sequence", file,
                Detokenizer::capacity);
  into.steps[into.count++] = step;
  return ATTN_OK;
}

attn_status DetokenizerReader::readDecoder(const JsonReader &reader) {
  JsonString type;
  JsonSection steps;
  if (attn_status status = readFields(file, "decoder", reader,
                                      {{"type", type}, {"decoders", steps}}))
    return status;
  into.joinsBySpaces = false;
  if (type != "Sequence")
    return readStep(reader, type);
  return readElements(file, steps, [&](const JsonSection &step) {
    return readDecoder(step.reader);
  });
}

/// The vocabulary of a model of any kind: {"token": id}, or [["token", score]].
attn_status DetokenizerReader::readTokens(const JsonReader &model) {
  JsonSection vocabulary;
  if (attn_status status =
          readFields(file, "model", model, {{"vocab", vocabulary}}))
    return status;
  JsonReader &reader = vocabulary.reader;
  JsonString token;
  int32_t id = 0;
  if (!vocabulary.present)
    return ATTN_OK;
  if (reader.peek() == JsonKind::Object) {
    reader.enterObject();
    while (reader.nextMember(token)) {
      if (readId(reader, id) && id >= kMostIds)
        reader.fail(kTooLarge);
      if (!reader.failed() && !into.setToken(id, token, false))
        return ATTN_ERROR_OUT_OF_MEMORY;
    }
    return reader.failed() ? malformed(file, reader) : ATTN_OK;
  }
  return readElements(file, vocabulary, [&](JsonSection entry) {
    JsonReader &pair = entry.reader;
    if (!pair.enterArray() || !pair.nextElement() || !pair.readString(token)) {
      pair.fail("expected a token and its score");
      return malformed(file, pair);
    }
    return into.setToken(id++, token, false) ? ATTN_OK
                                             : ATTN_ERROR_OUT_OF_MEMORY;
  });
}

attn_status DetokenizerReader::readAdded(const JsonSection &added,
                                         const JsonSection &section) {
  NormalizerChain normalizer(into.tokens.memory());
  NormalizerScratch scratch(into.tokens.memory());
  if (attn_status status = readNormalizer(file, section, normalizer))
    return status;
  return readElements(file, added, [&](JsonSection element) {
    JsonReader &reader = element.reader;
    AddedTokenEntry entry;
    readAddedToken(reader, entry);
    if (!reader.failed() && entry.id < 0)
      reader.fail("expected an added token with its id");
    if (entry.id >= kMostIds)
      reader.fail(kTooLarge);
    if (reader.failed())
      return malformed(file, reader);
    bool done = into.setToken(entry.id, entry.content, entry.special) &&
                (!entry.normalized ||
                 into.normalizeToken(entry.id, normalizer, scratch));
    return done ? ATTN_OK : ATTN_ERROR_OUT_OF_MEMORY;
  });
}

attn_status DetokenizerReader::readTopLevel(JsonReader &reader) {
  JsonSection model, added, decoder, normalizer;
  readMembers(reader, {{"model", model},
                       {"added_tokens", added},
                       {"decoder", decoder},
                       {"normalizer", normalizer}});
  if (!reader.finish())
    return malformed(file, reader);
  if (!model.present)
    return missing(file, "file", "model");
  attn_status status = readTokens(model.reader);
  // Added tokens stand over those of the model.
  if (!status)
    status = readAdded(added, normalizer);
  if (!status && decoder.present)
    status = readDecoder(decoder.reader);
  return status;
}

attn_status Detokenizer::open(const TokenizerFile &file) {
  JsonReader reader(file.data, file.size);
  return DetokenizerReader(file.name, *this).readTopLevel(reader);
}

} // namespace attnrt
