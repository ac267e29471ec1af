//===- ProgramBuilder.h - building the programs of one kernel ---*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A ProgramBuilder turns one `kernel.func` into `warp.program`s
//
//   warp.program @VARIANT_KERNEL(%sizes, %input..., %output..., [%scratch])
//
// of scalar code, one thread's, and ops of the warp dialect. The builders of
// single ops (BuildLinear.cpp, BuildAttention.cpp, ...) use nothing but this
// class. Coordinates and sizes are i32, offsets of elements i64: a tensor may
// hold more than 2^31 elements, no dimension that many.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_GPU_PROGRAMBUILDER_H
#define ATTNC_COMPILER_GPU_PROGRAMBUILDER_H

#include "compiler/Target.h"
#include "dialects/kernel/Kernel.h"
#include "dialects/warp/Warp.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace attnc::gpu {

/// Program attributes that say how it is launched; gpu::describe reads them.
/// `warp.kernel`: the kernel.func; `warp.grid`: three pairs [count, unit] for
/// ceil(count / unit) blocks; `warp.scratch`: it takes the scratch pointer;
/// `warp.target`: name of the target.
inline constexpr llvm::StringLiteral kKernelAttr = "warp.kernel";
inline constexpr llvm::StringLiteral kGridAttr = "warp.grid";
inline constexpr llvm::StringLiteral kScratchAttr = "warp.scratch";
/// `warp.maps`: per tensor map a dictionary of operand, type, extents, strides,
/// box, swizzle.
inline constexpr llvm::StringLiteral kMapsAttr = "warp.maps";
/// Operand of a kernel: the type in which memory holds its f32.
inline constexpr llvm::StringLiteral kStorageAttr = "kernel.storage";

/// `warp.where`: [count, limit, at most]: the program is launched where count
/// is at most the limit, or where it is more.
inline constexpr llvm::StringLiteral kWhereAttr = "warp.where";

/// On the branch around all that a block does: VerifyBarriers takes it.
inline constexpr llvm::StringLiteral kGuardAttr = "warp.guard";

/// ceil(count / unit) blocks.
struct GridSize {
  SizeExpr count = 1;
  int64_t unit = 1;
};

/// What elements become when products read them.
enum class Operands { BF16, F16, TF32, F32 };

class ProgramBuilder {
public:
  ProgramBuilder(mlir::ModuleOp module, kernel::FuncOp kernel,
                 const Target &target, Operands operands,
                 llvm::StringRef symbol);

  /// Builds every program of the kernel; the only entry point that
  /// BuildPrograms calls. Reports an error at the kernel if its op or a region
  /// cannot be built.
  mlir::LogicalResult build();

  //===-- one program
  //-------------------------------------------------------===//
  /// A tensor map of an operand, as cuTensorMapEncodeTiled takes it: extents in
  /// elements, strides of axes 1 and on in elements, innermost axis first.
  struct MapShape {
    mlir::Value argument;
    llvm::SmallVector<SizeExpr> extents, strides;
    llvm::SmallVector<int64_t> box;
  };
  /// Begins the program; `suffix` tells apart those of one kernel.
  void begin(llvm::StringRef suffix, int64_t threads,
             llvm::ArrayRef<GridSize> grid, llvm::ArrayRef<MapShape> maps = {});
  /// The program that was begun is launched only for so many.
  void launchWhere(const SizeExpr &count, int64_t limit, bool atMost);
  /// The pointer of tensor map `index`.
  mlir::Value tensorMap(unsigned index);
  void end();

  kernel::FuncOp kernel;
  const Target &target;
  Operands operands;
  mlir::OpBuilder b;
  mlir::Location loc;
  warp::ProgramOp program;
  int64_t threads = 0;

  /// The element type in which products read, and the one that tiles of
  /// operands have: f32 for tf32 and f32.
  mlir::Type operandType();
  /// The `precision` of products: null for bf16 and f16.
  warp::PrecisionAttr precision();
  /// K of one product instruction: 16, or 8 for f32.
  int64_t operandDepth();

