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

/// Keeps the smallest limit. Files write "none" as null or as a number beyond
/// all measure (1e30).
attn_status TokenizerConfig::readLimit(const char *file, JsonSection section) {
  JsonReader &reader = section.reader;
  const char *text;
  size_t size;
  if (!section.present)
    return ATTN_OK;
  if (!reader.readNumber(text, size))
    return malformed(file, reader);
  JsonReader again(text, size);
  uint64_t limit;
  if (again.readUnsigned(limit)) {
    if (limit == 0)
      reader.fail("expected a number of tokens");
    else if (limit <= INT32_MAX &&
             (maximumLength == 0 ||
              static_cast<int64_t>(limit) < maximumLength))
      maximumLength = static_cast<int64_t>(limit);
  } else if (text[0] == '-' ||
             (memchr(text, '.', size) && !memchr(text, 'e', size))) {
    // -3 and 1.5 are mistakes; 1e30 and its thirty-one digits are not.
    reader.fail("expected a number of tokens");
  }
  return reader.failed() ? malformed(file, reader) : ATTN_OK;
}

attn_status TokenizerConfig::readTokenizerConfig(const TokenizerFile &file) {
  JsonReader reader(file.data, file.size);
  JsonSection limit, name;
  JsonString side;
  readMembers(reader, {{"do_lower_case", lowercases},
                       {"strip_accents", stripsAccents},
                       {"tokenize_chinese_chars", spacesChinese},
                       {"add_prefix_space", prefixesSpace},
                       {"model_max_length", limit},
                       {"tokenizer_class", name},
                       {"added_tokens_decoder", decoder},
                       {"truncation_side", side}});
  if (!reader.finish())
    return malformed(file.name, reader);
  if (attn_status status = readLimit(file.name, limit))
    return status;
  if (name.reader.peek() == JsonKind::String)
    name.reader.readString(tokenizerClass);
  if (side.text) {
    truncatesLeft = side == "left" ? Choice::Yes : Choice::No;
    if (side != "left" && side != "right")
      return fail(ATTN_ERROR_WEIGHTS,
                  "%s: \"truncation_side\" is \"%.*s\"; expected \"left\" or "
                  "\"right\"",
                  file.name, shown(side), side.text);
  }
  return readSpecialTokens(file);
}

attn_status TokenizerConfig::readSpecialTokens(const TokenizerFile &file) {
  JsonReader reader(file.data, file.size);
  readMembers(reader, {{"unk_token", unknown},
                       {"sep_token", separator},
                       {"pad_token", pad},
                       {"cls_token", classifier},
                       {"mask_token", mask},
                       {"bos_token", begin},
                       {"eos_token", end},
                       {"additional_special_tokens", additional}});
  return reader.finish() ? ATTN_OK : malformed(file.name, reader);
}

attn_status TokenizerConfig::readSentenceConfig(const TokenizerFile &file) {
  JsonReader reader(file.data, file.size);
  JsonSection limit;
  bool lowersFirst = false;
  readMembers(reader,
              {{"max_seq_length", limit}, {"do_lower_case", lowersFirst}});
  if (!reader.finish())
    return malformed(file.name, reader);
  if (lowersFirst)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: \"do_lower_case\" is true, which lowers text before the "
                "tokenizer sees it; only a tokenizer that lowers text itself "
                "is known",
                file.name);
  return readLimit(file.name, limit);
}

} // namespace attnrt
