//===- weights.cpp - hostile weights files --------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Opens the toy library with the input as its weights. Whatever the input, open
// must answer with a status; of a file that it accepts, every tensor must lie
// within the bytes.
//
//===----------------------------------------------------------------------===//
#include "../unit/runtime/Toy.h"
#include "SafetensorsMutator.h"

#include "Memory.h"
#include "Safetensors.h"

#include <stdlib.h>
#include <string.h>

/// A property that the reader promises.
static void require(bool holds) {
  if (!holds)
    abort();
}

static void readTable(const unsigned char *bytes, uint64_t size) {
  attnrt::Memory memory(nullptr, 0);
  attnrt::TensorTable table;
  if (table.read(bytes, size, "input", memory) == ATTN_OK) {
    uint64_t total = 0;
    for (size_t i = 0; i < table.size(); ++i) {
      const attnrt::Tensor &tensor = table[i];
      require(tensor.begin <= size && tensor.bytes <= size - tensor.begin);
      require(table.find(tensor.name) == &tensor);
      total += tensor.bytes;
    }
    require(total <= size);
  }
  table.clear(memory);
  require(memory.used() == 0);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  // Exactly `size` bytes, so that one too many is found.
  void *bytes = nullptr;
  if (posix_memalign(&bytes, 64, size ? size : 1) != 0)
    return 0;
  if (size)
    memcpy(bytes, data, size);
  readTable(static_cast<const unsigned char *>(bytes), size);

  attn_options options = ATTN_OPTIONS_INIT;
  options.threads = 1;
  options.weights_data = bytes;
  options.weights_size = size;
  attn_model *model = nullptr;
  if (attnrt_open(&toy::library, &options, &model) == ATTN_OK)
    attnrt_close(model);
  else
    require(attnrt_last_error()[0] != '\0');
  free(bytes);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                          size_t most, unsigned seed) {
  static const attnc::fuzz::JsonMutator json({"dtype",
                                              "shape",
                                              "data_offsets",
                                              "__metadata__",
                                              "format",
                                              "F32",
                                              "F16",
                                              "BF16",
                                              "F64",
                                              "I8",
                                              "U8",
                                              "I16",
                                              "I32",
                                              "I64",
                                              "BOOL",
                                              "F8_E4M3",
                                              "attn.layout",
                                              "attn.content",
                                              "attn.abi",
                                              "attn.padding.0",
                                              "tokenizer/vocab.txt",
                                              "tokenizer/tokenizer.json"});
  attnc::fuzz::Random random(seed);
  std::string file(reinterpret_cast<char *>(data), size);
  file = attnc::fuzz::mutateSafetensors(file, most, json, random);
  memcpy(data, file.data(), file.size());
  return file.size();
}
