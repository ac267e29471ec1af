//===- GgufTokenizer.cpp - a GGUF file's tokenizer as JSON ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Byte-level BPE has its merges in the file. SentencePiece's BPE has scores
// instead: two pieces merge into the one that they spell, the best score first,
// which as a list of merges is every cut of every piece in the order of the
// pieces' scores (as transformers' converter of slow tokenizers has it).
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Diagnostics.h"
#include "compiler/import/GgufModel.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace llvm;

namespace attnc {

/// Kinds of tokens, by their numbers in the format.
enum TokenType {
  kNormal = 1,
  kUnknown,
  kControl,
  kUserDefined,
  kUnused,
  kByte
};

namespace {
class TokenizerMaker {
public:
  TokenizerMaker(const GgufFile &file, StringRef path)
      : file(file), path(path) {}
  Expected<std::string> makeJson();
  Expected<std::string> makeConfig();

private:
  Error fail(StringRef code, const Twine &what) const {
    return makeError(code, path + ": " + what,
                     "give the model's HuggingFace folder instead");
  }
  Error readTokens();
  Expected<json::Object> makeByteLevel();
  Expected<json::Object> makeSentencePiece();
  Expected<json::Array> makeMergesOfScores() const;
  StringRef getSplits() const {
    return file.metadata.getString("tokenizer.ggml.pre").value_or("default");
  }
  bool isLlama3() const {
    return is_contained({"llama-bpe", "llama3", "llama-v3"}, getSplits());
  }
  Expected<json::Value> makeSplits() const;
  json::Object makeVocabulary() const;
  json::Array makeAddedTokens() const;
  bool takesSpacesBehind(StringRef token) const;
  json::Value makePostProcessor() const;
  bool getFlag(StringRef key, bool otherwise) const {
    return file.metadata.getBoolean(("tokenizer.ggml." + key).str())
        .value_or(otherwise);
  }
  /// The token that an id of the metadata names, or nothing.
  std::optional<StringRef> getToken(StringRef key) const {
    std::optional<int64_t> id =
        file.metadata.getInteger(("tokenizer.ggml." + key).str());
    if (!id || *id < 0 || *id >= static_cast<int64_t>(tokens.size()))
      return std::nullopt;
    return tokens[*id];
  }

