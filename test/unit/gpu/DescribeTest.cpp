//===- DescribeTest.cpp - what packaging gets of programs for a GPU -------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A whole encoder, scheduled for a GPU and lowered: tables name what there is,
// launches follow the program, grids cover their tensors, kernels ask for no
// more than the chip gives.
//
//===----------------------------------------------------------------------===//
#include "Programs.h"
#include "compiler/Target.h"
#include "compiler/gpu/GpuProgram.h"
#include "test/unit/schedule/Programs.h"
#include <set>

using namespace mlir;

namespace attnc::test {
namespace {

class DescribeTest : public GpuTest {
protected:
  void describe(llvm::StringRef text, llvm::StringRef targetName,
                const std::string &activations) {
    target = Target::find(targetName);
    module = parse(text.str());
    ASSERT_TRUE(module);
    PassManager passes(&context);
    SelectKernelsOptions options;
    options.target = targetName.str();
    passes.addPass(createSelectKernels(options));
    passes.addPass(createChooseTiles());
    passes.addPass(createCutPhases());
    passes.addPass(createPlanArena());
    BuildProgramsOptions programs;
    programs.activations = activations;
    passes.addPass(createBuildPrograms(programs));
    passes.addPass(createVerifyBarriers());
    passes.addPass(createPlanSharedMemory());
    passes.addPass(createLowerWarp());
    ASSERT_TRUE(succeeded(passes.run(*module)));
    program = gpu::describe(*module);
  }

  OwningOpRef<ModuleOp> module;
  const Target *target;
  gpu::GpuProgram program;
};

TEST_F(DescribeTest, TablesNameWhatThereIs) {
  for (const char *name : {"sm_80", "sm_90a"})
    for (const char *activations : {"f32", "bf16"}) {
      SCOPED_TRACE(std::string(name) + " " + activations);
      describe(kFusedEncoder, name, activations);
      if (HasFatalFailure())
        return;
      EXPECT_EQ(program.target, name);
      std::set<std::string> names;
      for (const gpu::Kernel &kernel : program.kernels) {
        names.insert(kernel.name);
        EXPECT_EQ(kernel.threads % 32, 0);
        EXPECT_LE(kernel.threads, 1024);
        EXPECT_LE(kernel.sharedBytes, int64_t(target->sharedBytes));
      }
      EXPECT_EQ(names.size(), program.kernels.size());
      ASSERT_EQ(program.schedules.size(), 1u);
      std::set<int64_t> launched;
      for (const gpu::Phase &phase : program.schedules[0].phases) {
        EXPECT_FALSE(phase.launches.empty()) << phase.name;
        for (const gpu::Launch &launch : phase.launches) {
          ASSERT_LT(size_t(launch.kernel), program.kernels.size());
          launched.insert(launch.kernel);
          for (const gpu::Address &operand : launch.operands)
            if (operand.kind == gpu::Address::Weight) {
              EXPECT_LT(size_t(operand.index), program.weights.size());
            }
          for (const gpu::TensorMap &map : launch.maps) {
            EXPECT_EQ(map.strides.size() + 1, map.extents.size());
            EXPECT_EQ(map.box.size(), map.extents.size());
          }
          for (const gpu::GridDim &dim : launch.grid)
            EXPECT_GE(dim.unit, 1);
        }
      }
      // Nothing is compiled that nobody launches.
      EXPECT_EQ(launched.size(), program.kernels.size());
      EXPECT_FALSE(program.weights.empty());
    }
}

TEST_F(DescribeTest, WeightsOfProductsHaveTheirType) {
  describe(kFusedEncoder, "sm_80", "f32");
  if (HasFatalFailure())
    return;
  int narrow = 0, full = 0;
  for (const gpu::DeviceWeight &weight : program.weights) {
    EXPECT_GT(weight.rows * weight.columns, 0);
    narrow += weight.type == gpu::DeviceType::BF16;
    full += weight.type == gpu::DeviceType::F32;
    // What is multiplied is a matrix; biases, norms and tables stay exact.
    if (weight.type == gpu::DeviceType::BF16) {
      EXPECT_GT(weight.rows, 1);
    }
  }
  EXPECT_GT(narrow, 0);
  EXPECT_GT(full, 0);
}

} // namespace
} // namespace attnc::test
