//===- TokenizerJson.cpp - tokenizer.json ---------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the one file that HuggingFace's `tokenizers` reads. The model, which is
// nearly all of it, is read where it stands; the other parts need it, so they
// are noted in passing and read behind it. Parts of an unknown kind are
// refused by name; unknown fields of a known kind change nothing there, and
// here neither.
//
//===----------------------------------------------------------------------===//
#include "TokenizerReading.h"

namespace attnrt {

namespace {
struct Sections {
  JsonSection addedTokens, normalizer, preTokenizer, postProcessor, padding,
      truncation;
  bool model = false;
};
} // namespace

attn_status unknownKind(const char *file, const char *part,
                        const JsonString &type, const char *known) {
  return fail(ATTN_ERROR_UNAVAILABLE,
              "%s: the %s is of type \"%.*s\"; known: %s", file, part,
              shown(type), type.text ? type.text : "", known);
}

attn_status readPattern(const char *file, JsonSection section,
                        JsonString &pattern, bool &isRegex) {
  JsonString text, expression;
  if (readMembers(section.reader, {{"String", text}, {"Regex", expression}}) &&
      !text.text == !expression.text)
    section.reader.fail("expected \"String\" or \"Regex\"");
  isRegex = expression.text;
  pattern = isRegex ? expression : text;
  return section.reader.failed() ? malformed(file, section.reader) : ATTN_OK;
}

/// Both files may say how text is prepared. Which of them counts depends on the
/// program that reads them, so they must agree.
static attn_status checkAgreement(const char *file,
                                  const TokenizerConfig &config,
                                  const Tokenizer &tokenizer) {
  auto check = [&](const char *field, Choice said, bool done) {
    if (said == Choice::Unsaid || (said == Choice::Yes) == done)
      return ATTN_OK;
    return fail(ATTN_ERROR_WEIGHTS,
                "tokenizer_config.json says \"%s\": %s, but %s does the "
                "opposite; make them agree",
                field, done ? "false" : "true", file);
  };
  const NormalizerChain &normalizer = tokenizer.normalizer;
  attn_status status = ATTN_OK;
  if (normalizer.size() == 1 &&
      normalizer[0].kind == NormalizerStep::Kind::Bert) {
    const BertOptions &options = normalizer[0].bert.options();
    if ((status =
             check("do_lower_case", config.lowercases, options.lowercase)) ||
        (status = check("strip_accents", config.stripsAccents,
                        options.stripAccents)) ||
        (status = check("tokenize_chinese_chars", config.spacesChinese,
                        options.spaceChinese)))
      return status;
  }
  using Prefix = PreTokenizerStep::Prefix;
  const PreTokenizerStep *last = tokenizer.preTokenizer.last();
  if (const PreTokenizerStep *bytes = tokenizer.preTokenizer.byteLevel())
    return check("add_prefix_space", config.prefixesSpace,
                 bytes->prefix == Prefix::Always);
  if (last && last->kind == PreTokenizerStep::Kind::Metaspace)
    return check("add_prefix_space", config.prefixesSpace,
                 last->prefix != Prefix::Never);
  for (size_t i = 0; i < normalizer.size() && status == ATTN_OK; ++i)
    if (normalizer[i].kind == NormalizerStep::Kind::Prepend)
      status = check("add_prefix_space", config.prefixesSpace, true);
  return status;
}

/// The pad token of the "padding" part, else the one that the small files name,
/// else the usual one. Models that were made to write text have none.
static attn_status findPad(const char *file, const TokenizerConfig &config,
                           const AddedTokenCollector &collector,
                           Tokenizer &tokenizer) {
  if (tokenizer.padId >= 0)
    return ATTN_OK;
  JsonString names[] = {config.pad.content, {"[PAD]", 5}, {"<pad>", 5}};
  for (const JsonString &name : names) {
    if (!name.text)
      continue;
    attn_status status = collector.find(name, tokenizer.padId);
    if (status || tokenizer.padId >= 0)
      return status;
    if (config.pad.content.text || tokenizer.model == ModelKind::WordPiece)
      return fail(ATTN_ERROR_WEIGHTS,
                  "%s: no \"padding\" part, and the pad token \"%.*s\" is not "
                  "in the vocabulary",
                  file, shown(name), name.text);
  }
  return ATTN_OK;
}

static attn_status readAddedTokens(const char *file, const JsonSection &section,
                                   const TokenizerConfig &config,
                                   Tokenizer &tokenizer) {
  AddedTokenCollector collector(tokenizer);
  attn_status status = readElements(file, section, [&](JsonSection element) {
    AddedTokenEntry entry;
    readAddedToken(element.reader, entry);
    return element.reader.failed() ? malformed(file, element.reader)
                                   : collector.add(file, entry);
  });
  if (!status)
    status = findPad(file, config, collector, tokenizer);
  return status ? status : collector.finish();
}

static attn_status readPadding(const char *file, const JsonSection &section,
                               Tokenizer &tokenizer) {
  return section.present ? readFields(file, "padding", section.reader,
                                      {{"pad_id", tokenizer.padId},
                                       {"pad_type_id", tokenizer.padTypeId}})
                         : ATTN_OK;
}

static attn_status readTruncation(const char *file, const JsonSection &section,
                                  Tokenizer &tokenizer) {
  JsonString direction;
  if (!section.present)
    return ATTN_OK;
  if (attn_status status = readFields(file, "truncation", section.reader,
                                      {{"direction", direction}}))
    return status;
  if (!direction.text)
    return ATTN_OK;
  tokenizer.truncatesLeft = direction == "Left";
  if (direction != "Left" && direction != "Right")
    return fail(ATTN_ERROR_WEIGHTS,
                "%s: the truncation has the direction \"%.*s\"; expected "
                "\"Left\" or \"Right\"",
                file, shown(direction), direction.text);
  return ATTN_OK;
}

/// Reads the model and notes where the other parts are.
static attn_status readTopLevel(const TokenizerFile &file, Sections &sections,
                                Tokenizer &tokenizer) {
  JsonReader reader(file.data, file.size);
  JsonString key;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == "model") {
        if (sections.model)
          return fail(ATTN_ERROR_WEIGHTS, "%s: \"model\" is there twice",
                      file.name);
        sections.model = true;
        if (attn_status status = readModel(file.name, reader, tokenizer))
          return status;
      } else if (key == "added_tokens") {
        sections.addedTokens.take(reader);
      } else if (key == "normalizer") {
        sections.normalizer.take(reader);
      } else if (key == "pre_tokenizer") {
        sections.preTokenizer.take(reader);
      } else if (key == "post_processor") {
        sections.postProcessor.take(reader);
      } else if (key == "padding") {
        sections.padding.take(reader);
      } else if (key == "truncation") {
        sections.truncation.take(reader);
      } else {
        reader.skip(); // version; the decoder, which reading needs not
      }
    }
  if (!reader.finish())
    return malformed(file.name, reader);
  return sections.model ? ATTN_OK : missing(file.name, "file", "model");
}

attn_status readTokenizerJson(const TokenizerFile &file,
                              const TokenizerConfig &config,
                              Tokenizer &tokenizer) {
  Sections sections;
  const char *name = file.name;
  attn_status status = readTopLevel(file, sections, tokenizer);
  if (status)
    return status;
  tokenizer.largestId = tokenizer.vocabulary.largestId();
  if ((status =
           readNormalizer(name, sections.normalizer, tokenizer.normalizer)) ||
      (status = readPreTokenizer(name, sections.preTokenizer, tokenizer)) ||
      (status = checkAgreement(name, config, tokenizer)))
    return status;

  if ((status = readPadding(name, sections.padding, tokenizer)) ||
      (status =
           readAddedTokens(name, sections.addedTokens, config, tokenizer)) ||
      (status = readPostProcessor(name, sections.postProcessor, tokenizer)))
    return status;
  tokenizer.truncatesLeft = config.truncatesLeft == Choice::Yes;
  return readTruncation(name, sections.truncation, tokenizer);
}

} // namespace attnrt
