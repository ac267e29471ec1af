//===- StoredWeightsTest.cpp - weights kept as their file has them --------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which recipes of which sources can stay in blocks, the scales that are read
// off those, and programs that claim it of other files.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/StoredWeights.h"
#include "ImportFixture.h"
#include "compiler/import/Adapter.h"
#include "mlir/Parser/Parser.h"
#include <gmock/gmock.h>

using namespace attnc;
using testing::HasSubstr;

namespace {

/// A file of tensors [2, 64]: two blocks in each row.
class StoredWeights : public ImportFixture {
protected:
  static constexpr uint32_t kF32 = 0, kF16 = 1, kQ4_0 = 2, kQ8_0 = 8,
                            kBF16 = 30;

  void SetUp() override {
    ImportFixture::SetUp();
    context.loadDialect<attn::AttnDialect>();
    addBlocks("a", kQ8_0, {0x3c00, 0xc000, 0x0001, 0x3800});
    addBlocks("b", kQ8_0, {0x4000, 0x4200, 0x4400, 0x4500});
    addBlocks("four", kQ4_0, {0x3c00, 0x4000, 0x4200, 0xb800});
    addTensor("brain", kBF16, {64, 2}, std::string(2 * 64 * 2, '\1'));
    addTensor("half", kF16, {64, 2}, std::string(2 * 64 * 2, '\1'));
    addTensor("wide", kF32, {64, 2}, std::string(2 * 64 * 4, '\0'));
    addTensor("row", kQ8_0, {64}, std::string(2 * 34, '\1'));
    addTensor("cube", kQ8_0, {32, 2, 2}, std::string(4 * 34, '\1'));
    write("w.gguf", getFile());
    llvm::Error error = table.addFile(path("w.gguf"));
    ASSERT_FALSE(bool(error)) << llvm::toString(std::move(error));
  }

  template <typename T> static std::string toBytes(T value) {
    return std::string(reinterpret_cast<const char *>(&value), sizeof(T));
  }
  /// The fastest dimension first, as the format has it.
  void addTensor(const std::string &name, uint32_t type,
                 const std::vector<uint64_t> &dims, const std::string &bytes) {
    infos += toBytes(uint64_t(name.size())) + name;
    infos += toBytes(uint32_t(dims.size()));
    for (uint64_t dim : dims)
      infos += toBytes(dim);
    infos += toBytes(type) + toBytes(uint64_t(data.size()));
    data += bytes;
    data.resize((data.size() + 31) / 32 * 32);
    ++count;
  }
  /// A block for each scale; steps count up.
  void addBlocks(const std::string &name, uint32_t type,
                 const std::vector<uint16_t> &scales) {
    std::string bytes;
    char step = 0;
    for (uint16_t scale : scales) {
      bytes += toBytes(scale);
      for (int i = 0; i < (type == kQ8_0 ? 32 : 16); ++i)
        bytes += step++;
    }
    addTensor(name, type, {64, scales.size() / 2}, bytes);
  }
  std::string getFile() const {
    std::string file = "GGUF" + toBytes(uint32_t(3)) + toBytes(count) +
                       toBytes(uint64_t(0)) + infos;
    file.resize((file.size() + 31) / 32 * 32);
    return file + data;
  }

  mlir::ModuleOp parse(const std::string &text) {
    modules.push_back(mlir::parseSourceString<mlir::ModuleOp>(text, &context));
    EXPECT_TRUE(bool(modules.back())) << text << messages;
    return *modules.back();
  }
  attn::WeightOp parseWeight(const std::string &rest) {
    return *parse("attn.weight @w " + rest).getOps<attn::WeightOp>().begin();
  }
  std::string getFormat(const std::string &rest) {
    return getStoredFormat(table, parseWeight(rest)).str();
  }

