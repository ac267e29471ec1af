//===- EquivalenceTest.cpp - optimization keeps the numbers
//----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Random small encoders run in the interpreter before and after optimization:
// each pass alone, all in order, all but one, and in random order. Masks have
// holes, padding on either side, and sequences without any token.
//
//===----------------------------------------------------------------------===//
#include "EncoderProgram.h"
#include "compiler/Passes.h"
#include "compiler/interpret/Interpreter.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "gtest/gtest.h"

using namespace mlir;

namespace attnc {
namespace {

struct NamedPass {
  const char *name;
  std::unique_ptr<Pass> (*create)();
};

// In the order in which the compiler runs them.
const NamedPass kPasses[] = {
    {"raise-attention", [] { return createRaiseAttention(); }},
    {"fold-scale", [] { return createFoldScale(); }},
    {"fold-padding", [] { return createFoldPadding(); }},
    {"fuse-qkv", [] { return createFuseQkv(); }},
    {"fuse-output-projection", [] { return createFuseOutputProjection(); }},
    {"fuse-embedding", [] { return createFuseEmbedding(); }},
    {"fuse-element-epilogue", [] { return createFuseElementEpilogue(); }},
    {"fuse-row-epilogue", [] { return createFuseRowEpilogue(); }},
    {"pack-tokens", [] { return createPackTokens(); }},
    {"drop-dead-outputs", [] { return createDropDeadOutputs(); }}};

using Values = std::vector<TensorValue>;

/// Masks of several shapes over one batch, in turn.
const std::vector<std::vector<int64_t>> kMasks = {
    {1, 1, 1, 1, 1}, {1, 1, 1, 0, 0}, {0, 0, 0, 0, 0},
    {1, 0, 1, 0, 1}, {0, 0, 1, 1, 1}, {0, 1, 0, 0, 0}};

class Equivalence : public ::testing::TestWithParam<EncoderShape> {
protected:
  void SetUp() override {
    context.loadDialect<attn::AttnDialect>();
    // Remarks are for people.
    context.getDiagEngine().registerHandler([](Diagnostic &diagnostic) {
      if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
        return success();
      ADD_FAILURE() << diagnostic.str();
      return success();
    });
    program = std::make_unique<EncoderProgram>(GetParam(), /*seed=*/17);
    if (GetParam().weights)
      mapWeights();
    makeInputs();
    module = parseSourceString<ModuleOp>(program->getText(), &context);
    ASSERT_TRUE(module) << program->getText();
    expected = interpret(*module);
    ASSERT_EQ(expected.size(), 2u);
  }

  void mapWeights() {
    llvm::SmallString<128> path;
    int file = -1;
    ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("encoder", "safetensors",
                                                    file, path));
    remover = std::make_unique<llvm::FileRemover>(path);
    {
      llvm::raw_fd_ostream os(file, /*shouldClose=*/true);
      os << program->getWeightsFile();
    }
    if (llvm::Error error = weights.addFile(path))
      FAIL() << llvm::toString(std::move(error));
  }

  void makeInputs() {
    std::mt19937 random(5);
    int64_t batch = kMasks.size(), seq = kMasks[0].size();
    for (int64_t bound :
         {EncoderProgram::kWords, int64_t(0), EncoderProgram::kTypes}) {
      TensorValue value;
      value.shape = {batch, seq};
      value.isInteger = true;
      for (const std::vector<int64_t> &mask : kMasks)
        for (int64_t kept : mask)
          value.integers.push_back(bound ? random() % bound : kept);
      inputs.push_back(std::move(value));
    }
  }

  Values interpret(ModuleOp program) {
    auto results = Interpreter(program, &weights, /*threads=*/1)
                       .run("encode",
                            {{"batch", int64_t(kMasks.size())},
                             {"seq", int64_t(kMasks[0].size())}},
                            inputs);
    if (results)
      return std::move(*results);
    ADD_FAILURE() << llvm::toString(results.takeError());
    return {};
  }

  /// Runs passes on a copy and compares; true if they changed the program.
  bool check(ArrayRef<const NamedPass *> passes, bool cleanUp) {
    OwningOpRef<ModuleOp> copy = module->clone();
    PassManager manager(&context);
    std::string names;
    for (const NamedPass *pass : passes) {
      manager.addPass(pass->create());
      names += std::string(pass->name) + " ";
      if (cleanUp) {
        manager.addPass(createCanonicalizerPass());
        manager.addPass(createCSEPass());
      }
    }
    SCOPED_TRACE(names);
    if (failed(manager.run(*copy))) {
      ADD_FAILURE() << "a pass failed";
      return false;
    }
    compare(interpret(*copy));
    return print(*copy) != print(*module);
  }

  static std::string print(ModuleOp module) {
    std::string text;
    llvm::raw_string_ostream os(text);
    module.print(os);
    return text;
  }

