//===- Target.h - facts about machines -----------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The only source of machine facts: instruction sets, vector widths, caches.
// Everything machine-specific asks a Target.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_TARGET_H
#define ATTNC_COMPILER_TARGET_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <string>

namespace attnc {

/// Sizes and rates of a machine, by which kernels are laid out
/// (schedule/CostModel.h).
struct Machine {
  unsigned cores;            ///< that share the last cache
  unsigned l1Bytes, l2Bytes; ///< data caches of one core
  unsigned l3Bytes;          ///< of all cores together; 0: there is none
  unsigned fmas;             ///< vector multiply-adds that begin in a cycle
  unsigned l2Rate, l3Rate, memoryRate; ///< bytes that a core reads in a cycle
  unsigned roundTrip; ///< cycles in which two cores answer each other once

  /// Of this machine: caches, cores and multiply-adds of vectors of
  /// `vectorBytes` as the system and the processor's name tell; what they do
  /// not, from `defaults`.
  static Machine detect(const Machine &defaults, unsigned vectorBytes);
  /// This machine's processor, for people and for files that hold for it alone:
  /// "AMD EPYC, family 26, model 2, stepping 1, znver5".
  static std::string getProcessorName();
};

/// One instruction set that a variant can be compiled for.
struct Target {
  llvm::StringRef name;         ///< "x86-64-v4"
  llvm::StringRef description;  ///< one line for `attnc targets`
  llvm::StringRef cpu;          ///< LLVM's -mcpu
  llvm::StringRef features;     ///< LLVM's -mattr
  uint64_t cpuFeatures;         ///< ATTN_CPU_* bits that a machine must have
  unsigned vectorBytes;         ///< native vector register
  unsigned vectorRegisters;     ///< how many of them
  bool hasFma;                  ///< fused multiply-add in hardware
  bool hasMicroKernels;         ///< products by our own micro-kernels; else
                                ///< only the openblas provider
  Machine machine;              ///< the smallest of the processors that the
                                ///< name covers; zeros for GPUs
  bool hasVnni = false;         ///< products of bytes (vpdpbusd) as wide as
                                ///< vectorBytes
  bool hasBf16Products = false; ///< products of bf16 (vdpbf16ps) twice as fast
                                ///< as those of f32
  bool isForNarrow = false;     ///< worth having for narrow weights alone

  unsigned sm = 0;          ///< compute capability of a GPU: 80, 90; or 0
  unsigned sharedBytes = 0; ///< shared memory of a GPU's thread block
  bool hasTiles = false;    ///< products of tiles of i8 and bf16 (AMX)

  bool isGpu() const { return sm != 0; }
  unsigned lanes() const { return vectorBytes / 4; } ///< f32 per vector

  /// Every target, best first.
  static llvm::ArrayRef<Target> all();
  /// By name; `native` is what the host runs. Null if there is none.
  static const Target *find(llvm::StringRef name);
  /// The best target that this machine can run; those that differ in narrow
  /// products alone count only with `narrow`.
  static const Target &native(bool narrow = false);
  /// Whether this machine can run it.
  bool runsHere() const;
};

} // namespace attnc

#endif // ATTNC_COMPILER_TARGET_H
