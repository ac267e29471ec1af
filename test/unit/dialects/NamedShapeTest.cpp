//===- NamedShapeTest.cpp - types of named shapes
//---------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From shapes to types and back.
//
//===----------------------------------------------------------------------===//
#include "dialects/attn/Attn.h"
#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/MLIRContext.h"
#include "gtest/gtest.h"

using namespace attnc;
using namespace mlir;

namespace {

class NamedShapeTest : public ::testing::Test {
protected:
  NamedShapeTest() { context.loadDialect<attn::AttnDialect>(); }
  Type parse(llvm::StringRef text) { return parseType(text, &context); }
  MLIRContext context;
};

TEST_F(NamedShapeTest, StaticTensorsCarryNoNames) {
  Type f32 = Float32Type::get(&context);
  EXPECT_EQ(attn::getNamedTensor({SizeExpr(3), SizeExpr(4)}, f32),
            parse("tensor<3x4xf32>"));
  EXPECT_EQ(attn::getNamedTensor({}, f32), parse("tensor<f32>"));
  EXPECT_EQ(attn::getNamedShape(parse("tensor<3x4xf32>")),
            (SmallVector<SizeExpr>{SizeExpr(3), SizeExpr(4)}));
}

TEST_F(NamedShapeTest, DynamicTensorsRoundTrip) {
  Type type = parse("tensor<?x?x8xf32, #attn.sizes<batch, seq * 2 + 1, 8>>");
  ASSERT_TRUE(type);
  SmallVector<SizeExpr> shape = attn::getNamedShape(type);
  ASSERT_EQ(shape.size(), 3u);
  EXPECT_EQ(shape[0].asName(), "batch");
  EXPECT_EQ(shape[1].str(), "2 * seq + 1");
  EXPECT_EQ(shape[2].number(), 8);
  EXPECT_EQ(attn::getNamedTensor(shape, Float32Type::get(&context)), type);
  EXPECT_EQ(attn::getProduct(shape).str(), "8 * batch + 16 * batch * seq");
}

TEST_F(NamedShapeTest, EqualSizesAreEqualAttributes) {
  EXPECT_EQ(parse("tensor<?xf32, #attn.sizes<a * b + c>>"),
            parse("tensor<?xf32, #attn.sizes<c + b * a>>"));
  EXPECT_NE(parse("tensor<?xf32, #attn.sizes<a>>"),
            parse("tensor<?xf32, #attn.sizes<b>>"));
}

} // namespace
