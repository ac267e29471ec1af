//===- Safetensors.cpp - the tensors of a safetensors file ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A safetensors file is 8 bytes of header length (little endian), a header (a
// JSON object: name -> dtype, shape, data_offsets), then the data. As the
// format demands, the tensors cover the data from its first to its last byte,
// without holes and without overlaps; anything else is refused. Integer types
// that no weight uses (U16, U32, U64) and 8-bit floats are refused by name.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Safetensors.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace attnc {

/// The limit of the format's reference implementation.
static constexpr uint64_t kMaxHeader = 100'000'000;

namespace {
/// Reads one file; every message starts with its name.
class Reader {
public:
  Reader(ArrayRef<uint8_t> bytes, StringRef file) : bytes(bytes), file(file) {}
  Expected<std::vector<NamedWeight>> read();

private:
  Error fail(StringRef code, const Twine &what, const Twine &todo) const;
  Error failTensor(StringRef code, StringRef name, const Twine &what) const;
  Expected<json::Value> readHeader();
  Error checkMetadata(const json::Value &value) const;
  Expected<WeightEntry> readTensor(StringRef name,
                                   const json::Value &value) const;
  Error readShape(StringRef name, const json::Object &tensor,
                  WeightEntry &entry, uint64_t &size) const;
  Error readOffsets(StringRef name, const json::Object &tensor,
                    WeightEntry &entry, uint64_t size) const;
  Error checkCoverage(const std::vector<NamedWeight> &tensors) const;

  ArrayRef<uint8_t> bytes;
  StringRef file;
  ArrayRef<uint8_t> data; ///< what follows the header
};
} // namespace

static constexpr StringLiteral kDownload =
    "download or save the file again; it is damaged or was not written by a "
    "safetensors library";

Error Reader::fail(StringRef code, const Twine &what, const Twine &todo) const {
  return makeError(code, file + ": " + what, todo);
}

Error Reader::failTensor(StringRef code, StringRef name,
                         const Twine &what) const {
  return fail(code, "tensor " + quote(name) + " " + what, kDownload);
}

Expected<json::Value> Reader::readHeader() {
  constexpr uint64_t kPrefix = sizeof(uint64_t);
  if (bytes.size() < kPrefix)
    return fail("A0202",
                "a safetensors file starts with 8 bytes of header length; "
                "this one has " +
                    Twine(bytes.size()) + " bytes",
                "the file is empty or truncated; download or save it again");
  // What a clone without Git LFS has in the file's place.
  if (StringRef(reinterpret_cast<const char *>(bytes.data()), bytes.size())
          .starts_with("version https://git-lfs.github.com/spec/"))
    return fail("A0203",
                "a pointer of Git LFS stands where the weights should be",
                "fetch them: `git lfs pull` in the model's folder, or download "
                "the file");
  uint64_t length = support::endian::read64le(bytes.data());
  if (length > bytes.size() - kPrefix)
    return fail("A0203",
                "the header is said to take " + Twine(length) + " bytes, but " +
                    Twine(bytes.size() - kPrefix) + " follow its length",
                "the file is truncated or is not safetensors");
  if (length > kMaxHeader)
    return fail("A0203",
                "the header is said to take " + Twine(length) +
                    " bytes; the format allows " + Twine(kMaxHeader),
                kDownload);
  StringRef text(reinterpret_cast<const char *>(bytes.data() + kPrefix),
                 length);
  Expected<json::Value> header = parseJson(text);
  if (!header)
    return fail("A0204",
                "the header is not valid JSON: " + toString(header.takeError()),
                kDownload);
  if (!header->getAsObject())
    return fail("A0205",
                "the header is " + describeKind(*header) +
                    " where an object of tensors was expected",
                kDownload);
  data = bytes.drop_front(kPrefix + length);
  return header;
}

Error Reader::checkMetadata(const json::Value &value) const {
  const json::Object *object = value.getAsObject();
  if (!object)
    return fail("A0205",
                "'__metadata__' is " + describeKind(value) +
                    " where an object of strings was expected",
                kDownload);
  for (const auto &[key, text] : *object)
    if (!text.getAsString())
      return fail("A0205",
                  "'__metadata__' gives " + describeKind(text) + " for " +
                      quote(key) + " where a string was expected",
                  kDownload);
  return Error::success();
}

/// The types that a weight may have, in the order of WeightType.
static std::optional<WeightType> parseType(StringRef name) {
  return StringSwitch<std::optional<WeightType>>(name)
      .Case("F32", WeightType::F32)
      .Case("F16", WeightType::F16)
      .Case("BF16", WeightType::BF16)
      .Case("F64", WeightType::F64)
      .Case("I8", WeightType::I8)
      .Case("U8", WeightType::U8)
      .Case("I16", WeightType::I16)
      .Case("I32", WeightType::I32)
      .Case("I64", WeightType::I64)
      .Case("BOOL", WeightType::Bool)
      .Default(std::nullopt);
}

/// A number that a size or an offset may be.
static std::optional<uint64_t> getUnsigned(const json::Value &value) {
  std::optional<int64_t> number = value.getAsInteger();
  if (!number || *number < 0)
    return std::nullopt;
  return *number;
}

