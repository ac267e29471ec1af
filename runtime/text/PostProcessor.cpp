//===- PostProcessor.cpp - the special tokens around a text ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the post_processor of tokenizer.json into row templates, one for a text
// and one for a pair.
//
//===----------------------------------------------------------------------===//
#include "TokenizerReading.h"

namespace attnrt {

using Kind = RowTemplate::Kind;

static constexpr const char *kTooLong =
    "a template has more than 32 special tokens and texts";

/// Adds the ids that the template's special token stands for, as the
/// "special_tokens" section lists them.
static void addSpecialToken(JsonReader &reader, const JsonSection &section,
                            const JsonString &token, int32_t typeId,
                            RowTemplate &row) {
  JsonReader map = section.reader;
  JsonString key, field;
  bool found = false;
  if (section.present && map.enterObject())
    while (map.nextMember(key)) {
      if (found || !(key == token) || !map.enterObject()) {
        map.skip();
        continue;
      }
      while (map.nextMember(field)) {
        int32_t id;
        if (found || field != "ids" || !map.enterArray()) {
          map.skip();
          continue;
        }
        while (map.nextElement())
          if (readId(map, id) && !row.add(Kind::Token, typeId, id))
            map.fail(kTooLong);
        found = true;
      }
    }
  if (map.failed())
    reader.fail(map.error());
  else if (!found)
    reader.fail("a template's special token is not in \"special_tokens\"");
}

/// Reads [{"SpecialToken": {"id": ..., "type_id": ...}}, {"Sequence": ...}].
static void readTemplate(JsonReader &reader, const JsonSection &specialTokens,
                         RowTemplate &row) {
  JsonString kind, field, id;
  if (!reader.enterArray())
    return;
  while (reader.nextElement()) {
    bool isToken = false;
    int32_t typeId = 0;
    int pieces = 0;
    id.text = nullptr;
    if (reader.enterObject())
      while (reader.nextMember(kind)) {
        isToken = kind == "SpecialToken";
        if ((!isToken && kind != "Sequence") || pieces++ > 0) {
          reader.fail("expected \"SpecialToken\" or \"Sequence\"");
          break;
        }
        if (reader.enterObject())
          while (reader.nextMember(field)) {
            if (field == "id")
              reader.readString(id);
            else if (field == "type_id")
              readId(reader, typeId);
            else
              reader.skip();
          }
      }
    if (reader.failed())
      return;
    if (isToken && id.text)
      addSpecialToken(reader, specialTokens, id, typeId, row);
    else if (!id.text || (id != "A" && id != "B"))
      reader.fail("expected \"A\" or \"B\" for a sequence of a template");
    else if (!row.add(id == "A" ? Kind::FirstText : Kind::SecondText, typeId))
      reader.fail(kTooLong);
  }
}

/// Each text that there is must stand in the row once.
static bool hasTexts(const RowTemplate &row, int first, int second) {
  for (size_t i = 0; i < row.count; ++i) {
    first -= row.pieces[i].kind == Kind::FirstText;
    second -= row.pieces[i].kind == Kind::SecondText;
  }
  return first == 0 && second == 0;
}

static attn_status readTemplates(const char *file, JsonReader reader,
                                 Tokenizer &tokenizer) {
  JsonSection single, pair, specialTokens;
  JsonString key;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == "single")
        single.take(reader);
      else if (key == "pair")
        pair.take(reader);
      else if (key == "special_tokens")
        specialTokens.take(reader);
      else
        reader.skip();
    }
  if (reader.failed())
    return malformed(file, reader);
  if (!single.present || !pair.present)
    return fail(ATTN_ERROR_WEIGHTS, "%s: the post_processor has no \"%s\"",
                file, single.present ? "pair" : "single");
  readTemplate(single.reader, specialTokens, tokenizer.single);
  if (single.reader.failed())
    return malformed(file, single.reader);
  readTemplate(pair.reader, specialTokens, tokenizer.pair);
  if (pair.reader.failed())
    return malformed(file, pair.reader);
  if (!hasTexts(tokenizer.single, 1, 0))
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: the template \"single\" must hold the text A once", file);
  if (!hasTexts(tokenizer.pair, 1, 1))
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: the template \"pair\" must hold the texts A and B once",
                file);
  return ATTN_OK;
}

