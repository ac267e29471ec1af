//===- GgufTest.cpp - GGUF files, right and wrong -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every block format against what the gguf package reads in it
// (make-blocks.py), and files that are bent in one place.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Gguf.h"
#include "ImportFixture.h"
#include "mlir/Parser/Parser.h"
#include <gmock/gmock.h>

using namespace attnc;
using testing::HasSubstr;

namespace {

/// Writes a file field by field.
struct File {
  std::string text;

  template <typename T> File &put(T value) {
    text.append(reinterpret_cast<const char *>(&value), sizeof(T));
    return *this;
  }
  File &put(llvm::StringRef string) {
    put(uint64_t(string.size()));
    text += string;
    return *this;
  }
  File &header(uint64_t tensors, uint64_t values, uint32_t version = 3) {
    text += "GGUF";
    return put(version).put(tensors).put(values);
  }
  /// A 2 x 3 tensor of F32 at `offset` by default.
  File &tensor(llvm::StringRef name, uint64_t offset = 0,
               std::vector<uint64_t> dims = {3, 2}, uint32_t type = 0) {
    put(name).put(uint32_t(dims.size()));
    for (uint64_t dim : dims)
      put(dim);
    return put(type).put(offset);
  }
  /// Up to the data, and `bytes` of them.
  File &data(size_t bytes) {
    text.resize((text.size() + 31) / 32 * 32 + bytes, '\0');
    return *this;
  }

