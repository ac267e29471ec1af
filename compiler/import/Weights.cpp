//===- Weights.cpp - bytes of a model's tensors ---------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Maps files, finds tensors by name, hashes the sources of a weight and applies
// its recipe: convert to f32, concatenate, transpose, regroup rows, add. Every
// function that is const may run in several threads at once. Declined: integer
// sources (a weight is made of floating-point numbers) and f64 numbers that f32
// cannot hold.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Weights.h"
#include "compiler/import/Adapter.h"
#include "compiler/import/BlockFormats.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/GgufModel.h"
#include "compiler/import/Json.h"
#include "compiler/import/Safetensors.h"
#include "compiler/import/StoredWeights.h"
#include "dialects/attn/ProjectedWeight.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <cmath>
#include <cstring>
#include <numeric>

using namespace llvm;

namespace attnc {

namespace {
struct TypeRow {
  StringLiteral name;
  WeightBlock block;
};
} // namespace

/// In the order of WeightType.
static constexpr TypeRow kTypes[] = {
    {"F32", {1, 4}},    {"F16", {1, 2}},      {"BF16", {1, 2}},
    {"F64", {1, 8}},    {"I8", {1, 1}},       {"U8", {1, 1}},
    {"I16", {1, 2}},    {"I32", {1, 4}},      {"I64", {1, 8}},
    {"BOOL", {1, 1}},   {"Q8_0", {32, 34}},   {"Q4_0", {32, 18}},
    {"Q4_1", {32, 20}}, {"Q4_K", {256, 144}}, {"Q6_K", {256, 210}}};

StringRef getName(WeightType type) {
  return kTypes[static_cast<unsigned>(type)].name;
}

WeightBlock getBlock(WeightType type) {
  return kTypes[static_cast<unsigned>(type)].block;
}

int64_t WeightEntry::numElements() const {
  WeightBlock block = getBlock(type);
  return bytes.size() / block.bytes * block.elements;
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

/// By what the file begins with.
static Expected<std::vector<NamedWeight>> readTensors(ArrayRef<uint8_t> bytes,
                                                      StringRef path) {
  if (!isGguf(bytes))
    return readSafetensors(bytes, path);
  Expected<GgufFile> file = readGguf(bytes, path);
  if (!file)
    return file.takeError();
  renameTensors(*file);
  return std::move(file->tensors);
}

Error WeightTable::addFile(StringRef path) {
  // A directory or a pipe would fail later with a message about neither.
  sys::fs::file_status status;
  std::error_code code = sys::fs::status(path, status);
  if (!code && status.type() != sys::fs::file_type::regular_file)
    code = std::make_error_code(std::errc::invalid_argument);
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = code;
  if (!code)
    buffer = MemoryBuffer::getFile(path, /*IsText=*/false,
                                   /*RequiresNullTerminator=*/false);
  if (!buffer)
    return makeError("A0201",
                     "cannot read the weights file " + path + ": " +
                         buffer.getError().message(),
                     "check that the path is a readable file");
  StringRef text = (*buffer)->getBuffer();
  Expected<std::vector<NamedWeight>> tensors =
      readTensors({text.bytes_begin(), text.size()}, path);
  if (!tensors)
    return tensors.takeError();
  StringSet<> names;
  for (const NamedWeight &tensor : *tensors) {
    // Two names in a GGUF file may mean the same.
    if (!names.insert(tensor.name).second)
      return makeError("A0212",
                       "tensor " + quote(tensor.name) + " is twice in " + path,
                       "convert the model again with a current converter");
    if (const WeightEntry *other = find(tensor.name))
      return makeError("A0212",
                       "tensor " + quote(tensor.name) + " is both in " +
                           paths[other->file] + " and in " + path,
                       "keep the files of one model only in the folder");
  }
  unsigned file = paths.size();
  for (NamedWeight &tensor : *tensors) {
    tensor.entry.file = file;
    entries.try_emplace(tensor.name, std::move(tensor.entry));
  }
  paths.push_back(path.str());
  buffers.push_back(std::move(*buffer));
  return Error::success();
}

Error WeightTable::addFiles(mlir::ModuleOp module, StringRef directory) {
  mlir::Attribute attribute = module->getAttr(attn::AttnDialect::kFilesAttr);
  if (!attribute)
    return Error::success();
  // The dialect's verifier has seen that it is a list of strings.
  for (auto path :
       cast<mlir::ArrayAttr>(attribute).getAsRange<mlir::StringAttr>()) {
    SmallString<256> absolute(path.getValue());
    if (sys::path::is_relative(absolute)) {
      absolute = directory;
      sys::path::append(absolute, path.getValue());
    }
    if (Error error = addFile(absolute))
      return error;
  }
  return Error::success();
}

WeightTable::WeightTable() = default;
WeightTable::WeightTable(WeightTable &&) = default;
WeightTable &WeightTable::operator=(WeightTable &&) = default;
WeightTable::~WeightTable() = default;

void WeightTable::addUpdate(StringRef name, LowRankUpdate update) {
  assert(find(name) && "an update changes what is there");
  updates[name] = std::make_unique<LowRankUpdate>(std::move(update));
}

void WeightTable::replace(StringRef name, const WeightEntry &entry) {
  entries.insert_or_assign(name, entry);
  replaced.insert(name);
}

void WeightTable::keepAlive(WeightTable other) {
  for (auto &buffer : other.buffers)
    buffers.push_back(std::move(buffer));
}

unsigned WeightTable::addChoice(StringRef name) {
  choiceNames.push_back(name.str());
  choiceEntries.emplace_back();
  return choiceNames.size() - 1;
}

void WeightTable::addTensor(StringRef name, ArrayRef<int64_t> shape,
                            std::vector<float> numbers,
                            std::optional<unsigned> choice) {
  const std::vector<float> &kept = *owned.emplace_back(
      std::make_unique<std::vector<float>>(std::move(numbers)));
  WeightEntry entry{WeightType::F32,
                    SmallVector<int64_t>(shape),
                    {reinterpret_cast<const uint8_t *>(kept.data()),
                     kept.size() * sizeof(float)},
                    /*file=*/0};
  (choice ? choiceEntries[*choice] : entries)
      .insert_or_assign(name, std::move(entry));
}

void WeightTable::replaceInChoice(unsigned choice, StringRef name,
                                  const WeightEntry &entry) {
  choiceEntries[choice].insert_or_assign(name, entry);
}

bool WeightTable::differs(attn::WeightOp weight, unsigned choice) const {
  return any_of(weight.getSources().getAsRange<mlir::StringAttr>(),
                [&](mlir::StringAttr name) {
                  return choiceEntries[choice].contains(name.getValue());
                });
}

const WeightEntry *WeightTable::find(StringRef name,
                                     std::optional<unsigned> choice) const {
  if (choice)
    if (auto own = choiceEntries[*choice].find(name);
        own != choiceEntries[*choice].end())
      return &own->second;
  auto found = entries.find(name);
  return found == entries.end() ? nullptr : &found->second;
}

bool WeightTable::isPlain(StringRef name) const {
  return !updates.contains(name) &&
         none_of(choiceEntries, [&](const StringMap<WeightEntry> &own) {
           return own.contains(name);
         });
}

std::vector<StringRef> WeightTable::names() const {
  std::vector<StringRef> result(entries.keys().begin(), entries.keys().end());
  llvm::sort(result);
  return result;
}

//===----------------------------------------------------------------------===//
// Recipes
//===----------------------------------------------------------------------===//

/// The entries of a weight's sources, in order.
static Expected<SmallVector<const WeightEntry *>>
findSources(const WeightTable &table, attn::WeightOp weight,
            std::optional<unsigned> choice = std::nullopt) {
  SmallVector<const WeightEntry *> sources;
  for (auto name : weight.getSources().getAsRange<mlir::StringAttr>()) {
    const WeightEntry *entry = table.find(name.getValue(), choice);
    if (!entry)
      return makeError(
          "A0220",
          "the weight @" + weight.getSymName() + " needs the tensor " +
              quote(name.getValue()) + ", which is in none of the " +
              Twine(table.files().size()) + " weights files",
          "check that the weights belong to this model and are complete");
    sources.push_back(entry);
  }
  return sources;
}

Expected<std::string> WeightTable::digest(attn::WeightOp weight) const {
  auto sources = findSources(*this, weight);
  if (!sources)
    return sources.takeError();
  BLAKE3 hasher;
  // Lengths come before what they measure, so that no two lists of sources
  // give the same bytes.
  auto hashNumber = [&](uint64_t number) {
    uint8_t bytes[sizeof(uint64_t)];
    support::endian::write64le(bytes, number);
    hasher.update(bytes);
  };
  for (auto [name, source] : zip_equal(
           weight.getSources().getAsRange<mlir::StringAttr>(), *sources)) {
    hashNumber(static_cast<unsigned>(source->type));
    hashNumber(source->shape.size());
    for (int64_t dim : source->shape)
      hashNumber(dim);
    hasher.update(source->bytes);
    if (auto update = updates.find(name.getValue()); update != updates.end())
      hasher.update(update->second->digest);
    for (const StringMap<WeightEntry> &own : choiceEntries)
      if (auto entry = own.find(name.getValue()); entry != own.end())
        hasher.update(entry->second.bytes);
  }
  return toHex(hasher.final<16>(), /*LowerCase=*/true);
}

/// Widens or narrows `count` elements; false if a finite number overflows.
static bool convertToF32(WeightType type, const uint8_t *from, float *to,
                         size_t count) {
  using namespace support::endian;
  switch (type) {
  case WeightType::F32:
    std::memcpy(to, from, count * sizeof(float));
    return true;
  case WeightType::F16:
    for (size_t i = 0; i < count; ++i)
      to[i] = widenHalf(read16le(from + 2 * i));
    return true;
  case WeightType::BF16:
    for (size_t i = 0; i < count; ++i)
      to[i] = llvm::bit_cast<float>(uint32_t(read16le(from + 2 * i)) << 16);
    return true;
  case WeightType::F64:
    for (size_t i = 0; i < count; ++i) {
      double value = llvm::bit_cast<double>(read64le(from + 8 * i));
      to[i] = static_cast<float>(value);
      if (std::isinf(to[i]) && !std::isinf(value))
        return false;
    }
    return true;
  default:
    decodeBlocks(type, from, to, count / getBlock(type).elements);
    return true;
  }
}

static bool isFloat(WeightType type) {
  return type == WeightType::F32 || type == WeightType::F16 ||
         type == WeightType::BF16 || type == WeightType::F64 ||
         getBlock(type).elements > 1;
}

static Error makeNoFloats(StringRef name, WeightType type) {
  return makeError("A0221",
                   "tensor " + quote(name) + " holds " + getName(type) +
                       " numbers; a weight is made of F32, F16, BF16, F64 or "
                       "GGUF's Q8_0, Q4_0, Q4_1, Q4_K or Q6_K",
                   "take the unquantized weights of the model");
}

/// A shape with its last dimensions multiplied into one, `rank` in all.
static SmallVector<int64_t> flattenLast(ArrayRef<int64_t> shape, size_t rank) {
  SmallVector<int64_t> flat(shape);
  while (flat.size() > std::max<size_t>(rank, 1))
    flat.end()[-2] *= flat.back(), flat.pop_back();
  return flat;
}

static Error makeOtherShape(attn::WeightOp weight, StringRef name,
                            ArrayRef<int64_t> shape,
                            ArrayRef<int64_t> expected) {
  return makeError("A0222",
                   "tensor " + quote(name) + " has the shape " +
                       formatShape(shape) + "; the weight @" +
                       weight.getSymName() + " needs " + formatShape(expected),
                   "check that the weights belong to this model");
}

static StringRef getSourceName(attn::WeightOp weight, size_t index) {
  return cast<mlir::StringAttr>(weight.getSources()[index]).getValue();
}

/// Checks the sources of a weight that is computed. The first tells how many
/// numbers rows have.
static Error checkProjection(attn::WeightOp weight,
                             ArrayRef<const WeightEntry *> sources) {
  auto type = cast<mlir::RankedTensorType>(weight.getType());
  ArrayRef<int64_t> rows = sources.front()->shape;
  const int64_t depth = rows.empty() ? 1 : std::max<int64_t>(rows.back(), 1);
  const int64_t columns = type.getDimSize(0) * type.getDimSize(1);
  const SmallVector<int64_t> expected[] = {{type.getDimSize(2), depth},
                                           {columns, depth},
                                           {columns},
                                           {depth},
                                           {depth}};
  for (auto [index, source] : enumerate(sources)) {
    StringRef name = getSourceName(weight, index);
    if (!isFloat(source->type))
      return makeNoFloats(name, source->type);
    if (source->shape != expected[index])
      return makeOtherShape(weight, name, source->shape, expected[index]);
  }
  return Error::success();
}

/// Checks types and shapes of the sources; `shape` is what they make together.
static Error checkSources(attn::WeightOp weight,
                          ArrayRef<const WeightEntry *> sources,
                          ArrayRef<int64_t> shape) {
  bool concatenates = weight.getConcat().has_value();
  unsigned axis = weight.getConcat().value_or(0);
  int64_t sum = 0;
  for (auto [index, source] : enumerate(sources)) {
    StringRef name = getSourceName(weight, index);
    if (!isFloat(source->type))
      return makeNoFloats(name, source->type);
    SmallVector<int64_t> expected(shape);
    if (!concatenates && !weight.getTranspose() &&
        flattenLast(source->shape, shape.size()) == expected)
      continue;
    if (concatenates && source->shape.size() == shape.size())
      expected[axis] = source->shape[axis];
    if (ArrayRef<int64_t>(expected) != ArrayRef<int64_t>(source->shape))
      return makeOtherShape(weight, name, source->shape, expected);
    sum += concatenates ? source->shape[axis] : 0;
  }
  if (concatenates && sum != shape[axis])
    return makeError("A0222",
                     "the sources of @" + weight.getSymName() + " have " +
                         Twine(sum) + " rows along dimension " + Twine(axis) +
                         "; the weight has " + Twine(shape[axis]),
                     "check that the weights belong to this model");
  return Error::success();
}

/// The last two dimensions exchanged; `rows` and `columns` are the input's.
static std::vector<float> transpose(ArrayRef<float> from, int64_t rows,
                                    int64_t columns) {
  constexpr int64_t kBlock = 32; // both sides of a block stay in L1
  std::vector<float> to(from.size());
  int64_t matrix = rows * columns;
  for (int64_t base = 0; base < int64_t(from.size()); base += matrix)
    for (int64_t r0 = 0; r0 < rows; r0 += kBlock)
      for (int64_t c0 = 0; c0 < columns; c0 += kBlock)
        for (int64_t r = r0; r < std::min(rows, r0 + kBlock); ++r)
          for (int64_t c = c0; c < std::min(columns, c0 + kBlock); ++c)
            to[base + c * rows + r] = from[base + r * columns + c];
  return to;
}

/// Of rows that stand in groups, the first part of every group, then the next
/// part of every group, and so on.
static std::vector<float> ungroup(ArrayRef<float> from, ArrayRef<int64_t> parts,
                                  int64_t rows) {
  const int64_t width = from.size() / rows;
  const int64_t group =
      width * std::accumulate(parts.begin(), parts.end(), int64_t(0));
  std::vector<float> to;
  to.reserve(from.size());
  int64_t before = 0;
  for (int64_t part : parts) {
    for (int64_t base = before; base < int64_t(from.size()); base += group)
      to.insert(to.end(), from.begin() + base,
                from.begin() + base + part * width);
    before += part * width;
  }
  return to;
}

/// The shape of the concatenated sources: the type's, before transposition.
static SmallVector<int64_t> getSourceShape(attn::WeightOp weight) {
  SmallVector<int64_t> shape(
      cast<mlir::RankedTensorType>(weight.getType()).getShape());
  if (weight.getTranspose() && shape.size() >= 2)
    std::swap(shape.end()[-1], shape.end()[-2]);
  return shape;
}

Error WeightTable::check(attn::WeightOp weight) const {
  auto sources = findSources(*this, weight);
  if (!sources)
    return sources.takeError();
  SmallVector<int64_t> shape = getSourceShape(weight);
  const bool isComputed = attn::isProjected(weight);
  if (weight.getTranspose() && shape.size() < 2)
    return makeError("A0222",
                     "the weight @" + weight.getSymName() +
                         " has fewer than two dimensions to transpose",
                     "drop 'transpose' or correct the type");
  if (Error error = isComputed ? checkProjection(weight, *sources)
                               : checkSources(weight, *sources, shape))
    return error;
  // Where a program says so by itself, these blocks are what it keeps.
  auto stored =
      weight->getAttrOfType<mlir::StringAttr>(attn::AttnDialect::kStoredAttr);
  if (stored && getStoredFormat(*this, weight) != stored.getValue())
    return makeError("A0223",
                     "the program keeps @" + weight.getSymName() +
                         " as its file does, in " + stored.getValue() +
                         "; these files have none of it",
                     "give the weights that the program was made from, or drop "
                     "'attn.stored'");
  if (std::optional<StringRef> expected = weight.getDigest()) {
    Expected<std::string> actual = digest(weight);
    if (!actual)
      return actual.takeError();
    if (*actual != *expected)
      return makeError("A0223",
                       "the sources of @" + weight.getSymName() +
                           " have the digest " + *actual +
                           "; the program was "
                           "made from " +
                           *expected,
                       "give the weights that the program was made from, or "
                       "drop the digest if the change is meant");
  }
  return Error::success();
}

/// The tensor `name` at `to`.
static Error convert(StringRef name, const WeightEntry &source, float *to) {
  if (convertToF32(source.type, source.bytes.data(), to, source.numElements()))
    return Error::success();
  return makeError("A0224",
                   "tensor " + quote(name) +
                       " holds an F64 number beyond the range of F32",
                   "save the model in F32");
}

Expected<std::vector<float>>
WeightTable::read(StringRef name, std::optional<unsigned> choice) const {
  const WeightEntry *entry = find(name, choice);
  assert(entry && "the caller has seen it");
  if (!isFloat(entry->type))
    return makeNoFloats(name, entry->type);
  std::vector<float> numbers(entry->numElements());
  if (Error error = convert(name, *entry, numbers.data()))
    return error;
  if (auto update = updates.find(name); update != updates.end())
    update->second->apply(numbers);
  return numbers;
}

Expected<std::vector<float>>
WeightTable::materialize(attn::WeightOp weight,
                         std::optional<unsigned> choice) const {
  if (Error error = check(weight))
    return error;
  if (attn::isProjected(weight))
    return project(weight, choice);
  SmallVector<const WeightEntry *> sources =
      cantFail(findSources(*this, weight, choice));
  SmallVector<int64_t> shape = getSourceShape(weight);
  unsigned axis = weight.getConcat().value_or(0);
  ArrayRef<int64_t> dims(shape);
  auto product = [](ArrayRef<int64_t> dims) {
    return std::accumulate(dims.begin(), dims.end(), int64_t(1),
                           std::multiplies<int64_t>());
  };
  int64_t outer = product(dims.take_front(axis));
  int64_t stride = product(dims.drop_front(axis));
  std::vector<float> values(outer * stride);
  int64_t offset = 0;
  for (auto [index, source] : enumerate(sources)) {
    int64_t inner = outer ? source->numElements() / outer : 0;
    StringRef name = getSourceName(weight, index);
    auto update = updates.find(name);
    // Tensors that stand one behind the other are converted in place.
    if (outer == 1 && update == updates.end()) {
      if (Error error = convert(name, *source, values.data() + offset))
        return error;
      offset += inner;
      continue;
    }
    Expected<std::vector<float>> numbers = read(name, choice);
    if (!numbers)
      return numbers.takeError();
    for (int64_t o = 0; o < outer; ++o)
      std::memcpy(values.data() + o * stride + offset,
                  numbers->data() + o * inner, inner * sizeof(float));
    offset += inner;
  }
  if (weight.getTranspose())
    values = transpose(values, shape.end()[-2], shape.end()[-1]);
  if (std::optional<ArrayRef<int64_t>> parts = weight.getGroups())
    values =
        ungroup(values, *parts,
                cast<mlir::RankedTensorType>(weight.getType()).getDimSize(0));
  if (std::optional<APFloat> plus = weight.getPlus())
    for (float &value : values)
      value += plus->convertToFloat();
  return values;
}

bool WeightTable::hasPlainRows(attn::WeightOp weight) const {
  auto type = cast<mlir::RankedTensorType>(weight.getType());
  return type.getRank() == 2 && !weight.getTranspose() && !weight.getGroups() &&
         !weight.getPlus() && weight.getConcat().value_or(0) == 0 &&
         all_of(weight.getSources().getAsRange<mlir::StringAttr>(),
                [&](mlir::StringAttr name) {
                  const WeightEntry *source = find(name.getValue());
                  return source && source->shape.size() == 2 &&
                         isPlain(name.getValue());
                });
}

Expected<std::vector<float>> WeightTable::materializeRows(attn::WeightOp weight,
                                                          int64_t from,
                                                          int64_t to) const {
  const int64_t width =
      cast<mlir::RankedTensorType>(weight.getType()).getDimSize(1);
  std::vector<float> values((to - from) * width);
  int64_t before = 0; // rows of the sources before
  for (auto name : weight.getSources().getAsRange<mlir::StringAttr>()) {
    const WeightEntry *source = find(name.getValue());
    const int64_t rows = source->shape[0];
    const int64_t first = std::max(from - before, int64_t(0));
    const int64_t last = std::min(to - before, rows);
    if (first < last) {
      // Blocks lie within rows.
      const size_t rowBytes = source->bytes.size() / rows;
      WeightEntry part = *source;
      part.bytes =
          source->bytes.slice(first * rowBytes, (last - first) * rowBytes);
      if (Error error =
              convert(name.getValue(), part,
                      values.data() + (before + first - from) * width))
        return error;
    }
    before += rows;
  }
  return values;
}

} // namespace attnc
