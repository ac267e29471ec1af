//===- SynchronizationTest.cpp - programs without a part of their order ---===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every op that orders something is taken out of built programs in turn:
// VerifyBarriers has to notice. Programs as they are pass.
//
//===----------------------------------------------------------------------===//
#include "Programs.h"
#include "mlir/IR/Diagnostics.h"
#include <gmock/gmock.h>
#include <map>

using namespace mlir;

namespace attnc::test {
namespace {

class SynchronizationTest : public GpuTest {
protected:
  bool verify(ModuleOp module, std::string &message) {
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      if (message.empty())
        message = diagnostic.str();
      return success();
    });
    PassManager passes(&context);
    passes.addPass(createVerifyBarriers());
    return succeeded(passes.run(module));
  }

  /// How many ops of each kind were missed, and how many there are.
  struct Count {
    int missed = 0, all = 0;
  };
  std::map<std::string, Count> removeEach(StringRef target) {
    OwningOpRef<ModuleOp> module = build(target);
    std::string message;
    EXPECT_TRUE(verify(*module, message)) << message;
    std::map<std::string, Count> result;
    for (size_t nth = 0;; ++nth) {
      OwningOpRef<ModuleOp> mutated(cast<ModuleOp>((*module)->clone()));
      Operation *chosen = nullptr;
      size_t seen = 0;
      mutated->walk([&](Operation *op) {
        if (isa<warp::SyncOp, warp::WaitOp, warp::CommitOp, warp::AwaitOp,
                warp::ArriveOp, warp::GroupWaitOp, warp::TakeTurnOp,
                warp::PassTurnOp>(op) &&
            seen++ == nth)
          chosen = op;
      });
      if (!chosen)
        return result;
      std::string name = chosen->getName().getStringRef().str();
      for (auto [from, to] :
           llvm::zip(chosen->getResults(),
                     chosen->getOperands().take_back(chosen->getNumResults())))
        from.replaceAllUsesWith(to);
      chosen->erase();
      message.clear();
      Count &count = result[name];
      ++count.all;
      if (!verify(*mutated, message)) {
        ++count.missed;
        // Sums that nobody has waited for have a type of their own.
        if (name != "warp.group_wait")
          EXPECT_THAT(message, testing::HasSubstr("error[A05")) << name;
      }
    }
  }
};

TEST_F(SynchronizationTest, OfWarps) {
  auto counts = removeEach("sm_80");
  for (const char *name : {"warp.sync", "warp.wait", "warp.commit"}) {
    EXPECT_GT(counts[name].all, 0) << name;
    EXPECT_EQ(counts[name].missed, counts[name].all) << name;
  }
}

TEST_F(SynchronizationTest, OfWarpGroups) {
  auto counts = removeEach("sm_90a");
  // A block that attends to nothing waits for its queries before it ends.
  std::map<std::string, int> spare = {{"warp.await", 1}};
  for (const char *name : {"warp.await", "warp.arrive", "warp.group_wait",
                           "warp.take_turn", "warp.pass_turn"}) {
    EXPECT_GT(counts[name].all, 1) << name;
    EXPECT_EQ(counts[name].missed, counts[name].all - spare[name]) << name;
  }
}

} // namespace
} // namespace attnc::test
