//===- GpuProgram.h - what packaging gets of a GPU variant ------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tables of include/attn/abi_device.h before they are tables: kernels,
// launches in phases with their parameters, weights as the device wants them.
// Sizes are expressions over the library's named sizes; derived sizes count
// with their upper bounds. Indices of weights are those of getWeightUses, of
// slots and arguments those of the program (ProgramInfo.h).
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_GPU_GPUPROGRAM_H
#define ATTNC_COMPILER_GPU_GPUPROGRAM_H

#include "dialects/attn/SizeExpr.h"
#include "dialects/kernel/Kernel.h"
#include "mlir/IR/BuiltinOps.h"
#include <array>
#include <optional>
#include <string>
#include <vector>

namespace attnc::gpu {

/// I8 and I4: as the file keeps them, with their scales (NarrowWeights).
enum class DeviceType { F32, F16, BF16, I32, I8, I4 };

/// A weight of the weights file (an index of getWeightUses) in the type that
/// kernels read; row-major on the device.
struct DeviceWeight {
  int64_t weight;
  DeviceType type;
  int64_t rows, columns;
  kernel::PanelsAttr panels; ///< in the file; null: it is row-major
};

struct Kernel {
  std::string name; ///< of the entry point
  int64_t threads;
  int64_t sharedBytes;
};

/// max(1, ceil(count / unit)) blocks.
struct GridDim {
  SizeExpr count = 1;
  int64_t unit = 1;
};

/// Where a launch takes place: where count is at most the limit, or more.
struct LaunchCondition {
  SizeExpr count;
  int64_t limit;
  bool atMost;
};

/// A device address: where it points, plus bytes.
struct Address {
  enum Kind { Slot, Argument, Weight, State } kind;
  int64_t index; ///< of a Weight: in GpuProgram::weights
  int64_t bytes = 0;
};

/// Arguments of cuTensorMapEncodeTiled, innermost axis first.
struct TensorMap {
  Address base;
  DeviceType type;
  std::vector<SizeExpr> extents; ///< elements
  std::vector<SizeExpr> strides; ///< bytes, of axes 1 and on
  std::vector<int64_t> box;      ///< elements
  int64_t swizzle;               ///< bytes
};

/// Parameters of a launch: the table of sizes, then `operands`, then `maps`.
struct Launch {
  int64_t kernel; ///< index in GpuProgram::kernels
  std::array<GridDim, 3> grid;
  std::optional<LaunchCondition> where;
  std::vector<Address> operands;
  std::vector<TensorMap> maps;
};

struct Phase {
  std::string name;
  std::vector<Launch> launches; ///< one after the other
};

struct Schedule {
  std::string entry;
  std::vector<Phase> phases;
};

struct GpuProgram {
  std::string target; ///< "sm_80"
  std::vector<Kernel> kernels;
  std::vector<DeviceWeight> weights;
  std::vector<Schedule> schedules; ///< in the order of the variant's programs
};

/// Reads what is launched from a module whose variant for a GPU went through
/// LowerWarp: kernels are functions, variants and weights still stand.
GpuProgram describe(mlir::ModuleOp module);

} // namespace attnc::gpu

#endif // ATTNC_COMPILER_GPU_GPUPROGRAM_H
