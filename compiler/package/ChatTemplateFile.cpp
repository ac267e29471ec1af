//===- ChatTemplateFile.cpp - the chat template that travels --------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The template goes into the library itself, with the texts of the special
// tokens that it names. It is opened with the runtime's own reader first, so
// that a library never ships with one that it would refuse. Of a list of named
// templates it is the one named "default", as in transformers.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"
#include "compiler/package/Package.h"
#include "runtime/Errors.h"
#include "runtime/Memory.h"
#include "runtime/text/ChatTemplate.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

namespace attnc {

/// The text of a file that travels; none if it is not there.
static Expected<std::optional<std::string>> readFile(ArrayRef<ModelFile> files,
                                                     StringRef name) {
  for (const ModelFile &file : files) {
    if (file.name != name)
      continue;
    ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = file.read();
    if (!buffer)
      return unreadable(file.path, buffer.getError());
    return (*buffer)->getBuffer().str();
  }
  return std::nullopt;
}

/// The object in a JSON file that travels; empty if it is not there. Its form
/// was checked with the tokenizer.
static Expected<json::Object> readObject(ArrayRef<ModelFile> files,
                                         StringRef name) {
  Expected<std::optional<std::string>> text = readFile(files, name);
  if (!text)
    return text.takeError();
  if (!*text)
    return json::Object();
  Expected<json::Value> value = parseJson(**text);
  if (!value)
    return value.takeError();
  json::Object *object = value->getAsObject();
  return object ? std::move(*object) : json::Object();
}

/// `chat_template`: a string, or a list of named ones.
static std::string chooseTemplate(const json::Object &config) {
  const json::Value *given = config.get("chat_template");
  if (!given)
    return "";
  if (const json::Array *list = given->getAsArray())
    for (const json::Value &named : *list)
      if (const json::Object *object = named.getAsObject())
        if (object->getString("name") == StringRef("default"))
          return object->getString("template").value_or("").str();
  return given->getAsString().value_or("").str();
}

/// A special token: a string, or an object with its content.
static std::string findToken(const json::Object &config,
                             const json::Object &map, StringRef key) {
  for (const json::Object *object : {&config, &map})
    if (const json::Value *value = object->get(key)) {
      if (std::optional<StringRef> text = value->getAsString())
        return text->str();
      if (const json::Object *token = value->getAsObject())
        return token->getString("content").value_or("").str();
    }
  return "";
}

Error findChatTemplate(mlir::MLIRContext &context, LibraryDescription &library,
                       ArrayRef<ModelFile> files) {
  if (library.chatIsKnown)
    return Error::success();
  library.chatIsKnown = true;
  Expected<json::Object> config =
      readObject(files, "tokenizer/tokenizer_config.json");
  if (!config)
    return config.takeError();
  Expected<json::Object> map =
      readObject(files, "tokenizer/special_tokens_map.json");
  if (!map)
    return map.takeError();
  Expected<std::optional<std::string>> file =
      readFile(files, "tokenizer/chat_template.jinja");
  if (!file)
    return file.takeError();
  ChatDescription chat;
  chat.text = *file ? **file : chooseTemplate(*config);
  const json::Array *named = config->getArray("chat_template");
  if (chat.text.empty() && named && !named->empty())
    reportWarning(&context, "A0805",
                  "none of the " + Twine(named->size()) +
                      " chat templates is named 'default'; the library takes "
                      "prompts, but no messages",
                  "name the template that the library shall have 'default', or "
                  "write it to chat_template.jinja");
  if (chat.text.empty())
    return Error::success();
  attnrt::Memory memory(nullptr, 0);
  attnrt::ChatTemplate opened(memory);
  if (opened.open(chat.text.data(), chat.text.size()) != ATTN_OK) {
    reportWarning(&context, "A0805",
                  Twine(attnrt::lastError()) +
                      "; the library takes prompts, but no messages",
                  "format prompts in the application, or rewrite the template");
    return Error::success();
  }
  chat.bosToken = findToken(*config, *map, "bos_token");
  chat.eosToken = findToken(*config, *map, "eos_token");
  chat.padToken = findToken(*config, *map, "pad_token");
  chat.unkToken = findToken(*config, *map, "unk_token");
  library.chat = std::move(chat);
  return Error::success();
}

void setGenerateDefaults(LibraryDescription &library,
                         const GenerationDefaults &defaults) {
  attn_generate_options &options = library.generateDefaults;
  options.max_tokens = defaults.maxTokens;
  options.temperature = static_cast<float>(defaults.temperature);
  options.top_k = static_cast<int32_t>(defaults.topK);
  options.top_p = static_cast<float>(defaults.topP);
  options.min_p = static_cast<float>(defaults.minP);
  options.repetition_penalty = static_cast<float>(defaults.repetitionPenalty);
}

} // namespace attnc