Error Reader::readShape(StringRef name, const json::Object &tensor,
                        WeightEntry &entry, uint64_t &size) const {
  const json::Array *shape = tensor.getArray("shape");
  if (!shape)
    return failTensor("A0205", name, "has no array 'shape'");
  bool overflow = false;
  size = getBlock(entry.type).bytes;
  for (const json::Value &value : *shape) {
    std::optional<uint64_t> dim = getUnsigned(value);
    if (!dim)
      return failTensor("A0207", name,
                        "has a dimension that is not a number from 0 to 2^63 - "
                        "1, number " +
                            Twine(entry.shape.size()) + " of its shape");
    entry.shape.push_back(*dim);
    bool stepOverflow = false;
    size = SaturatingMultiply(size, *dim, &stepOverflow);
    overflow |= stepOverflow;
  }
  // A zero dimension makes the tensor empty whatever the others are.
  if (is_contained(entry.shape, 0))
    size = 0;
  else if (overflow)
    return failTensor("A0207", name, "has more than 2^64 bytes by its shape");
  return Error::success();
}

Error Reader::readOffsets(StringRef name, const json::Object &tensor,
                          WeightEntry &entry, uint64_t size) const {
  const json::Array *offsets = tensor.getArray("data_offsets");
  if (!offsets || offsets->size() != 2)
    return failTensor("A0205", name,
                      "has no array 'data_offsets' of two numbers");
  std::optional<uint64_t> begin = getUnsigned((*offsets)[0]);
  std::optional<uint64_t> end = getUnsigned((*offsets)[1]);
  if (!begin || !end)
    return failTensor("A0208", name,
                      "has offsets that are not numbers from 0 to 2^63 - 1");
  if (*begin > *end)
    return failTensor("A0208", name,
                      "ends before it begins: " + Twine(*begin) + " to " +
                          Twine(*end));
  if (*end > data.size())
    return failTensor("A0208", name,
                      "lies at bytes " + Twine(*begin) + " to " + Twine(*end) +
                          " of the data, of which the file has " +
                          Twine(data.size()));
  if (*end - *begin != size)
    return failTensor("A0211", name,
                      "takes " + Twine(size) + " bytes by its type " +
                          getName(entry.type) + " and shape, but " +
                          Twine(*end - *begin) + " by its offsets");
  entry.bytes = data.slice(*begin, *end - *begin);
  return Error::success();
}

Expected<WeightEntry> Reader::readTensor(StringRef name,
                                         const json::Value &value) const {
  const json::Object *tensor = value.getAsObject();
  if (!tensor)
    return failTensor("A0205", name,
                      "is " + describeKind(value) +
                          " where an object was expected");
  for (const auto &[key, field] : *tensor)
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      return failTensor("A0205", name, "has an unknown field " + quote(key));
  std::optional<StringRef> typeName = tensor->getString("dtype");
  if (!typeName)
    return failTensor("A0205", name, "has no string 'dtype'");
  std::optional<WeightType> type = parseType(*typeName);
  if (!type)
    return fail("A0206",
                "tensor " + quote(name) + " has the type " + quote(*typeName) +
                    "; known are F32, F16, BF16, F64, I8, U8, I16, I32, I64, "
                    "BOOL",
                "convert the model to f32, f16 or bf16 first");
  WeightEntry entry{*type, {}, {}, 0};
  uint64_t size = 0;
  if (Error error = readShape(name, *tensor, entry, size))
    return error;
  if (Error error = readOffsets(name, *tensor, entry, size))
    return error;
  return entry;
}

/// `tensors` are sorted by where they begin.
Error Reader::checkCoverage(const std::vector<NamedWeight> &tensors) const {
  uint64_t covered = 0;
  StringRef previous;
  for (const NamedWeight &tensor : tensors) {
    uint64_t begin = tensor.entry.bytes.data() - data.data();
    if (begin < covered)
      return failTensor("A0209", tensor.name,
                        "overlaps " + quote(previous) + ": it begins at byte " +
                            Twine(begin) +
                            " of the data, where the other ends at " +
                            Twine(covered));
    if (begin > covered)
      return fail("A0210",
                  "no tensor holds bytes " + Twine(covered) + " to " +
                      Twine(begin) + " of the data, before " +
                      quote(tensor.name),
                  "the format allows no holes; save the file again");
    covered = begin + tensor.entry.bytes.size();
    previous = tensor.name;
  }
  if (covered != data.size())
    return fail("A0210",
                "no tensor holds bytes " + Twine(covered) + " to " +
                    Twine(data.size()) + " at the end of the data",
                "the format allows no holes; save the file again");
  return Error::success();
}

Expected<std::vector<NamedWeight>> Reader::read() {
  Expected<json::Value> header = readHeader();
  if (!header)
    return header.takeError();
  std::vector<NamedWeight> tensors;
  for (const auto &[key, value] : *header->getAsObject()) {
    if (key == "__metadata__") {
      if (Error error = checkMetadata(value))
        return error;
      continue;
    }
    Expected<WeightEntry> entry = readTensor(key, value);
    if (!entry)
      return entry.takeError();
    tensors.push_back({key.str(), std::move(*entry)});
  }
  // Empty tensors come before the tensor that begins where they do.
  llvm::sort(tensors, [](const NamedWeight &left, const NamedWeight &right) {
    return std::make_tuple(left.entry.bytes.data(), left.entry.bytes.size(),
                           StringRef(left.name)) <
           std::make_tuple(right.entry.bytes.data(), right.entry.bytes.size(),
                           StringRef(right.name));
  });
  if (Error error = checkCoverage(tensors))
    return error;
  return tensors;
}

Expected<std::vector<NamedWeight>> readSafetensors(ArrayRef<uint8_t> bytes,
                                                   StringRef file) {
  return Reader(bytes, file).read();
}

} // namespace attnc
