//===- Gguf.cpp - the tensors and the metadata of a GGUF file -------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The file is a header (magic, version, two counts), metadata (key, type,
// value), tensor infos (name, dimensions with the fastest first, type, offset),
// and the tensors' bytes, each aligned. Counts are believed only as far as the
// bytes that they would need at least are there, so that a few hostile bytes
// cannot ask for memory. Declined: version 1, big-endian files, types that no
// model of today is stored in, tensors that overlap.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Gguf.h"
#include "compiler/import/BlockFormats.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace attnc {

static constexpr StringLiteral kMagic = "GGUF";
static constexpr StringLiteral kAgain =
    "download or convert the file again; it is damaged or was not written by a "
    "GGUF library";

/// Types of metadata, by their numbers in the format.
enum class ValueType : uint32_t {
  U8,
  I8,
  U16,
  I16,
  U32,
  I32,
  F32,
  Bool,
  String,
  Array,
  U64,
  I64,
  F64
};

namespace {
/// Takes numbers and strings off the front of the file.
class Cursor {
public:
  explicit Cursor(ArrayRef<uint8_t> bytes) : bytes(bytes), rest(bytes) {}

  size_t left() const { return rest.size(); }
  size_t position() const { return bytes.size() - rest.size(); }

  template <typename T> bool take(T &value) {
    if (rest.size() < sizeof(T))
      return false;
    value = support::endian::read<T, llvm::endianness::little>(rest.data());
    rest = rest.drop_front(sizeof(T));
    return true;
  }
  bool take(StringRef &text) {
    uint64_t length = 0;
    if (!take(length) || length > rest.size())
      return false;
    text = StringRef(reinterpret_cast<const char *>(rest.data()), length);
    rest = rest.drop_front(length);
    return true;
  }

private:
  ArrayRef<uint8_t> bytes, rest;
};

/// Reads one file; every message starts with its name.
class Reader {
public:
  Reader(ArrayRef<uint8_t> bytes, StringRef file)
      : bytes(bytes), file(file), cursor(bytes) {}
  Expected<GgufFile> read();

private:
  struct TensorInfo {
    std::string name;
    WeightType type;
    SmallVector<int64_t> shape;
    uint64_t offset, size;
  };

  Error fail(StringRef code, const Twine &what, const Twine &todo) const {
    return makeError(code, file + ": " + what, todo);
  }
  Error truncated(const Twine &where) const {
    return fail("A0231", "the file ends inside " + where, kAgain);
  }
  Error readHeader(uint64_t &tensors, uint64_t &values);
  Error readPair();
  Expected<json::Value> readValue(StringRef key, ValueType type,
                                  unsigned depth);
  Expected<json::Value> readArray(StringRef key, unsigned depth);
  template <typename T, typename As>
  Expected<json::Value> readNumber(StringRef key);
  Expected<TensorInfo> readInfo();
  Error readType(StringRef name, uint32_t number, TensorInfo &info) const;
  Error place(ArrayRef<TensorInfo> infos);
  Expected<uint64_t> getAlignment() const;

  ArrayRef<uint8_t> bytes;
  StringRef file;
  Cursor cursor;
  GgufFile result;
};
} // namespace

bool isGguf(ArrayRef<uint8_t> bytes) {
  return bytes.size() >= kMagic.size() &&
         StringRef(reinterpret_cast<const char *>(bytes.data()),
                   kMagic.size()) == kMagic;
}

Error Reader::readHeader(uint64_t &tensors, uint64_t &values) {
  uint32_t magic = 0, version = 0;
  if (!isGguf(bytes) || !cursor.take(magic))
    return fail("A0230", "the file does not begin with 'GGUF'", kAgain);
  if (!cursor.take(version) || !cursor.take(tensors) || !cursor.take(values))
    return truncated("its header");
  if (version != 2 && version != 3) {
    bool isBig = llvm::byteswap(version) == 2 || llvm::byteswap(version) == 3;
    return fail("A0230",
                isBig ? Twine("the file is big-endian; read are little-endian "
                              "ones")
                      : "the file has version " + Twine(version) +
                            "; read are versions 2 and 3",
                "convert the model again with a current converter");
  }
  // The least that one of each takes.
  constexpr uint64_t kLeastValue = 8 + 4 + 1, kLeastTensor = 8 + 4 + 8 + 4 + 8;
  if (values > cursor.left() / kLeastValue ||
      tensors > cursor.left() / kLeastTensor)
    return fail("A0231",
                "the header counts " + Twine(values) + " values and " +
                    Twine(tensors) + " tensors, more than " +
                    Twine(cursor.left()) + " bytes can hold",
                kAgain);
  return Error::success();
}

template <typename T, typename As>
Expected<json::Value> Reader::readNumber(StringRef key) {
  T value;
  if (!cursor.take(value))
    return truncated("the value of " + quote(key));
  return json::Value(static_cast<As>(value));
}

