//===- VocabularyFile.cpp - vocab.txt -------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds a BERT tokenizer from a plain list of tokens, with the choices and
// special tokens of the small files, where there is no tokenizer.json.
//
//===----------------------------------------------------------------------===//
#include "TokenizerReading.h"
#include "Utf8.h"

namespace attnrt {

/// One token a line; its number is its id. Lines end in \n, \r\n or \r.
static attn_status readLines(const TokenizerFile &file,
                             Vocabulary &vocabulary) {
  const char *at = file.data, *end = file.data + file.size;
  size_t valid = validPrefix(file.data, file.size);
  if (valid != file.size)
    return fail(ATTN_ERROR_WEIGHTS, "%s, byte %zu: not valid UTF-8", file.name,
                valid);
  for (int32_t id = 0; at != end; ++id) {
    const char *line = at;
    while (at != end && *at != '\n' && *at != '\r')
      ++at;
    if (!vocabulary.add(line, static_cast<size_t>(at - line), id))
      return ATTN_ERROR_OUT_OF_MEMORY;
    if (end - at >= 2 && at[0] == '\r' && at[1] == '\n')
      ++at;
    if (at != end)
      ++at;
  }
  return vocabulary.index() ? ATTN_OK : ATTN_ERROR_OUT_OF_MEMORY;
}

bool isClass(const JsonString &given, const char *name) {
  size_t size = strlen(name);
  return given.equals(name, size) ||
         (given.size == size + 4 && memcmp(given.text, name, size) == 0 &&
          memcmp(given.text + size, "Fast", 4) == 0);
}

static attn_status checkClass(const JsonString &name) {
  static const char *const known[] = {"BertTokenizer", "DistilBertTokenizer",
                                      "ElectraTokenizer",
                                      "MobileBertTokenizer"};
  if (!name.text)
    return ATTN_OK;
  for (const char *one : known)
    if (isClass(name, one))
      return ATTN_OK;
  return fail(
      ATTN_ERROR_UNAVAILABLE,
      "tokenizer_config.json: the class \"%.*s\" is not known to work "
      "from vocab.txt alone; known: BertTokenizer, DistilBertTokenizer, "
      "ElectraTokenizer, MobileBertTokenizer; or give tokenizer.json",
      shown(name), name.text);
}

// added_tokens_decoder: {"103": {"content": "[MASK]", ...}, ...}.
attn_status addDecoder(const JsonSection &section,
                       AddedTokenCollector &collector) {
  static constexpr const char *file = "tokenizer_config.json";
  JsonReader reader = section.reader;
  JsonString key;
  if (!section.present)
    return ATTN_OK;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      AddedTokenEntry entry;
      JsonReader number(key.text, key.size);
      if (!readId(number, entry.id) || !number.finish())
        reader.fail("expected a token's id as the key");
      else
        readAddedToken(reader, entry);
      if (reader.failed())
        break;
      if (attn_status status = collector.add(file, entry))
        return status;
    }
  return reader.failed() ? malformed(file, reader) : ATTN_OK;
}

// additional_special_tokens: names, or objects.
attn_status addAdditional(const JsonSection &section,
                          AddedTokenCollector &collector) {
  static constexpr const char *file = "additional_special_tokens";
  return readElements(file, section, [&](JsonSection element) {
    AddedTokenEntry entry;
    readSpecialToken(element.reader, entry);
    if (element.reader.failed())
      return malformed(file, element.reader);
    return collector.contains(entry.content) ? ATTN_OK
                                             : collector.add(file, entry);
  });
}

static attn_status addRoles(const char *file, const TokenizerConfig &config,
                            AddedTokenCollector &collector,
                            Tokenizer &tokenizer) {
  int32_t classifier = -1, separator = -1, mask = -1;
  const TokenRole roles[] = {
      {"[UNK]", config.unknown, tokenizer.wordPiece.unknownId, true},
      {"[SEP]", config.separator, separator, true},
      {"[PAD]", config.pad, tokenizer.padId, true},
      {"[CLS]", config.classifier, classifier, true},
      {"[MASK]", config.mask, mask, false}};
  for (const TokenRole &role : roles)
    if (attn_status status = collector.addRole(file, role))
      return status;
  tokenizer.useBertTemplates(classifier, separator);
  return ATTN_OK;
}

attn_status readVocabularyFile(const TokenizerFile &file,
                               const TokenizerConfig &config,
                               Tokenizer &tokenizer) {
  WordPiece &model = tokenizer.wordPiece;
  attn_status status = checkClass(config.tokenizerClass);
  if (status || (status = readLines(file, tokenizer.vocabulary)))
    return status;
  tokenizer.largestId = tokenizer.vocabulary.largestId();
  if (!model.prefix.append("##", 2))
    return ATTN_ERROR_OUT_OF_MEMORY;
  model.finish();

  BertOptions options;
  options.cleanText = true;
  options.spaceChinese = config.spacesChinese != Choice::No;
  options.lowercase = config.lowercases != Choice::No;
  options.stripAccents = config.stripsAccents == Choice::Unsaid
                             ? options.lowercase
                             : config.stripsAccents == Choice::Yes;
  NormalizerStep normalizer;
  normalizer.bert.configure(options);
  tokenizer.normalizer.add(normalizer);
  tokenizer.preTokenizer.add(PreTokenizerStep());
  tokenizer.truncatesLeft = config.truncatesLeft == Choice::Yes;

  AddedTokenCollector collector(tokenizer);
  if ((status = addDecoder(config.decoder, collector)) ||
      (status = addRoles(file.name, config, collector, tokenizer)) ||
      (status = addAdditional(config.additional, collector)))
    return status;
  return collector.finish();
}

} // namespace attnrt
