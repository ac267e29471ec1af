//===- GgufMutator.h - changes to GGUF files -------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A file is taken apart into header, pairs of metadata, infos of tensors and
// data; some of these are changed, and all is put together again, so that most
// of what a fuzzer tries gets past the header.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_FUZZ_GGUFMUTATOR_H
#define ATTNC_TEST_FUZZ_GGUFMUTATOR_H

#include "programs/Random.h"
#include <string>
#include <vector>

namespace attnc::fuzz {

class GgufMutator {
public:
  /// Names of keys, of tensors and strings that stand in files of this kind.
  GgufMutator(std::vector<std::string> keys, std::vector<std::string> tensors,
              std::vector<std::string> texts)
      : keys(std::move(keys)), tensors(std::move(tensors)),
        texts(std::move(texts)) {}

  /// One to four changes; at most `most` bytes. What is no such file is changed
  /// byte by byte.
  std::string mutate(const std::string &file, size_t most,
                     Random &random) const;

private:
  struct Pair {
    std::string key;
    uint32_t type = 0;
    std::string value; ///< its bytes
  };
  struct Info {
    std::string name;
    std::vector<uint64_t> dims;
    uint32_t type = 0;
    uint64_t offset = 0;
  };
  struct File {
    uint32_t version = 3;
    uint64_t moreTensors = 0, moreValues = 0; ///< than there are
    std::vector<Pair> pairs;
    std::vector<Info> infos;
    std::string data;
  };
  static bool parse(const std::string &text, File &file);
  static std::string print(const File &file);
  void change(File &file, Random &random) const;
  void changePair(File &file, Random &random) const;
  void changeInfo(File &file, Random &random) const;
  std::string makeValue(uint32_t type, Random &random, int depth) const;

  std::vector<std::string> keys, tensors, texts;
};

} // namespace attnc::fuzz

#endif // ATTNC_TEST_FUZZ_GGUFMUTATOR_H
