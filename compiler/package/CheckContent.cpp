//===- CheckContent.cpp - a weights file's bytes against its digest -----===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Opening a library compares the digest that the weights' header names, without
// reading the tensors. Here it is computed again from the bytes, as the writer
// did: over the tensors in the file's order, without the padding between them.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/Package.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

namespace attnc {
namespace {

struct Tensor {
  std::string key;
  uint64_t begin, end;
  size_t place; ///< in the header's text
};

/// The tensors that the header lists, in its order; nothing if it is no header
/// of a file with `bytes` bytes of data.
std::optional<std::vector<Tensor>> readHeader(StringRef text, uint64_t bytes) {
  Expected<json::Value> parsed = json::parse(text);
  if (!parsed) {
    consumeError(parsed.takeError());
    return std::nullopt;
  }
  const json::Object *header = parsed->getAsObject();
  if (!header)
    return std::nullopt;
  std::vector<Tensor> tensors;
  for (auto &[name, value] : *header) {
    StringRef key = name;
    if (key == "__metadata__" || key.starts_with(kPaddingPrefix))
      continue;
    const json::Object *entry = value.getAsObject();
    const json::Array *offsets =
        entry ? entry->getArray("data_offsets") : nullptr;
    if (!offsets || offsets->size() != 2)
      return std::nullopt;
    std::optional<uint64_t> begin = (*offsets)[0].getAsUINT64(),
                            end = (*offsets)[1].getAsUINT64();
    if (!begin || !end || *begin > *end || *end > bytes)
      return std::nullopt;
    std::string quoted = formatv("{0}:", json::Value(key));
    tensors.push_back({key.str(), *begin, *end, text.find(quoted)});
  }
  // Tensors without bytes share an offset with the next.
  llvm::sort(tensors, [](const Tensor &a, const Tensor &b) {
    return std::tie(a.begin, a.end, a.place) <
           std::tie(b.begin, b.end, b.place);
  });
  return tensors;
}

} // namespace

Error checkContent(StringRef path, StringRef expected) {
  auto failure = [&](const Twine &what) {
    return createStringError(inconvertibleErrorCode(),
                             "error[A0707]: the weights '" + path + "' " +
                                 what);
  };
  ErrorOr<std::unique_ptr<MemoryBuffer>> file =
      MemoryBuffer::getFile(path, /*IsText=*/false,
                            /*RequiresNullTerminator=*/false);
  if (!file)
    return failure("cannot be read: " + file.getError().message());
  StringRef bytes = (*file)->getBuffer();
  uint64_t length =
      bytes.size() < 8 ? 0 : support::endian::read64le(bytes.data());
  if (bytes.size() < 8 || length > bytes.size() - 8)
    return failure("end within their header");
  StringRef data = bytes.drop_front(8 + length);
  std::optional<std::vector<Tensor>> tensors =
      readHeader(bytes.substr(8, length), data.size());
  if (!tensors)
    return failure("have a damaged header");
  std::vector<TensorDigest> digests;
  for (const Tensor &tensor : *tensors)
    digests.push_back({tensor.key, digestBytes(arrayRefFromStringRef(
                                       data.slice(tensor.begin, tensor.end)))});
  std::string found = digestContent(digests);
  if (found != expected)
    return failure("are damaged: their bytes have the digest " + found +
                   ", the library was compiled with " + expected +
                   "\nnote: take the file that `attnc compile` wrote beside "
                   "the library, or compile the model again");
  return Error::success();
}

} // namespace attnc
