//===- SafetensorsTest.cpp - good and hostile safetensors -----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every way in which a file can lie about its tensors gets its own code.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Safetensors.h"
#include "ImportFixture.h"

using namespace attnc;

static std::string readError(llvm::StringRef bytes) {
  auto tensors = readSafetensors({bytes.bytes_begin(), bytes.size()}, "file");
  return tensors ? "no error" : llvm::toString(tensors.takeError());
}

/// Reading fails with this code, names the file, says `part` and what to do.
static void expectError(llvm::StringRef bytes, llvm::StringRef code,
                        llvm::StringRef part) {
  std::string text = readError(bytes);
  EXPECT_EQ(text.rfind("error[" + code.str() + "]: file: ", 0), 0u) << text;
  EXPECT_NE(text.find(part.str()), std::string::npos) << text;
  EXPECT_NE(text.find("\nnote: "), std::string::npos) << text;
}

static std::string describeTensor(llvm::StringRef dtype, llvm::StringRef shape,
                                  llvm::StringRef offsets) {
  return ("{\"t\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
          ",\"data_offsets\":" + offsets + "}}")
      .str();
}

TEST(Safetensors, ReadsTensorsInTheOrderOfTheirData) {
  std::string bytes = makeSafetensors(
      R"({"__metadata__":{"format":"pt"},)"
      R"("b":{"dtype":"F16","shape":[2],"data_offsets":[4,8]},)"
      R"("empty":{"dtype":"F32","shape":[0,9223372036854775807,3],)"
      R"("data_offsets":[4,4]},)"
      R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}  )",
      "01234567");
  auto tensors = readSafetensors(
      {reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()}, "file");
  ASSERT_TRUE(bool(tensors)) << llvm::toString(tensors.takeError());
  ASSERT_EQ(tensors->size(), 3u);
  EXPECT_EQ((*tensors)[0].name, "a");
  EXPECT_EQ((*tensors)[0].entry.numElements(), 1);
  EXPECT_EQ((*tensors)[1].name, "empty");
  EXPECT_EQ((*tensors)[2].name, "b");
  EXPECT_EQ((*tensors)[2].entry.type, WeightType::F16);
  EXPECT_EQ((*tensors)[2].entry.bytes.front(), '4');
}

TEST(Safetensors, RefusesTruncatedFiles) {
  expectError("", "A0202", "0 bytes");
  expectError("1234567", "A0202", "7 bytes");
  std::string whole =
      makeSafetensors(describeTensor("F32", "[1]", "[0,4]"), "0123");
  EXPECT_EQ(readError(whole), "no error");
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(readError(llvm::StringRef(whole).take_front(size)), "no error")
        << size;
}

TEST(Safetensors, RefusesHeaderLengthsBeyondTheFile) {
  std::string huge = std::string(7, '\0') + "\x80{}"; // 2^63
  expectError(huge, "A0203", "9223372036854775808");
  std::string most = std::string(8, '\xff') + "{}";
  expectError(most, "A0203", "18446744073709551615");
  std::string off = makeSafetensors("{}");
  off[0] = 3;
  expectError(off, "A0203", "3 bytes, but 2 follow");
  expectError("version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
              "A0203", "a pointer of Git LFS stands where");
}