Expected<json::Value> Reader::readArray(StringRef key, unsigned depth) {
  constexpr unsigned kMaxDepth = 4;
  uint32_t type = 0;
  uint64_t count = 0;
  if (!cursor.take(type) || !cursor.take(count))
    return truncated("the value of " + quote(key));
  if (depth >= kMaxDepth)
    return fail("A0232",
                quote(key) + " nests arrays deeper than " + Twine(kMaxDepth),
                kAgain);
  if (count > cursor.left())
    return fail("A0231",
                quote(key) + " counts " + Twine(count) + " elements, but " +
                    Twine(cursor.left()) + " bytes follow",
                kAgain);
  json::Array array;
  for (uint64_t i = 0; i < count; ++i) {
    Expected<json::Value> element =
        readValue(key, static_cast<ValueType>(type), depth + 1);
    if (!element)
      return element.takeError();
    array.push_back(std::move(*element));
  }
  return json::Value(std::move(array));
}

Expected<json::Value> Reader::readValue(StringRef key, ValueType type,
                                        unsigned depth) {
  switch (type) {
  case ValueType::U8:
    return readNumber<uint8_t, int64_t>(key);
  case ValueType::I8:
    return readNumber<int8_t, int64_t>(key);
  case ValueType::U16:
    return readNumber<uint16_t, int64_t>(key);
  case ValueType::I16:
    return readNumber<int16_t, int64_t>(key);
  case ValueType::U32:
    return readNumber<uint32_t, int64_t>(key);
  case ValueType::I32:
    return readNumber<int32_t, int64_t>(key);
  case ValueType::U64:
    return readNumber<uint64_t, uint64_t>(key);
  case ValueType::I64:
    return readNumber<int64_t, int64_t>(key);
  case ValueType::F32:
    return readNumber<float, double>(key);
  case ValueType::F64:
    return readNumber<double, double>(key);
  case ValueType::Bool: {
    uint8_t value = 0;
    if (!cursor.take(value))
      return truncated("the value of " + quote(key));
    if (value > 1)
      return fail("A0232",
                  quote(key) + " has the truth value " +
                      Twine(unsigned(value)) + "; expected 0 or 1",
                  kAgain);
    return json::Value(value == 1);
  }
  case ValueType::String: {
    StringRef text;
    if (!cursor.take(text))
      return truncated("the value of " + quote(key));
    if (!json::isUTF8(text))
      return fail("A0232", quote(key) + " holds text that is not UTF-8",
                  kAgain);
    return json::Value(text.str());
  }
  case ValueType::Array:
    return readArray(key, depth);
  }
  return fail("A0232",
              quote(key) + " has a value of the unknown type " +
                  Twine(static_cast<uint32_t>(type)),
              kAgain);
}

Error Reader::readPair() {
  StringRef key;
  uint32_t type = 0;
  if (!cursor.take(key) || !cursor.take(type))
    return truncated("the metadata");
  if (key.empty() || key.size() > 65535 || !json::isUTF8(key))
    return fail("A0232",
                "the metadata have a key of " + Twine(key.size()) +
                    " bytes that is no text of 1 to 65535 bytes",
                kAgain);
  Expected<json::Value> value =
      readValue(key, static_cast<ValueType>(type), /*depth=*/0);
  if (!value)
    return value.takeError();
  if (!result.metadata.try_emplace(key.str(), std::move(*value)).second)
    return fail("A0232", "the metadata have " + quote(key) + " twice", kAgain);
  return Error::success();
}

/// Sets the type and the bytes of `info`, whose shape is known.
Error Reader::readType(StringRef name, uint32_t number,
                       TensorInfo &info) const {
  static constexpr std::pair<uint32_t, WeightType> kTypes[] = {
      {0, WeightType::F32},   {1, WeightType::F16},  {2, WeightType::Q4_0},
      {3, WeightType::Q4_1},  {8, WeightType::Q8_0}, {12, WeightType::Q4_K},
      {14, WeightType::Q6_K}, {24, WeightType::I8},  {25, WeightType::I16},
      {26, WeightType::I32},  {27, WeightType::I64}, {28, WeightType::F64},
      {30, WeightType::BF16},
  };
  const auto *known = llvm::find_if(
      kTypes, [&](const auto &type) { return type.first == number; });
  if (known == std::end(kTypes))
    return fail("A0234",
                "tensor " + quote(name) + " has ggml's type " + Twine(number) +
                    "; known are F32, F16, BF16, F64, Q8_0, Q4_0, Q4_1, Q4_K, "
                    "Q6_K and integers",
                "quantize the model to one of these");
  info.type = known->second;
  WeightBlock block = getBlock(info.type);
  // Rows are cut into blocks: the fastest dimension holds whole ones.
  int64_t row = info.shape.empty() ? 1 : info.shape.back();
  if (row % block.elements != 0)
    return fail("A0233",
                "tensor " + quote(name) + " has rows of " + Twine(row) +
                    " elements, which is no multiple of the " +
                    Twine(block.elements) + " that a block of " +
                    getName(info.type) + " holds",
                kAgain);
  bool overflow = false;
  info.size = block.bytes;
  for (int64_t dim : ArrayRef(info.shape).drop_back(!info.shape.empty())) {
    bool stepOverflow = false;
    info.size = SaturatingMultiply<uint64_t>(info.size, dim, &stepOverflow);
    overflow |= stepOverflow;
  }
  bool stepOverflow = false;
  info.size = SaturatingMultiply<uint64_t>(info.size, row / block.elements,
                                           &stepOverflow);
  if (overflow || stepOverflow)
    return fail("A0233",
                "tensor " + quote(name) +
                    " has more than 2^64 bytes by its "
                    "shape",
                kAgain);
  return Error::success();
}

