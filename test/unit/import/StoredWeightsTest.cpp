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
#include "dialects/kernel/Kernel.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/bit.h"
#include <gmock/gmock.h>
#include <random>

using namespace attnc;
using testing::HasSubstr;

namespace {

/// A file of tensors [2, 64]: two blocks in each row.
class StoredWeights : public ImportFixture {
protected:
  static constexpr uint32_t kF32 = 0, kF16 = 1, kQ4_0 = 2, kQ4_1 = 3, kQ8_0 = 8,
                            kQ4_K = 12, kQ6_K = 14, kBF16 = 30;

  void SetUp() override {
    ImportFixture::SetUp();
    context.loadDialect<attn::AttnDialect, kernel::KernelDialect>();
    addBlocks("a", kQ8_0, {0x3c00, 0xc000, 0x0001, 0x3800});
    addBlocks("b", kQ8_0, {0x4000, 0x4200, 0x4400, 0x4500});
    addBlocks("four", kQ4_0, {0x3c00, 0x4000, 0x4200, 0xb800});
    addRandom("four_one", kQ4_1, 64, 20 * 2, 2);
    addRandom("four_k", kQ4_K, 256, 144, 2);
    addRandom("six_k", kQ6_K, 256, 210, 2);
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
  /// Rows of `rowBytes` bytes that are anything, but for halves that are not
  /// finite.
  void addRandom(const std::string &name, uint32_t type, uint64_t columns,
                 size_t rowBytes, uint64_t rows) {
    std::mt19937 random(type);
    std::string bytes(rowBytes * rows, '\0');
    for (size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = char(random());
      if ((bytes[i] & 0x7c) == 0x7c) // the upper byte of an infinity
        bytes[i] ^= 4;
    }
    addTensor(name, type, {columns, rows}, bytes);
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
  EXPECT_EQ(getFormat(R"(from ["a"] : tensor<2x64xf32>)"), "q8_0");
  EXPECT_EQ(getFormat(R"(from ["four"] : tensor<2x64xf32>)"), "q4_0");
  EXPECT_EQ(getFormat(R"(from ["four_one"] : tensor<2x64xf32>)"), "q4_1");
  EXPECT_EQ(getFormat(R"(from ["four_k"] : tensor<2x256xf32>)"), "q4_k");
  EXPECT_EQ(getFormat(R"(from ["six_k"] : tensor<2x256xf32>)"), "q6_k");
  EXPECT_EQ(getFormat(R"(from ["a", "b"] concat 0 : tensor<4x64xf32>)"),
            "q8_0");
  EXPECT_EQ(getFormat(R"(from ["a", "four"] concat 0 : tensor<4x64xf32>)"),
            "blocks");
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
  // Of blocks and others, or of none.
  EXPECT_EQ(getFormat(R"(from ["half"] : tensor<2x64xf32>)"), "");
  EXPECT_EQ(getFormat(R"(from ["a", "brain"] concat 0 : tensor<4x64xf32>)"),
            "");
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
  EXPECT_EQ(getFormat(text), "q8_0");
  table.replaceInChoice(choice, "a", *table.find("b"));
  EXPECT_EQ(getFormat(text), "");
  EXPECT_EQ(getFormat(R"(from ["b"] : tensor<2x64xf32>)"), "q8_0");
  table.addUpdate("b", LowRankUpdate());
  EXPECT_EQ(getFormat(R"(from ["b"] : tensor<2x64xf32>)"), "");
}

TEST_F(StoredWeights, BlocksOfTheJoinedRows) {
  attn::WeightOp joined =
      parseWeight(R"(from ["b", "a"] concat 0 : tensor<4x64xf32>)");
  StoredBlocks all = readStoredBlocks(table, joined, 0, 4, 32);
  EXPECT_EQ(all.scales, (std::vector<float>{2, 3, 4, 5, 1, -2,
                                            std::ldexp(1.0f, -24), 0.5f}));
  // Of both sides of the seam.
  StoredBlocks some = readStoredBlocks(table, joined, 1, 3, 32);
  EXPECT_EQ(some.scales, (std::vector<float>{4, 5, 1, -2}));
  EXPECT_EQ(some.steps, (std::vector<int8_t>(all.steps.begin() + 64,
                                             all.steps.begin() + 3 * 64)));
  EXPECT_EQ(readStoredBlocks(table, joined, 4, 4, 32).steps.size(), 0u);
}

/// A number is step * scale + offset, to the last bit, in the groups of the
/// file and in smaller ones, as several formats side by side have them.
TEST_F(StoredWeights, BlocksGiveTheNumbers) {
  for (const char *text :
       {R"(from ["a"] : tensor<2x64xf32>)",
        R"(from ["four"] : tensor<2x64xf32>)",
        R"(from ["four_one"] : tensor<2x64xf32>)",
        R"(from ["four_k"] : tensor<2x256xf32>)",
        R"(from ["six_k"] : tensor<2x256xf32>)",
        R"(from ["a", "four_one", "four"] concat 0 : tensor<6x64xf32>)",
        R"(from ["six_k", "four_k"] concat 0 : tensor<4x256xf32>)"}) {
    attn::WeightOp weight = parseWeight(text);
    auto type = llvm::cast<mlir::RankedTensorType>(weight.getType());
    const std::string stored = getStoredFormat(table, weight).str();
    ASSERT_NE(stored, "") << text;
    const int64_t own =
        kernel::PrecisionAttr::getStored(&context, stored, kernel::Format::f32)
            .getGroup();
    std::vector<float> values = cantFail(table.materialize(weight));
    for (int64_t group : {own, int64_t(8)}) {
      StoredBlocks blocks =
          readStoredBlocks(table, weight, 0, type.getDimSize(0), group);
      ASSERT_EQ(blocks.steps.size(), values.size()) << text;
      ASSERT_EQ(blocks.scales.size() * group, values.size()) << text;
      ASSERT_EQ(blocks.offsets.size(), blocks.scales.size()) << text;
      for (size_t i = 0; i < values.size(); ++i) {
        const float number =
            std::fma(float(blocks.steps[i]), blocks.scales[i / group],
                     blocks.offsets[i / group]);
        ASSERT_EQ(llvm::bit_cast<uint32_t>(number),
                  llvm::bit_cast<uint32_t>(values[i]))
            << text << ": " << i << " in " << group;
      }
    }
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
  EXPECT_EQ(getMark("eight"), "q8_0");
  EXPECT_EQ(getMark("four"), "q4_0");
  EXPECT_EQ(getMark("wide"), "");
  for (auto weight : module.getOps<attn::WeightOp>())
    EXPECT_EQ(llvm::toString(table.check(weight)), "");
}

TEST_F(StoredWeights, OfOtherFilesAreRefused) {
  auto check = [&](const std::string &rest) {
    return llvm::toString(table.check(parseWeight(rest)));
  };
  // Without blocks there are no scales to read.
  EXPECT_THAT(
      check(R"(from ["wide"] : tensor<2x64xf32> {attn.stored = "q8_0"})"),
      HasSubstr("error[A0223]: the program keeps @w as its file does, "
                "in q8_0; these files have none of it"));
  EXPECT_THAT(
      check(R"(from ["four"] : tensor<2x64xf32> {attn.stored = "q8_0"})"),
      HasSubstr("error[A0223]"));
  EXPECT_EQ(check(R"(from ["a"] : tensor<2x64xf32> {attn.stored = "q8_0"})"),
            "");
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
