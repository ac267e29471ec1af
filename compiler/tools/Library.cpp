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
#include "dialects/attn/EntryStorage.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <deque>
#include <dlfcn.h>

using namespace llvm;

namespace attnc {
namespace tools {

/// The table of ABI version 1, as it was at first, ends behind encode_text.
constexpr size_t kFirstTableSize = offsetof(attn_library, session_reset);

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
  const attn_library *given = entry();
  if (given->abi_version != ATTN_ABI_VERSION)
    return libraryError(
        "error[A0704]: '" + path + "' has ABI version " +
        Twine(given->abi_version) + ", this attnc speaks version " +
        Twine(ATTN_ABI_VERSION) + "; " +
        (given->abi_version > ATTN_ABI_VERSION
             ? "use the attnc that made it, or compile the model again"
             : "compile the model again"));
  if (given->struct_size < kFirstTableSize)
    return libraryError("error[A0705]: the table of '" + path + "' has " +
                        Twine(given->struct_size) + " bytes; expected " +
                        Twine(kFirstTableSize) +
                        " or more, as in every version of attnc; compile the "
                        "model again");
  // A library of an earlier attnc has a shorter table: what it lacks is absent.
  // What a later one has more is not for us.
  const size_t size = std::min(given->struct_size, sizeof(attn_library));
  std::memcpy(&library->copied, given, size);
  library->copied.struct_size = size;
  library->table = &library->copied;
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

} // namespace tools

// Found by the arguments' types, so not in a namespace without a name.
/// A dimension: a number, or an expression over sizes.
static bool fromJSON(const json::Value &value, SizeExpr &dim, json::Path path) {
  if (std::optional<int64_t> number = value.getAsInteger()) {
    dim = SizeExpr(*number);
    return true;
  }
  std::optional<StringRef> text = value.getAsString();
  std::optional<SizeExpr> parsed = text ? SizeExpr::parse(*text) : std::nullopt;
  if (parsed)
    dim = *parsed;
  else
    path.report("expected a number or an expression over sizes");
  return parsed.has_value();
}

namespace tools {

static bool fromJSON(const json::Value &value, LibraryArgument &argument,
                     json::Path path) {
  json::ObjectMapper mapper(value, path);
  std::vector<int64_t> range;
  if (!mapper || !mapper.map("name", argument.name) ||
      !mapper.map("dtype", argument.dtype) ||
      !mapper.map("dims", argument.dims) ||
      !mapper.mapOptional("range", range) ||
      !mapper.map("default", argument.defaultValue))
    return false;
  if (!is_contained({"i32", "f32", "bf16", "f16"}, argument.dtype)) {
    path.field("dtype").report("expected i32, f32, bf16 or f16");
    return false;
  }
  argument.isInteger = argument.dtype == "i32";
  if (range.size() == 2)
    argument.range = {range[0], range[1]};
  else if (!range.empty())
    path.field("range").report("expected two numbers");
  return range.empty() || range.size() == 2;
}

static bool fromJSON(const json::Value &value, LibraryEntry &entry,
                     json::Path path) {
  json::ObjectMapper mapper(value, path);
  return mapper && mapper.map("name", entry.name) &&
         mapper.map("sizes", entry.sizes) &&
         mapper.map("inputs", entry.inputs) &&
         mapper.map("outputs", entry.outputs);
}

struct NamedSize {
  std::string name;
  LibrarySize size;
};

static bool fromJSON(const json::Value &value, NamedSize &named,
                     json::Path path) {
  json::ObjectMapper mapper(value, path);
  return mapper && mapper.map("name", named.name) &&
         mapper.map("minimum", named.size.minimum) &&
         mapper.map("maximum", named.size.maximum);
}

namespace {
/// What every description tells of a variant and of the weights, and commands
/// rely on. Members that came later are looked for where they are used.
struct FirstVariant {
  std::string name;
};
struct FirstWeights {
  int64_t tensors, bytes;
  std::string content;
};

bool fromJSON(const json::Value &value, FirstVariant &variant,
              json::Path path) {
  json::ObjectMapper mapper(value, path);
  return mapper && mapper.map("name", variant.name);
}

bool fromJSON(const json::Value &value, FirstWeights &weights,
              json::Path path) {
  json::ObjectMapper mapper(value, path);
  return mapper && mapper.map("tensors", weights.tensors) &&
         mapper.map("bytes", weights.bytes) &&
         mapper.map("content", weights.content);
}

/// The same, of an open model.
struct FirstInfo {
  std::string variant;
  int64_t threads;
  struct Weights {
    std::string source;
    bool isMapped;
  } weights;
};

bool fromJSON(const json::Value &value, FirstInfo::Weights &weights,
              json::Path path) {
  json::ObjectMapper mapper(value, path);
  return mapper && mapper.map("source", weights.source) &&
         mapper.map("mapped", weights.isMapped);
}

bool fromJSON(const json::Value &value, FirstInfo &info, json::Path path) {
  json::ObjectMapper mapper(value, path);
  return mapper && mapper.map("variant", info.variant) &&
         mapper.map("threads", info.threads) &&
         mapper.map("weights", info.weights);
}
} // namespace

/// In the text of a library of another version.
static Error anotherForm(json::Path::Root &root) {
  return libraryError("error[A0705]: the library describes itself in another "
                      "form than this attnc reads: " +
                      toString(root.getError()) + "; compile the model again");
}

Error Library::readDescription() {
  Expected<json::Value> parsed = json::parse(table->describe());
  if (!parsed)
    return libraryError(
        "error[A0705]: the library's description is not JSON: " +
        toString(parsed.takeError()) + "; compile the model again");
  json::Path::Root root("description");
  json::ObjectMapper mapper(*parsed, root);
  std::vector<NamedSize> named;
  std::vector<FirstVariant> variants;
  FirstWeights weights;
  std::vector<std::string> adapters;
  if (!mapper || !mapper.map("sizes", named) ||
      !mapper.map("entries", entryList) || !mapper.map("variants", variants) ||
      !mapper.map("weights", weights) ||
      !mapper.mapOptional("adapters", adapters))
    return anotherForm(root);
  for (const NamedSize &size : named)
    sizeTable[size.name] = size.size;
  json = std::move(*parsed->getAsObject());
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

Error Library::chooseAdapter(StringRef adapter) {
  if (!table->session_adapter)
    return libraryError("error[A0709]: " + name() +
                        " has no adapters to choose from\nnote: compile it "
                        "with --adapters=DIR,..");
  if (attn_status status =
          table->session_adapter(sessionHandle, adapter.str().c_str()))
    return lastError("choosing the adapter", status);
  adapted = true;
  return Error::success();
}

const LibraryEntry *Library::findEntry(StringRef name) const {
  for (const LibraryEntry &entry : entryList)
    if (entry.name == name)
      return &entry;
  return nullptr;
}

/// The format of an argument whose elements take 16 bits, else null.
static const fltSemantics *getNarrowFormat(const LibraryArgument &argument) {
  if (argument.dtype == "bf16")
    return &APFloat::BFloat();
  return argument.dtype == "f16" ? &APFloat::IEEEhalf() : nullptr;
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
  std::deque<std::vector<uint16_t>> narrow; // addresses stay
  auto narrowBuffer = [&](size_t count) -> attn_buffer {
    std::vector<uint16_t> &bits = narrow.emplace_back(count);
    return {bits.data(), sizeof(uint16_t) * count};
  };
  for (auto [input, argument] : zip_equal(inputs, entry.inputs)) {
    attn_buffer buffer = {input.count() ? input.data() : nullptr,
                          input.bytes()};
    if (const fltSemantics *format = getNarrowFormat(argument)) {
      buffer = narrowBuffer(input.count());
      for (auto [bits, value] : zip(narrow.back(), input.numbers))
        bits = attn::toStorage(value, *format);
    }
    inputBuffers.push_back(buffer);
  }
  outputs.resize(entry.outputs.size());
  for (auto [output, argument] : zip(outputs, entry.outputs)) {
    std::vector<int64_t> shape = argument.shape(sizes);
    if (output.shape != shape || output.isInteger != argument.isInteger)
      output.resize(std::move(shape), argument.isInteger);
    outputBuffers.push_back(getNarrowFormat(argument)
                                ? narrowBuffer(output.count())
                                : attn_buffer{output.data(), output.bytes()});
  }
  if (attn_status status = table->call(
          sessionHandle, entry.name.c_str(), sizeValues.data(),
          sizeValues.size(), inputBuffers.data(), inputBuffers.size(),
          outputBuffers.data(), outputBuffers.size()))
    return lastError("calling " + entry.name, status);
  for (auto [index, argument] : enumerate(entry.outputs))
    if (const fltSemantics *format = getNarrowFormat(argument)) {
      auto bits = static_cast<const uint16_t *>(outputBuffers[index].data);
      for (auto [i, number] : enumerate(outputs[index].numbers))
        number = attn::fromStorage(bits[i], *format);
    }
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
  Expected<json::Value> parsed = json::parse(text);
  if (!parsed)
    return libraryError("error[A0705]: what the library tells of the open "
                        "model is not JSON: " +
                        toString(parsed.takeError()) +
                        "; compile the model again");
  json::Path::Root root("info");
  FirstInfo first;
  if (!fromJSON(*parsed, first, root))
    return anotherForm(root);
  return parsed;
}

} // namespace tools
} // namespace attnc
