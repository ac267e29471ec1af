//===- CheckTokenizer.cpp - the tokenizer that travels ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Opens the tokenizer's files with the runtime's own reader, so that a library
// never ships with a tokenizer that it would refuse, or with one that gives ids
// which its model does not have.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Diagnostics.h"
#include "compiler/package/Package.h"
#include "runtime/Errors.h"
#include "runtime/Memory.h"
#include "runtime/text/Detokenizer.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

namespace attnc {

static constexpr StringLiteral kFolder = "tokenizer/";

static Error tokenizerError(StringRef code, const Twine &what,
                            StringRef remedy) {
  return createStringError(inconvertibleErrorCode(), "error[" + code +
                                                         "]: " + what +
                                                         "\nnote: " + remedy);
}

static Error refuse(attn_status status) {
  StringRef why = attnrt::lastError();
  if (status == ATTN_ERROR_WEIGHTS)
    return tokenizerError("A0802", why,
                          "mend the tokenizer's file or fetch it again");
  return tokenizerError("A0801", why,
                        "the folder needs tokenizer.json, or vocab.txt and "
                        "tokenizer_config.json");
}

/// The largest token id that every entry takes, or -1 if none has a bound.
static int64_t largestId(const LibraryDescription &library) {
  int64_t largest = -1;
  for (const EntryDescription &entry : library.entries)
    for (const ArgumentDescription &input : entry.inputs)
      if (input.name == "input_ids" && (input.flags & ATTN_ARGUMENT_RANGE))
        largest =
            largest < 0 ? input.maximum : std::min(largest, input.maximum);
  return largest;
}

/// Of all tokens with their ids: equal for two models that speak of the same
/// tokens. Empty if their bytes are not known.
static std::string digestTokens(ArrayRef<attnrt::TokenizerFile> files,
                                attnrt::Memory &memory) {
  const attnrt::TokenizerFile *file =
      llvm::find_if(files, [](const attnrt::TokenizerFile &file) {
        return StringRef(file.name) == "tokenizer.json";
      });
  attnrt::Detokenizer tokens(memory);
  if (file == files.end() || tokens.open(*file) != ATTN_OK)
    return "";
  std::string text;
  raw_string_ostream os(text);
  for (int32_t id = 0; id < tokens.size(); ++id) {
    attnrt::Slice token;
    if (tokens.getToken(id, token))
      os << id << "," << token.size << ":" << StringRef(token.text, token.size);
  }
  return toHex(BLAKE3::hash<16>(arrayRefFromStringRef(text)),
               /*LowerCase=*/true);
}

Error checkTokenizer(mlir::MLIRContext &context, LibraryDescription &library,
                     std::vector<ModelFile> &files, int64_t textLimit) {
  std::vector<std::unique_ptr<MemoryBuffer>> buffers;
  std::vector<attnrt::TokenizerFile> opened;
  for (const ModelFile &file : files) {
    StringRef name = file.name;
    // The name ends where the string does: it is passed on as a C string.
    // NOLINTBEGIN(bugprone-suspicious-stringview-data-usage)
    if (!name.consume_front(kFolder) || !attnrt::isTokenizerFile(name.data()))
      continue;
    ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = file.read();
    if (!buffer)
      return unreadable(file.path, buffer.getError());
    opened.push_back(
        {name.data(), (*buffer)->getBufferStart(), (*buffer)->getBufferSize()});
    // NOLINTEND(bugprone-suspicious-stringview-data-usage)
    buffers.push_back(std::move(*buffer));
  }
  library.hasText = !opened.empty();
  if (!library.hasText)
    return Error::success();

  attnrt::Memory memory(nullptr, 0);
  attnrt::Tokenizer *tokenizer = nullptr;
  attn_status status =
      attnrt::openTokenizer(opened.data(), opened.size(), memory, tokenizer);
  if (status == ATTN_ERROR_UNAVAILABLE) {
    // Ids can be made elsewhere.
    reportWarning(&context, "A0803",
                  Twine(attnrt::lastError()) +
                      "; the library takes token ids only",
                  "tokenize with another library, or remove the tokenizer's "
                  "files from the folder");
    library.hasText = false;
    llvm::erase_if(files, [](const ModelFile &file) {
      return StringRef(file.name).starts_with(kFolder);
    });
    return Error::success();
  }
  if (status)
    return refuse(status);
  auto close =
      llvm::make_scope_exit([&] { attnrt::closeTokenizer(tokenizer); });
  attnrt::TokenizerFacts facts = attnrt::describeTokenizer(*tokenizer);

  int64_t largest = largestId(library);
  if (largest >= 0 && facts.vocabularySize - 1 > largest)
    return tokenizerError(
        "A0804",
        "the tokenizer gives ids up to " + Twine(facts.vocabularySize - 1) +
            ", the model's embedding takes ids up to " + Twine(largest),
        "take the tokenizer's files that belong to these weights");

  if (library.decodeEntry >= 0) {
    library.tokensDigest = digestTokens(opened, memory);
    if (Error error = findChatTemplate(context, library, files))
      return error;
  }

  library.maxLength = textLimit;
  auto lower = [&](int64_t limit) {
    if (limit > 0 && (library.maxLength <= 0 || limit < library.maxLength))
      library.maxLength = limit;
  };
  lower(facts.maximumLength);
  for (const SizeDescription &size : library.sizes)
    if (size.name == "seq")
      lower(size.maximum);
  return Error::success();
}

} // namespace attnc
