//===- Library.cpp - a compiled library, opened -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// dlopen, the self-description, calls by name.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/Library.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <dlfcn.h>

using namespace llvm;

namespace attnc::tools {

static Error libraryError(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

std::vector<int64_t>
LibraryArgument::shape(const std::map<std::string, int64_t> &sizes) const {
  std::vector<int64_t> result;
  for (const SizeExpr &dim : dims)
    result.push_back(
        dim.evaluate([&](StringRef name) { return sizes.at(name.str()); }));
  return result;
}

void HostTensor::resize(std::vector<int64_t> newShape, bool integer) {
  shape = std::move(newShape);
  isInteger = integer;
  int64_t total = 1;
  for (int64_t dim : shape)
    total *= dim;
  numbers.assign(integer ? 0 : total, 0.0f);
  integers.assign(integer ? total : 0, 0);
}

int64_t HostTensor::count() const {
  return isInteger ? integers.size() : numbers.size();
}

void *HostTensor::data() {
  return isInteger ? static_cast<void *>(integers.data())
                   : static_cast<void *>(numbers.data());
}

Expected<std::unique_ptr<Library>> Library::load(StringRef path) {
  StringRef file = sys::path::filename(path);
  if (!file.starts_with("lib") || !file.ends_with(".so"))
    return libraryError("error[A0701]: '" + path +
                        "' is not named libNAME.so; give the library that "
                        "`attnc compile` wrote");
  std::string name = file.drop_front(3).drop_back(3).str();
  // A path without a slash would be searched for, not opened.
  SmallString<128> absolute(path);
  sys::fs::make_absolute(absolute);
  std::unique_ptr<Library> library(new Library);
  library->handle = dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library->handle)
    return libraryError("error[A0702]: '" + path +
                        "' cannot be loaded: " + dlerror());
  auto entry = reinterpret_cast<const attn_library *(*)()>(
      dlsym(library->handle, (name + "_library").c_str()));
  if (!entry)
    return libraryError("error[A0703]: '" + path + "' has no function " + name +
                        "_library; was it made by attnc, and renamed since?");
  library->table = entry();
  if (library->table->abi_version != ATTN_ABI_VERSION)
    return libraryError("error[A0704]: '" + path + "' has ABI version " +
                        Twine(library->table->abi_version) +
                        ", this attnc speaks version " +
                        Twine(ATTN_ABI_VERSION) + "; compile the model again");
  if (Error error = library->readDescription())
    return error;
  return std::move(library);
}

Library::~Library() {
  if (sessionHandle)
    table->session_close(sessionHandle);
  if (modelHandle)
    table->close(modelHandle);
  if (handle)
    dlclose(handle);
}

static Expected<std::vector<LibraryArgument>>
readArguments(const json::Array *list) {
  std::vector<LibraryArgument> arguments;
  for (const json::Value &value : *list) {
    const json::Object &object = *value.getAsObject();
    LibraryArgument argument;
    argument.name = object.getString("name")->str();
    argument.isInteger = *object.getString("dtype") == "i32";
    for (const json::Value &dim : *object.getArray("dims")) {
      if (std::optional<int64_t> number = dim.getAsInteger()) {
        argument.dims.push_back(SizeExpr(*number));
        continue;
      }
      std::optional<SizeExpr> expr = SizeExpr::parse(*dim.getAsString());
      if (!expr)
        return libraryError("error[A0705]: the library describes a dimension "
                            "that this attnc does not understand");
      argument.dims.push_back(*expr);
    }
    if (const json::Array *range = object.getArray("range"))
      argument.range = {*(*range)[0].getAsInteger(),
                        *(*range)[1].getAsInteger()};
    argument.defaultValue = object.getInteger("default");
    arguments.push_back(std::move(argument));
  }
  return arguments;
}

Error Library::readDescription() {
  Expected<json::Value> parsed = json::parse(table->describe());
  if (!parsed)
    return libraryError(
        "error[A0705]: the library's description is not JSON: " +
        toString(parsed.takeError()));
  json = *parsed->getAsObject();
  for (const json::Value &value : *json.getArray("sizes")) {
    const json::Object &size = *value.getAsObject();
    sizeTable[size.getString("name")->str()] = {*size.getInteger("minimum"),
                                                *size.getInteger("maximum")};
  }
  for (const json::Value &value : *json.getArray("entries")) {
    const json::Object &object = *value.getAsObject();
    LibraryEntry entry;
    entry.name = object.getString("name")->str();
    for (const json::Value &size : *object.getArray("sizes"))
      entry.sizes.push_back(size.getAsString()->str());
    Expected<std::vector<LibraryArgument>> inputs =
        readArguments(object.getArray("inputs"));
    if (!inputs)
      return inputs.takeError();
    entry.inputs = std::move(*inputs);
    Expected<std::vector<LibraryArgument>> outputs =
        readArguments(object.getArray("outputs"));
    if (!outputs)
      return outputs.takeError();
    entry.outputs = std::move(*outputs);
    entryList.push_back(std::move(entry));
  }
  return Error::success();
}

Error Library::lastError(StringRef what, attn_status status) const {
  return libraryError("error[A0706]: " + what + " failed with status " +
                      Twine(static_cast<int>(status)) + ": " +
                      table->last_error());
}

Error Library::open(int32_t threads, StringRef weights) {
  attn_options options = ATTN_OPTIONS_INIT;
  std::string path = weights.str();
  options.threads = threads;
  options.weights_path = path.empty() ? nullptr : path.c_str();
  if (attn_status status = table->open(&options, &modelHandle))
    return lastError("opening the model", status);
  if (attn_status status = table->session_open(modelHandle, &sessionHandle))
    return lastError("opening a session", status);
  return Error::success();
}

const LibraryEntry *Library::findEntry(StringRef name) const {
  for (const LibraryEntry &entry : entryList)
    if (entry.name == name)
      return &entry;
  return nullptr;
}

Error Library::checkSizes(const LibraryEntry &entry,
                          const std::map<std::string, int64_t> &sizes) const {
  std::vector<int64_t> values;
  for (const std::string &size : entry.sizes)
    values.push_back(sizes.at(size));
  uint64_t bytes = 0;
  if (attn_status status =
          table->session_bytes(modelHandle, entry.name.c_str(), values.data(),
                               values.size(), &bytes))
    return lastError("calling " + entry.name, status);
  return Error::success();
}

Error Library::call(const LibraryEntry &entry,
                    const std::map<std::string, int64_t> &sizes,
                    std::vector<HostTensor> &inputs,
                    std::vector<HostTensor> &outputs) {
  if (Error error = checkSizes(entry, sizes))
    return error;
  std::vector<int64_t> sizeValues;
  for (const std::string &size : entry.sizes)
    sizeValues.push_back(sizes.at(size));
  std::vector<attn_buffer> inputBuffers, outputBuffers;
  for (HostTensor &input : inputs)
    inputBuffers.push_back(
        {input.count() ? input.data() : nullptr, input.bytes()});
  outputs.resize(entry.outputs.size());
  for (auto [output, argument] : zip(outputs, entry.outputs)) {
    std::vector<int64_t> shape = argument.shape(sizes);
    if (output.shape != shape || output.isInteger != argument.isInteger)
      output.resize(std::move(shape), argument.isInteger);
    outputBuffers.push_back({output.data(), output.bytes()});
  }
  if (attn_status status = table->call(
          sessionHandle, entry.name.c_str(), sizeValues.data(),
          sizeValues.size(), inputBuffers.data(), inputBuffers.size(),
          outputBuffers.data(), outputBuffers.size()))
    return lastError("calling " + entry.name, status);
  return Error::success();
}

Expected<json::Value> Library::info() const {
  size_t needed = 0;
  table->info(modelHandle, nullptr, 0, &needed);
  std::string text(needed + 1, '\0');
  if (attn_status status =
          table->info(modelHandle, text.data(), text.size(), &needed))
    return lastError("asking for information", status);
  text.resize(needed);
  return json::parse(text);
}

} // namespace attnc::tools