  const GgufFile &file;
  StringRef path;
  std::vector<StringRef> tokens;
  std::vector<int64_t> types; ///< TokenType, or empty
};
} // namespace

Error TokenizerMaker::readTokens() {
  const json::Array *list = file.metadata.getArray("tokenizer.ggml.tokens");
  if (!list)
    return fail("A0237", "'tokenizer.ggml.tokens' is no list");
  for (const json::Value &token : *list) {
    std::optional<StringRef> text = token.getAsString();
    if (!text)
      return fail("A0237", "'tokenizer.ggml.tokens' holds " +
                               describeKind(token) + "; expected strings");
    tokens.push_back(*text);
  }
  const json::Array *kinds =
      file.metadata.getArray("tokenizer.ggml.token_type");
  if (!kinds)
    return Error::success();
  if (kinds->size() != tokens.size())
    return fail("A0237", "there are " + Twine(kinds->size()) +
                             " types of tokens for " + Twine(tokens.size()) +
                             " tokens");
  for (const json::Value &kind : *kinds)
    types.push_back(kind.getAsInteger().value_or(kNormal));
  return Error::success();
}

json::Object TokenizerMaker::makeVocabulary() const {
  json::Object vocabulary;
  for (auto [id, token] : enumerate(tokens))
    vocabulary.try_emplace(token, static_cast<int64_t>(id));
  return vocabulary;
}

/// Of no file, but of Phi-3's tokenizer: the newline that its chat template
/// writes behind <|user|> is no token. As in llama.cpp, by the model.
bool TokenizerMaker::takesSpacesBehind(StringRef token) const {
  return file.metadata.getString("general.architecture") == "phi3" &&
         file.metadata.getString("tokenizer.ggml.model") == "llama" &&
         !is_contained({"<unk>", "<s>", "<|endoftext|>"}, token);
}

json::Array TokenizerMaker::makeAddedTokens() const {
  json::Array added;
  for (auto [id, type] : enumerate(types)) {
    if (type != kControl && type != kUserDefined && type != kUnknown)
      continue;
    added.push_back(json::Object{{"id", static_cast<int64_t>(id)},
                                 {"content", tokens[id]},
                                 {"single_word", false},
                                 {"lstrip", false},
                                 {"rstrip", takesSpacesBehind(tokens[id])},
                                 {"normalized", false},
                                 {"special", type != kUserDefined}});
  }
  return added;
}

/// The tokens that stand around a text.
json::Value TokenizerMaker::makePostProcessor() const {
  bool isSentencePiece =
      file.metadata.getString("tokenizer.ggml.model").value_or("") == "llama";
  std::optional<StringRef> first = getToken("bos_token_id");
  std::optional<StringRef> last = getToken("eos_token_id");
  if (!getFlag("add_bos_token", isSentencePiece || isLlama3()))
    first.reset();
  if (!getFlag("add_eos_token", false))
    last.reset();
  json::Array single, pair;
  json::Object special;
  auto add = [&](json::Array &row, std::optional<StringRef> token, int type) {
    if (!token)
      return;
    row.push_back(json::Object{
        {"SpecialToken", json::Object{{"id", *token}, {"type_id", type}}}});
    int64_t id = find(tokens, *token) - tokens.begin();
    special[*token] = json::Object{{"id", *token},
                                   {"ids", json::Array{id}},
                                   {"tokens", json::Array{*token}}};
  };
  auto addText = [&](json::Array &row, StringRef name, int type) {
    row.push_back(json::Object{
        {"Sequence", json::Object{{"id", name}, {"type_id", type}}}});
  };
  for (json::Array *row : {&single, &pair}) {
    add(*row, first, 0);
    addText(*row, "A", 0);
    add(*row, last, 0);
  }
  add(pair, first, 1);
  addText(pair, "B", 1);
  add(pair, last, 1);
  return json::Object{{"type", "TemplateProcessing"},
                      {"single", std::move(single)},
                      {"pair", std::move(pair)},
                      {"special_tokens", std::move(special)}};
}

static json::Object makeByteLevelSplit(bool usesRegex) {
  return json::Object{{"type", "ByteLevel"},
                      {"add_prefix_space", false},
                      {"trim_offsets", true},
                      {"use_regex", usesRegex}};
}

static json::Object makeSplit(StringRef pattern) {
  return json::Object{{"type", "Split"},
                      {"pattern", json::Object{{"Regex", pattern.str()}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
}

static json::Object makeDigits(bool individual) {
  return json::Object{{"type", "Digits"}, {"individual_digits", individual}};
}

// How the splits of Llama 3 and of Qwen 2 begin and end.
static constexpr StringLiteral kHead =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|";
static constexpr StringLiteral kTail =
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
static constexpr StringLiteral kBloom = " ?[^(\\s|[.,!?…。，、।۔،])]+";

/// The splits before BPE that `tokenizer.ggml.pre` names.
Expected<json::Value> TokenizerMaker::makeSplits() const {
  StringRef name = getSplits();
  auto sequence = [](json::Array steps) {
    return json::Value(json::Object{{"type", "Sequence"},
                                    {"pretokenizers", std::move(steps)}});
  };
  if (isLlama3())
    return sequence(
        json::Array{makeSplit((kHead + "\\p{N}{1,3}" + kTail).str()),
                    makeByteLevelSplit(false)});
  if (name == "qwen2")
    return sequence(json::Array{makeSplit((kHead + "\\p{N}" + kTail).str()),
                                makeByteLevelSplit(false)});
  if (is_contained({"smollm", "starcoder", "refact", "command-r"}, name))
    return sequence(json::Array{makeDigits(true), makeByteLevelSplit(true)});
  if (name == "falcon")
    return sequence(json::Array{
        json::Object{{"type", "Punctuation"}, {"behavior", "Contiguous"}},
        makeByteLevelSplit(true), makeDigits(false),
        makeSplit("[0-9][0-9][0-9]")});
  if (name == "bloom")
    return sequence(json::Array{makeSplit(kBloom), makeByteLevelSplit(false)});
  if (is_contained({"gpt-2", "phi-2", "mpt", "olmo", "default"}, name))
    return json::Value(makeByteLevelSplit(true));
  return fail("A0236", "the splits " + quote(name) +
                           " of the tokenizer are not known; known are "
                           "llama-bpe, qwen2, gpt-2, mpt, olmo, smollm, "
                           "falcon, bloom");
}

Expected<json::Object> TokenizerMaker::makeByteLevel() {
  const json::Array *merges = file.metadata.getArray("tokenizer.ggml.merges");
  if (!merges)
    return fail("A0237", "'tokenizer.ggml.merges' is no list");
  Expected<json::Value> splits = makeSplits();
  if (!splits)
    return splits.takeError();
  // Neither is in the file: it goes by the tokenizers that such splits are of.
  const bool composes = is_contained({"qwen2", "mpt", "olmo"}, getSplits());
  return json::Object{
      {"normalizer", composes ? json::Value(json::Object{{"type", "NFC"}})
                              : json::Value(nullptr)},
      {"pre_tokenizer", std::move(*splits)},
      {"decoder", json::Object{{"type", "ByteLevel"},
                               {"add_prefix_space", true},
                               {"trim_offsets", true},
                               {"use_regex", true}}},
      {"model", json::Object{{"type", "BPE"},
                             {"dropout", nullptr},
                             {"unk_token", nullptr},
                             {"continuing_subword_prefix", nullptr},
                             {"end_of_word_suffix", nullptr},
                             {"fuse_unk", false},
                             {"byte_fallback", false},
                             {"ignore_merges", isLlama3()},
                             {"vocab", json::Value(makeVocabulary())},
                             {"merges", json::Array(*merges)}}}};
}

Expected<json::Array> TokenizerMaker::makeMergesOfScores() const {
  const json::Array *scores = file.metadata.getArray("tokenizer.ggml.scores");
  if (!scores || scores->size() != tokens.size())
    return fail("A0237", "'tokenizer.ggml.scores' is no list of " +
                             Twine(tokens.size()) + " numbers");
  StringMap<int64_t> ids;
  for (auto [id, token] : enumerate(tokens))
    if (types.empty() || types[id] == kNormal || types[id] == kUserDefined)
      ids.try_emplace(token, static_cast<int64_t>(id));
  struct Merge {
    double score;
    int64_t piece, left, right;
  };
  std::vector<Merge> merges;
  for (auto [id, token] : enumerate(tokens)) {
    if (!ids.count(token))
      continue;
    std::optional<double> score = (*scores)[id].getAsNumber();
    if (!score || std::isnan(*score)) // which has no place in the order
      return fail("A0237",
                  "'tokenizer.ggml.scores' holds no number at " + Twine(id));
    for (size_t cut = 1; cut < token.size(); ++cut) {
      auto left = ids.find(token.take_front(cut));
      auto right = ids.find(token.drop_front(cut));
      if (left != ids.end() && right != ids.end())
        merges.push_back(
            {*score, static_cast<int64_t>(id), left->second, right->second});
    }
  }
  // By score, pieces of one score in their order, cuts of one piece by ids.
  llvm::sort(merges, [](const Merge &a, const Merge &b) {
    return std::make_tuple(-a.score, a.piece, a.left, a.right) <
           std::make_tuple(-b.score, b.piece, b.left, b.right);
  });
  json::Array list;
  for (const Merge &merge : merges)
    list.push_back(json::Array{tokens[merge.left], tokens[merge.right]});
  return list;
}

Expected<json::Object> TokenizerMaker::makeSentencePiece() {
  static constexpr StringLiteral kSpace = "\xE2\x96\x81"; // U+2581
  Expected<json::Array> merges = makeMergesOfScores();
  if (!merges)
    return merges.takeError();
  bool prefixes = getFlag("add_space_prefix", true);
  json::Array normalizers, decoders;
  if (prefixes)
    normalizers.push_back(
        json::Object{{"type", "Prepend"}, {"prepend", kSpace}});
  normalizers.push_back(json::Object{{"type", "Replace"},
                                     {"pattern", json::Object{{"String", " "}}},
                                     {"content", kSpace}});
  decoders.push_back(json::Object{{"type", "Replace"},
                                  {"pattern", json::Object{{"String", kSpace}}},
                                  {"content", " "}});
  decoders.push_back(json::Object{{"type", "ByteFallback"}});
  decoders.push_back(json::Object{{"type", "Fuse"}});
  if (prefixes)
    decoders.push_back(json::Object{
        {"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  std::optional<StringRef> unknown = getToken("unknown_token_id");
  return json::Object{
      {"normalizer", json::Object{{"type", "Sequence"},
                                  {"normalizers", std::move(normalizers)}}},
      {"pre_tokenizer", nullptr},
      {"decoder",
       json::Object{{"type", "Sequence"}, {"decoders", std::move(decoders)}}},
      {"model", json::Object{{"type", "BPE"},
                             {"dropout", nullptr},
                             {"unk_token", unknown ? json::Value(*unknown)
                                                   : json::Value(nullptr)},
                             {"continuing_subword_prefix", nullptr},
                             {"end_of_word_suffix", nullptr},
                             {"fuse_unk", true},
                             {"byte_fallback", true},
                             {"vocab", json::Value(makeVocabulary())},
                             {"merges", json::Value(std::move(*merges))}}}};
}

Expected<std::string> TokenizerMaker::makeJson() {
  std::optional<StringRef> kind =
      file.metadata.getString("tokenizer.ggml.model");
  if (!kind || *kind == "none")
    return std::string();
  if (Error error = readTokens())
    return error;
  Expected<json::Object> object =
      *kind == "gpt2"    ? makeByteLevel()
      : *kind == "llama" ? makeSentencePiece()
                         : Expected<json::Object>(fail(
                               "A0236", "the tokenizer " + quote(*kind) +
                                            " is not known; known are gpt2 "
                                            "and llama"));
  if (!object)
    return object.takeError();
  (*object)["version"] = "1.0";
  (*object)["truncation"] = nullptr;
  (*object)["padding"] = nullptr;
  (*object)["added_tokens"] = makeAddedTokens();
  (*object)["post_processor"] = makePostProcessor();
  std::string text;
  raw_string_ostream(text) << json::Value(std::move(*object));
  return text;
}

Expected<std::string> TokenizerMaker::makeConfig() {
  json::Object config;
  if (file.metadata.getArray("tokenizer.ggml.tokens"))
    if (Error error = readTokens())
      return error;
  for (auto [key, field] : {std::pair("bos_token_id", "bos_token"),
                            {"eos_token_id", "eos_token"},
                            {"unknown_token_id", "unk_token"},
                            {"padding_token_id", "pad_token"}})
    if (std::optional<StringRef> token = getToken(key))
      config[field] = *token;
  if (std::optional<StringRef> chat =
          file.metadata.getString("tokenizer.chat_template"))
    config["chat_template"] = *chat;
  std::string text;
  raw_string_ostream(text) << json::Value(std::move(config));
  return text;
}

Expected<std::string> makeTokenizerJson(const GgufFile &file, StringRef path) {
  return TokenizerMaker(file, path).makeJson();
}

Expected<std::string> makeTokenizerConfig(const GgufFile &file,
                                          StringRef path) {
  return TokenizerMaker(file, path).makeConfig();
}

} // namespace attnc
