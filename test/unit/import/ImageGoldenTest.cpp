//===- ImageGoldenTest.cpp - models of images against transformers --------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Imports the tiny models of images, runs their entries in the interpreter and
// compares with the float64 values of the reference implementation
// (test/numerics/make-image-goldens.py wrote them).
//
//===----------------------------------------------------------------------===//
#include "ImportFixture.h"
#include "compiler/interpret/Interpreter.h"
#include <cmath>

using namespace attnc;

// Constants that the program holds in f32 remain.
static constexpr double kTolerance = 1e-6;

namespace {
class ImageGolden : public ImportFixture,
                    public ::testing::WithParamInterface<const char *> {
protected:
  static TensorValue getInput(const llvm::json::Object &input, bool isInteger) {
    TensorValue value;
    value.isInteger = isInteger;
    for (const llvm::json::Value &dim : *input.getArray("shape"))
      value.shape.push_back(*dim.getAsInteger());
    double divisor = *input.getNumber("divisor");
    for (const llvm::json::Value &element : *input.getArray("integers"))
      if (isInteger)
        value.integers.push_back(*element.getAsInteger());
      else
        value.numbers.push_back(*element.getAsInteger() / divisor);
    return value;
  }

  void check(ImportedModel &model, const llvm::json::Object &example);
};
} // namespace

void ImageGolden::check(ImportedModel &model,
                        const llvm::json::Object &example) {
  auto entry =
      model.module->lookupSymbol<attn::EntryOp>(*example.getString("entry"));
  ASSERT_TRUE(entry) << example.getString("entry")->str();
  const llvm::json::Object &given = *example.getObject("inputs");
  ASSERT_EQ(entry.getArgumentTypes().size(), given.size());
  std::vector<TensorValue> inputs;
  for (unsigned i = 0; i < given.size(); ++i) {
    const llvm::json::Object *input = given.getObject(entry.getArgName(i));
    ASSERT_NE(input, nullptr) << entry.getArgName(i).str();
    auto type = llvm::cast<mlir::RankedTensorType>(entry.getArgumentTypes()[i]);
    inputs.push_back(getInput(*input, type.getElementType().isInteger()));
  }
  std::map<std::string, int64_t> sizes = {{"batch", inputs[0].shape[0]}};
  if (entry.getSizes().size() > 1)
    sizes["seq"] = inputs[0].shape[1];
  Interpreter interpreter(*model.module, &model.weights);
  auto results = interpreter.run(entry.getSymName(), sizes, inputs);
  ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
  const llvm::json::Object &outputs = *example.getObject("outputs");
  size_t compared = 0;
  for (auto [index, result] : llvm::enumerate(*results)) {
    llvm::StringRef name = entry.getResultName(index);
    SCOPED_TRACE(name.str());
    const llvm::json::Object *output = outputs.getObject(name);
    // Of a classifier the reference gives the logits only.
    if (!output)
      continue;
    const llvm::json::Array &values = *output->getArray("values");
    ASSERT_EQ(result.numbers.size(), values.size());
    // In this direction a NaN counts.
    size_t bad = 0;
    for (size_t i = 0; i < values.size(); ++i)
      bad += !(std::abs(result.numbers[i] - *values[i].getAsNumber()) <=
               kTolerance);
    EXPECT_EQ(bad, 0u);
    ++compared;
  }
  EXPECT_EQ(compared, outputs.size());
}

TEST_P(ImageGolden, EqualsTheReference) {
  copy(std::string("images/") + GetParam());
  std::unique_ptr<ImportedModel> model = import();
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_EQ(messages, "");
  auto file = llvm::MemoryBuffer::getFile(std::string(ATTNC_TEST_GOLDENS) +
                                          "/images/" + GetParam() + ".json");
  ASSERT_TRUE(bool(file)) << file.getError().message();
  llvm::json::Value goldens =
      llvm::cantFail(llvm::json::parse((*file)->getBuffer()));
  const llvm::json::Array *cases = goldens.getAsObject()->getArray("cases");
  ASSERT_FALSE(cases->empty());
  for (const llvm::json::Value &example : *cases)
    check(*model, *example.getAsObject());
}

INSTANTIATE_TEST_SUITE_P(
    Models, ImageGolden,
    ::testing::Values("vit", "vit-classes", "clip", "clip-text",
                      "clip-text-projected", "clip-image",
                      "clip-image-projected"),
    [](const ::testing::TestParamInfo<const char *> &info) {
      std::string name = info.param;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });
