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

class DetokenizerReader {
public:
  DetokenizerReader(const char *file, Detokenizer &into)
      : file(file), into(into) {}

  attn_status readTopLevel(JsonReader &reader);

private:
  attn_status readDecoder(const JsonReader &start);
  attn_status readSequence(JsonReader reader);
  attn_status readStep(JsonReader reader, const JsonString &type);
  attn_status readTokens(JsonReader reader);
  attn_status readAdded(JsonReader reader, const JsonSection &normalizer);
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

attn_status DetokenizerReader::readStep(JsonReader reader,
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
  size_t index = 0;
  while (index < sizeof(known) / sizeof(*known) && type != known[index].type)
    ++index;
  if (index == sizeof(known) / sizeof(*known))
    return unknownKind(file, "decoder", type, kKnown);
  DecoderStep step;
  step.kind = known[index].kind;
  const char *patternField = known[index].pattern;
  JsonString key, pattern, content, scheme, kind;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (patternField && key == patternField) {
        if (step.kind != Kind::Replace)
          reader.readString(pattern);
        else if (reader.enterObject())
          while (reader.nextMember(kind)) {
            if (kind != "String")
              reader.fail("expected \"String\"");
            else
              reader.readString(pattern);
          }
      } else if (key == "content") {
        reader.readString(content);
      } else if (key == "start") {
        reader.readUnsigned(step.left);
      } else if (key == "stop") {
        reader.readUnsigned(step.right);
      } else if (key == "cleanup") {
        reader.readBoolean(step.cleans);
      } else if (key == "prepend_scheme") {
        reader.readString(scheme);
      } else {
        reader.skip();
      }
    }
  if (reader.failed())
    return malformed(file, reader);
  step.keepsFirst = scheme.text && scheme == "never";
  if (patternField && !pattern.text)
    return missing(file, "decoder", patternField);
  if (patternField && pattern.size == 0)
    return fail(ATTN_ERROR_UNAVAILABLE, "%s: the decoder's \"%s\" is empty",
                file, patternField);
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

attn_status DetokenizerReader::readSequence(JsonReader reader) {
  JsonString key;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key != "decoders") {
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
          if (attn_status status = readDecoder(inner.reader))
            return status;
        }
    }
  return reader.failed() ? malformed(file, reader) : ATTN_OK;
}

attn_status DetokenizerReader::readDecoder(const JsonReader &start) {
  JsonString type;
  if (attn_status status = readType(file, start, type))
    return status;
  into.joinsBySpaces = false;
  return type == "Sequence" ? readSequence(start) : readStep(start, type);
}

/// The vocabulary of a model of any kind: {"token": id}, or [["token", score]].
attn_status DetokenizerReader::readTokens(JsonReader reader) {
  JsonString key, token;
  int32_t id = 0;
  bool done = true;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key != "vocab") {
        reader.skip();
      } else if (reader.peek() == JsonKind::Object) {
        reader.enterObject();
        while (reader.nextMember(token)) {
          // Far beyond any vocabulary: room for ids is taken up to the largest.
          if (readId(reader, id) && id >= 1 << 24)
            reader.fail("an id above 16777215");
          else if (!reader.failed())
            done = done && into.setToken(id, token, false);
        }
      } else if (reader.enterArray()) {
        for (; reader.nextElement(); ++id) {
          if (!reader.enterArray() || !reader.nextElement() ||
              !reader.readString(token))
            reader.fail("expected a token and its score");
          while (!reader.failed() && reader.nextElement())
            reader.skip();
          if (!reader.failed())
            done = done && into.setToken(id, token, false);
        }
      }
    }
  if (reader.failed())
    return malformed(file, reader);
  return done ? ATTN_OK : ATTN_ERROR_OUT_OF_MEMORY;
}

attn_status DetokenizerReader::readAdded(JsonReader reader,
                                         const JsonSection &section) {
  NormalizerChain normalizer(into.tokens.memory());
  NormalizerScratch scratch(into.tokens.memory());
  if (attn_status status = readNormalizer(file, section, normalizer))
    return status;
  JsonString key, content;
  if (reader.enterArray())
    while (reader.nextElement()) {
      int32_t id = -1;
      bool special = false, normalized = false;
      content.text = nullptr;
      if (reader.enterObject())
        while (reader.nextMember(key)) {
          if (key == "content")
            reader.readString(content);
          else if (key == "id")
            readId(reader, id);
          else if (key == "special")
            reader.readBoolean(special);
          else if (key == "normalized")
            reader.readBoolean(normalized);
          else
            reader.skip();
        }
      if (!reader.failed() && (id < 0 || id >= 1 << 24 || !content.text))
        reader.fail("expected an added token with its id");
      if (reader.failed())
        break;
      if (!into.setToken(id, content, special) ||
          (normalized && !into.normalizeToken(id, normalizer, scratch)))
        return ATTN_ERROR_OUT_OF_MEMORY;
    }
  return reader.failed() ? malformed(file, reader) : ATTN_OK;
}

attn_status DetokenizerReader::readTopLevel(JsonReader &reader) {
  JsonSection model, added, decoder, normalizer;
  JsonString key;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == "model")
        model.take(reader);
      else if (key == "added_tokens")
        added.take(reader);
      else if (key == "decoder")
        decoder.take(reader);
      else if (key == "normalizer")
        normalizer.take(reader);
      else
        reader.skip();
    }
  if (!reader.finish())
    return malformed(file, reader);
  if (!model.present)
    return missing(file, "file", "model");
  attn_status status = readTokens(model.reader);
  // Added tokens stand over those of the model.
  if (!status && added.present)
    status = readAdded(added.reader, normalizer);
  if (!status && decoder.present)
    status = readDecoder(decoder.reader);
  return status;
}

attn_status Detokenizer::open(const TokenizerFile &file) {
  JsonReader reader(file.data, file.size);
  return DetokenizerReader(file.name, *this).readTopLevel(reader);
}

} // namespace attnrt
