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

static attn_status add(const char *file, RowTemplate &row, Kind kind,
                       int32_t typeId, int32_t id = -1) {
  return row.add(kind, typeId, id)
             ? ATTN_OK
             : fail(ATTN_ERROR_WEIGHTS,
                    "%s: a template has more than %zu special tokens and texts",
                    file, RowTemplate::capacity);
}

/// Adds the ids that the template's special token stands for, as the
/// "special_tokens" section lists them.
static attn_status addSpecialToken(const char *file, const JsonSection &section,
                                   const JsonString &name, int32_t typeId,
                                   RowTemplate &row) {
  JsonReader reader = section.reader;
  JsonString key;
  JsonSection token, ids;
  if (section.present && reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == name)
        token.take(reader);
      else
        reader.skip();
    }
  if (reader.failed())
    return malformed(file, reader);
  if (token.present)
    if (attn_status status =
            readFields(file, "special token", token.reader, {{"ids", ids}}))
      return status;
  if (!ids.present)
    return fail(ATTN_ERROR_WEIGHTS,
                "%s: the template's special token \"%.*s\" is not in "
                "\"special_tokens\"",
                file, shown(name), name.text);
  return readElements(file, ids, [&](JsonSection element) {
    int32_t id;
    return readId(element.reader, id) ? add(file, row, Kind::Token, typeId, id)
                                      : malformed(file, element.reader);
  });
}

/// Reads {"SpecialToken": {"id": ..., "type_id": ...}} or {"Sequence": ...}.
static attn_status readPiece(const char *file, JsonReader reader,
                             const JsonSection &specialTokens,
                             RowTemplate &row) {
  JsonSection token, text;
  if (attn_status status =
          readFields(file, "template", reader,
                     {{"SpecialToken", token}, {"Sequence", text}}))
    return status;
  if (token.present == text.present) {
    reader.fail("expected \"SpecialToken\" or \"Sequence\"");
    return malformed(file, reader);
  }
  const JsonReader &inner = token.present ? token.reader : text.reader;
  JsonString id;
  int32_t typeId = 0;
  if (attn_status status =
          readFields(file, "template's piece", inner,
                     {{"id", id, JsonField::required}, {"type_id", typeId}}))
    return status;
  if (token.present)
    return addSpecialToken(file, specialTokens, id, typeId, row);
  if (id != "A" && id != "B")
    return fail(ATTN_ERROR_WEIGHTS,
                "%s: a template has the sequence \"%.*s\"; expected \"A\" or "
                "\"B\"",
                file, shown(id), id.text);
  return add(file, row, id == "A" ? Kind::FirstText : Kind::SecondText, typeId);
}

/// Each text that there is must stand in the row once.
static bool hasTexts(const RowTemplate &row, int first, int second) {
  for (size_t i = 0; i < row.count; ++i) {
    first -= row.pieces[i].kind == Kind::FirstText;
    second -= row.pieces[i].kind == Kind::SecondText;
  }
  return first == 0 && second == 0;
}

static attn_status readTemplates(const char *file, const JsonReader &reader,
                                 Tokenizer &tokenizer) {
  JsonSection single, pair, specialTokens;
  if (attn_status status = readFields(file, "post_processor", reader,
                                      {{"single", single, JsonField::required},
                                       {"pair", pair, JsonField::required},
                                       {"special_tokens", specialTokens}}))
    return status;
  auto read = [&](const JsonSection &pieces, RowTemplate &row) {
    return readElements(file, pieces, [&](const JsonSection &piece) {
      return readPiece(file, piece.reader, specialTokens, row);
    });
  };
  if (attn_status status = read(single, tokenizer.single))
    return status;
  if (attn_status status = read(pair, tokenizer.pair))
    return status;
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
static attn_status readNamedId(const char *file, JsonReader reader,
                               int32_t &id) {
  JsonString name;
  if (!reader.enterArray() || !reader.nextElement() ||
      !reader.readString(name) || !reader.nextElement() ||
      !readId(reader, id) || reader.nextElement())
    reader.fail("expected a token and its id");
  return reader.failed() ? malformed(file, reader) : ATTN_OK;
}

/// BertProcessing and RobertaProcessing.
static attn_status readPair(const char *file, const JsonReader &reader,
                            bool roberta, Tokenizer &tokenizer) {
  int32_t separator = -1, classifier = -1;
  JsonSection sep, cls;
  // Not trim_offsets, add_prefix_space: no matter of ids.
  if (attn_status status = readFields(file, "post_processor", reader,
                                      {{"sep", sep, JsonField::required},
                                       {"cls", cls, JsonField::required}}))
    return status;
  if (attn_status status = readNamedId(file, sep.reader, separator))
    return status;
  if (attn_status status = readNamedId(file, cls.reader, classifier))
    return status;
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
                                 Tokenizer &tokenizer) {
  JsonString type;
  JsonSection steps;
  if (attn_status status = readFields(file, "post_processor", start,
                                      {{"type", type}, {"processors", steps}}))
    return status;
  if (type == "ByteLevel")
    return ATTN_OK; // moves offsets only
  // [ByteLevel, TemplateProcessing]: at most one of them may add tokens.
  if (type == "Sequence")
    return readElements(file, steps, [&](const JsonSection &step) {
      return readProcessor(file, step.reader, tokenizer);
    });
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
