//===- ToyParts.cpp - what the small libraries for a GPU share ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Files of kernels, and weights files in memory. The latter are never freed:
// models that a test lets go of in a forked child may still name them.
//
//===----------------------------------------------------------------------===//
#include "ToyParts.h"
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <unistd.h>

/// Where branches are counted (test/coverage.sh), else null.
extern "C" __attribute__((weak)) int __llvm_profile_write_file(void);

namespace toyparts {

void endChild(int status) {
  if (__llvm_profile_write_file)
    __llvm_profile_write_file();
  _exit(status);
}

std::string readKernels(const std::string &name) {
  std::ifstream file(GPU_KERNELS "/" + name);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

WeightsInMemory::WeightsInMemory(const std::string &layout,
                                 const std::string &content,
                                 const std::vector<Tensor> &tensors) {
  std::string header = "{\"__metadata__\":{\"attn.abi\":\"" +
                       std::to_string(ATTN_ABI_VERSION) +
                       "\",\"attn.layout\":\"" + layout +
                       "\",\"attn.content\":\"" + content + "\"}";
  size_t end = 0;
  for (const Tensor &tensor : tensors) {
    size_t begin = end;
    end += tensor.bytes.size();
    header += ",\"" + tensor.name + "\":{\"dtype\":\"" + tensor.dtype +
              "\",\"shape\":[" + tensor.shape + "],\"data_offsets\":[" +
              std::to_string(begin) + "," + std::to_string(end) + "]}";
  }
  header += "}";
  header.resize((8 + header.size() + 63) / 64 * 64 - 8, ' ');
  size = 8 + header.size() + end;
  data = aligned_alloc(64, (size + 63) / 64 * 64);
  auto *at = static_cast<unsigned char *>(data);
  uint64_t length = header.size();
  memcpy(at, &length, 8);
  memcpy(at + 8, header.data(), header.size());
  at += 8 + header.size();
  for (const Tensor &tensor : tensors) {
    memcpy(at, tensor.bytes.data(), tensor.bytes.size());
    at += tensor.bytes.size();
  }
}

attn_options WeightsInMemory::options() const {
  attn_options result = ATTN_OPTIONS_INIT;
  result.weights_data = data;
  result.weights_size = size;
  result.threads = 1;
  return result;
}

} // namespace toyparts
