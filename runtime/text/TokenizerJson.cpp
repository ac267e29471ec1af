//===- TokenizerJson.cpp - tokenizer.json ---------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the one file that HuggingFace's `tokenizers` reads. The vocabulary,
// which is nearly all of it, is read where it stands; the other parts need it,
// so they are noted in passing and read behind it. Parts of an unknown kind are
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

static attn_status unknownKind(const char *file, const char *part,
                               const JsonString &type, const char *known) {
  return fail(ATTN_ERROR_UNAVAILABLE,
              "%s: the %s is of type \"%.*s\"; known: %s", file, part,
              shown(type), type.text ? type.text : "", known);
}

static attn_status missing(const char *file, const char *part,
                           const char *field) {
  return fail(ATTN_ERROR_WEIGHTS, "%s: the %s has no \"%s\"", file, part,
              field);
}

/// The "type" of a part; empty if it has none.
static attn_status readType(const char *file, JsonReader reader,
                            JsonString &type) {
  JsonString key;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == "type")
        reader.readString(type);
      else
        reader.skip();
    }
  return reader.failed() ? malformed(file, reader) : ATTN_OK;
}

static void readVocabulary(JsonReader &reader, Vocabulary &vocabulary,
                           bool &hasMemory) {
  JsonString token;
  int32_t id;
  if (reader.enterObject())
    while (reader.nextMember(token)) {
      if (readId(reader, id) && !vocabulary.add(token, id)) {
        hasMemory = false;
        reader.fail("no memory");
      }
    }
}

static attn_status readModel(const char *file, JsonReader &reader,
                             WordPiece &model) {
  JsonString key, type, unknown, prefix;
  bool hasVocabulary = false, hasLongest = false, hasMemory = true;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == "type") {
        if (reader.readString(type) && type != "WordPiece")
          return unknownKind(file, "model", type, "WordPiece");
      } else if (key == "merges") {
        return fail(ATTN_ERROR_UNAVAILABLE,
                    "%s: the model has \"merges\", which makes it BPE; known: "
                    "WordPiece",
                    file);
      } else if (key == "unk_token") {
        reader.readString(unknown);
      } else if (key == "continuing_subword_prefix") {
        reader.readString(prefix);
      } else if (key == "max_input_chars_per_word") {
        hasLongest = reader.readUnsigned(model.longestWord);
      } else if (key == "vocab") {
        if (hasVocabulary)
          return fail(ATTN_ERROR_WEIGHTS, "%s: \"vocab\" is there twice", file);
        hasVocabulary = true;
        readVocabulary(reader, model.vocabulary, hasMemory);
      } else {
        reader.skip();
      }
    }
  if (!hasMemory)
    return ATTN_ERROR_OUT_OF_MEMORY;
  if (reader.failed())
    return malformed(file, reader);
  if (!hasVocabulary)
    return missing(file, "model", "vocab");
  if (!unknown.text)
    return missing(file, "model", "unk_token");
  if (!prefix.text)
    return missing(file, "model", "continuing_subword_prefix");
  if (!hasLongest)
    return missing(file, "model", "max_input_chars_per_word");

  Buffer<char> text(model.prefix.memory(), "the vocabulary");
  if (!model.vocabulary.index() || !text.resize(unknown.size) ||
      !model.prefix.resize(prefix.size))
    return ATTN_ERROR_OUT_OF_MEMORY;
  model.prefix.resize(prefix.decode(model.prefix.data()));
  model.unknownId =
      model.vocabulary.find(text.data(), unknown.decode(text.data()));
  if (model.unknownId < 0)
    return fail(ATTN_ERROR_WEIGHTS,
                "%s: the unknown token \"%.*s\" is not in the vocabulary", file,
                shown(unknown), unknown.text);
  model.finish();
  return ATTN_OK;
}

static attn_status readNormalizer(const char *file, const JsonSection &section,
                                  NormalizerOptions &options) {
  if (!section.present)
    return ATTN_OK; // none: text stays as it is
  JsonString key, type;
  if (attn_status status = readType(file, section.reader, type))
    return status;
  if (type != "BertNormalizer")
    return unknownKind(file, "normalizer", type, "BertNormalizer, or null");
  JsonReader reader = section.reader;
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
  return ATTN_OK;
}

