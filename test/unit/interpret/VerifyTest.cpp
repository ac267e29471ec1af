//===- VerifyTest.cpp - libraries that are right, and some that are not ---===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The library is the reference itself, rounded to f32, and then spoilt in every
// way that verification must see.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/Verify.h"
#include "ProgramTest.h"
#include "compiler/interpret/VerifyInputs.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace attnc;

namespace {

constexpr const char *kEncoder = R"(
attn.size @batch min 1 max 64
attn.size @seq min 1 max 40
attn.entry @f(%ids: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "ids", attn.range = array<i64: 0, 2>}, %mask: tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "mask", attn.range = array<i64: 0, 1>, attn.default = 1 : i32}, %scale: tensor<?xf32, #attn.sizes<batch>> {attn.name = "scale"})
    -> (tensor<?x2xf32, #attn.sizes<batch, 2>> {attn.name = "pooled"}, tensor<?x?xi32, #attn.sizes<batch, seq>> {attn.name = "copy"}) sizes ["batch", "seq"] {
  %t = attn.constant dense<[[1.0, 2.0], [3.0, 4.0], [-5.0, 0.5]]> : tensor<3x2xf32>
  %e = attn.embedding(%ids), (%t) : (tensor<?x?xi32, #attn.sizes<batch, seq>>), (tensor<3x2xf32>) -> tensor<?x?x2xf32, #attn.sizes<batch, seq, 2>>
  %p = attn.pool mean %e mask(%mask : tensor<?x?xi32, #attn.sizes<batch, seq>>) : tensor<?x?x2xf32, #attn.sizes<batch, seq, 2>> -> tensor<?x2xf32, #attn.sizes<batch, 2>>
  %y = attn.map element(%p at affine_map<(d0, d1) -> (d0, d1)> : tensor<?x2xf32, #attn.sizes<batch, 2>>, %scale at affine_map<(d0, d1) -> (d0)> : tensor<?xf32, #attn.sizes<batch>>) {
  ^bb0(%a: f32, %s: f32):
    %z = arith.mulf %a, %s : f32
    attn.yield %z : f32
  } : tensor<?x2xf32, #attn.sizes<batch, 2>>
  attn.return %y, %ids : tensor<?x2xf32, #attn.sizes<batch, 2>>, tensor<?x?xi32, #attn.sizes<batch, seq>>
}
)";

class VerifyTest : public ProgramTest {
protected:
  using Spoil =
      std::function<void(std::vector<float> &, std::vector<int32_t> &)>;

  void SetUp() override {
    module = parse(kEncoder);
    ASSERT_TRUE(module);
    entry = module->lookupSymbol<attn::EntryOp>("f");
  }

  /// The reference as a library: reads raw inputs, writes raw outputs.
  llvm::Error callReference(llvm::StringRef name, const Sizes &sizes,
                            llvm::ArrayRef<VerifyBuffer> inputs,
                            llvm::ArrayRef<VerifyBuffer> outputs,
                            const Spoil &spoil) {
    Values values;
    for (auto [index, type] : llvm::enumerate(entry.getArgumentTypes())) {
      TensorValue value;
      value.shape = interpret::shapeAt(type, sizes);
      value.isInteger = index < 2;
      for (int64_t i = 0, count = value.numElements(); i < count; ++i)
        if (!inputs[index].data)
          value.integers.push_back(1);
        else if (value.isInteger)
          value.integers.push_back(
              static_cast<const int32_t *>(inputs[index].data)[i]);
        else
          value.numbers.push_back(
              static_cast<const float *>(inputs[index].data)[i]);
      values.push_back(std::move(value));
    }
    Interpreter interpreter(*module, nullptr, 1);
    llvm::Expected<Values> results = interpreter.run(name, sizes, values);
    if (!results)
      return results.takeError();
    std::vector<float> pooled((*results)[0].numbers.begin(),
                              (*results)[0].numbers.end());
    std::vector<int32_t> copy((*results)[1].integers.begin(),
                              (*results)[1].integers.end());
    if (spoil)
      spoil(pooled, copy);
    std::copy(pooled.begin(), pooled.end(),
              static_cast<float *>(outputs[0].data));
    if (outputs.size() > 1)
      std::copy(copy.begin(), copy.end(),
                static_cast<int32_t *>(outputs[1].data));
    return llvm::Error::success();
  }

  VerifyReport verify(const Spoil &spoil, VerifyOptions options = {}) {
    llvm::Expected<VerifyReport> report = verifyLibrary(
        *module, nullptr, options,
        [&](llvm::StringRef name, const Sizes &sizes,
            llvm::ArrayRef<VerifyBuffer> inputs,
            llvm::ArrayRef<VerifyBuffer> outputs) {
          return callReference(name, sizes, inputs, outputs, spoil);
        });
    if (report)
      return std::move(*report);
    ADD_FAILURE() << llvm::toString(report.takeError());
    return {};
  }

  static std::string firstFailure(const VerifyReport &report) {
    for (const VerifyCase &run : report.cases)
      if (!run.failure.empty())
        return run.failure;
    return "";
  }

  static std::string print(const VerifyReport &report) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    report.print(stream);
    return text;
  }

  mlir::OwningOpRef<mlir::ModuleOp> module;
  attn::EntryOp entry;
};

