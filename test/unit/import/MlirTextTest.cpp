//===- MlirTextTest.cpp - text that MLIR's parser does not survive --------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Arrays of `index` are found wherever MLIR would read them, and nowhere else.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/MlirText.h"
#include "ImportFixture.h"
#include "mlir/Parser/Parser.h"

using namespace attnc;

/// Text in which the parser would come to an array of `index`.
static const char *const kFound[] = {
    "module attributes {a.x = array<index: 1>} {}",
    "array<index>",
    "array < \n // and so on \"\n index : 1>",
    "\"a.b\"() {x = [array<index: 1>]} : () -> ()",
    "!t = index\nmodule attributes {a.x = array<!t: 1>} {}",
    "!t = index\n!u = !t\nmodule attributes {a.x = array<!u: 1>} {}",
    "!t-1 = index\nmodule attributes {a.x = array<!t-1: 1>} {}",
    "{a.x = \"// no comment\", a.y = array<index: 1>}",
    "{a.x = \"a \\\" quote\", a.y = array<index: 1>}",
    "{a.x = \"\\\\\", a.y = array<index: 1>}",
    "{a.x = @\"a name\", a.y = array<index: 1>}",
    "{a.x = 1.5e-3array<index: 1>}",
    "{a.x = 7array<index: 1>}",
    "{a.x = 0x1Fgarray, a.y = array<index: 1>}",
    "{a.x = \"a line that ends\n array<index: 1>",
    "{a.x = array<i64: 1>, a.y = array<index: 1>}",
};

/// Text that has it in comments, strings or other words alone.
static const char *const kOther[] = {
    "",
    "array",
    "array<",
    "module attributes {a.x = array<i64: 1, 2>} {}",
    "// array<index: 1>\nmodule {}",
    "module attributes {a.x = \"array<index: 1>\"} {}",
    "module attributes {a.x = \"a \\\" array<index: 1>\"} {}",
    "module attributes {a.x = @\"array<index: 1>\"} {}",
    "%array<index",
    "#array<index: 1>",
    "@array<index",
    "!array<index>",
    "my_array<index>",
    "a.array<index>",
    "array$<index>",
    "array<index2>",
    "array<index.x>",
    "tensor<index>",
    "array<#index>",
    "array<\"index\">",
    "!t = i64\nmodule attributes {a.x = array<!t: 1>} {}",
    "!t = index\nmodule attributes {a.x = array<!u: 1>} {}",
    // Aliases that name each other end the search.
    "!t = !u\n!u = !t\nmodule attributes {a.x = array<!t: 1>} {}",
    "ML\xefR array<index>",
    "{a.x = 0xarray<index: 1>}",
};

TEST(MlirText, FindsArraysOfIndex) {
  for (const char *text : kFound) {
    EXPECT_TRUE(findIndexArray(text)) << text;
    EXPECT_TRUE(findIndexArray(llvm::StringRef(text).substr(0).str() + "\n"))
        << text;
  }
  llvm::StringRef text = "// one\n\n  x = array<index: 1>";
  EXPECT_EQ(*findIndexArray(text), text.find("array"));
}

TEST(MlirText, LeavesOtherTextAlone) {
  for (const char *text : kOther)
    EXPECT_FALSE(findIndexArray(text)) << text;
}

/// Every end of a text and every byte in it: nothing is read beyond the end.
TEST(MlirText, ReadsNothingBehindTheEnd) {
  std::string all;
  for (const char *text : kFound)
    all += std::string(text) + "\n";
  for (const char *text : kOther)
    all += std::string(text) + "\n";
  for (size_t end = 0; end <= all.size(); ++end) {
    // A copy of its own, so that sanitizers know where it ends.
    std::vector<char> copy(all.begin(), all.begin() + end);
    (void)findIndexArray({copy.data(), copy.size()});
  }
}

/// Text from anywhere takes no more than its length in steps.
TEST(MlirText, AliasesAreFollowedOnce) {
  constexpr int kMany = 20000;
  std::string text = "!a0 = i64\n";
  for (int i = 1; i < kMany; ++i)
    text += "!a" + std::to_string(i) + " = !a" + std::to_string(i - 1) + "\n";
  for (int i = 0; i < kMany; ++i)
    text += "array<!a" + std::to_string(kMany - 1) + "> ";
  EXPECT_FALSE(findIndexArray(text));
  text += "!a0 = index";
  EXPECT_TRUE(findIndexArray(text));
}

/// What is not found is read by MLIR, or refused by it.
TEST(MlirText, ParserSurvivesTheRest) {
  mlir::MLIRContext context;
  context.allowUnregisteredDialects();
  context.getDiagEngine().registerHandler(
      [](mlir::Diagnostic &) { return llvm::success(); });
  unsigned read = 0;
  for (const char *text : kOther)
    if (text[0] != 'M')
      read += bool(mlir::parseSourceString<mlir::ModuleOp>(text, &context));
  EXPECT_GT(read, 5u);
}

TEST(MlirText, SaysWhere) {
  std::string message = llvm::toString(
      checkMlirText("x.mlir", "module {\n} // \"\n  y = array<index: 1>"));
  EXPECT_EQ(message,
            "error[A0194]: x.mlir:3:7: expected an array of integers or "
            "floats, got one of 'index'\nnote: write array<i64: ...>; MLIR's "
            "parser cannot read arrays of 'index'");
  EXPECT_FALSE(checkMlirText("x.mlir", "module {}"));
}
