//===- tokenizer.cpp - hostile tokenizer files and texts ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input: a byte that picks the files, two bytes that give the length of the
// first file, that file, and a text; a text opens a second file with its first
// line, or is merges.txt beside vocab.json. A tokenizer that opens must measure
// and fill to the same length, with every id in its vocabulary, and give the
// same row where seq cuts nothing.
//
//===----------------------------------------------------------------------===//
#include "text/Tokenizer.h"
#include "Errors.h"
#include "JsonMutator.h"
#include "text/Detokenizer.h"
#include "text/Utf8.h"

#include <stdlib.h>
#include <string.h>
#include <vector>

using namespace attnrt;

static void require(bool holds) {
  if (!holds)
    abort();
}

static void checkText(const Tokenizer &tokenizer, Memory &memory,
                      const char *text, size_t size, bool pair) {
  TokenizerFacts facts = describeTokenizer(tokenizer);
  require(facts.vocabularySize > facts.padId);
  TokenizerScratch scratch(memory);
  size_t half = size / 2;
  const char *texts[] = {text, text + half};
  size_t lengths[] = {half, size - half};
  attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
  batch.count = pair ? 1 : 2;
  batch.texts = texts;
  batch.lengths = lengths;
  batch.pairs = pair ? texts + 1 : nullptr;
  batch.pair_lengths = pair ? lengths + 1 : nullptr;
  batch.max_length = 80;
  attn_status status = tokenize(tokenizer, 1, scratch, batch);
  if (status == ATTN_ERROR_OUT_OF_MEMORY)
    return; // replacing in many steps can take all there is
  require(status == ATTN_OK);
  int64_t longest = batch.longest;
  require(longest >= 0 && longest <= 80);
  batch.seq = longest + 1;
  if (facts.padId < 0) { // rows must be full
    batch.count = 1;
    require(tokenize(tokenizer, 1, scratch, batch) == ATTN_OK);
    if ((longest = batch.longest) == 0)
      return;
    batch.seq = longest;
  }
  size_t cells = static_cast<size_t>(batch.count * batch.seq);
  std::vector<int32_t> ids(cells), mask(cells), types(cells);
  batch.input_ids = ids.data();
  batch.attention_mask = mask.data();
  batch.token_type_ids = types.data();
  require(tokenize(tokenizer, 1, scratch, batch) == ATTN_OK);
  require(batch.longest == longest);
  for (size_t i = 0; i < cells; ++i) {
    require(ids[i] >= 0 && ids[i] < facts.vocabularySize);
    require(types[i] >= 0 && types[i] <= facts.largestTypeId);
    require(mask[i] == 1 || (mask[i] == 0 && ids[i] == facts.padId));
  }
}

/// Whatever ids come, decoding goes well and gives valid UTF-8.
static void checkDecoder(const TokenizerFile &file, Memory &memory,
                         const std::vector<char> &text) {
  Detokenizer detokenizer(memory);
  if (detokenizer.open(file) != ATTN_OK)
    return;
  std::vector<int32_t> ids;
  for (char byte : text)
    ids.push_back(byte);
  DetokenizerScratch scratch(memory);
  Buffer<char> out(memory, "text");
  attn_status status =
      detokenizer.decode(ids.data(), ids.size(), false, scratch, out);
  // Replacing in many steps can take all the memory there is.
  require(status == ATTN_OK || status == ATTN_ERROR_OUT_OF_MEMORY);
  require(validPrefix(out.data(), out.size()) == out.size());
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"tokenizer.json", "vocab.txt",
                                      "vocab.json", "tokenizer.json"};
  static const char *const more[] = {"tokenizer_config.json",
                                     "special_tokens_map.json",
                                     "sentence_bert_config.json", nullptr};
  if (size < 3)
    return 0;
  uint8_t choice = data[0];
  size_t length = data[1] | size_t(data[2]) << 8;
  data += 3;
  size -= 3;
  if (length > size)
    length = size;
  // Exact copies, so that reading beyond either is seen.
  std::vector<char> file(data, data + length);
  std::vector<char> text(data + length, data + size);
  char *line =
      text.empty()
          ? nullptr
          : static_cast<char *>(memchr(text.data(), '\n', text.size()));
  std::vector<char> second(text.data(), line ? line : text.data());

  const char *name = names[(choice >> 4 & 2) | (choice & 1)];
  std::vector<TokenizerFile> files = {{name, file.data(), file.size()}};
  static const char gpt2[] = "{\"tokenizer_class\": \"GPT2Tokenizer\"}";
  if (strcmp(name, "vocab.json") == 0) {
    files.push_back({"merges.txt", text.data(), text.size()});
    files.push_back({"tokenizer_config.json", gpt2, sizeof(gpt2) - 1});
  } else if (const char *other = more[choice >> 1 & 3]) {
    files.push_back({other, second.data(), second.size()});
  }
  Memory memory(nullptr, uint64_t(64) << 20);
  Tokenizer *tokenizer = nullptr;
  if (openTokenizer(files.data(), files.size(), memory, tokenizer) == ATTN_OK) {
    checkText(*tokenizer, memory, text.data(), text.size(), choice & 8);
    closeTokenizer(tokenizer);
  } else {
    require(*lastError() != '\0');
  }
  require(memory.used() == 0);
  checkDecoder(files[0], memory, text);
  require(memory.used() == 0);
  return 0;
}