TEST(Safetensors, RefusesHeadersThatAreNotJson) {
  expectError(makeSafetensors("{\"a\""), "A0204", "not valid JSON");
  expectError(makeSafetensors("{\"a\":\xff}"), "A0204", "not valid JSON");
  expectError(makeSafetensors(std::string(100'000, '[')), "A0204",
              "nested deeper than 64");
  expectError(makeSafetensors(
                  R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                  R"("\u0074":{"dtype":"F32","shape":[1],)"
                  R"("data_offsets":[0,4]}})",
                  "0123"),
              "A0204", "the key 't' stands twice");
}

TEST(Safetensors, RefusesHeadersOfAnotherForm) {
  expectError(makeSafetensors("[]"), "A0205", "an array where an object");
  expectError(makeSafetensors(R"({"t":5})"), "A0205", "'t' is a number");
  expectError(makeSafetensors(R"({"__metadata__":[]})"), "A0205",
              "'__metadata__' is an array");
  expectError(makeSafetensors(R"({"__metadata__":{"a":1}})"), "A0205",
              "a number for 'a'");
  expectError(makeSafetensors(R"({"t":{"shape":[],"data_offsets":[0,4]}})"),
              "A0205", "no string 'dtype'");
  expectError(makeSafetensors(R"({"t":{"dtype":"F32","shape":3}})"), "A0205",
              "no array 'shape'");
  expectError(makeSafetensors(R"({"t":{"dtype":"F32","shape":[],)"
                              R"("data_offsets":[0]}})"),
              "A0205", "'data_offsets' of two numbers");
  expectError(makeSafetensors(R"({"t":{"dtype":"F32","shape":[],)"
                              R"("data_offsets":[0,4],"stride":[1]}})",
                              "0123"),
              "A0205", "unknown field 'stride'");
}

TEST(Safetensors, RefusesUnknownTypes) {
  expectError(makeSafetensors(describeTensor("F8_E4M3", "[1]", "[0,1]"), "0"),
              "A0206", "'F8_E4M3'; known are F32, F16, BF16");
}

TEST(Safetensors, RefusesImpossibleShapes) {
  for (llvm::StringRef shape :
       {"[-1]", "[1.5]", "[\"3\"]", "[18446744073709551615]", "[null]"})
    expectError(makeSafetensors(describeTensor("F32", shape, "[0,4]"), "0123"),
                "A0207", "tensor 't' has a dimension that is not a number");
  expectError(
      makeSafetensors(describeTensor("F32", "[4611686018427387904,4]", "[0,0]"),
                      ""),
      "A0207", "more than 2^64 bytes");
}

TEST(Safetensors, RefusesOffsetsOutsideTheData) {
  expectError(makeSafetensors(describeTensor("F32", "[2]", "[0,8]"), "0123"),
              "A0208", "bytes 0 to 8 of the data, of which the file has 4");
  expectError(makeSafetensors(describeTensor("F32", "[1]", "[4,0]"), "0123"),
              "A0208", "ends before it begins: 4 to 0");
  expectError(makeSafetensors(describeTensor("F32", "[1]", "[-4,0]"), "0123"),
              "A0208", "not numbers from 0");
  expectError(makeSafetensors(
                  describeTensor("F32", "[1]",
                                 "[9223372036854775804,9223372036854775808]"),
                  "0123"),
              "A0208", "not numbers from 0");
}

TEST(Safetensors, RefusesOverlapsAndHoles) {
  auto two = [](llvm::StringRef first, llvm::StringRef second) {
    return makeSafetensors(
        (R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + first +
         R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)" + second + "}}")
            .str(),
        "0123456789");
  };
  expectError(two("[0,4]", "[2,6]"), "A0209", "'b' overlaps 'a'");
  expectError(two("[0,4]", "[0,4]"), "A0209", "'b' overlaps 'a'");
  expectError(two("[0,4]", "[6,10]"), "A0210", "bytes 4 to 6");
  expectError(two("[0,4]", "[4,8]"), "A0210", "bytes 8 to 10 at the end");
  expectError(two("[2,6]", "[6,10]"), "A0210", "bytes 0 to 2");
}

TEST(Safetensors, RefusesSizesThatDisagree) {
  expectError(makeSafetensors(describeTensor("F32", "[3]", "[0,4]"), "0123"),
              "A0211", "takes 12 bytes by its type F32 and shape, but 4");
}

TEST(Safetensors, NamesInMessagesAreHarmless) {
  expectError(makeSafetensors(R"({"a\u001b[2J\n":5})"), "A0205",
              R"('a\1B[2J\0A')");
}
