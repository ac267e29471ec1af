//===- OwnRoundingTest.cpp - a library's own roundings, repeated ----------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is measured in a case, and which cases together pass.
//
//===----------------------------------------------------------------------===//
#include "ProgramTest.h"
#include "compiler/interpret/Verify.h"
#include "dialects/kernel/Kernel.h"

using namespace attnc;

TEST(OwnRounding, MeasuresShares) {
  const float got[] = {3, 4.5, 0};
  const double exact[] = {3, 5, 0}, own[] = {3, 4, 0},
               simulated[] = {3.1, 4, 0};
  OwnRounding error = measureOwnRounding(got, exact, own, simulated, 1e-6);
  const double scale = std::sqrt(25.0 / 2); // of those that are not zero
  EXPECT_DOUBLE_EQ(error.library, 0.5 / scale);
  EXPECT_NEAR(error.simulated, 0.1 / scale, 1e-12);
  EXPECT_EQ(error.bound, 1e-6);
  EXPECT_DOUBLE_EQ(error.cost, std::sqrt(0.5) / scale);
  EXPECT_DOUBLE_EQ(error.cosine, 29 / std::sqrt(25.0 * 34));
}

TEST(OwnRounding, SeesWhatIsNoNumber) {
  const float got[] = {NAN, 1};
  const double two[] = {2, 1}, nothing[] = {NAN, 1};
  EXPECT_EQ(measureOwnRounding(got, two, two, two, 0).library, INFINITY);
  EXPECT_EQ(measureOwnRounding(got, nothing, nothing, nothing, 0).library, 0);
  const float zeros[] = {0, 0.5};
  const double none[] = {0, 0};
  EXPECT_EQ(measureOwnRounding(zeros, none, none, none, 0).library, 0.5);
}

/// Eight cases with these errors of a library; the simulated ones are 1e-6 in
/// most cases and 1e-2 in the others.
static std::vector<OwnRoundingSummary> summarize(std::vector<double> library) {
  VerifyReport report;
  for (auto [i, error] : llvm::enumerate(library)) {
    VerifyCase tried;
    tried.entry = "f";
    OutputError output;
    output.output = "y";
    output.own =
        OwnRounding{error, i < 5 ? 1e-6 : 1e-2, 2e-6, 0.01 * i, 1 - 0.001 * i};
    tried.outputs.push_back(output);
    report.cases.push_back(tried);
  }
  return summarizeOwnRounding(report);
}

TEST(OwnRounding, JudgesTheNearestQuarter) {
  // Single cases may be off as far as formats go.
  auto some = summarize({1e-2, 1e-7, 1e-2, 1e-2, 1e-7, 1e-2, 1e-7, 1e-2});
  ASSERT_EQ(some.size(), 1u);
  EXPECT_EQ(some[0].output, "f.y");
  EXPECT_TRUE(some[0].passed());
  EXPECT_EQ(some[0].quarter, 1e-7);
  EXPECT_DOUBLE_EQ(some[0].allowed, 8e-6);
  EXPECT_DOUBLE_EQ(some[0].cost, 0.07);
  EXPECT_DOUBLE_EQ(some[0].cosine, 0.993);
  // All of them may not.
  EXPECT_FALSE(summarize(std::vector<double>(8, 1e-3))[0].passed());
  EXPECT_FALSE(
      summarize({1e-7, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3})[0].passed());
  EXPECT_FALSE(summarize(std::vector<double>(8, INFINITY))[0].passed());
}

TEST(OwnRounding, ReportsFailAndTell) {
  VerifyReport report;
  report.cases.push_back({"f", "one case", {}, ""});
  report.own = summarize(std::vector<double>(8, 1e-3));
  EXPECT_FALSE(report.passed());
  std::string text;
  llvm::raw_string_ostream os(text);
  report.print(os);
  EXPECT_NE(text.find("FAILED f.y: with the library's own roundings off by "
                      "0.001"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("failed: 1 of 1 cases"), std::string::npos) << text;
  llvm::json::Value json = report.toJson();
  const llvm::json::Array *own = json.getAsObject()->getArray("own_roundings");
  ASSERT_NE(own, nullptr);
  EXPECT_EQ((*own)[0].getAsObject()->getBoolean("passed"), false);
}

TEST(OwnRounding, ReadsFormatsOfProducts) {
  mlir::MLIRContext context;
  context.loadDialect<kernel::KernelDialect>();
  auto read = [&](llvm::StringRef text, bool isAdapted = false) {
    llvm::json::Value list = llvm::cantFail(llvm::json::parse(text));
    return readProductFormats(&context, *list.getAsArray(), isAdapted);
  };
  auto formats = read(R"([
    {"weights": "i4", "activations": "f32", "group": 32, "of": ["a", "b"]},
    {"weights": "bf16", "activations": "bf16", "erf": "short",
     "of": ["c"]},
    {"weights": "i8", "activations": "i8", "group": 32, "stored": true,
     "table": "f32", "of": ["e"]}])");
  ASSERT_TRUE(formats);
  EXPECT_EQ(formats->size(), 4u);
  EXPECT_EQ(formats->lookup("b").precision.getWeights(), kernel::Format::i4);
  EXPECT_EQ(formats->lookup("b").precision.getGroup(), 32);
  EXPECT_EQ(formats->lookup("c").precision.getActivations(),
            kernel::Format::bf16);
  EXPECT_FALSE(formats->lookup("d").precision);
  EXPECT_TRUE(formats->lookup("c").hasShortErf);
  EXPECT_FALSE(formats->lookup("a").hasShortErf);
  EXPECT_TRUE(formats->lookup("e").precision.getStored());
  EXPECT_FALSE(formats->lookup("a").precision.getStored());
  EXPECT_TRUE(formats->lookup("e").hasPlainTable);
  EXPECT_FALSE(formats->lookup("a").hasPlainTable);
  // Sessions with an adapter run other kernels.
  constexpr const char *kAdapted = R"([
    {"weights": "i8", "activations": "f32", "adapted": true, "of": ["a"]},
    {"weights": "i4", "activations": "f32", "of": ["a", "b"]}])";
  EXPECT_EQ(read(kAdapted)->lookup("a").precision.getWeights(),
            kernel::Format::i4);
  EXPECT_EQ(read(kAdapted, true)->lookup("a").precision.getWeights(),
            kernel::Format::i8);
  EXPECT_EQ(read(kAdapted, true)->lookup("b").precision.getWeights(),
            kernel::Format::i4);
  EXPECT_FALSE(read(R"([{"weights": "i5", "activations": "f32", "of": []}])"));
  EXPECT_FALSE(read(R"([{"weights": "i8", "activations": "f32"}])"));
  EXPECT_FALSE(read("[1]"));
}