  //===-- what the kernel says ----------------------------------------------//
  mlir::Value pointerOf(mlir::Value argument);
  /// The type in which memory holds the elements of an argument or result.
  mlir::Type storageOf(mlir::Value value);
  /// Elements between neighbours along a dimension, i64. A row of a
  /// `#kernel.rows` value is its last two dimensions where these fit between
  /// rows, else the last.
  mlir::Value strideOf(mlir::Value argument, unsigned dim);
  SizeExpr strideExpr(mlir::Value argument, unsigned dim);
  mlir::Value offsetOf(mlir::Value argument,
                       llvm::ArrayRef<mlir::Value> indices);
  /// Whether every multiple of `elements` along the last dimension of every row
  /// lies at a multiple of that many elements.
  bool isAligned(mlir::Value argument, int64_t elements);
  llvm::SmallVector<mlir::Value> unflatten(mlir::Value row,
                                           llvm::ArrayRef<SizeExpr> leading);
  mlir::Value size(const SizeExpr &expr);   ///< i32
  mlir::Value size64(const SizeExpr &expr); ///< i64
  void setSize(llvm::StringRef name, mlir::Value value);
  mlir::Value scratch();
  /// Rows of a sequence before the call, i32.
  mlir::Value pastOf(mlir::Value sequence);
  /// Most rows of a sequence, in a library with states.
  int64_t statePositions();
  /// What the expression is for the largest sizes.
  int64_t largest(const SizeExpr &expr);

