//===- safetensors.cpp - hostile weights of a model -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the input as a safetensors file of a model to import. Of a file that is
// accepted, the tensors must lie in the data side by side, and each must have
// the bytes that its type and shape ask for.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Safetensors.h"
#include "SafetensorsMutator.h"
#include "llvm/Support/raw_ostream.h"

/// Vectors are filled, and pools used, by LLVM's library, which is not
/// instrumented.
extern "C" const char *__asan_default_options() {
  return "detect_container_overflow=0:allow_user_poisoning=0";
}

static void require(bool holds) {
  if (!holds)
    abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  auto tensors = attnc::readSafetensors({bytes, size}, "input");
  if (!tensors) {
    std::string text = llvm::toString(tensors.takeError());
    require(llvm::StringRef(text).starts_with("error[A02"));
    return 0;
  }
  const uint8_t *next = nullptr;
  for (const attnc::NamedWeight &tensor : *tensors) {
    const attnc::WeightEntry &entry = tensor.entry;
    require(entry.bytes.empty() || (entry.bytes.begin() >= bytes &&
                                    entry.bytes.end() <= bytes + size));
    require(!next || entry.bytes.data() == next);
    next = entry.bytes.end();
    uint64_t expected = attnc::getBlock(entry.type).bytes;
    if (llvm::is_contained(entry.shape, 0))
      expected = 0;
    for (int64_t dim : entry.shape)
      expected *= dim;
    require(expected == entry.bytes.size());
    uint64_t sum = 0;
    for (uint8_t byte : entry.bytes)
      sum += byte;
    require(sum <= 255 * expected);
  }
  require(!next || next == bytes + size);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                          size_t most, unsigned seed) {
  static const attnc::fuzz::JsonMutator json(
      {"dtype", "shape", "data_offsets", "__metadata__", "format", "F32", "F16",
       "BF16", "F64", "I8", "U8", "I16", "I32", "I64", "BOOL", "F8_E4M3"});
  attnc::fuzz::Random random(seed);
  std::string file(reinterpret_cast<char *>(data), size);
  file = attnc::fuzz::mutateSafetensors(file, most, json, random);
  memcpy(data, file.data(), file.size());
  return file.size();
}
