//===- VerifyTexts.cpp - embeddings by a library and the reference --------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Texts are tokenized by the library, and embedded in batches of similar
// length, so that the reference computes little padding.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/VerifyTexts.h"
#include "compiler/interpret/Interpreter.h"
#include "llvm/Support/MemoryBuffer.h"
#include <numeric>

using namespace llvm;

namespace attnc::tools {
namespace {

Error textsError(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

Expected<std::vector<std::string>> readLines(StringRef path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> file = MemoryBuffer::getFile(path);
  if (!file)
    return textsError("error[A0741]: the file of texts '" + path +
                      "' cannot be read: " + file.getError().message());
  std::vector<std::string> lines;
  SmallVector<StringRef> parts;
  (*file)->getBuffer().split(parts, '\n');
  for (StringRef part : parts)
    if (!part.trim().empty())
      lines.push_back(part.trim().str());
  if (lines.size() <= SimilarityReport::kNeighbours)
    return textsError("error[A0741]: '" + path + "' has " +
                      Twine(lines.size()) + " texts; expected more than " +
                      Twine(SimilarityReport::kNeighbours) +
                      ", one in each line");
  return lines;
}

/// Token ids of some texts as inputs of an entry, in its order.
class TextBatch {
public:
  explicit TextBatch(ArrayRef<std::string> lines) {
    for (const std::string &line : lines) {
      texts.push_back(line.data());
      lengths.push_back(line.size());
    }
    batch.count = texts.size();
    batch.texts = texts.data();
    batch.lengths = lengths.data();
  }

  Error tokenize(const Library &library) {
    if (attn_status status =
            library.functions().tokenize(library.model(), &batch))
      return library.lastError("tokenizing", status);
    if (batch.input_ids)
      return Error::success();
    batch.seq = std::max<int64_t>(batch.longest, 1);
    for (const char *name : {"input_ids", "attention_mask", "token_type_ids"})
      arrays[name].resize({batch.count, batch.seq}, /*integer=*/true);
    batch.input_ids = arrays["input_ids"].integers.data();
    batch.attention_mask = arrays["attention_mask"].integers.data();
    batch.token_type_ids = arrays["token_type_ids"].integers.data();
    return tokenize(library);
  }

  Expected<std::vector<HostTensor>> inputs(const LibraryEntry &entry) {
    std::vector<HostTensor> tensors;
    for (const LibraryArgument &input : entry.inputs) {
      if (!arrays.count(input.name))
        return textsError("error[A0722]: the entry '" + entry.name +
                          "' has the input '" + input.name +
                          "', which text does not give");
      tensors.push_back(arrays[input.name]);
    }
    return tensors;
  }

  std::map<std::string, int64_t> sizes() const {
    return {{"batch", batch.count}, {"seq", batch.seq}};
  }

private:
  std::vector<const char *> texts;
  std::vector<size_t> lengths;
  attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
  std::map<std::string, HostTensor> arrays;
};

/// Embeds texts twice.
class TextVerifier {
public:
  TextVerifier(Library &library, const ImportedModel &model,
               const LibraryEntry &entry)
      : library(library), entry(entry),
        interpreter(*model.module, &model.weights) {}

  Error run(ArrayRef<std::string> lines);
  std::vector<Embedding> reference, got;

private:
  Error runBatch(ArrayRef<std::string> lines, ArrayRef<size_t> places);

  Library &library;
  const LibraryEntry &entry;
  Interpreter interpreter;
};

Error TextVerifier::runBatch(ArrayRef<std::string> lines,
                             ArrayRef<size_t> places) {
  std::vector<std::string> some;
  for (size_t place : places)
    some.push_back(lines[place]);
  TextBatch batch(some);
  if (Error error = batch.tokenize(library))
    return error;
  Expected<std::vector<HostTensor>> inputs = batch.inputs(entry);
  if (!inputs)
    return inputs.takeError();
  std::vector<TensorValue> values;
  for (const HostTensor &input : *inputs) {
    TensorValue &value = values.emplace_back();
    value.shape.assign(input.shape.begin(), input.shape.end());
    value.isInteger = true;
    value.integers.assign(input.integers.begin(), input.integers.end());
  }
  std::vector<HostTensor> outputs(entry.outputs.size());
  if (Error error = library.call(entry, batch.sizes(), *inputs, outputs))
    return error;
  Expected<std::vector<TensorValue>> expected =
      interpreter.run(entry.name, batch.sizes(), values);
  if (!expected)
    return expected.takeError();
  const int64_t width = outputs[0].shape.back();
  for (auto [row, place] : enumerate(places)) {
    auto numbers = outputs[0].numbers.begin() + row * width;
    got[place].assign(numbers, numbers + width);
    auto exact = (*expected)[0].numbers.begin() + row * width;
    reference[place].assign(exact, exact + width);
  }
  return Error::success();
}

Error TextVerifier::run(ArrayRef<std::string> lines) {
  constexpr size_t kBatch = 16;
  reference.resize(lines.size());
  got.resize(lines.size());
  std::vector<size_t> order(lines.size());
  std::iota(order.begin(), order.end(), 0);
  // Bytes tell the number of tokens well enough.
  llvm::stable_sort(order, [&](size_t a, size_t b) {
    return lines[a].size() < lines[b].size();
  });
  const size_t most = std::min<size_t>(
      kBatch, library.sizes().find("batch") == library.sizes().end()
                  ? 1
                  : library.sizes().at("batch").maximum);
  for (ArrayRef<size_t> rest = order; !rest.empty();
       rest = rest.drop_front(std::min(most, rest.size())))
    if (Error error = runBatch(lines, rest.take_front(most)))
      return error;
  return Error::success();
}

} // namespace

Expected<SimilarityReport>
verifyTexts(Library &library, const ImportedModel &model, StringRef path) {
  if (!library.hasText() || !library.hasTextEntry())
    return textsError(
        "error[A0721]: the library holds no tokenizer or no entry "
        "that embeds text, so --texts cannot be used");
  const LibraryEntry *entry = library.findEntry("embed");
  assert(entry && "what embeds text is called so");
  Expected<std::vector<std::string>> lines = readLines(path);
  if (!lines)
    return lines.takeError();
  TextVerifier verifier(library, model, *entry);
  if (Error error = verifier.run(*lines))
    return error;
  return compareEmbeddings(verifier.reference, verifier.got);
}

} // namespace attnc::tools