  llvm::Expected<GgufFile> read() const {
    llvm::StringRef bytes(text);
    return readGguf({bytes.bytes_begin(), bytes.size()}, "x.gguf");
  }
  /// The message, or "" if the file is right.
  std::string message() const {
    auto file = read();
    return file ? "" : llvm::toString(file.takeError());
  }
};

class Gguf : public ImportFixture {};

TEST_F(Gguf, BlocksAreReadAsTheReferenceReadsThem) {
  context.loadDialect<attn::AttnDialect>();
  WeightTable table;
  llvm::Error error = table.addFile(ATTNC_TEST_INPUTS "/blocks.gguf");
  ASSERT_FALSE(bool(error)) << llvm::toString(std::move(error));
  auto materialize = [&](const std::string &name, const std::string &type) {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(
        "attn.weight @w from [\"" + name + "\"] : tensor<" + type + ">",
        &context);
    auto values = table.materialize(*module->getOps<attn::WeightOp>().begin());
    EXPECT_TRUE(bool(values));
    return values
               ? *values
               : (llvm::consumeError(values.takeError()), std::vector<float>());
  };
  for (auto [name, type] :
       std::vector<std::pair<std::string, std::string>>{{"Q8_0", "3x512xf32"},
                                                        {"Q4_0", "3x512xf32"},
                                                        {"Q4_1", "3x512xf32"},
                                                        {"Q4_K", "3x512xf32"},
                                                        {"Q6_K", "3x512xf32"},
                                                        {"F16", "2x5xf32"},
                                                        {"BF16", "2x300xf32"},
                                                        {"F32", "2x5xf32"}})
    EXPECT_EQ(materialize(name, type), materialize(name + ".expected", type))
        << name;
}

TEST_F(Gguf, Metadata) {
  auto buffer = llvm::MemoryBuffer::getFile(ATTNC_TEST_INPUTS "/blocks.gguf");
  ASSERT_TRUE(bool(buffer));
  llvm::StringRef bytes = (*buffer)->getBuffer();
  ASSERT_TRUE(isGguf({bytes.bytes_begin(), bytes.size()}));
  auto file = readGguf({bytes.bytes_begin(), bytes.size()}, "blocks.gguf");
  ASSERT_TRUE(bool(file));
  const llvm::json::Object &metadata = file->metadata;
  EXPECT_EQ(metadata.getString("general.architecture"), "llama");
  EXPECT_EQ(metadata.getInteger("llama.block_count"), 2);
  EXPECT_EQ(metadata.getNumber("llama.rope.freq_base"), 10000.0);
  EXPECT_EQ(metadata.getBoolean("test.true"), true);
  EXPECT_EQ((*metadata.getArray("tokenizer.ggml.tokens"))[2].getAsString(),
            "ä");
  EXPECT_EQ((*metadata.getArray("test.numbers"))[1].getAsInteger(), -2);
  EXPECT_EQ(file->tensors.size(), 16u);
}

TEST_F(Gguf, ValuesOfEveryType) {
  File file;
  file.header(1, 12);
  auto key = [&](uint32_t type) -> File & {
    return file.put(llvm::StringRef("k" + std::to_string(type))).put(type);
  };
  key(0).put(uint8_t(200));
  key(1).put(int8_t(-100));
  key(2).put(uint16_t(60000));
  key(3).put(int16_t(-30000));
  key(4).put(uint32_t(4000000000u));
  key(5).put(int32_t(-5));
  key(6).put(0.5f);
  key(7).put(uint8_t(1));
  key(8).put(llvm::StringRef("text"));
  key(9).put(uint32_t(9)).put(uint64_t(1)).put(uint32_t(0)).put(uint64_t(2));
  file.put(uint8_t(7)).put(uint8_t(8));
  key(10).put(uint64_t(1) << 40);
  key(12).put(0.25);
  file.tensor("t").data(24);
  auto read = file.read();
  ASSERT_TRUE(bool(read)) << file.message();
  EXPECT_EQ(read->metadata.getInteger("k0"), 200);
  EXPECT_EQ(read->metadata.getInteger("k1"), -100);
  EXPECT_EQ(read->metadata.getInteger("k2"), 60000);
  EXPECT_EQ(read->metadata.getInteger("k3"), -30000);
  EXPECT_EQ(read->metadata.getInteger("k4"), 4000000000);
  EXPECT_EQ(read->metadata.getInteger("k5"), -5);
  EXPECT_EQ(read->metadata.getNumber("k6"), 0.5);
  EXPECT_EQ(read->metadata.getBoolean("k7"), true);
  EXPECT_EQ(read->metadata.getString("k8"), "text");
  EXPECT_EQ((*(*read->metadata.getArray("k9"))[0].getAsArray())[1], 8);
  EXPECT_EQ(read->metadata.getInteger("k10"), int64_t(1) << 40);
  EXPECT_EQ(read->metadata.getNumber("k12"), 0.25);
  ASSERT_EQ(read->tensors.size(), 1u);
  EXPECT_EQ(read->tensors[0].entry.shape,
            (llvm::SmallVector<int64_t>{2, 3})); // slowest first
}

TEST_F(Gguf, Headers) {
  EXPECT_THAT(File().put(uint32_t(1)).message(), HasSubstr("A0230"));
  EXPECT_THAT(File().header(0, 0, 1).message(), HasSubstr("version 1"));
  EXPECT_THAT(File().header(0, 0, 0x03000000).message(),
              HasSubstr("big-endian"));
  EXPECT_EQ(File().header(0, 0, 2).message(), "");
  EXPECT_THAT(File().header(1, 0).message(), HasSubstr("A0231"));
  EXPECT_THAT(File().header(0, uint64_t(1) << 60).message(),
              HasSubstr("more than 0 bytes can hold"));
}

TEST_F(Gguf, EveryTruncationIsSeen) {
  File file;
  file.header(1, 3).put(llvm::StringRef("a")).put(uint32_t(4)).put(uint32_t(7));
  file.put(llvm::StringRef("b")).put(uint32_t(8)).put(llvm::StringRef("text"));
  file.put(llvm::StringRef("c")).put(uint32_t(9)).put(uint32_t(3));
  file.put(uint64_t(2)).put(int16_t(1)).put(int16_t(2));
  file.tensor("t").data(24);
  EXPECT_EQ(file.message(), "");
  for (size_t length = 0; length < file.text.size(); ++length) {
    File part;
    part.text = file.text.substr(0, length);
    EXPECT_THAT(part.message(), HasSubstr("error[A02")) << length;
  }
}

TEST_F(Gguf, Metadata_Refused) {
  auto one = [](uint32_t type) {
    File file;
    return file.header(0, 1).put(llvm::StringRef("k")).put(type);
  };
  EXPECT_THAT(one(7).put(uint8_t(2)).message(),
              HasSubstr("error[A0232]: x.gguf: 'k' has the truth value 2"));
  EXPECT_THAT(one(13).put(uint64_t(2)).message(), HasSubstr("unknown type 13"));
  EXPECT_THAT(one(8).put(llvm::StringRef("\xff")).message(),
              HasSubstr("not UTF-8"));
  EXPECT_THAT(one(9).put(uint32_t(0)).put(uint64_t(99)).message(),
              HasSubstr("counts 99 elements"));
  File deep = one(9);
  for (int i = 0; i < 6; ++i)
    deep.put(uint32_t(9)).put(uint64_t(1));
  EXPECT_THAT(deep.put(uint64_t(0)).message(), HasSubstr("deeper than 4"));
  File twice;
  twice.header(0, 2);
  for (int i = 0; i < 2; ++i)
    twice.put(llvm::StringRef("k")).put(uint32_t(4)).put(uint32_t(1));
  EXPECT_THAT(twice.message(), HasSubstr("'k' twice"));
  EXPECT_THAT(File()
                  .header(0, 1)
                  .put(llvm::StringRef(""))
                  .put(uint32_t(4))
                  .put(uint32_t(1))
                  .message(),
              HasSubstr("a key of 0 bytes"));
  for (uint32_t alignment : {0u, 33u, 1u << 21})
    EXPECT_THAT(File()
                    .header(0, 1)
                    .put(llvm::StringRef("general.alignment"))
                    .put(uint32_t(4))
                    .put(alignment)
                    .message(),
                HasSubstr("power of two"));
}

TEST_F(Gguf, Tensors_Refused) {
  auto with = [](uint64_t offset, std::vector<uint64_t> dims, uint32_t type) {
    return File().header(1, 0).tensor("t", offset, dims, type).data(64);
  };
  EXPECT_EQ(with(0, {3, 2}, 0).message(), "");
  EXPECT_THAT(with(0, {3, 2}, 99).message(),
              HasSubstr("error[A0234]: x.gguf: tensor 't' has ggml's type 99"));
  EXPECT_THAT(with(0, {3, 2}, 8).message(), HasSubstr("block of Q8_0"));
  EXPECT_THAT(
      with(0, {3, 0}, 0).message(),
      HasSubstr("error[A0233]: x.gguf: tensor 't' has a dimension of 0"));
  EXPECT_THAT(with(0, {1, 1, 1, 1, 1}, 0).message(), HasSubstr("5 dimensions"));
  EXPECT_THAT(with(0, {uint64_t(1) << 40, uint64_t(1) << 40}, 0).message(),
              HasSubstr("more than 2^64 bytes"));
  EXPECT_THAT(with(8, {3, 2}, 0).message(), HasSubstr("error[A0235]"));
  EXPECT_THAT(with(64, {3, 2}, 0).message(), HasSubstr("takes 24 bytes"));
  EXPECT_THAT(with(uint64_t(1) << 50, {3, 2}, 0).message(),
              HasSubstr("of which the file has 64"));
  EXPECT_THAT(File().header(1, 0).tensor("").data(64).message(),
              HasSubstr("name is empty"));
  EXPECT_THAT(
      File().header(2, 0).tensor("t").tensor("t", 32).data(64).message(),
      HasSubstr("two tensors are called"));
  EXPECT_THAT(File().header(2, 0).tensor("t").tensor("u").data(64).message(),
              HasSubstr("overlap"));
}

} // namespace
