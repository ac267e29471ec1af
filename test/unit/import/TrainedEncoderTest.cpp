//===- TrainedEncoderTest.cpp - a trained model against transformers ------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Imports the sentence encoder in $ATTNC_TEST_MODEL, runs it in the interpreter
// on short inputs and compares with samples of the reference's float64 values.
//
//===----------------------------------------------------------------------===//
#include "ImportFixture.h"
#include "compiler/interpret/Interpreter.h"
#include <cmath>
#include <cstdlib>

using namespace attnc;

// Constants of the program are f32; the values themselves reach 6.
static constexpr double kTolerance = 2e-6;
static constexpr int64_t kLongest = 48; // the interpreter takes its time

using TrainedEncoder = ImportFixture;

/// Inputs as make-goldens.py makes them.
static std::vector<TensorValue> makeInputs(const llvm::json::Object &example,
                                           int64_t vocabulary) {
  int64_t batch = *example.getInteger("batch"),
          seq = *example.getInteger("seq");
  std::vector<TensorValue> inputs(3);
  for (TensorValue &input : inputs) {
    input.shape = {batch, seq};
    input.isInteger = true;
  }
  uint32_t state = *example.getInteger("seed");
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t s = 0; s < seq; ++s) {
      state = 1664525 * state + 1013904223;
      inputs[0].integers.push_back((state >> 8) % vocabulary);
      inputs[1].integers.push_back(
          s < *(*example.getArray("lengths"))[b].getAsInteger());
      inputs[2].integers.push_back(0);
    }
  return inputs;
}

static double getError(llvm::ArrayRef<double> row,
                       const llvm::json::Array &columns,
                       const llvm::json::Array &expected) {
  double worst = 0;
  for (auto [column, value] : llvm::zip_equal(columns, expected)) {
    double error = std::abs(row[*column.getAsInteger()] - *value.getAsNumber());
    if (!(error <= worst)) // a NaN counts, and stays
      worst = error;
  }
  return worst;
}

static TensorValue runEntry(Interpreter &interpreter, llvm::StringRef entry,
                            const std::vector<TensorValue> &inputs) {
  auto results = interpreter.run(
      entry, {{"batch", inputs[0].shape[0]}, {"seq", inputs[0].shape[1]}},
      inputs);
  if (results)
    return std::move(results->front());
  ADD_FAILURE() << llvm::toString(results.takeError());
  return {};
}

TEST_F(TrainedEncoder, EqualsTheReference) {
  const char *folder = std::getenv("ATTNC_TEST_MODEL");
  if (!folder)
    GTEST_SKIP() << "ATTNC_TEST_MODEL names no folder";
  std::unique_ptr<ImportedModel> model = importModel(context, folder, {});
  ASSERT_NE(model, nullptr) << messages;
  EXPECT_EQ(model->maxLength, 256);
  auto file = llvm::MemoryBuffer::getFile(ATTNC_TEST_GOLDENS "/minilm.json");
  ASSERT_TRUE(bool(file)) << file.getError().message();
  llvm::json::Value goldens =
      llvm::cantFail(llvm::json::parse((*file)->getBuffer()));
  int64_t vocabulary = *goldens.getAsObject()->getInteger("vocab_size");
  Interpreter interpreter(*model->module, &model->weights);
  unsigned compared = 0;
  for (const llvm::json::Value &value :
       *goldens.getAsObject()->getArray("cases")) {
    const llvm::json::Object &example = *value.getAsObject();
    int64_t seq = *example.getInteger("seq");
    if (seq > kLongest)
      continue;
    SCOPED_TRACE("seq " + std::to_string(seq));
    std::vector<TensorValue> inputs = makeInputs(example, vocabulary);
    const llvm::json::Array &columns = *example.getArray("columns");
    TensorValue hidden = runEntry(interpreter, "encode", inputs);
    ASSERT_FALSE(hidden.numbers.empty());
    llvm::ArrayRef<double> numbers(hidden.numbers);
    for (const llvm::json::Value &sample : *example.getArray("samples")) {
      const llvm::json::Object &at = *sample.getAsObject();
      int64_t row = *at.getInteger("row") * seq + *at.getInteger("position");
      int64_t size = hidden.shape[2];
      EXPECT_LE(getError(numbers.slice(row * size, size), columns,
                         *at.getArray("values")),
                kTolerance);
      ++compared;
    }
    TensorValue embedding = runEntry(interpreter, "embed", inputs);
    for (auto [row, expected] : llvm::enumerate(*example.getArray("embedding")))
      EXPECT_LE(
          getError(llvm::ArrayRef<double>(embedding.numbers)
                       .slice(row * embedding.shape[1], embedding.shape[1]),
                   columns, *expected.getAsArray()),
          kTolerance);
  }
  EXPECT_GT(compared, 0u);
}
