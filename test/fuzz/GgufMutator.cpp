//===- GgufMutator.cpp - changes to GGUF files ----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values keep their bytes, so that a number of one type is read as one of
// another; counts and offsets are around what they have to be, and at the ends
// of their types. A parser of its own takes files apart: it reads what the
// format allows, and more.
//
//===----------------------------------------------------------------------===//
#include "GgufMutator.h"
#include "JsonMutator.h"
#include <algorithm>
#include <cstring>

namespace attnc::fuzz {

// Types of values, by their numbers in the format.
static constexpr uint32_t kString = 8, kArray = 9, kTypes = 13;
static constexpr size_t kSizes[kTypes] = {1, 1, 2, 2, 4, 4, 4,
                                          1, 0, 0, 8, 8, 8};
static constexpr size_t kAlignment = 32, kMostItems = 64;

namespace {
/// Takes parts off the front of a text.
struct Reader {
  const std::string &text;
  size_t at = 0;

  bool take(void *value, size_t size) {
    if (size > text.size() - at)
      return false;
    memcpy(value, text.data() + at, size);
    at += size;
    return true;
  }
  template <typename T> bool take(T &value) { return take(&value, sizeof(T)); }
  bool take(std::string &value) {
    uint64_t size = 0;
    if (!take(size) || size > text.size() - at)
      return false;
    value = text.substr(at, size);
    at += size;
    return true;
  }
  /// Moves past a value.
  bool skip(uint32_t type, int depth = 0) {
    std::string unused;
    uint32_t inner = 0;
    uint64_t count = 0;
    if (type >= kTypes || depth > 4)
      return false;
    if (type == kString)
      return take(unused);
    if (type != kArray) {
      at += kSizes[type];
      return at <= text.size();
    }
    if (!take(inner) || !take(count))
      return false;
    for (; count > 0; --count)
      if (!skip(inner, depth + 1))
        return false;
    return true;
  }
};
} // namespace

template <typename T> static void put(std::string &text, T value) {
  text.append(reinterpret_cast<const char *>(&value), sizeof(T));
}
static void putText(std::string &text, const std::string &value) {
  put(text, uint64_t(value.size()));
  text += value;
}

bool GgufMutator::parse(const std::string &text, File &file) {
  Reader reader{text};
  uint32_t magic = 0;
  uint64_t tensors = 0, values = 0;
  if (!reader.take(magic) || memcmp(&magic, "GGUF", 4) != 0 ||
      !reader.take(file.version) || !reader.take(tensors) ||
      !reader.take(values) || tensors > text.size() || values > text.size())
    return false;
  for (; values > 0; --values) {
    Pair pair;
    if (!reader.take(pair.key) || !reader.take(pair.type))
      return false;
    const size_t begin = reader.at;
    if (!reader.skip(pair.type))
      return false;
    pair.value = text.substr(begin, reader.at - begin);
    file.pairs.push_back(std::move(pair));
  }
  for (; tensors > 0; --tensors) {
    Info info;
    uint32_t rank = 0;
    if (!reader.take(info.name) || !reader.take(rank) || rank > 8)
      return false;
    info.dims.resize(rank);
    for (uint64_t &dim : info.dims)
      if (!reader.take(dim))
        return false;
    if (!reader.take(info.type) || !reader.take(info.offset))
      return false;
    file.infos.push_back(std::move(info));
  }
  const size_t data = (reader.at + kAlignment - 1) / kAlignment * kAlignment;
  if (data < text.size())
    file.data = text.substr(data);
  return true;
}

std::string GgufMutator::print(const File &file) {
  std::string text = "GGUF";
  put(text, file.version);
  put(text, file.infos.size() + file.moreTensors);
  put(text, file.pairs.size() + file.moreValues);
  for (const Pair &pair : file.pairs) {
    putText(text, pair.key);
    put(text, pair.type);
    text += pair.value;
  }
  for (const Info &info : file.infos) {
    putText(text, info.name);
    put(text, uint32_t(info.dims.size()));
    for (uint64_t dim : info.dims)
      put(text, dim);
    put(text, info.type);
    put(text, info.offset);
  }
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment);
  return text + file.data;
}

