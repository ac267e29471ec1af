//===- Toybox.cpp - weights, calls and allocators for the runtime's tests -===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See Toybox.h.
//
//===----------------------------------------------------------------------===//
#include "Toybox.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <unistd.h>

// Of programs that count their branches; others end without it.
extern "C" __attribute__((weak)) int __llvm_profile_write_file(void);

namespace toy {

static float tableAt(int64_t id) { return 0.37f * static_cast<float>(id) - 9; }
static float scaleAt(int64_t k) { return 1.0f + 0.3f * static_cast<float>(k); }

WeightsWriter::WeightsWriter() {
  auto add = [&](const char *name, int64_t count, float (*at)(int64_t)) {
    Item item{name, "F32", "[" + std::to_string(count) + "]", {}};
    for (int64_t i = 0; i < count; ++i) {
      float value = at(i);
      auto *raw = reinterpret_cast<const unsigned char *>(&value);
      item.data.insert(item.data.end(), raw, raw + sizeof(value));
    }
    items.push_back(item);
  };
  add("table", kTable, tableAt);
  // 400 bytes of table: the next tensor must begin on a multiple of 64.
  items.push_back({"padding", "U8", "[48]", std::vector<unsigned char>(48)});
  add("scale", kWidth, scaleAt);
  metadata = {{"attn.abi", "1"},
              {"attn.layout", "layout01"},
              {"attn.content", "content01"}};
}

WeightsWriter::Item &WeightsWriter::item(const std::string &name) {
  for (Item &candidate : items)
    if (candidate.name == name)
      return candidate;
  items.push_back({name, "U8", "[0]", {}});
  return items.back();
}

std::string WeightsWriter::header() const {
  std::string text = "{\"__metadata__\":{";
  const char *separator = "";
  for (const auto &entry : metadata) {
    text += separator + ("\"" + entry.first) + "\":\"" + entry.second + "\"";
    separator = ",";
  }
  text += "}";
  size_t offset = 0;
  for (const Item &item : items) {
    text += ",\"" + item.name + "\":{\"dtype\":\"" + item.dtype +
            "\",\"shape\":" + item.shape + ",\"data_offsets\":[" +
            std::to_string(offset) + "," +
            std::to_string(offset + item.data.size()) + "]}";
    offset += item.data.size();
  }
  return text + "}";
}

std::vector<unsigned char>
WeightsWriter::bytes(const std::string &header) const {
  std::string padded = header;
  padded.resize((8 + header.size() + 63) / 64 * 64 - 8, ' ');
  uint64_t length = padded.size();
  std::vector<unsigned char> file(8 + padded.size());
  std::memcpy(file.data(), &length, 8);
  std::memcpy(file.data() + 8, padded.data(), padded.size());
  for (const Item &item : items)
    file.insert(file.end(), item.data.begin(), item.data.end());
  return file;
}

void AlignedBytes::Free::operator()(void *pointer) const { std::free(pointer); }

AlignedBytes::AlignedBytes(const std::vector<unsigned char> &bytes)
    : memory(std::aligned_alloc(64, (bytes.size() + 64) / 64 * 64)),
      count(bytes.size()) {
  std::memcpy(memory.get(), bytes.data(), bytes.size());
}

const AlignedBytes &rightWeights() {
  static const AlignedBytes bytes(WeightsWriter().bytes());
  return bytes;
}

attn_options rightOptions() {
  attn_options options = ATTN_OPTIONS_INIT;
  options.weights_data = rightWeights().data();
  options.weights_size = rightWeights().size();
  options.threads = 1;
  return options;
}

void writeFile(const std::string &path,
               const std::vector<unsigned char> &bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char *>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern =
      (std::filesystem::temp_directory_path() / "attn-runtime-XXXXXX").string();
  path = mkdtemp(pattern.data());
}

TemporaryFolder::~TemporaryFolder() { std::filesystem::remove_all(path); }

Counter::Counter() : allocator{this, allocate, release} {}

Counter::~Counter() {
  for (const auto &block : blocks)
    std::free(block.first);
}

void *Counter::allocate(void *context, size_t bytes, size_t alignment) {
  Counter &self = *static_cast<Counter *>(context);
  if (bytes == 0 || alignment > 4096 || (alignment & (alignment - 1)))
    self.broken = true;
  if (self.calls++ == self.failAt)
    return nullptr;
  void *pointer = nullptr;
  if (posix_memalign(&pointer, alignment, bytes) != 0)
    return nullptr;
  std::memset(pointer, 0xff, bytes); // NaN, and no table of zeros by luck
  std::lock_guard<std::mutex> lock(self.mutex);
  self.blocks[pointer] = bytes;
  self.live++;
  self.bytes += static_cast<int64_t>(bytes);
  if (static_cast<int64_t>(bytes) > self.largest)
    self.largest = static_cast<int64_t>(bytes);
  return pointer;
}

void Counter::release(void *context, void *pointer, size_t bytes) {
  Counter &self = *static_cast<Counter *>(context);
  std::lock_guard<std::mutex> lock(self.mutex);
  auto found = self.blocks.find(pointer);
  if (found == self.blocks.end() || found->second != bytes) {
    self.broken = true;
    return;
  }
  self.blocks.erase(found);
  self.live--;
  self.bytes -= static_cast<int64_t>(bytes);
  std::free(pointer);
}

Call::Call(int64_t batch, int64_t seq, unsigned seed)
    : sizes{batch, seq}, ids(batch * seq), mask(batch * seq),
      out(batch * kWidth, -1), total(batch, -1),
      arguments{ids.data(), mask.data(), out.data(), total.data()} {
  std::mt19937 random(seed);
  for (int32_t &id : ids)
    id = static_cast<int32_t>(random() % kTable);
  for (int32_t &flag : mask)
    flag = random() % 4 != 0;
}

attn_status Call::run(attn_session *session) {
  return attnrt_call(session, Scale, sizes, arguments);
}

bool Call::isRight() const {
  for (int64_t b = 0; b < sizes[0]; ++b) {
    float sum = 0;
    for (int64_t s = b * sizes[1]; s < (b + 1) * sizes[1]; ++s)
      if (!arguments[1] || mask[s])
        sum += tableAt(ids[s]);
    if (arguments[3] && total[b] != sum)
      return false;
    for (int64_t k = 0; k < kWidth; ++k)
      if (out[b * kWidth + k] != sum * scaleAt(k))
        return false;
  }
  return true;
}

Opened::Opened(const attn_options &options, const attn_abi_library &library) {
  status = attnrt_open(&library, &options, &model);
  if (status == ATTN_OK)
    status = attnrt_session_open(model, &session);
}

Opened::~Opened() {
  attnrt_session_close(session);
  attnrt_close(model);
}

void leave(int code) {
  if (__llvm_profile_write_file)
    __llvm_profile_write_file();
  _exit(code);
}

std::string info(const attn_model *model) {
  size_t needed = 0;
  attnrt_info(model, nullptr, 0, &needed);
  std::string text(needed + 1, '\0');
  attnrt_info(model, text.data(), text.size(), &needed);
  text.resize(needed);
  return text;
}

} // namespace toy
