//===- ModelJson.cpp - the model of tokenizer.json ------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads WordPiece and BPE, and sends on to Unigram: the vocabulary, the merges,
// what happens to what is not in it. Files that leave out the type are told
// apart as `tokenizers` does.
//
//===----------------------------------------------------------------------===//
#include "TokenizerReading.h"

namespace attnrt {

static constexpr const char *kKnownModels = "WordPiece, BPE, Unigram";

namespace {
/// The fields of a model of any kind.
struct ModelFields {
  JsonString type, unknown, prefix, suffix;
  JsonSection vocabulary, merges;
  uint64_t longestWord = UINT64_MAX; // unsaid
  int32_t unknownId = -1;
  bool fusesUnknown = false;
  bool fallsBackToBytes = false;
  bool prefersWords = false;
};
} // namespace

attn_status readVocabulary(const char *file, JsonReader &reader,
                           Vocabulary &vocabulary) {
  JsonString token;
  int32_t id;
  if (reader.enterObject())
    while (reader.nextMember(token))
      if (readId(reader, id) && !vocabulary.add(token, id))
        return ATTN_ERROR_OUT_OF_MEMORY;
  if (reader.failed())
    return malformed(file, reader);
  return vocabulary.index() ? ATTN_OK : ATTN_ERROR_OUT_OF_MEMORY;
}

/// Chance has no place in a library that gives the same ids each time.
static attn_status checkDropout(const char *file, JsonSection section) {
  const char *text;
  size_t size;
  if (!section.present)
    return ATTN_OK;
  if (!section.reader.readNumber(text, size))
    return malformed(file, section.reader);
  for (size_t i = 0; i < size && text[i] != 'e' && text[i] != 'E'; ++i)
    if (text[i] >= '1') // a digit: the others come before them
      return fail(ATTN_ERROR_UNAVAILABLE,
                  "%s: the model's \"dropout\" is %.*s; known: null, or 0",
                  file, static_cast<int>(size < 20 ? size : 20), text);
  return ATTN_OK;
}

/// Reads the fields, and consumes the model.
static attn_status readModelFields(const char *file, JsonReader &reader,
                                   ModelFields &fields) {
  JsonSection dropout;
  if (!readMembers(reader, {{"type", fields.type},
                            {"unk_token", fields.unknown},
                            {"continuing_subword_prefix", fields.prefix},
                            {"end_of_word_suffix", fields.suffix},
                            {"max_input_chars_per_word", fields.longestWord},
                            {"unk_id", fields.unknownId},
                            {"fuse_unk", fields.fusesUnknown},
                            {"byte_fallback", fields.fallsBackToBytes},
                            {"ignore_merges", fields.prefersWords},
                            {"dropout", dropout},
                            {"merges", fields.merges},
                            {"vocab", fields.vocabulary}}))
    return malformed(file, reader);
  if (attn_status status = checkDropout(file, dropout))
    return status;
  return fields.vocabulary.present ? ATTN_OK : missing(file, "model", "vocab");
}

static attn_status unknownMissing(const char *file, const JsonString &unknown) {
  return fail(ATTN_ERROR_WEIGHTS,
              "%s: the unknown token \"%.*s\" is not in the vocabulary", file,
              shown(unknown), unknown.text);
}

/// The id of a token by its name in a file; -1 if there is none.
static attn_status findToken(const Vocabulary &vocabulary,
                             const JsonString &name, Buffer<char> &text,
                             int32_t &id) {
  if (!text.resize(name.size))
    return ATTN_ERROR_OUT_OF_MEMORY;
  id = vocabulary.find(text.data(), name.decode(text.data()));
  return ATTN_OK;
}

static bool decodeInto(const JsonString &string, Buffer<char> &out) {
  if (!out.resize(string.size))
    return false;
  return out.resize(string.decode(out.data()));
}

//===----------------------------------------------------------------------===//
// WordPiece
//===----------------------------------------------------------------------===//

static attn_status readWordPiece(const char *file, const ModelFields &fields,
                                 Tokenizer &tokenizer) {
  WordPiece &model = tokenizer.wordPiece;
  if (!fields.unknown.text)
    return missing(file, "model", "unk_token");
  if (!fields.prefix.text)
    return missing(file, "model", "continuing_subword_prefix");
  if (fields.longestWord == UINT64_MAX)
    return missing(file, "model", "max_input_chars_per_word");
  Buffer<char> text(tokenizer.memory, "the vocabulary");
  if (!decodeInto(fields.prefix, model.prefix))
    return ATTN_ERROR_OUT_OF_MEMORY;
  if (attn_status status = findToken(tokenizer.vocabulary, fields.unknown, text,
                                     model.unknownId))
    return status;
  if (model.unknownId < 0)
    return unknownMissing(file, fields.unknown);
  model.longestWord = fields.longestWord;
  model.finish();
  return ATTN_OK;
}

//===----------------------------------------------------------------------===//
// BPE
//===----------------------------------------------------------------------===//

attn_status addMerge(const char *file, const char *left, size_t leftSize,
                     const char *right, size_t rightSize,
                     const Vocabulary &vocabulary, Buffer<char> &text,
                     Bpe &model) {
  int32_t leftId = vocabulary.find(left, leftSize);
  int32_t rightId = vocabulary.find(right, rightSize);
  // The second token's mark of not starting a word goes.
  size_t cut =
      model.prefix.size() < rightSize ? model.prefix.size() : rightSize;
  text.clear();
  if (!text.append(left, leftSize) ||
      !text.append(right + cut, rightSize - cut))
    return ATTN_ERROR_OUT_OF_MEMORY;
  int32_t merged = vocabulary.find(text.data(), text.size());
  if (leftId < 0 || rightId < 0 || merged < 0)
    return fail(ATTN_ERROR_WEIGHTS,
                "%s: the merge of \"%.*s\" and \"%.*s\" needs a token that is "
                "not in the vocabulary",
                file, static_cast<int>(leftSize < 60 ? leftSize : 60), left,
                static_cast<int>(rightSize < 60 ? rightSize : 60), right);
  return model.merges.add(leftId, rightId, merged) ? ATTN_OK
                                                   : ATTN_ERROR_OUT_OF_MEMORY;
}

/// Reads ["a b", ...] or [["a", "b"], ...].
static attn_status readMerges(const char *file, JsonReader reader,
                              Tokenizer &tokenizer) {
  Buffer<char> pair(tokenizer.memory, "the merges");
  Buffer<char> text(tokenizer.memory, "the merges");
  if (reader.enterArray())
    while (reader.nextElement()) {
      JsonString left, right;
      size_t leftSize = 0, rightStart = 0;
      bool apart = reader.peek() == JsonKind::Array;
      if (apart) {
        reader.enterArray();
        if (!reader.nextElement() || !reader.readString(left) ||
            !reader.nextElement() || !reader.readString(right) ||
            reader.nextElement())
          reader.fail("expected the two tokens of a merge");
      } else {
        reader.readString(left);
      }
      if (reader.failed())
        break;
      if (!pair.resize(left.size + right.size))
        return ATTN_ERROR_OUT_OF_MEMORY;
      leftSize = rightStart = left.decode(pair.data());
      size_t size = leftSize + right.decode(pair.data() + leftSize);
      if (!apart) {
        const char *begin = pair.data();
        if (size >= 8 && memcmp(begin, "#version", 8) == 0)
          continue;
        const void *found = size ? memchr(begin, ' ', size) : nullptr;
        auto space = static_cast<const char *>(found);
        leftSize = space ? static_cast<size_t>(space - begin) : size;
        rightStart = leftSize + 1;
        if (!space || memchr(space + 1, ' ', size - rightStart)) {
          reader.fail("expected two tokens with one space between them");
          break;
        }
      }
      if (attn_status status = addMerge(
              file, pair.data(), leftSize, pair.data() + rightStart,
              size - rightStart, tokenizer.vocabulary, text, tokenizer.bpe))
        return status;
    }
  return reader.failed() ? malformed(file, reader) : ATTN_OK;
}

static attn_status readBpe(const char *file, const ModelFields &fields,
                           Tokenizer &tokenizer) {
  Bpe &model = tokenizer.bpe;
  tokenizer.model = ModelKind::Bpe;
  if (!fields.merges.present)
    return missing(file, "model", "merges");
  if (!decodeInto(fields.prefix, model.prefix) ||
      !decodeInto(fields.suffix, model.suffix))
    return ATTN_ERROR_OUT_OF_MEMORY;
  model.fusesUnknown = fields.fusesUnknown;
  model.fallsBackToBytes = fields.fallsBackToBytes;
  model.prefersWords = fields.prefersWords;
  Buffer<char> text(tokenizer.memory, "the vocabulary");
  attn_status status = ATTN_OK;
  if (fields.unknown.text &&
      (status = findToken(tokenizer.vocabulary, fields.unknown, text,
                          model.unknownId)))
    return status;
  if ((status = readMerges(file, fields.merges.reader, tokenizer)))
    return status;
  if (!model.finish())
    return ATTN_ERROR_OUT_OF_MEMORY;
  // Old files of byte-level models name an empty unknown token, which is never
  // needed where every byte is a token.
  if (fields.unknown.text && model.unknownId < 0 && !model.coversBytes())
    return unknownMissing(file, fields.unknown);
  model.unknownIsMissing = fields.unknown.text && model.unknownId < 0;
  return ATTN_OK;
}

attn_status readModel(const char *file, JsonReader &reader,
                      Tokenizer &tokenizer) {
  ModelFields fields;
  attn_status status = readModelFields(file, reader, fields);
  if (status)
    return status;
  bool isBpe = fields.type.text ? fields.type == "BPE" : fields.merges.present;
  JsonReader vocabulary = fields.vocabulary.reader;
  bool isUnigram = fields.type.text ? fields.type == "Unigram"
                                    : vocabulary.peek() == JsonKind::Array;
  if (isUnigram)
    return readUnigram(file, vocabulary, fields.unknownId,
                       fields.fallsBackToBytes, tokenizer);
  if (fields.type.text && !isBpe && fields.type != "WordPiece")
    return unknownKind(file, "model", fields.type, kKnownModels);
  if ((status = readVocabulary(file, fields.vocabulary.reader,
                               tokenizer.vocabulary)))
    return status;
  return isBpe ? readBpe(file, fields, tokenizer)
               : readWordPiece(file, fields, tokenizer);
}

} // namespace attnrt