  uint64_t count = 0;
  std::string infos, data;
  WeightTable table;
  std::vector<mlir::OwningOpRef<mlir::ModuleOp>> modules;
};

TEST_F(StoredWeights, Formats) {
  EXPECT_EQ(getFormat(R"(from ["a"] : tensor<2x64xf32>)"), "i8");
  EXPECT_EQ(getFormat(R"(from ["four"] : tensor<2x64xf32>)"), "i4");
  EXPECT_EQ(getFormat(R"(from ["a", "b"] concat 0 : tensor<4x64xf32>)"), "i8");
  // bf16 stays however its numbers are moved.
  EXPECT_EQ(getFormat(R"(from ["brain"] : tensor<2x64xf32>)"), "bf16");
  EXPECT_EQ(getFormat(R"(from ["brain"] transpose : tensor<64x2xf32>)"),
            "bf16");
  EXPECT_EQ(getFormat(R"(from ["brain"] groups [1, 1] : tensor<2x64xf32>)"),
            "bf16");
  EXPECT_EQ(
      getFormat(R"(from ["brain", "brain"] concat 1 : tensor<2x128xf32>)"),
      "bf16");
  EXPECT_EQ(getFormat(R"(from ["brain"] plus 1.0 : tensor<2x64xf32>)"), "");
  // Of two formats, or of none.
  EXPECT_EQ(getFormat(R"(from ["half"] : tensor<2x64xf32>)"), "");
  EXPECT_EQ(getFormat(R"(from ["a", "brain"] concat 0 : tensor<4x64xf32>)"),
            "");
  EXPECT_EQ(getFormat(R"(from ["a", "four"] concat 0 : tensor<4x64xf32>)"), "");
  EXPECT_EQ(getFormat(R"(from ["wide"] : tensor<2x64xf32>)"), "");
  EXPECT_EQ(getFormat(R"(from ["absent"] : tensor<2x64xf32>)"), "");
  // No matrices.
  EXPECT_EQ(getFormat(R"(from ["row"] : tensor<64xf32>)"), "");
  EXPECT_EQ(getFormat(R"(from ["cube"] : tensor<2x64xf32>)"), "");
  // Recipes that do more than join rows.
  EXPECT_EQ(getFormat(R"(from ["a", "b"] concat 1 : tensor<2x128xf32>)"), "");
  EXPECT_EQ(getFormat(R"(from ["a"] transpose : tensor<64x2xf32>)"), "");
  EXPECT_EQ(getFormat(R"(from ["a"] groups [1, 1] : tensor<2x64xf32>)"), "");
  EXPECT_EQ(getFormat(R"(from ["a"] plus 1.0 : tensor<2x64xf32>)"), "");
}

TEST_F(StoredWeights, AdaptersChangeThem) {
  const std::string text = R"(from ["a"] : tensor<2x64xf32>)";
  unsigned choice = table.addChoice("other");
  EXPECT_EQ(getFormat(text), "i8");
  table.replaceInChoice(choice, "a", *table.find("b"));
  EXPECT_EQ(getFormat(text), "");
  EXPECT_EQ(getFormat(R"(from ["b"] : tensor<2x64xf32>)"), "i8");
  table.addUpdate("b", LowRankUpdate());
  EXPECT_EQ(getFormat(R"(from ["b"] : tensor<2x64xf32>)"), "");
}

TEST_F(StoredWeights, ScalesAreThoseOfTheBlocks) {
  EXPECT_EQ(
      readStoredScales(
          table, parseWeight(R"(from ["b", "a"] concat 0 : tensor<4x64xf32>)")),
      (std::vector<float>{2, 3, 4, 5, 1, -2, std::ldexp(1.0f, -24), 0.5f}));
  attn::WeightOp four = parseWeight(R"(from ["four"] : tensor<2x64xf32>)");
  std::vector<float> scales = readStoredScales(table, four);
  EXPECT_EQ(scales, (std::vector<float>{1, 2, 3, -0.5f}));
  // Numbers are whole steps of them.
  std::vector<float> values = cantFail(table.materialize(four));
  ASSERT_EQ(values.size(), scales.size() * kStoredGroup);
  for (size_t i = 0; i < values.size(); ++i) {
    float steps = values[i] / scales[i / kStoredGroup];
    EXPECT_EQ(steps, std::round(steps));
    EXPECT_LE(std::fabs(steps), 8);
  }
}

TEST_F(StoredWeights, MarksThoseOfAModule) {
  mlir::ModuleOp module = parse(R"(
    attn.weight @eight from ["a"] : tensor<2x64xf32>
    attn.weight @four from ["four"] : tensor<2x64xf32>
    attn.weight @wide from ["wide"] : tensor<2x64xf32>)");
  markStoredWeights(table, module);
  auto getMark = [&](llvm::StringRef name) {
    auto mark = module.lookupSymbol(name)->getAttrOfType<mlir::StringAttr>(
        attn::AttnDialect::kStoredAttr);
    return mark ? mark.getValue().str() : "";
  };
  EXPECT_EQ(getMark("eight"), "i8");
  EXPECT_EQ(getMark("four"), "i4");
  EXPECT_EQ(getMark("wide"), "");
  for (auto weight : module.getOps<attn::WeightOp>())
    EXPECT_EQ(llvm::toString(table.check(weight)), "");
}

TEST_F(StoredWeights, OfOtherFilesAreRefused) {
  auto check = [&](const std::string &rest) {
    return llvm::toString(table.check(parseWeight(rest)));
  };
  // Without blocks there are no scales to read.
  EXPECT_THAT(check(R"(from ["wide"] : tensor<2x64xf32> {attn.stored = "i8"})"),
              HasSubstr("error[A0223]: the program keeps @w as its file does, "
                        "in i8; these files have none of it"));
  EXPECT_THAT(check(R"(from ["four"] : tensor<2x64xf32> {attn.stored = "i8"})"),
              HasSubstr("error[A0223]"));
  EXPECT_EQ(check(R"(from ["a"] : tensor<2x64xf32> {attn.stored = "i8"})"), "");
}

TEST_F(StoredWeights, NamesThatMeanTheSame) {
  count = 0;
  infos = data = "";
  for (const char *name : {"output.weight", "lm_head.weight"})
    addTensor(name, kF32, {1}, std::string(4, '\0'));
  write("twice.gguf", getFile());
  WeightTable other;
  EXPECT_THAT(llvm::toString(other.addFile(path("twice.gguf"))),
              HasSubstr("error[A0212]: tensor 'lm_head.weight' is twice in "));
  EXPECT_TRUE(other.names().empty());
}

} // namespace