TEST_F(VerifyTest, PassesWhatIsRight) {
  VerifyReport report = verify(nullptr);
  EXPECT_TRUE(report.passed()) << print(report);
  EXPECT_GT(report.cases.size(), 40u);
  EXPECT_NE(print(report).find("f.pooled: max abs"), std::string::npos);
  EXPECT_NE(print(report).find("f.copy: max abs 0"), std::string::npos);
}

/// Roundings are repeated in a program of their own; it has to be the same
/// model, whatever they hide.
TEST_F(VerifyTest, TheProgramWithAdaptersApartIsHeldToTheModel) {
  VerifyOptions options;
  options.formats.weights = "i8";
  options.products.emplace();
  auto verifyApart = [&](llvm::StringRef from, llvm::StringRef to) {
    std::string source = kEncoder;
    source.replace(source.find(from), from.size(), to);
    mlir::OwningOpRef<mlir::ModuleOp> apart = parse(source);
    options.apart = VerifyOptions::Apart{*apart, nullptr, std::nullopt};
    return verify(nullptr, options);
  };
  VerifyReport same = verifyApart("@f", "@f");
  EXPECT_TRUE(same.passed()) << print(same);
  EXPECT_FALSE(same.own.empty());
  EXPECT_EQ(firstFailure(verifyApart("0.5", "0.505")),
            "output 'pooled' of the model with its adapter apart differs from "
            "that of the two merged");
}

TEST_F(VerifyTest, SeesASmallError) {
  VerifyReport report = verify([](auto &pooled, auto &) {
    pooled.back() += 1e-4f * std::abs(pooled.back());
  });
  EXPECT_EQ(firstFailure(report),
            "output 'pooled' differs by more than it may");
  EXPECT_NE(print(report).find("FAILED f, batch 1, seq 1"), std::string::npos)
      << print(report);
}

TEST_F(VerifyTest, SeesANaN) {
  EXPECT_FALSE(verify([](auto &pooled, auto &) {
                 pooled.back() = std::nanf("");
               }).passed());
}

TEST_F(VerifyTest, SeesAWrongInteger) {
  EXPECT_EQ(firstFailure(verify([](auto &, auto &copy) { ++copy.back(); })),
            "output 'copy' differs by more than it may");
}

TEST_F(VerifyTest, SeesWritesBehindTheEnd) {
  EXPECT_EQ(
      firstFailure(verify([](auto &pooled, auto &) { pooled.push_back(0); })),
      "wrote behind the end of output 'pooled'");
}

TEST_F(VerifyTest, SeesElementsThatNobodyWrote) {
  EXPECT_FALSE(
      verify([](auto &pooled, auto &) { pooled.pop_back(); }).passed());
}

TEST_F(VerifyTest, SeesBitsThatChange) {
  int calls = 0;
  EXPECT_EQ(firstFailure(verify([&](auto &pooled, auto &) {
              if (++calls % 2)
                pooled[0] = std::nextafterf(pooled[0], 2 * pooled[0] + 1);
            })),
            "two calls gave different bits in output 'pooled'");
}