Expected<Reader::TensorInfo> Reader::readInfo() {
  constexpr uint32_t kMaxRank = 4;
  StringRef name;
  uint32_t rank = 0, type = 0;
  if (!cursor.take(name) || !cursor.take(rank))
    return truncated("the list of tensors");
  if (name.empty() || !json::isUTF8(name))
    return fail("A0233", "a tensor's name is empty or not UTF-8", kAgain);
  if (rank > kMaxRank)
    return fail("A0233",
                "tensor " + quote(name) + " has " + Twine(rank) +
                    " dimensions; the format allows " + Twine(kMaxRank),
                kAgain);
  TensorInfo info{name.str(), WeightType::F32, {}, 0, 0};
  for (uint32_t i = 0; i < rank; ++i) {
    uint64_t dim = 0;
    if (!cursor.take(dim))
      return truncated("the list of tensors");
    if (dim < 1 || dim > uint64_t(INT64_MAX))
      return fail("A0233",
                  "tensor " + quote(name) + " has a dimension of " +
                      Twine(dim) + " elements",
                  kAgain);
    info.shape.push_back(static_cast<int64_t>(dim));
  }
  // The file lists the fastest dimension first.
  std::reverse(info.shape.begin(), info.shape.end());
  if (!cursor.take(type) || !cursor.take(info.offset))
    return truncated("the list of tensors");
  if (Error error = readType(name, type, info))
    return error;
  return info;
}

Expected<uint64_t> Reader::getAlignment() const {
  constexpr uint64_t kDefault = 32, kMost = uint64_t(1) << 20;
  const json::Value *value = result.metadata.get("general.alignment");
  if (!value)
    return kDefault;
  std::optional<int64_t> given = value->getAsInteger();
  if (given && *given >= 1 && uint64_t(*given) <= kMost &&
      isPowerOf2_64(*given))
    return *given;
  return fail("A0232",
              "'general.alignment' is no power of two from 1 to " +
                  Twine(kMost),
              kAgain);
}

/// Finds every tensor's bytes.
Error Reader::place(ArrayRef<TensorInfo> infos) {
  Expected<uint64_t> alignment = getAlignment();
  if (!alignment)
    return alignment.takeError();
  uint64_t begin = alignTo(cursor.position(), *alignment);
  ArrayRef<uint8_t> data =
      begin <= bytes.size() ? bytes.drop_front(begin) : ArrayRef<uint8_t>();
  StringSet<> names;
  for (const TensorInfo &info : infos) {
    if (!names.insert(info.name).second)
      return fail("A0233", "two tensors are called " + quote(info.name),
                  kAgain);
    if (info.offset % *alignment != 0)
      return fail("A0235",
                  "tensor " + quote(info.name) + " begins at byte " +
                      Twine(info.offset) +
                      " of the data, which is no multiple "
                      "of the alignment " +
                      Twine(*alignment),
                  kAgain);
    if (info.offset > data.size() || info.size > data.size() - info.offset)
      return fail("A0235",
                  "tensor " + quote(info.name) + " takes " + Twine(info.size) +
                      " bytes from byte " + Twine(info.offset) +
                      " of the data, of which the file has " +
                      Twine(data.size()),
                  kAgain);
    result.tensors.push_back(
        {info.name, WeightEntry{info.type, info.shape,
                                data.slice(info.offset, info.size), 0}});
  }
  std::vector<const NamedWeight *> sorted;
  for (const NamedWeight &tensor : result.tensors)
    sorted.push_back(&tensor);
  llvm::sort(sorted, [](const NamedWeight *left, const NamedWeight *right) {
    return left->entry.bytes.data() < right->entry.bytes.data();
  });
  for (size_t i = 1; i < sorted.size(); ++i)
    if (sorted[i - 1]->entry.bytes.end() > sorted[i]->entry.bytes.begin())
      return fail("A0235",
                  "the tensors " + quote(sorted[i - 1]->name) + " and " +
                      quote(sorted[i]->name) + " overlap",
                  kAgain);
  return Error::success();
}

Expected<GgufFile> Reader::read() {
  uint64_t tensors = 0, values = 0;
  if (Error error = readHeader(tensors, values))
    return error;
  for (uint64_t i = 0; i < values; ++i)
    if (Error error = readPair())
      return error;
  std::vector<TensorInfo> infos;
  for (uint64_t i = 0; i < tensors; ++i) {
    Expected<TensorInfo> info = readInfo();
    if (!info)
      return info.takeError();
    infos.push_back(std::move(*info));
  }
  if (Error error = place(infos))
    return error;
  return std::move(result);
}

Expected<GgufFile> readGguf(ArrayRef<uint8_t> bytes, StringRef file) {
  return Reader(bytes, file).read();
}

} // namespace attnc