  //===-- numbers
  //-----------------------------------------------------------===//
  mlir::Value i64(int64_t value);
  mlir::Value i32(int32_t value);
  mlir::Value f32(float value);
  mlir::Value add(mlir::Value a, mlir::Value c);
  mlir::Value sub(mlir::Value a, mlir::Value c);
  mlir::Value mul(mlir::Value a, mlir::Value c);
  mlir::Value div(mlir::Value a, mlir::Value c); ///< of non-negative numbers
  mlir::Value rem(mlir::Value a, mlir::Value c);
  mlir::Value ceilDiv(mlir::Value a, int64_t divisor);
  mlir::Value minimum(mlir::Value a, mlir::Value c);
  mlir::Value maximum(mlir::Value a, mlir::Value c);
  mlir::Value lessThan(mlir::Value a, mlir::Value c);
  mlir::Value equal(mlir::Value a, mlir::Value c);
  mlir::Value both(mlir::Value a, mlir::Value c); ///< of i1
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value c);
  mlir::Value wide(mlir::Value a);   ///< i32 to i64
  mlir::Value narrow(mlir::Value a); ///< i64 to i32
  mlir::Value addF(mlir::Value a, mlir::Value c);
  mlir::Value subF(mlir::Value a, mlir::Value c);
  mlir::Value mulF(mlir::Value a, mlir::Value c);
  mlir::Value divF(mlir::Value a, mlir::Value c);
  mlir::Value fma(mlir::Value a, mlir::Value c, mlir::Value d);
  mlir::Value maxF(mlir::Value a, mlir::Value c);
  mlir::Value exp2(mlir::Value a); ///< one instruction, 2 ulp

  //===-- threads
  //-----------------------------------------------------------===//
  mlir::Value threadId();
  mlir::Value blockId(unsigned dim);
  mlir::Value lane(); ///< in the warp
  mlir::Value warpId();

  //===-- control
  //-----------------------------------------------------------===//
  using Body = llvm::function_ref<void(mlir::Value index)>;
  using Values = llvm::SmallVector<mlir::Value>;
  using CarriedBody =
      llvm::function_ref<Values(mlir::Value index, mlir::ValueRange carried)>;
  void loop(mlir::Value from, mlir::Value to, mlir::Value step, Body body);
  Values loop(mlir::Value from, mlir::Value to, mlir::Value step,
              mlir::ValueRange initial, CarriedBody body);
  void ifThen(mlir::Value condition, llvm::function_ref<void()> body);
  /// The same around all that a block does: whether there is work for it.
  void guard(mlir::Value condition, llvm::function_ref<void()> body);
  //===-- memory
  //------------------------------------------------------------===//
  /// base + offset (i64) elements of `element`.
  mlir::Value at(mlir::Value base, mlir::Value offset, mlir::Type element);
  /// The address (i64) as a pointer.
  mlir::Value pointerAt(mlir::Value address);
  /// Element `offset` of an argument or result, as f32 or i32.
  mlir::Value load(mlir::Value argument, mlir::Value offset);
  void store(mlir::Value value, mlir::Value argument, mlir::Value offset);
  /// At a pointer, in the type that memory holds.
  mlir::Value loadAt(mlir::Value pointer, mlir::Type element);
  void storeAt(mlir::Value value, mlir::Value pointer, mlir::Type element);

  //===-- regions
  //-----------------------------------------------------------===//
  /// Inlines an element, score or mask region. `leading` gives its leading
  /// arguments, `dims` the index (i32) of every dimension of the index space,
  /// `safe` the same within bounds, for reading captures.
  mlir::Value inlineRegion(const attn::CapturedRegion &region,
                           mlir::ValueRange leading,
                           llvm::ArrayRef<mlir::Value> dims,
                           llvm::ArrayRef<mlir::Value> safe);
  mlir::Value inlineRegion(const attn::CapturedRegion &region,
                           mlir::ValueRange leading,
                           llvm::ArrayRef<mlir::Value> dims) {
    return inlineRegion(region, leading, dims, dims);
  }
  /// A program, one warp per row, that runs a row region in place on the rows
  /// of `result`.
  mlir::LogicalResult buildRowProgram(const attn::CapturedRegion &region,
                                      mlir::Value result,
                                      llvm::StringRef suffix);
  /// Runs a row region on the row of `result` at `rowOffset` (i64), all lanes
  /// of a warp together; every lane has `result`'s columns lane, lane + 32, ...
  mlir::LogicalResult emitRow(const attn::CapturedRegion &region,
                              mlir::Value result, mlir::Value rowOffset,
                              const SizeExpr &columns,
                              llvm::ArrayRef<mlir::Value> dims);

  //===-- one function per computing op
  //--------------------------------------===//
  mlir::LogicalResult buildLinear(attn::LinearOp op);
  mlir::LogicalResult buildMatmul(attn::MatmulOp op);
  mlir::LogicalResult buildHeadLinear(attn::HeadLinearOp op);
  mlir::LogicalResult buildAttention(attn::AttentionOp op);
  mlir::LogicalResult buildMap(attn::MapOp op);
  mlir::LogicalResult buildEmbedding(attn::EmbeddingOp op);
  mlir::LogicalResult buildTokenPositions(attn::TokenPositionsOp op);
  mlir::LogicalResult buildPackIndex(attn::PackIndexOp op);
  mlir::LogicalResult buildPack(attn::PackOp op);
  mlir::LogicalResult buildUnpack(attn::UnpackOp op);
  mlir::LogicalResult buildPool(attn::PoolOp op);
  mlir::LogicalResult buildRope(attn::RopeOp op);
  mlir::LogicalResult buildPast(attn::PastOp op);
  mlir::LogicalResult buildPackedPositions(attn::PackedPositionsOp op);
  mlir::LogicalResult buildAppend(attn::AppendOp op);
  mlir::LogicalResult buildCachedAttention(attn::CachedAttentionOp op);

private:
  mlir::ArrayAttr describeMaps(llvm::ArrayRef<MapShape> maps);
  mlir::Value sizePlace(llvm::StringRef name);
  /// `lookup` gives indices of the dimensions that the map leaves out; they
  /// are held to these (attn.lookup).
  mlir::Value readCapture(mlir::Value capture, mlir::AffineMap map,
                          llvm::ArrayRef<mlir::Value> dims,
                          mlir::ValueRange lookup = {});
  mlir::Value constantTensor(attn::ConstantOp op);
  /// Runs `build` at the head of the program.
  mlir::Value atHead(llvm::function_ref<mlir::Value()> build);
  template <typename Op> mlir::Value specialRegister();

  mlir::ModuleOp module;
  std::string symbol;
  llvm::StringMap<mlir::Value> sizeValues;
  llvm::DenseMap<mlir::Attribute, mlir::Value> constants;
  llvm::DenseMap<mlir::Value, mlir::Value> constantTensors;
  llvm::DenseMap<mlir::Attribute, std::string> constantGlobals;
  llvm::StringMap<mlir::Value> registers;
  mlir::Operation *headEnd = nullptr;
};

} // namespace attnc::gpu

#endif // ATTNC_COMPILER_GPU_PROGRAMBUILDER_H