/// A number at an end of some type, or a small one.
static uint64_t makeNumber(Random &random) {
  if (random.chance(0.5))
    return random.below(70);
  const uint64_t edge = uint64_t(1) << random.below(64);
  return edge + random.between(-1, 1);
}

std::string GgufMutator::makeValue(uint32_t type, Random &random,
                                   int depth) const {
  std::string value;
  if (type == kString) {
    putText(value, random.chance(0.8)
                       ? random.pick(texts)
                       : mutateBytes(random.pick(texts), 64, random));
    return value;
  }
  if (type == kArray && depth < 5) {
    const uint32_t inner = random.below(kTypes);
    const uint64_t count = random.below(6);
    put(value, inner);
    put(value, random.chance(0.9) ? count : makeNumber(random));
    for (uint64_t i = 0; i < count; ++i)
      value += makeValue(inner, random, depth + 1);
    return value;
  }
  uint64_t number = makeNumber(random);
  if (type == 12 || type == 6) { // f64, f32
    static constexpr double kNumbers[] = {0,    -0.0, 1,   1e-5,
                                          1e30, -1,   NAN, INFINITY};
    const double real = kNumbers[random.below(std::size(kNumbers))];
    const auto narrow = static_cast<float>(real);
    number = 0;
    if (type == 12)
      memcpy(&number, &real, sizeof(real));
    else
      memcpy(&number, &narrow, sizeof(narrow));
  }
  put(value, number);
  value.resize(type < kTypes ? kSizes[type] : 4);
  return value;
}

void GgufMutator::changePair(File &file, Random &random) const {
  if (file.pairs.empty() || random.chance(0.15)) {
    const uint32_t type = random.below(kTypes);
    file.pairs.push_back({random.pick(keys), type, makeValue(type, random, 0)});
    return;
  }
  const size_t index = random.below(file.pairs.size());
  Pair &pair = file.pairs[index];
  switch (random.below(6)) {
  case 0:
    file.pairs.erase(file.pairs.begin() + index);
    break;
  case 1:
    file.pairs.push_back(Pair(pair));
    break;
  case 2:
    pair.key = random.pick(keys);
    break;
  case 3:
    pair.type = random.below(kTypes + 1);
    if (random.chance(0.7))
      pair.value = makeValue(pair.type, random, 0);
    break;
  case 4:
    pair.value = mutateBytes(pair.value, pair.value.size() + 16, random);
    break;
  default:
    pair.value = makeValue(pair.type, random, 0);
  }
}

void GgufMutator::changeInfo(File &file, Random &random) const {
  if (file.infos.empty())
    return;
  const size_t index = random.below(file.infos.size());
  Info &info = file.infos[index];
  switch (random.below(7)) {
  case 0:
    file.infos.erase(file.infos.begin() + index);
    break;
  case 1:
    file.infos.push_back(Info(info));
    break;
  case 2:
    info.name = random.pick(tensors);
    break;
  case 3:
    info.type = random.chance(0.8) ? random.below(36) : makeNumber(random);
    break;
  case 4:
    info.offset += kAlignment * random.between(-3, 3) + random.below(2);
    break;
  case 5:
    info.dims.resize(random.below(6), makeNumber(random));
    break;
  default:
    if (!info.dims.empty())
      info.dims[random.below(info.dims.size())] = makeNumber(random);
  }
}

void GgufMutator::change(File &file, Random &random) const {
  const double which = random.unit();
  if (which < 0.55)
    return changePair(file, random);
  if (which < 0.85)
    return changeInfo(file, random);
  if (which < 0.93)
    return file.data.resize(random.below(file.data.size() + kMostItems));
  if (which < 0.96)
    file.version = random.chance(0.5) ? random.below(5) : makeNumber(random);
  else
    (random.chance(0.5) ? file.moreTensors : file.moreValues) =
        makeNumber(random) - random.below(3);
}

std::string GgufMutator::mutate(const std::string &text, size_t most,
                                Random &random) const {
  File file;
  if (random.chance(0.05) || !parse(text, file))
    return mutateBytes(text, most, random);
  for (int64_t i = random.between(1, 4); i > 0; --i)
    change(file, random);
  std::string result = print(file);
  result.resize(std::min(result.size(), most));
  return result;
}

} // namespace attnc::fuzz
