//===- MergesFile.cpp - vocab.json and merges.txt -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds a byte-level BPE tokenizer from a vocabulary and a list of merges,
// with the choices and special tokens of the small files, where there is no
// tokenizer.json. The class says how rows look: as RoBERTa's or as GPT-2's.
//
//===----------------------------------------------------------------------===//
#include "TokenizerReading.h"
#include "Utf8.h"

namespace attnrt {

static attn_status readClass(const JsonString &name, bool &roberta) {
  static const struct {
    const char *name;
    bool roberta;
  } known[] = {{"GPT2Tokenizer", false},
               {"RobertaTokenizer", true},
               {"BartTokenizer", true},
               {"LongformerTokenizer", true}};
  for (const auto &one : known)
    if (name.text && isClass(name, one.name)) {
      roberta = one.roberta;
      return ATTN_OK;
    }
  return fail(ATTN_ERROR_UNAVAILABLE,
              "tokenizer_config.json: the class \"%.*s\" is not known to work "
              "from vocab.json and merges.txt alone; known: GPT2Tokenizer, "
              "RobertaTokenizer, BartTokenizer, LongformerTokenizer; or give "
              "tokenizer.json",
              shown(name), name.text ? name.text : "");
}

/// One merge a line, "a b"; the first may give a version.
static attn_status readLines(const TokenizerFile &file, Tokenizer &tokenizer) {
  size_t valid = validPrefix(file.data, file.size);
  if (valid != file.size)
    return fail(ATTN_ERROR_WEIGHTS, "%s, byte %zu: not valid UTF-8", file.name,
                valid);
  Buffer<char> text(tokenizer.memory, "the merges");
  const char *at = file.data, *end = at + file.size;
  for (size_t number = 1; at != end; ++number) {
    auto newline = static_cast<const char *>(
        memchr(at, '\n', static_cast<size_t>(end - at)));
    const char *line = at, *lineEnd = newline ? newline : end;
    at = newline ? newline + 1 : end;
    if (lineEnd != line && lineEnd[-1] == '\r')
      --lineEnd;
    size_t size = static_cast<size_t>(lineEnd - line);
    if (size >= 8 && memcmp(line, "#version", 8) == 0)
      continue;
    auto space = static_cast<const char *>(memchr(line, ' ', size));
    size_t left = space ? static_cast<size_t>(space - line) : size;
    if (!space || memchr(space + 1, ' ', size - left - 1))
      return fail(ATTN_ERROR_WEIGHTS,
                  "%s, line %zu: expected two tokens with one space between "
                  "them",
                  file.name, number);
    if (attn_status status =
            addMerge(file.name, line, left, space + 1, size - left - 1,
                     tokenizer.vocabulary, text, tokenizer.bpe))
      return status;
  }
  return tokenizer.bpe.finish() ? ATTN_OK : ATTN_ERROR_OUT_OF_MEMORY;
}

static attn_status addRoles(const char *file, const TokenizerConfig &config,
                            bool roberta, AddedTokenCollector &collector,
                            Tokenizer &tokenizer) {
  int32_t classifier = -1, separator = -1, other = -1;
  const char *text = "<|endoftext|>";
  const TokenRole roles[] = {
      {roberta ? "<s>" : text, config.begin, other, false},
      {roberta ? "</s>" : text, config.end, other, false},
      {roberta ? "<unk>" : text, config.unknown, other, false},
      {roberta ? "</s>" : nullptr, config.separator, separator, roberta},
      {roberta ? "<pad>" : nullptr, config.pad, tokenizer.padId, roberta},
      {roberta ? "<s>" : nullptr, config.classifier, classifier, roberta},
      {roberta ? "<mask>" : nullptr, config.mask, other, false, true}};
  for (const TokenRole &role : roles)
    if (attn_status status = collector.addRole(file, role))
      return status;
  if (roberta)
    tokenizer.useRobertaTemplates(classifier, separator);
  else
    tokenizer.usePlainTemplates();
  return ATTN_OK;
}

attn_status readMergesFiles(const TokenizerFile &vocabulary,
                            const TokenizerFile &merges,
                            const TokenizerConfig &config,
                            Tokenizer &tokenizer) {
  bool roberta = false;
  attn_status status = readClass(config.tokenizerClass, roberta);
  if (status)
    return status;
  tokenizer.model = ModelKind::Bpe;
  JsonReader reader(vocabulary.data, vocabulary.size);
  if ((status = readVocabulary(vocabulary.name, reader, tokenizer.vocabulary)))
    return status;
  if (!reader.finish())
    return malformed(vocabulary.name, reader);
  tokenizer.largestId = tokenizer.vocabulary.largestId();
  if ((status = readLines(merges, tokenizer)))
    return status;
  if (!tokenizer.bpe.coversBytes())
    return fail(ATTN_ERROR_WEIGHTS,
                "%s: some of the 256 characters that stand for bytes are not "
                "in the vocabulary",
                vocabulary.name);

  PreTokenizerStep step;
  step.kind = PreTokenizerStep::Kind::ByteLevel;
  step.pattern = matchGpt2;
  step.prefix = config.prefixesSpace == Choice::Yes
                    ? PreTokenizerStep::Prefix::Always
                    : PreTokenizerStep::Prefix::Never;
  tokenizer.preTokenizer.add(step);
  tokenizer.truncatesLeft = config.truncatesLeft == Choice::Yes;

  AddedTokenCollector collector(tokenizer);
  if ((status = addDecoder(config.decoder, collector)) ||
      (status =
           addRoles(vocabulary.name, config, roberta, collector, tokenizer)) ||
      (status = addAdditional(config.additional, collector)))
    return status;
  return collector.finish();
}

} // namespace attnrt
