//===- WeightsTest.cpp - tables, digests and recipes ----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// WeightTable against small files written here.
//
//===----------------------------------------------------------------------===//
#include "ImportFixture.h"
#include "mlir/Parser/Parser.h"
#include <cmath>
#include <cstring>

using namespace attnc;

namespace {
class Weights : public ImportFixture {
protected:
  void SetUp() override {
    ImportFixture::SetUp();
    context.loadDialect<attn::AttnDialect>();
  }

  template <typename T>
  static std::string toBytes(const std::vector<T> &values) {
    return std::string(reinterpret_cast<const char *>(values.data()),
                       values.size() * sizeof(T));
  }

  /// A file with one tensor.
  void writeTensor(llvm::StringRef file, llvm::StringRef name,
                   llvm::StringRef dtype, llvm::StringRef shape,
                   const std::string &data) const {
    write(file,
          makeSafetensors(("{\"" + name + "\":{\"dtype\":\"" + dtype +
                           "\",\"shape\":" + shape + ",\"data_offsets\":[0," +
                           llvm::Twine(data.size()) + "]}}")
                              .str(),
                          data));
  }

  void add(llvm::StringRef file) {
    llvm::Error error = table.addFile(path(file));
    ASSERT_FALSE(bool(error)) << llvm::toString(std::move(error));
  }

  /// The first weight of a module with this text.
  attn::WeightOp parse(llvm::StringRef text) {
    modules.push_back(mlir::parseSourceString<mlir::ModuleOp>(text, &context));
    return *modules.back()->getOps<attn::WeightOp>().begin();
  }

  std::vector<float> materialize(llvm::StringRef text) {
    auto values = table.materialize(parse(text));
    if (values)
      return *values;
    ADD_FAILURE() << llvm::toString(values.takeError());
    return {};
  }

  std::string getError(llvm::StringRef text) {
    auto values = table.materialize(parse(text));
    return values ? "no error" : llvm::toString(values.takeError());
  }

  WeightTable table;
  std::vector<mlir::OwningOpRef<mlir::ModuleOp>> modules;
};
} // namespace

static bool startsWith(const std::string &text, llvm::StringRef start) {
  return llvm::StringRef(text).starts_with(start);
}

TEST_F(Weights, ConvertsEveryFloatType) {
  writeTensor("f32", "f32", "F32", "[3]", toBytes<float>({1.5f, -0.0f, 3e38f}));
  // 1, -2, smallest subnormal, largest, infinity, 2^-14, 3 * 2^-24, -0
  writeTensor("f16", "f16", "F16", "[8]",
              toBytes<uint16_t>({0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x0400,
                                 0x0003, 0x8000}));
  writeTensor("bf16", "bf16", "BF16", "[3]",
              toBytes<uint16_t>({0x3f80, 0xc020, 0x0001}));
  writeTensor("f64", "f64", "F64", "[2]", toBytes<double>({0.1, -1e-300}));
  for (llvm::StringRef file : {"f32", "f16", "bf16", "f64"})
    add(file);
  EXPECT_EQ(materialize(R"(attn.weight @w from ["f32"] : tensor<3xf32>)"),
            (std::vector<float>{1.5f, -0.0f, 3e38f}));
  std::vector<float> half =
      materialize(R"(attn.weight @w from ["f16"] : tensor<8xf32>)");
  EXPECT_EQ(half, (std::vector<float>{1.0f, -2.0f, std::ldexp(1.0f, -24),
                                      65504.0f, INFINITY, std::ldexp(1.0f, -14),
                                      std::ldexp(3.0f, -24), -0.0f}));
  EXPECT_TRUE(std::signbit(half.back()));
  EXPECT_EQ(materialize(R"(attn.weight @w from ["bf16"] : tensor<3xf32>)"),
            (std::vector<float>{1.0f, -2.5f, std::ldexp(1.0f, -133)}));
  EXPECT_EQ(materialize(R"(attn.weight @w from ["f64"] : tensor<2xf32>)"),
            (std::vector<float>{0.1f, -0.0f}));
}

