//===- SafetensorsMutator.h - changes to safetensors files ------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A file is a length of eight bytes, a header of JSON, and data. Most changes
// keep the three in agreement, so that what they break is deeper: offsets,
// shapes, types, metadata.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_FUZZ_SAFETENSORSMUTATOR_H
#define ATTNC_TEST_FUZZ_SAFETENSORSMUTATOR_H

#include "JsonMutator.h"
#include <cstring>

namespace attnc::fuzz {

/// Changes `file`; the result has at most `most` bytes.
inline std::string mutateSafetensors(const std::string &file, size_t most,
                                     const JsonMutator &json, Random &random) {
  uint64_t length = 0;
  if (file.size() >= 8)
    memcpy(&length, file.data(), 8);
  if (file.size() < 8 || length > file.size() - 8 || random.chance(0.1))
    return mutateBytes(file, most, random);
  std::string header = file.substr(8, length), data = file.substr(8 + length);
  if (random.chance(0.85))
    header = json.mutate(header, random);
  if (random.chance(0.3))
    data.resize(random.chance(0.5) ? data.size() + random.between(1, 64)
                                   : random.below(data.size() + 1));
  if (random.chance(0.7)) // writers pad the header with blanks
    header.append((8 - header.size() % 8) % 8, ' ');
  length = header.size();
  if (random.chance(0.1))
    length += random.between(-9, 9);
  std::string result(8, '\0');
  memcpy(&result[0], &length, 8);
  result += header + data;
  if (result.size() > most)
    result.resize(most);
  return result;
}

} // namespace attnc::fuzz

#endif // ATTNC_TEST_FUZZ_SAFETENSORSMUTATOR_H
