//===- TokenizerConfig.cpp - the small files beside a tokenizer -----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads tokenizer_config.json, special_tokens_map.json,
// sentence_bert_config.json. Fields that do not change ids or limits are passed
// over.
//
//===----------------------------------------------------------------------===//
#include "TokenizerReading.h"

namespace attnrt {

attn_status malformed(const char *file, const JsonReader &reader) {
  return fail(ATTN_ERROR_WEIGHTS, "%s, byte %zu: %s", file, reader.offset(),
              reader.error());
}

void readChoice(JsonReader &reader, Choice &choice) {
  bool value;
  if (reader.peek() == JsonKind::Null) {
    choice = Choice::Unsaid;
    reader.readNull();
  } else if (reader.readBoolean(value)) {
    choice = value ? Choice::Yes : Choice::No;
  }
}

bool readId(JsonReader &reader, int32_t &id) {
  uint64_t value;
  if (!reader.readUnsigned(value))
    return false;
  if (value > INT32_MAX)
    return reader.fail("an id above 2147483647");
  id = static_cast<int32_t>(value);
  return true;
}

/// Reads a special token by its role: text, or an object with its content.
bool TokenizerConfig::readRole(const JsonString &key, JsonReader &reader) {
  AddedTokenEntry *role = key == "unk_token"    ? &unknown
                          : key == "sep_token"  ? &separator
                          : key == "pad_token"  ? &pad
                          : key == "cls_token"  ? &classifier
                          : key == "mask_token" ? &mask
                          : key == "bos_token"  ? &begin
                          : key == "eos_token"  ? &end
                                                : nullptr;
  if (!role)
    return false;
  *role = AddedTokenEntry();
  if (reader.peek() == JsonKind::Object)
    readAddedToken(reader, *role);
  else if (reader.peek() == JsonKind::Null)
    reader.readNull();
  else
    reader.readString(role->content);
  return true;
}

/// Keeps the smallest limit. Files write "none" as null or as a number beyond
/// all measure (1e30).
void TokenizerConfig::readLimit(JsonReader &reader) {
  if (reader.peek() == JsonKind::Null) {
    reader.readNull();
    return;
  }
  const char *text;
  size_t size;
  if (!reader.readNumber(text, size))
    return;
  JsonReader again(text, size);
  uint64_t limit;
  if (!again.readUnsigned(limit)) {
    // -3 and 1.5 are mistakes; 1e30 and its thirty-one digits are not.
    if (text[0] == '-' || (memchr(text, '.', size) && !memchr(text, 'e', size)))
      reader.fail("expected a number of tokens");
    return;
  }
  if (limit == 0)
    reader.fail("expected a number of tokens");
  else if (limit <= INT32_MAX &&
           (maximumLength == 0 || static_cast<int64_t>(limit) < maximumLength))
    maximumLength = static_cast<int64_t>(limit);
}

attn_status TokenizerConfig::readTokenizerConfig(const TokenizerFile &file) {
  JsonReader reader(file.data, file.size);
  JsonString key;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == "do_lower_case")
        readChoice(reader, lowercases);
      else if (key == "strip_accents")
        readChoice(reader, stripsAccents);
      else if (key == "tokenize_chinese_chars")
        readChoice(reader, spacesChinese);
      else if (key == "add_prefix_space")
        readChoice(reader, prefixesSpace);
      else if (key == "model_max_length")
        readLimit(reader);
      else if (key == "tokenizer_class" && reader.peek() == JsonKind::String)
        reader.readString(tokenizerClass);
      else if (key == "added_tokens_decoder")
        decoder.take(reader);
      else if (key == "additional_special_tokens")
        additional.take(reader);
      else if (key == "truncation_side") {
        JsonString side;
        if (reader.readString(side)) {
          truncatesLeft = side == "left" ? Choice::Yes : Choice::No;
          if (side != "left" && side != "right")
            reader.fail("expected \"left\" or \"right\"");
        }
      } else if (!readRole(key, reader))
        reader.skip();
    }
  return reader.finish() ? ATTN_OK : malformed(file.name, reader);
}

attn_status TokenizerConfig::readSpecialTokens(const TokenizerFile &file) {
  JsonReader reader(file.data, file.size);
  JsonString key;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == "additional_special_tokens")
        additional.take(reader);
      else if (!readRole(key, reader))
        reader.skip();
    }
  return reader.finish() ? ATTN_OK : malformed(file.name, reader);
}

attn_status TokenizerConfig::readSentenceConfig(const TokenizerFile &file) {
  JsonReader reader(file.data, file.size);
  JsonString key;
  Choice lowersFirst = Choice::Unsaid;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == "max_seq_length")
        readLimit(reader);
      else if (key == "do_lower_case")
        readChoice(reader, lowersFirst);
      else
        reader.skip();
    }
  if (!reader.finish())
    return malformed(file.name, reader);
  if (lowersFirst == Choice::Yes)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: \"do_lower_case\" is true, which lowers text before the "
                "tokenizer sees it; only a tokenizer that lowers text itself "
                "is known",
                file.name);
  return ATTN_OK;
}

} // namespace attnrt