// Which NaN an instruction hands on is no difference of calls; that it is one
// where a number should be is seen.
TEST_F(VerifyTest, TakesOneNaNForAnother) {
  int calls = 0;
  EXPECT_EQ(firstFailure(verify([&](auto &pooled, auto &) {
              pooled[0] = std::copysign(std::nanf(""), ++calls % 2 ? 1 : -1);
            })),
            "output 'pooled' differs by more than it may");
}

TEST_F(VerifyTest, LeavesOutWhatTheLibraryLacks) {
  VerifyOptions options;
  options.outputs["f"] = {"pooled"};
  options.sizeBounds["seq"] = {1, 9};
  VerifyReport report = verify(nullptr, options);
  EXPECT_TRUE(report.passed()) << print(report);
  for (const VerifyCase &run : report.cases)
    EXPECT_EQ(run.outputs.size(), 1u);
}

TEST_F(VerifyTest, NothingInCommonIsAnError) {
  VerifyOptions options;
  options.outputs["g"] = {};
  llvm::Expected<VerifyReport> report =
      verifyLibrary(*module, nullptr, options,
                    [](auto...) { return llvm::Error::success(); });
  ASSERT_FALSE(report);
  EXPECT_NE(llvm::toString(report.takeError()).find("no entry in common"),
            std::string::npos);
}