/// Text made of what tokenizers treat apart: marks, joiners, wide and invalid
/// sequences, special tokens.
static std::string mutateText(std::string text, attnc::fuzz::Random &random) {
  static const char *const pieces[] = {
      " ",
      "\n",
      "\r\n",
      "\t",
      "[CLS]",
      "[MASK]",
      "<s>",
      "</s>",
      "<|endoftext|>",
      "\xe2\x96\x81",
      "\xc3\xa9",
      "e\xcc\x81",
      "\xef\xbf\xbd",
      "\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9",
      "\xe4\xb8\xad",
      "\xea\xb0\x80",
      "\xd7\xa9\xd7\x81",
      "\xcc\x80\xcc\x81",
      "\xff",
      "\xc0\x80",
      "\xed\xa0\x80",
      "\xf4\x90\x80\x80",
      "'s",
      "1234567",
      "aaaaaaaaaaaaaaaa",
      "\xe2\x80\xa8",
      "\xc2\xa0",
      "\xef\xac\x81"};
  for (int64_t i = random.between(1, 4); i > 0; --i) {
    std::string piece = pieces[random.below(std::size(pieces))];
    text.insert(random.below(text.size() + 1), piece);
    if (text.size() > 40 && random.chance(0.5))
      text.erase(random.below(text.size()), random.between(1, 20));
  }
  return text;
}

/// The file as JSON, or by bytes if it is lines; or the text; the length in
/// bytes 1 and 2 follows.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                          size_t most, unsigned seed) {
  static const attnc::fuzz::JsonMutator json({"BPE",
                                              "BertNormalizer",
                                              "BertPreTokenizer",
                                              "ByteFallback",
                                              "ByteLevel",
                                              "Fuse",
                                              "Isolated",
                                              "Left",
                                              "Lowercase",
                                              "Metaspace",
                                              "NFC",
                                              "NFD",
                                              "NFKC",
                                              "NFKD",
                                              "Precompiled",
                                              "Prepend",
                                              "Regex",
                                              "Removed",
                                              "Replace",
                                              "Right",
                                              "Sequence",
                                              "Split",
                                              "String",
                                              "Strip",
                                              "StripAccents",
                                              "Unigram",
                                              "WhitespaceSplit",
                                              "WordPiece",
                                              "add_prefix_space",
                                              "added_tokens",
                                              "added_tokens_decoder",
                                              "additional_special_tokens",
                                              "always",
                                              "behavior",
                                              "bos_token",
                                              "byte_fallback",
                                              "clean_text",
                                              "cleanup",
                                              "cls_token",
                                              "content",
                                              "continuing_subword_prefix",
                                              "decoder",
                                              "decoders",
                                              "direction",
                                              "do_lower_case",
                                              "dropout",
                                              "end_of_word_suffix",
                                              "eos_token",
                                              "false",
                                              "file",
                                              "first",
                                              "fuse_unk",
                                              "handle_chinese_chars",
                                              "ignore_merges",
                                              "invert",
                                              "left",
                                              "lowercase",
                                              "lstrip",
                                              "mask_token",
                                              "max_input_chars_per_word",
                                              "max_seq_length",
                                              "merges",
                                              "model",
                                              "model_max_length",
                                              "never",
                                              "none",
                                              "normalized",
                                              "normalizer",
                                              "normalizers",
                                              "pad_id",
                                              "pad_token",
                                              "pad_type_id",
                                              "padding",
                                              "pattern",
                                              "post_processor",
                                              "pre_tokenizer",
                                              "precompiled_charsmap",
                                              "prefix",
                                              "prepend",
                                              "prepend_scheme",
                                              "pretokenizers",
                                              "replacement",
                                              "right",
                                              "rstrip",
                                              "sep_token",
                                              "single_word",
                                              "special",
                                              "split",
                                              "start",
                                              "stop",
                                              "strip_accents",
                                              "strip_left",
                                              "strip_right",
                                              "token",
                                              "tokenize_chinese_chars",
                                              "tokenizer_class",
                                              "true",
                                              "truncation",
                                              "truncation_side",
                                              "type",
                                              "unk_id",
                                              "unk_token",
                                              "use_regex",
                                              "vocab"});
  attnc::fuzz::Random random(seed);
  std::string input(reinterpret_cast<char *>(data), size);
  size_t length = size < 3 ? 0 : uint8_t(input[1]) | uint8_t(input[2]) << 8;
  if (size < 3 || length > size - 3 || random.chance(0.05)) {
    input = attnc::fuzz::mutateBytes(input, most, random);
  } else {
    std::string file = input.substr(3, length), text = input.substr(3 + length);
    attnc::fuzz::Json ignored;
    if (random.chance(0.4))
      text = mutateText(text, random);
    else if (attnc::fuzz::Json::parse(file, ignored))
      file = json.mutate(file, random);
    else
      file = attnc::fuzz::mutateBytes(file, file.size() + 16, random);
    if (file.size() > 0xFFFF)
      file.resize(0xFFFF);
    if (random.chance(0.05))
      input[0] = random.next();
    input = {input[0], char(file.size()), char(file.size() >> 8)};
    input += file + text;
  }
  size_t kept = std::min(input.size(), most);
  memcpy(data, input.data(), kept);
  return kept;
}
