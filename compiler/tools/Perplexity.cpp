//===- Perplexity.cpp - how well a library foretells text -----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each text is tokenized by the library and given to its entry `score`, which
// returns the logits of all positions: in pieces, since logits of a long text
// over a large vocabulary would fill the memory.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/Perplexity.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include <algorithm>
#include <cmath>

using namespace llvm;

namespace attnc::tools {
namespace {

Error makePerplexityError(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

/// What stands between blank lines.
std::vector<std::string> splitTexts(StringRef content) {
  std::vector<std::string> texts;
  std::string text;
  auto finish = [&] {
    if (!text.empty())
      texts.push_back(std::move(text));
    text.clear();
  };
  while (!content.empty()) {
    auto [line, rest] = content.split('\n');
    content = rest;
    if (line.trim().empty()) {
      finish();
      continue;
    }
    if (!text.empty())
      text += '\n';
    text += line;
  }
  finish();
  return texts;
}

class TextScorer {
public:
  TextScorer(Library &library, const LibraryEntry &entry)
      : library(library), entry(entry),
        longest(library.sizes().at("seq").maximum) {}

  Error add(const std::string &text, Perplexity &result);

private:
  Expected<std::vector<int32_t>> tokenize(const std::string &text);
  /// Adds what tokens[from + 1 ..] are worth after tokens[from .. to).
  Error score(ArrayRef<int32_t> tokens, size_t from, size_t to,
              Perplexity &result);

  Library &library;
  const LibraryEntry &entry;
  int64_t longest;
};

Expected<std::vector<int32_t>> TextScorer::tokenize(const std::string &text) {
  const char *texts[] = {text.data()};
  const size_t lengths[] = {text.size()};
  attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
  batch.count = 1;
  batch.texts = texts;
  batch.lengths = lengths;
  std::vector<int32_t> ids;
  for (int pass = 0; pass < 2; ++pass) {
    if (attn_status status =
            library.functions().tokenize(library.model(), &batch))
      return library.lastError("tokenizing", status);
    ids.resize(std::max<int64_t>(batch.longest, 1));
    batch.seq = ids.size();
    batch.input_ids = ids.data();
  }
  return ids;
}

Error TextScorer::score(ArrayRef<int32_t> tokens, size_t from, size_t to,
                        Perplexity &result) {
  const int64_t count = to - from;
  std::map<std::string, int64_t> sizes{{"batch", 1}, {"seq", count}};
  std::vector<HostTensor> inputs, outputs;
  for (const LibraryArgument &input : entry.inputs) {
    HostTensor &tensor = inputs.emplace_back();
    tensor.resize(input.shape(sizes), input.isInteger);
    if (input.name == "input_ids")
      std::copy_n(tokens.begin() + from, count, tensor.integers.begin());
    else
      std::fill(tensor.integers.begin(), tensor.integers.end(), 1);
  }
  if (Error error = library.call(entry, sizes, inputs, outputs))
    return error;
  const int64_t words = outputs[0].shape.back();
  for (int64_t i = 0; i < count && from + i + 1 < tokens.size(); ++i) {
    ArrayRef<float> logits(outputs[0].numbers.data() + i * words, words);
    const double highest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (float logit : logits)
      sum += std::exp(logit - highest);
    result.surprise += highest + std::log(sum) - logits[tokens[from + i + 1]];
    ++result.tokens;
  }
  return Error::success();
}

Error TextScorer::add(const std::string &text, Perplexity &result) {
  // Logits of a piece: 64 MB for a vocabulary of 256 Ki.
  constexpr int64_t kPiece = 64;
  Expected<std::vector<int32_t>> tokens = tokenize(text);
  if (!tokens)
    return tokens.takeError();
  if (attn_status status = library.functions().session_reset(library.session()))
    return library.lastError("emptying the session", status);
  const size_t piece = std::min(kPiece, longest);
  for (size_t from = 0; from + 1 < tokens->size(); from += piece)
    if (Error error = score(*tokens, from,
                            std::min(from + piece, tokens->size()), result))
      return error;
  ++result.texts;
  return Error::success();
}

} // namespace

double Perplexity::value() const { return std::exp(surprise / tokens); }

void Perplexity::print(raw_ostream &os) const {
  os << format("perplexity %.6f over %lld tokens of %lld texts\n", value(),
               static_cast<long long>(tokens), static_cast<long long>(texts));
}

json::Object Perplexity::toJson() const {
  return json::Object{{"perplexity", value()},
                      {"mean_surprise", surprise / tokens},
                      {"tokens", tokens},
                      {"texts", texts}};
}

Expected<Perplexity> measurePerplexity(Library &library, StringRef path) {
  const LibraryEntry *entry = library.findEntry("score");
  if (!entry || !library.hasText())
    return makePerplexityError(
        "error[A0735]: --perplexity is for language models with a tokenizer; "
        "'" +
        library.name() + "' " +
        (entry ? "has no tokenizer" : "gives no logits of all positions"));
  ErrorOr<std::unique_ptr<MemoryBuffer>> file = MemoryBuffer::getFile(path);
  if (!file)
    return makePerplexityError(
        "error[A0736]: the file of texts '" + path +
        "' cannot be read: " + file.getError().message());
  Perplexity result;
  TextScorer scorer(library, *entry);
  for (const std::string &text : splitTexts((*file)->getBuffer()))
    if (Error error = scorer.add(text, result))
      return error;
  if (result.tokens == 0)
    return makePerplexityError("error[A0736]: '" + path +
                               "' has no text of two tokens; texts are "
                               "separated by blank lines");
  return result;
}

} // namespace attnc::tools
