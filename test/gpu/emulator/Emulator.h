//===- Emulator.h - runs kernels for NVIDIA GPUs on the CPU -----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Takes LLVM IR as it goes to the NVPTX back end and runs its kernels, one
// block after the other, with one fiber per thread. It is meant to find
// mistakes, so wherever the machine promises nothing it does the worst: data of
// asynchronous copies come late and out of order, accumulators are NaN until
// they have been waited for, shared memory starts as NaN, warps stall.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_GPU_EMULATOR_EMULATOR_H
#define ATTNC_TEST_GPU_EMULATOR_EMULATOR_H

#include "llvm/Support/Error.h"
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace llvm {
class Module;
class LLVMContext;
} // namespace llvm

namespace attnc::emulator {

/// When asynchronous work happens.
enum class Timing {
  Late,   ///< as late as waits allow
  Early,  ///< at once
  Random, ///< anything between, by the seed
};

struct Options {
  uint64_t seed = 0; ///< 0: threads in order; else warps stall at random
  Timing timing = Timing::Late;
  /// Fill of shared memory and registers of pending copies.
  unsigned char fill = 0xff;
};

struct Launch {
  std::string kernel;
  uint32_t grid[3] = {1, 1, 1};
  uint32_t threads = 32;
  uint32_t sharedBytes = 0;       ///< dynamic
  std::vector<void *> parameters; ///< addresses of values, as cuLaunchKernel
};

/// What a launch did, for tests that must know that it did anything.
struct Counts {
  uint64_t switches = 0, accesses = 0, warpMatrix = 0, groupMatrix = 0,
           asyncCopies = 0, tensorCopies = 0, barriers = 0;
};

/// Memory that kernels may touch. Everything else is an error of the kernel.
/// Shared by all programs of the process; callable from any thread between
/// launches.
void addMemory(const void *begin, size_t bytes);
void removeMemory(const void *begin);
/// Whether [begin, begin + bytes) lies in memory that was added.
bool holdsMemory(const void *begin, size_t bytes);

/// A module, ready to run.
class Program {
public:
  /// Takes a module for NVPTX. Refuses instructions that it does not know, by
  /// name.
  static llvm::Expected<std::unique_ptr<Program>>
  create(std::unique_ptr<llvm::Module> module,
         std::unique_ptr<llvm::LLVMContext> context);
  /// From LLVM IR as text or bitcode.
  static llvm::Expected<std::unique_ptr<Program>> parse(llvm::StringRef ir);
  ~Program();

  /// Runs all blocks. One launch at a time per process; others wait.
  llvm::Error run(const Launch &launch, const Options &options,
                  Counts *counts = nullptr);

private:
  Program();
  struct State;
  std::unique_ptr<State> state;
};

} // namespace attnc::emulator

#endif // ATTNC_TEST_GPU_EMULATOR_EMULATOR_H