TEST_F(Weights, ConcatenatesAndTransposes) {
  writeTensor("a", "a", "F32", "[2,2]", toBytes<float>({1, 2, 3, 4}));
  writeTensor("b", "b", "F32", "[1,2]", toBytes<float>({5, 6}));
  writeTensor("c", "c", "F32", "[2,1]", toBytes<float>({7, 8}));
  for (llvm::StringRef file : {"a", "b", "c"})
    add(file);
  EXPECT_EQ(materialize(
                R"(attn.weight @w from ["a", "b"] concat 0 : tensor<3x2xf32>)"),
            (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(materialize(
                R"(attn.weight @w from ["a", "c"] concat 1 : tensor<2x3xf32>)"),
            (std::vector<float>{1, 2, 7, 3, 4, 8}));
  EXPECT_EQ(materialize(R"(attn.weight @w from ["a", "b"] concat 0 transpose
                           : tensor<2x3xf32>)"),
            (std::vector<float>{1, 3, 5, 2, 4, 6}));
}

TEST_F(Weights, RegroupsRowsAndAdds) {
  writeTensor("a", "a", "F32", "[6,2]",
              toBytes<float>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
  writeTensor("b", "b", "F32", "[6]", toBytes<float>({1, 2, 3, 4, 5, 6}));
  for (llvm::StringRef file : {"a", "b"})
    add(file);
  EXPECT_EQ(materialize(
                R"(attn.weight @w from ["a"] groups [2, 1] : tensor<6x2xf32>)"),
            (std::vector<float>{1, 2, 3, 4, 7, 8, 9, 10, 5, 6, 11, 12}));
  EXPECT_EQ(
      materialize(
          R"(attn.weight @w from ["b"] groups [1, 1] plus 0.5 : tensor<6xf32>)"),
      (std::vector<float>{1.5, 3.5, 5.5, 2.5, 4.5, 6.5}));
  EXPECT_EQ(materialize(R"(attn.weight @w from ["a"] transpose groups [1]
                           : tensor<2x6xf32>)"),
            (std::vector<float>{1, 3, 5, 7, 9, 11, 2, 4, 6, 8, 10, 12}));
}

TEST_F(Weights, TransposesEveryMatrixOfABatch) {
  constexpr int64_t kRows = 37, kColumns = 41; // not multiples of the block
  std::vector<float> values(2 * kRows * kColumns);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(i);
  writeTensor("a", "a", "F32", "[2,37,41]", toBytes(values));
  add("a");
  std::vector<float> result = materialize(
      R"(attn.weight @w from ["a"] transpose : tensor<2x41x37xf32>)");
  ASSERT_EQ(result.size(), values.size());
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t r = 0; r < kRows; ++r)
      for (int64_t c = 0; c < kColumns; ++c)
        ASSERT_EQ(result[(b * kColumns + c) * kRows + r],
                  values[(b * kRows + r) * kColumns + c]);
}

TEST_F(Weights, ProjectsRows) {
  // Rows (1, 3) and (2, 2), by (x, y) -> x, 10 y and 1 - x.
  writeTensor("r", "r", "F32", "[2,2]", toBytes<float>({1, 3, 2, 2}));
  writeTensor("m", "m", "F32", "[3,2]", toBytes<float>({1, 0, 0, 10, -1, 0}));
  writeTensor("b", "b", "F32", "[3]", toBytes<float>({0, 0, 1}));
  for (llvm::StringRef file : {"r", "m", "b"})
    add(file);
  const std::vector<float> expected = {1, 2, 30, 20, 0, -1};
  EXPECT_EQ(materialize(R"(attn.weight @w from ["r", "m", "b"]
                           : tensor<1x3x2xf32> {attn.projected})"),
            expected);
  EXPECT_EQ(materialize(R"(attn.weight @w from ["r", "m", "b"]
                           : tensor<3x1x2xf32> {attn.projected})"),
            expected);
  // Mean 2, variance 1, so (-1, 1) / 2 with an epsilon of 3; then (0, 0).
  writeTensor("s", "s", "F32", "[2]", toBytes<float>({4, 2}));
  writeTensor("t", "t", "F16", "[2]",
              toBytes<uint16_t>({0x3c00, 0x4000})); // 1, 2
  add("s");
  add("t");
  EXPECT_EQ(materialize(R"(attn.weight @w from ["r", "m", "b", "s", "t"]
                           : tensor<3x1x2xf32> {attn.projected = 3.0 : f64})"),
            (std::vector<float>{-1, 1, 30, 20, 2, 0}));
}

TEST_F(Weights, ProjectsRowsByFours) {
  // More rows than go together, each with another sum.
  std::vector<float> rows(9 * 5), matrix(6 * 5), bias(6);
  for (size_t i = 0; i < rows.size(); ++i)
    rows[i] = static_cast<float>(i % 7) - 3;
  for (size_t i = 0; i < matrix.size(); ++i)
    matrix[i] = static_cast<float>(i % 11) - 5;
  for (size_t i = 0; i < bias.size(); ++i)
    bias[i] = static_cast<float>(i);
  writeTensor("r", "r", "F32", "[9,5]", toBytes(rows));
  writeTensor("m", "m", "F32", "[6,5]", toBytes(matrix));
  writeTensor("b", "b", "F32", "[6]", toBytes(bias));
  for (llvm::StringRef file : {"r", "m", "b"})
    add(file);
  std::vector<float> values = materialize(R"(attn.weight @w from ["r", "m", "b"]
                     : tensor<2x3x9xf32> {attn.projected})");
  ASSERT_EQ(values.size(), size_t(6 * 9));
  for (size_t n = 0; n < 6; ++n)
    for (size_t r = 0; r < 9; ++r) {
      float sum = bias[n];
      for (size_t k = 0; k < 5; ++k)
        sum += rows[r * 5 + k] * matrix[n * 5 + k];
      EXPECT_EQ(values[n * 9 + r], sum) << n << ", " << r;
    }
}

TEST_F(Weights, RefusesProjectionsThatDoNotFit) {
  writeTensor("r", "r", "F32", "[2,2]", toBytes<float>({1, 3, 2, 2}));
  writeTensor("m", "m", "F32", "[3,2]", toBytes<float>({1, 0, 0, 10, -1, 0}));
  writeTensor("b", "b", "F32", "[3]", toBytes<float>({0, 0, 1}));
  writeTensor("i", "i", "I32", "[3]", toBytes<int32_t>({0, 0, 1}));
  writeTensor("d", "d", "F64", "[3]", toBytes<double>({0, 0, 1e300}));
  writeTensor("n", "n", "F32", "[]", toBytes<float>({1}));
  writeTensor("o", "o", "F32", "[2,0]", "");
  for (llvm::StringRef file : {"r", "m", "b", "i", "d", "n", "o"})
    add(file);
  auto expect = [&](llvm::StringRef sources, llvm::StringRef words) {
    const std::string error =
        getError(("attn.weight @w from [" + sources +
                  "] : tensor<3x1x2xf32> {attn.projected}")
                     .str());
    EXPECT_NE(error.find(words.str()), std::string::npos) << error;
  };
  expect(R"("r", "m", "x")", "A0220");
  expect(R"("m", "m", "b")", "'m' has the shape [3, 2]; the weight @w needs "
                             "[2, 2]");
  expect(R"("r", "r", "b")", "'r' has the shape [2, 2]; the weight @w needs "
                             "[3, 2]");
  expect(R"("r", "m", "m")", "'m' has the shape [3, 2]; the weight @w needs "
                             "[3]");
  expect(R"("n", "m", "b")",
         "'n' has the shape []; the weight @w needs [2, 1]");
  expect(R"("o", "m", "b")", "'o' has the shape [2, 0]");
  expect(R"("r", "m", "i")", "A0221");
  expect(R"("r", "m", "d")", "A0224");
}

TEST_F(Weights, RefusesSourcesThatDoNotFit) {
  writeTensor("a", "a", "F32", "[2,2]", toBytes<float>({1, 2, 3, 4}));
  writeTensor("i", "i", "I64", "[1]", toBytes<int64_t>({1}));
  writeTensor("big", "big", "F64", "[1]", toBytes<double>({1e300}));
  for (llvm::StringRef file : {"a", "i", "big"})
    add(file);
  std::string absent = getError(R"(attn.weight @w from ["x"] : tensor<1xf32>)");
  EXPECT_TRUE(startsWith(absent, "error[A0220]: the weight @w needs the "
                                 "tensor 'x'"))
      << absent;
  std::string type = getError(R"(attn.weight @w from ["i"] : tensor<1xf32>)");
  EXPECT_TRUE(startsWith(type, "error[A0221]: tensor 'i' holds I64")) << type;
  std::string shape =
      getError(R"(attn.weight @w from ["a"] : tensor<2x3xf32>)");
  EXPECT_TRUE(startsWith(shape, "error[A0222]: tensor 'a' has the shape "
                                "[2, 2]; the weight @w needs [2, 3]"))
      << shape;
  std::string sum =
      getError(R"(attn.weight @w from ["a", "a"] concat 0 : tensor<5x2xf32>)");
  EXPECT_TRUE(startsWith(sum, "error[A0222]: the sources of @w have 4 rows"))
      << sum;
  std::string range =
      getError(R"(attn.weight @w from ["big"] : tensor<1xf32>)");
  EXPECT_TRUE(startsWith(range, "error[A0224]: tensor 'big' holds an F64"))
      << range;
}

TEST_F(Weights, DigestsTellSourcesApart) {
  writeTensor("a", "a", "F32", "[2,2]", toBytes<float>({1, 2, 3, 4}));
  writeTensor("b", "b", "F32", "[4]", toBytes<float>({1, 2, 3, 4}));
  writeTensor("c", "c", "F32", "[2,2]", toBytes<float>({1, 2, 3, 5}));
  for (llvm::StringRef file : {"a", "b", "c"})
    add(file);
  auto digest = [&](llvm::StringRef source, llvm::StringRef type) {
    return llvm::cantFail(table.digest(parse(
        ("attn.weight @w from [\"" + source + "\"] : tensor<" + type + ">")
            .str())));
  };
  std::string a = digest("a", "2x2xf32");
  EXPECT_EQ(a.size(), 32u);
  EXPECT_EQ(a, digest("a", "2x2xf32"));
  EXPECT_NE(a, digest("b", "4xf32"));
  EXPECT_NE(a, digest("c", "2x2xf32"));
  std::string text =
      "attn.weight @w from [\"a\"] digest \"" + a + "\" : tensor<2x2xf32>";
  EXPECT_EQ(getError(text), "no error");
  std::string changed = getError("attn.weight @w from [\"c\"] digest \"" + a +
                                 "\" : tensor<2x2xf32>");
  EXPECT_TRUE(startsWith(changed, "error[A0223]: the sources of @w have the "
                                  "digest "))
      << changed;
}

TEST_F(Weights, RefusesFilesThatAreNot) {
  for (std::string file : {path("nothing"), scratch}) {
    std::string text = llvm::toString(table.addFile(file));
    EXPECT_TRUE(
        startsWith(text, "error[A0201]: cannot read the weights file " + file))
        << text;
  }
}

TEST_F(Weights, RefusesATensorThatIsThereAndAddsNothing) {
  writeTensor("a", "t", "F32", "[1]", toBytes<float>({1}));
  write("b", makeSafetensors(
                 R"({"s":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                 R"("t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                 "01234567"));
  add("a");
  std::string text = llvm::toString(table.addFile(path("b")));
  EXPECT_TRUE(startsWith(text, "error[A0212]: tensor 't' is both in " +
                                   path("a") + " and in " + path("b")))
      << text;
  EXPECT_EQ(table.find("s"), nullptr);
  EXPECT_EQ(table.names(), std::vector<llvm::StringRef>{"t"});
  EXPECT_EQ(table.files().size(), 1u);
}