  void compare(const Values &found) {
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i].shape, expected[i].shape);
      for (size_t j = 0; j < found[i].numbers.size(); ++j)
        ASSERT_NEAR(found[i].numbers[j], expected[i].numbers[j], 1e-12)
            << "output " << i << ", element " << j;
    }
  }

  MLIRContext context;
  WeightTable weights;
  std::unique_ptr<llvm::FileRemover> remover;
  std::unique_ptr<EncoderProgram> program;
  OwningOpRef<ModuleOp> module;
  Values inputs, expected;
};

SmallVector<const NamedPass *> listPasses(const NamedPass *without = nullptr) {
  SmallVector<const NamedPass *> list;
  for (const NamedPass &pass : kPasses)
    if (&pass != without)
      list.push_back(&pass);
  return list;
}

/// Masked positions give zeros, kept ones do not: the test compares something.
TEST_P(Equivalence, ReferenceIsMasked) {
  size_t element = 0;
  for (const std::vector<int64_t> &mask : kMasks)
    for (int64_t kept : mask)
      for (int64_t column = 0; column < EncoderProgram::kHidden; ++column)
        EXPECT_EQ(expected[0].numbers[element++] != 0, kept != 0);
}

TEST_P(Equivalence, EachPassAlone) {
  for (const NamedPass &pass : kPasses)
    check(&pass, /*cleanUp=*/false);
}

TEST_P(Equivalence, AllInOrder) {
  EXPECT_TRUE(check(listPasses(), /*cleanUp=*/false));
  EXPECT_TRUE(check(listPasses(), /*cleanUp=*/true));
}

TEST_P(Equivalence, AllButOne) {
  for (const NamedPass &pass : kPasses)
    EXPECT_TRUE(check(listPasses(&pass), /*cleanUp=*/true));
}

TEST_P(Equivalence, RandomOrder) {
  std::mt19937 random(23);
  for (int round = 0; round < 30; ++round) {
    SmallVector<const NamedPass *> passes;
    size_t length = 2 + random() % 14; // a pass may run twice
    for (size_t i = 0; i < length; ++i)
      passes.push_back(&kPasses[random() % std::size(kPasses)]);
    check(passes, /*cleanUp=*/round % 2);
    if (HasFailure())
      return;
  }
}

/// Every op that the passes are for is there in the end, and nothing is left of
/// what they replace.
TEST_P(Equivalence, EverythingFuses) {
  PassManager manager(&context);
  for (const NamedPass &pass : kPasses) {
    manager.addPass(pass.create());
    manager.addPass(createCanonicalizerPass());
    manager.addPass(createCSEPass());
  }
  ASSERT_TRUE(succeeded(manager.run(*module)));
  unsigned attentions = 0;
  module->walk([&](Operation *op) {
    if (auto attention = dyn_cast<attn::AttentionOp>(op)) {
      ++attentions;
      EXPECT_TRUE(attention.isPacked());
    }
    bool isLeft = isa<attn::SoftmaxOp, attn::MatmulOp, attn::SplitHeadsOp,
                      attn::MergeHeadsOp, attn::MapOp>(op);
    EXPECT_FALSE(isLeft) << op->getName().getStringRef().str();
  });
  EXPECT_EQ(attentions, unsigned(GetParam().layers));
}

EncoderShape makeShape(bool raw, bool biases, bool weights, bool finiteMask,
                       bool head, int layers) {
  EncoderShape shape;
  shape.rawAttention = raw;
  shape.biases = biases;
  shape.weights = weights;
  shape.finiteMask = finiteMask;
  shape.head = head;
  shape.layers = layers;
  return shape;
}

EncoderShape makeDistanceShape() {
  EncoderShape shape = makeShape(false, true, true, false, false, 2);
  shape.distances = true;
  return shape;
}

std::string describe(const ::testing::TestParamInfo<EncoderShape> &info) {
  const EncoderShape &shape = info.param;
  return std::string(shape.rawAttention ? "Raw" : "Raised") +
         (shape.biases ? "Biases" : "") + (shape.weights ? "Weights" : "") +
         (shape.distances ? "Distances" : "") +
         (shape.finiteMask ? "FiniteMask" : "") + (shape.head ? "Head" : "") +
         std::to_string(shape.layers);
}

INSTANTIATE_TEST_SUITE_P(
    Encoders, Equivalence,
    ::testing::Values(makeShape(true, true, true, false, false, 1),
                      makeShape(false, true, true, false, true, 2),
                      makeShape(false, false, true, true, false, 1),
                      makeShape(false, true, false, false, true, 1),
                      makeShape(true, false, false, true, true, 2),
                      makeDistanceShape()),
    describe);

} // namespace
} // namespace attnc