/// Reads ["[SEP]", 102].
static void readNamedId(JsonReader &reader, int32_t &id) {
  JsonString name;
  if (!reader.enterArray())
    return;
  if (!reader.nextElement() || !reader.readString(name) ||
      !reader.nextElement() || !readId(reader, id) || reader.nextElement())
    reader.fail("expected a token and its id");
}

/// BertProcessing and RobertaProcessing.
static attn_status readPair(const char *file, JsonReader reader, bool roberta,
                            Tokenizer &tokenizer) {
  JsonString key;
  int32_t separator = -1, classifier = -1;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == "sep")
        readNamedId(reader, separator);
      else if (key == "cls")
        readNamedId(reader, classifier);
      else
        reader.skip(); // trim_offsets, add_prefix_space: no matter of ids
    }
  if (reader.failed())
    return malformed(file, reader);
  if (separator < 0 || classifier < 0)
    return fail(ATTN_ERROR_WEIGHTS, "%s: the post_processor has no \"%s\"",
                file, separator < 0 ? "sep" : "cls");
  if (roberta)
    tokenizer.useRobertaTemplates(classifier, separator);
  else
    tokenizer.useBertTemplates(classifier, separator);
  return ATTN_OK;
}

void Tokenizer::useBertTemplates(int32_t classifier, int32_t separator) {
  RowTemplate row;
  row.add(Kind::Token, 0, classifier);
  row.add(Kind::FirstText, 0);
  row.add(Kind::Token, 0, separator);
  single = row;
  row.add(Kind::SecondText, 1);
  row.add(Kind::Token, 1, separator);
  pair = row;
}

void Tokenizer::useRobertaTemplates(int32_t classifier, int32_t separator) {
  RowTemplate row;
  row.add(Kind::Token, 0, classifier);
  row.add(Kind::FirstText, 0);
  row.add(Kind::Token, 0, separator);
  single = row;
  row.add(Kind::Token, 0, separator);
  row.add(Kind::SecondText, 0);
  row.add(Kind::Token, 0, separator);
  pair = row;
}

void Tokenizer::usePlainTemplates() {
  single.add(Kind::FirstText, 0);
  pair.add(Kind::FirstText, 0);
  pair.add(Kind::SecondText, 1);
}

static attn_status readProcessor(const char *file, const JsonReader &start,
                                 Tokenizer &tokenizer);

/// [ByteLevel, TemplateProcessing]: at most one of them may add tokens.
static attn_status readSequence(const char *file, JsonReader reader,
                                Tokenizer &tokenizer) {
  JsonString key;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key != "processors") {
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
          if (attn_status status = readProcessor(file, inner.reader, tokenizer))
            return status;
        }
    }
  return reader.failed() ? malformed(file, reader) : ATTN_OK;
}

static attn_status readProcessor(const char *file, const JsonReader &start,
                                 Tokenizer &tokenizer) {
  JsonString type;
  if (attn_status status = readType(file, start, type))
    return status;
  if (type == "ByteLevel")
    return ATTN_OK; // moves offsets only
  if (type == "Sequence")
    return readSequence(file, start, tokenizer);
  bool isTemplate = type == "TemplateProcessing";
  bool isRoberta = type == "RobertaProcessing";
  if (!isTemplate && !isRoberta && type != "BertProcessing")
    return unknownKind(file, "post_processor", type,
                       "TemplateProcessing, BertProcessing, RobertaProcessing, "
                       "ByteLevel, Sequence, or null");
  if (tokenizer.single.count)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: two post_processors of a sequence add tokens", file);
  return isTemplate ? readTemplates(file, start, tokenizer)
                    : readPair(file, start, isRoberta, tokenizer);
}

attn_status readPostProcessor(const char *file, const JsonSection &section,
                              Tokenizer &tokenizer) {
  if (section.present)
    if (attn_status status = readProcessor(file, section.reader, tokenizer))
      return status;
  if (!tokenizer.single.count)
    tokenizer.usePlainTemplates();
  return ATTN_OK;
}

} // namespace attnrt