TEST_F(VerifyTest, JsonTellsTheSame) {
  VerifyReport report = verify([](auto &, auto &copy) { ++copy.front(); });
  llvm::json::Value json = report.toJson();
  const llvm::json::Object *object = json.getAsObject();
  ASSERT_TRUE(object);
  EXPECT_EQ(object->getBoolean("passed"), false);
  EXPECT_EQ(object->getInteger("cases"), int64_t(report.cases.size()));
  EXPECT_EQ(object->getArray("failures")->size(), report.failures());
  EXPECT_EQ(object->getArray("outputs")->size(), 2u);
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

TEST_F(VerifyTest, CasesCoverTailsAndPatterns) {
  std::set<int64_t> lengths;
  std::set<std::string> descriptions;
  for (const interpret::InputPlan &plan : interpret::planInputs(entry, {})) {
    lengths.insert(plan.sizes.at("seq"));
    EXPECT_LE(plan.sizes.at("seq"), 40);
    descriptions.insert(interpret::describe(entry, plan));
  }
  for (int64_t length = 1; length <= 17; ++length)
    EXPECT_TRUE(lengths.count(length)) << length;
  for (int64_t length : {31, 32, 33, 39, 40})
    EXPECT_TRUE(lengths.count(length)) << length;
  for (const char *part :
       {"one row fully masked", "holes in the mask", "left padding",
        "optional inputs left out", "smallest ids", "largest ids",
        "denormal numbers", "numbers up to 1e4"})
    EXPECT_TRUE(llvm::any_of(descriptions, [&](const std::string &text) {
      return text.find(part) != std::string::npos;
    })) << part;
}

TEST_F(VerifyTest, MasksAreWhatTheySay) {
  using interpret::MaskPattern;
  auto makeMask = [&](MaskPattern pattern) {
    interpret::InputPlan plan{{{"batch", 3}, {"seq", 5}}, pattern};
    return interpret::makeInputs(entry, plan, /*seed=*/7)[1];
  };
  interpret::PlannedInput ragged = makeMask(MaskPattern::Ragged);
  for (int64_t i = 0; i < 15; ++i)
    EXPECT_TRUE(i % 5 == 0 ? ragged.integers[i] == 1
                           : ragged.integers[i] <= ragged.integers[i - 1]);
  EXPECT_EQ(ragged.integers[9], 1); // the second row is whole
  interpret::PlannedInput masked = makeMask(MaskPattern::RowMasked);
  for (int64_t i = 0; i < 5; ++i)
    EXPECT_EQ(masked.integers[i], 0);
  interpret::PlannedInput left = makeMask(MaskPattern::LeftPadding);
  for (int64_t row = 0; row < 3; ++row)
    EXPECT_EQ(left.integers[5 * row + 4], 1);
  interpret::PlannedInput leftOut = makeMask(MaskPattern::LeftOut);
  EXPECT_EQ(leftOut.buffer().data, nullptr);
  EXPECT_EQ(leftOut.value.integers, std::vector<int64_t>(15, 1));
}

TEST_F(VerifyTest, TheSameSeedGivesTheSameInputs) {
  interpret::InputPlan plan{{{"batch", 2}, {"seq", 9}}};
  auto inputs = [&](uint64_t seed) {
    return interpret::makeInputs(entry, plan, seed);
  };
  EXPECT_EQ(inputs(3)[2].numbers, inputs(3)[2].numbers);
  EXPECT_NE(inputs(3)[2].numbers, inputs(4)[2].numbers);
}

/// -inf takes a key out where it is added to the score; a product with a score
/// below zero would be +inf.
TEST_F(ProgramTest, BiasesOfScoresAreInfiniteWhereTheyAreAdded) {
  auto countInfinite = [&](llvm::StringRef scored) {
    mlir::OwningOpRef<mlir::ModuleOp> program = parse((R"(
    attn.size @n min 1 max 64
    attn.entry @f(%x: tensor<?x2xf32, #attn.sizes<n, 2>> {attn.name = "x"}, %b: tensor<?xf32, #attn.sizes<n>> {attn.name = "b"}) -> (tensor<?x2xf32, #attn.sizes<n, 2>> {attn.name = "y"}) sizes ["n"] {
      %y = attn.attention %x, %x, %x score (%b at affine_map<(d0, d1, d2, d3) -> (d3)> : tensor<?xf32, #attn.sizes<n>>) {
      ^bb0(%s: f32, %i0: i32, %h: i32, %q: i32, %kv: i32, %bias: f32):
        )" + scored + R"(
        attn.yield %t : f32
      } : tensor<?x2xf32, #attn.sizes<n, 2>>, tensor<?x2xf32, #attn.sizes<n, 2>>, tensor<?x2xf32, #attn.sizes<n, 2>> -> tensor<?x2xf32, #attn.sizes<n, 2>>
      attn.return %y : tensor<?x2xf32, #attn.sizes<n, 2>>
    })")
                                                          .str());
    auto entry = *program->getOps<attn::EntryOp>().begin();
    interpret::InputPlan plan{{{"n", 60}}};
    return llvm::count(
        interpret::makeInputs(entry, plan, /*seed=*/7)[1].numbers,
        -std::numeric_limits<float>::infinity());
  };
  EXPECT_GT(countInfinite("%t = arith.addf %s, %bias : f32"), 5);
  EXPECT_GT(countInfinite("%u = arith.addf %bias, %bias : f32\n"
                          "%t = arith.addf %s, %u : f32"),
            5);
  EXPECT_EQ(countInfinite("%t = arith.mulf %s, %bias : f32"), 0);
  EXPECT_EQ(countInfinite("%t = arith.subf %s, %bias : f32"), 0);
  EXPECT_EQ(countInfinite("%u = arith.addf %s, %bias : f32\n"
                          "%t = arith.mulf %u, %s : f32"),
            0);
}

/// Scores of 10^8, exactly one apart: f32 may see any of the keys first.
TEST_F(ProgramTest, SingleMakesErrorsInScores) {
  mlir::OwningOpRef<mlir::ModuleOp> program = parse(R"(
    attn.entry @f() -> (tensor<1x1xf32> {attn.name = "y"}) sizes [] {
      %q = attn.constant dense<[[1.0e4, 1.0]]> : tensor<1x2xf32>
      %k = attn.constant dense<[[1.0e4, 1.0], [1.0e4, 0.0]]> : tensor<2x2xf32>
      %v = attn.constant dense<[[2.0], [4.0]]> : tensor<2x1xf32>
      %y = attn.attention %q, %k, %v : tensor<1x2xf32>, tensor<2x2xf32>, tensor<2x1xf32> -> tensor<1x1xf32>
      attn.return %y : tensor<1x1xf32>
    })");
  Interpreter interpreter(*program, nullptr);
  auto run = [&](uint64_t seed, Precision precision) {
    interpreter.setSeed(seed);
    return llvm::cantFail(interpreter.run("f", {}, {}, precision))[0].numbers;
  };
  EXPECT_NEAR(run(0, Precision::Double)[0], 2 + 2 / (1 + std::exp(1.0)), 1e-9);
  double least = 4, most = 2;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    double result = run(seed, Precision::Single)[0];
    EXPECT_EQ(run(seed, Precision::Single)[0], result);
    least = std::min(least, result);
    most = std::max(most, result);
  }
  EXPECT_LT(least, 2.1);
  EXPECT_GT(most, 3.9);
}

