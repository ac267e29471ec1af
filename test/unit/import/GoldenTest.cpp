//===- GoldenTest.cpp - imported models against transformers --------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Imports the tiny models, runs them in the interpreter and compares with the
// float64 values of the reference implementation (test/numerics/make-goldens.py
// wrote them). What is left between the two is constants that the program holds
// in f32, such as 1 / sqrt(d).
//
//===----------------------------------------------------------------------===//
#include "ImportFixture.h"
#include "compiler/interpret/Interpreter.h"
#include <cmath>

using namespace attnc;

static constexpr double kTolerance = 1e-6;

namespace {
class Golden : public ImportFixture,
               public ::testing::WithParamInterface<const char *> {
protected:
  static std::vector<double> getNumbers(const llvm::json::Array &array) {
    std::vector<double> numbers;
    for (const llvm::json::Value &value : array)
      numbers.push_back(*value.getAsNumber());
    return numbers;
  }

  static TensorValue getIntegers(llvm::ArrayRef<int64_t> shape,
                                 const std::vector<double> &values) {
    TensorValue tensor;
    tensor.shape.assign(shape.begin(), shape.end());
    tensor.isInteger = true;
    tensor.integers.assign(values.begin(), values.end());
    return tensor;
  }

  /// Runs every entry on a case and compares each output.
  void check(ImportedModel &model, const llvm::json::Object &example);
};
} // namespace

void Golden::check(ImportedModel &model, const llvm::json::Object &example) {
  int64_t batch = *example.getInteger("batch"),
          seq = *example.getInteger("seq");
  SCOPED_TRACE("batch " + std::to_string(batch) + ", seq " +
               std::to_string(seq));
  std::vector<double> mask;
  for (double length : getNumbers(*example.getArray("lengths")))
    for (int64_t s = 0; s < seq; ++s)
      mask.push_back(s < length);
  auto getInput = [&](llvm::StringRef name) {
    return getIntegers({batch, seq}, name == "attention_mask"
                                         ? mask
                                         : getNumbers(*example.getArray(name)));
  };
  Interpreter interpreter(*model.module, &model.weights);
  size_t compared = 0;
  for (auto entry : model.module->getOps<attn::EntryOp>()) {
    // Of models with a head the reference gives the head's outputs only.
    if (!example.getObject("outputs")->get(entry.getResultName(0)))
      continue;
    std::vector<TensorValue> inputs;
    for (unsigned i = 0; i < entry.getArgumentTypes().size(); ++i)
      inputs.push_back(getInput(entry.getArgName(i)));
    auto results = interpreter.run(entry.getSymName(),
                                   {{"batch", batch}, {"seq", seq}}, inputs);
    ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
    for (auto [index, result] : llvm::enumerate(*results)) {
      llvm::StringRef name = entry.getResultName(index);
      SCOPED_TRACE(name.str());
      const llvm::json::Object *output =
          example.getObject("outputs")->getObject(name);
      ASSERT_NE(output, nullptr);
      std::vector<double> expected = getNumbers(*output->getArray("values"));
      ASSERT_EQ(result.numbers.size(), expected.size());
      // In this direction a NaN counts.
      size_t bad = 0;
      for (size_t i = 0; i < expected.size(); ++i)
        bad += !(std::abs(result.numbers[i] - expected[i]) <= kTolerance);
      EXPECT_EQ(bad, 0u);
      ++compared;
    }
  }
  EXPECT_EQ(compared, example.getObject("outputs")->size());
}

TEST_P(Golden, EqualsTheReference) {
  copy(GetParam());
  std::unique_ptr<ImportedModel> model = import();
  ASSERT_NE(model, nullptr) << messages;
  auto file = llvm::MemoryBuffer::getFile(std::string(ATTNC_TEST_GOLDENS) +
                                          "/" + GetParam() + ".json");
  ASSERT_TRUE(bool(file)) << file.getError().message();
  llvm::json::Value goldens =
      llvm::cantFail(llvm::json::parse((*file)->getBuffer()));
  const llvm::json::Array *cases = goldens.getAsObject()->getArray("cases");
  ASSERT_FALSE(cases->empty());
  for (const llvm::json::Value &example : *cases)
    check(*model, *example.getAsObject());
}

static std::string
getTestName(const ::testing::TestParamInfo<const char *> &info) {
  std::string name = llvm::sys::path::filename(info.param).str();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Models, Golden,
                         ::testing::Values("tiny-bert", "tiny-masked",
                                           "tiny-sentence"),
                         getTestName);

INSTANTIATE_TEST_SUITE_P(
    Families, Golden,
    ::testing::Values(
        "families/albert", "families/albert-groups", "families/albert-masked",
        "families/albert-question", "families/albert-sequence",
        "families/albert-token", "families/bert-masked", "families/bert-next",
        "families/bert-pretraining", "families/bert-question",
        "families/bert-rank", "families/bert-sequence", "families/bert-token",
        "families/bert-untied", "families/distilbert",
        "families/distilbert-masked", "families/distilbert-question",
        "families/distilbert-sequence", "families/distilbert-token",
        "families/electra", "families/electra-masked",
        "families/electra-question", "families/electra-replaced",
        "families/electra-sequence", "families/electra-token", "families/mpnet",
        "families/mpnet-masked", "families/mpnet-question",
        "families/mpnet-sequence", "families/mpnet-token", "families/roberta",
        "families/roberta-masked", "families/roberta-question",
        "families/roberta-sequence", "families/roberta-token",
        "families/xlm-roberta", "families/xlm-roberta-masked",
        "families/xlm-roberta-question", "families/xlm-roberta-sequence",
        "families/xlm-roberta-token"),
    getTestName);

INSTANTIATE_TEST_SUITE_P(ModernBert, Golden,
                         ::testing::Values("families/modernbert",
                                           "families/modernbert-biases",
                                           "families/modernbert-masked",
                                           "families/modernbert-mean",
                                           "families/modernbert-question",
                                           "families/modernbert-sequence",
                                           "families/modernbert-token"),
                         getTestName);

INSTANTIATE_TEST_SUITE_P(
    Deberta, Golden,
    ::testing::Values("families/deberta", "families/deberta-absolute",
                      "families/deberta-c2p", "families/deberta-conv",
                      "families/deberta-masked",
                      "families/deberta-masked-newer", "families/deberta-p2c",
                      "families/deberta-plain", "families/deberta-question",
                      "families/deberta-sequence", "families/deberta-token"),
    getTestName);

INSTANTIATE_TEST_SUITE_P(Camembert, Golden,
                         ::testing::Values("families/camembert",
                                           "families/camembert-masked",
                                           "families/camembert-question",
                                           "families/camembert-sequence",
                                           "families/camembert-token"),
                         getTestName);

INSTANTIATE_TEST_SUITE_P(
    TrainedOtherwise, Golden,
    ::testing::Values("families/data2vec", "families/data2vec-masked",
                      "families/data2vec-question",
                      "families/data2vec-sequence", "families/data2vec-token",
                      "families/ernie", "families/ernie-masked",
                      "families/ernie-question", "families/ernie-sequence",
                      "families/ernie-token"),
    getTestName);