/// Both files may say how text is normalized. Which of them counts depends on
/// the program that reads them, so they must agree.
static attn_status checkAgreement(const char *file,
                                  const TokenizerConfig &config,
                                  const NormalizerOptions &options) {
  struct {
    const char *field;
    Choice said;
    bool done;
  } fields[] = {
      {"do_lower_case", config.lowercases, options.lowercase},
      {"strip_accents", config.stripsAccents, options.stripAccents},
      {"tokenize_chinese_chars", config.spacesChinese, options.spaceChinese}};
  for (const auto &field : fields)
    if (field.said != Choice::Unsaid &&
        (field.said == Choice::Yes) != field.done)
      return fail(
          ATTN_ERROR_WEIGHTS,
          "tokenizer_config.json says \"%s\": %s, but the normalizer of "
          "%s does the opposite; make them agree",
          field.field, field.done ? "false" : "true", file);
  return ATTN_OK;
}

/// The pad token of the "padding" part, else the one that the small files name.
static attn_status findPad(const char *file, const TokenizerConfig &config,
                           const AddedTokenCollector &collector,
                           Tokenizer &tokenizer) {
  JsonString pad = config.pad.content;
  if (!pad.text) {
    pad.text = "[PAD]";
    pad.size = 5;
  }
  if (tokenizer.padId < 0)
    if (attn_status status = collector.find(pad, tokenizer.padId))
      return status;
  if (tokenizer.padId < 0)
    return fail(ATTN_ERROR_WEIGHTS,
                "%s: no \"padding\" part, and the pad token \"%.*s\" is not in "
                "the vocabulary",
                file, shown(pad), pad.text);
  return ATTN_OK;
}

static attn_status readAddedTokens(const char *file, const JsonSection &section,
                                   const TokenizerConfig &config,
                                   Tokenizer &tokenizer) {
  AddedTokenCollector collector(tokenizer);
  JsonReader reader = section.reader;
  if (section.present && reader.enterArray())
    while (reader.nextElement()) {
      AddedTokenEntry entry;
      readAddedToken(reader, entry);
      if (reader.failed())
        break;
      if (attn_status status = collector.add(file, entry))
        return status;
    }
  if (section.present && reader.failed())
    return malformed(file, reader);
  if (attn_status status = findPad(file, config, collector, tokenizer))
    return status;
  return collector.finish();
}

static attn_status readPadding(const char *file, const JsonSection &section,
                               Tokenizer &tokenizer) {
  JsonReader reader = section.reader;
  JsonString key;
  if (!section.present)
    return ATTN_OK;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == "pad_id")
        readId(reader, tokenizer.padId);
      else if (key == "pad_type_id")
        readId(reader, tokenizer.padTypeId);
      else
        reader.skip();
    }
  return reader.failed() ? malformed(file, reader) : ATTN_OK;
}

static attn_status readTruncation(const char *file, const JsonSection &section,
                                  Tokenizer &tokenizer) {
  JsonReader reader = section.reader;
  JsonString key, direction;
  if (!section.present)
    return ATTN_OK;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key != "direction") {
        reader.skip();
      } else if (reader.readString(direction)) {
        tokenizer.truncatesLeft = direction == "Left";
        if (direction != "Left" && direction != "Right")
          reader.fail("expected \"Left\" or \"Right\"");
      }
    }
  return reader.failed() ? malformed(file, reader) : ATTN_OK;
}

/// Reads the model and notes where the other parts are.
static attn_status readTopLevel(const TokenizerFile &file, Sections &sections,
                                WordPiece &model) {
  JsonReader reader(file.data, file.size);
  JsonString key;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == "model") {
        if (sections.model)
          return fail(ATTN_ERROR_WEIGHTS, "%s: \"model\" is there twice",
                      file.name);
        sections.model = true;
        if (attn_status status = readModel(file.name, reader, model))
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
  attn_status status = readTopLevel(file, sections, tokenizer.wordPiece);
  if (status)
    return status;
  tokenizer.largestId = tokenizer.wordPiece.vocabulary.largestId();

  NormalizerOptions options;
  if ((status = readNormalizer(name, sections.normalizer, options)) ||
      (status = checkAgreement(name, config, options)))
    return status;
  tokenizer.normalizer.configure(options);

  JsonString type;
  if (sections.preTokenizer.present &&
      (status = readType(name, sections.preTokenizer.reader, type)))
    return status;
  if (type != "BertPreTokenizer")
    return sections.preTokenizer.present
               ? unknownKind(name, "pre_tokenizer", type, "BertPreTokenizer")
               : fail(ATTN_ERROR_UNAVAILABLE,
                      "%s: there is no pre_tokenizer; known: BertPreTokenizer",
                      name);

  if ((status = readPadding(name, sections.padding, tokenizer)) ||
      (status =
           readAddedTokens(name, sections.addedTokens, config, tokenizer)) ||
      (status = readPostProcessor(name, sections.postProcessor, tokenizer)))
    return status;
  tokenizer.truncatesLeft = config.truncatesLeft == Choice::Yes;
  return readTruncation(name, sections.truncation, tokenizer);
}

} // namespace attnrt