/// The terms of the product cancel, its error is that of their size.
TEST_F(ProgramTest, SingleKnowsTermsThatCancel) {
  mlir::OwningOpRef<mlir::ModuleOp> program = parse(R"(
    attn.entry @f() -> (tensor<1x1xf32> {attn.name = "y"}) sizes [] {
      %a = attn.constant dense<[[1.0, 1.0, 1.0, 1.0]]> : tensor<1x4xf32>
      %b = attn.constant dense<[[64.0, -64.0, 64.0, -63.0]]> : tensor<1x4xf32>
      %y = attn.matmul %a, %b transpose_rhs : tensor<1x4xf32>, tensor<1x4xf32> -> tensor<1x1xf32>
      attn.return %y : tensor<1x1xf32>
    })");
  // u sqrt(K) times the root of the sum of squares, times that of a uniform r.
  const double expected = 0x1p-24 * 2 * 128 / std::sqrt(3);
  EXPECT_NEAR(measureError(*program), expected, expected / 3);
}

/// What a norm's bias takes away leaves the error of what it was added to.
TEST_F(ProgramTest, SingleKnowsWhatABiasTakesAway) {
  mlir::OwningOpRef<mlir::ModuleOp> program = parse(R"(
    attn.entry @f() -> (tensor<1x2xf32> {attn.name = "y"}) sizes [] {
      %x = attn.constant dense<[[2.0, 0.0]]> : tensor<1x2xf32>
      %w = attn.constant dense<[1.0, 1.0]> : tensor<2xf32>
      %b = attn.constant dense<[-1.0, 1.0]> : tensor<2xf32>
      %y = attn.norm layer %x weight(%w : tensor<2xf32>) bias(%b : tensor<2xf32>) epsilon 1.000000e-03 : tensor<1x2xf32>
      attn.return %y : tensor<1x2xf32>
    })");
  Interpreter interpreter(*program, nullptr);
  auto run = [&](uint64_t seed, Precision precision) {
    interpreter.setSeed(seed);
    return llvm::cantFail(interpreter.run("f", {}, {}, precision))[0].numbers;
  };
  const double exact = run(0, Precision::Double)[0];
  EXPECT_NEAR(exact, 1 / std::sqrt(1.001) - 1, 1e-12);
  double most = 0;
  for (uint64_t seed = 1; seed <= 8; ++seed)
    most = std::max(most, std::fabs(run(seed, Precision::Single)[0] - exact));
  EXPECT_GT(most, 0x1p-25);
  EXPECT_LT(most, 0x1p-21);
}

/// A row of small variance: the norm magnifies the error of its elements.
TEST_F(ProgramTest, SingleIsMagnifiedByNorms) {
  auto source = [](const char *spread) {
    return std::string(R"(
    attn.entry @f() -> (tensor<1x2xf32> {attn.name = "y"}) sizes [] {
      %a = attn.constant dense<[[1.0]]> : tensor<1x1xf32>
      %b = attn.constant dense<[[1.0], [)") +
           spread + R"(]]> : tensor<2x1xf32>
      %x = attn.matmul %a, %b transpose_rhs : tensor<1x1xf32>, tensor<2x1xf32> -> tensor<1x2xf32>
      %y = attn.norm layer %x epsilon 1.0e-3 : tensor<1x2xf32>
      attn.return %y : tensor<1x2xf32>
    })";
  };
  mlir::OwningOpRef<mlir::ModuleOp> wide = parse(source("3.0"));
  mlir::OwningOpRef<mlir::ModuleOp> narrow = parse(source("1.01"));
  EXPECT_LT(measureError(*wide), 4 * 0x1p-24);
  EXPECT_GT(measureError(*narrow), 16 * 0x1p-24);
}

} // namespace
