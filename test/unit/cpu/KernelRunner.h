//===- KernelRunner.h - compiles kernels and calls them ---------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For the unit tests of compiler/cpu: MLIR text with one kernel.func becomes
// machine code in this process, by the passes and the code generation that
// libraries are made with. Buffers stand between pages that may not be touched.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_UNIT_CPU_KERNELRUNNER_H
#define ATTNC_TEST_UNIT_CPU_KERNELRUNNER_H

#include "compiler/Target.h"
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace attnc::test {

/// Memory whose last byte is the last of a page, before a page that faults; the
/// page before the memory faults too. Elements have 4 bytes.
class GuardedBuffer {
public:
  explicit GuardedBuffer(size_t elements);
  ~GuardedBuffer();
  GuardedBuffer(GuardedBuffer &&other) noexcept;
  GuardedBuffer(const GuardedBuffer &) = delete;
  GuardedBuffer &operator=(const GuardedBuffer &) = delete;

  float *floats() const { return static_cast<float *>(start); }
  int32_t *ints() const { return static_cast<int32_t *>(start); }
  void *data() const { return start; }
  size_t size() const { return elements; }
  /// Every later write faults.
  void freeze();

private:
  void *mapping, *start;
  size_t mappedBytes, elements;
};

/// The machine code of a module's kernels.
class KernelRunner {
public:
  /// `text`: attn.size ops and one kernel.variant. Null, with a message on
  /// stderr, if a pass declines. Where this machine has no AMX, kernels with
  /// tiles run with those emulated (TileEmulator.h).
  static std::unique_ptr<KernelRunner> compile(const std::string &text,
                                               const Target &target);
  ~KernelRunner();

  /// Runs kernel `symbol` ("VARIANT_KERNEL") as all of `workers` workers, one
  /// after the other. `sizes` in the order of the attn.size ops, which the
  /// kernel may change; `arguments` are the inputs, then the outputs, a state
  /// an attn_frame_state; `past` are the sequences' lengths before the call.
  void run(const std::string &symbol, std::vector<int64_t> &sizes,
           const std::vector<void *> &arguments, int workers = 1,
           size_t scratchBytes = 0, const int32_t *past = nullptr) const;
  /// The address of a function of the module.
  void *lookup(const std::string &symbol) const;

private:
  KernelRunner();
  struct Jit;
  std::unique_ptr<Jit> jit;
};

/// Weights [rows, depth] as #kernel.panels<width>.
std::vector<float> packPanels(const std::vector<float> &weight, int64_t rows,
                              int64_t depth, int64_t width);

} // namespace attnc::test

#endif // ATTNC_TEST_UNIT_CPU_KERNELRUNNER_H
