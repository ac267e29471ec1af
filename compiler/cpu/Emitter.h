//===- Emitter.h - building the code of one kernel --------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A KernelEmitter turns one `kernel.func` into
//
//   func.func private @VARIANT_KERNEL(%frame: !llvm.ptr, %worker: i32,
//                                     %workers: i32, %arg0: !llvm.ptr, ...)
//
// (one pointer per input, then one per output), made of scf loops over i64,
// llvm loads and stores, and arith, math and vector ops on native vectors
// (`vector<LANESxf32>`). The emitters of single ops (EmitLinear.cpp,
// EmitAttention.cpp, ...) use nothing but this class.
//
// Work is split by the kernel itself: worker w of n takes its contiguous part
// of the rows (or panels, or heads), always at the same tile boundaries, so
// that results have the same bits for every n.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_CPU_EMITTER_H
#define ATTNC_COMPILER_CPU_EMITTER_H

#include "compiler/schedule/CostModel.h"
#include "dialects/kernel/Kernel.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Builders.h"

namespace attnc::cpu {

/// Indices of the fields of attn_frame (include/attn/abi.h).
enum FrameField {
  kSizes,
  kArena,
  kSlotOffsets,
  kArguments,
  kWeights,
  kScratch,
  kScratchStride,
  kPast,
  kStates,
  kArrived
};

class KernelEmitter {
public:
  KernelEmitter(mlir::ModuleOp module, kernel::FuncOp kernel,
                const Target &target, llvm::StringRef symbol);

  /// Emits the whole function; the only entry point that LowerKernels calls.
  /// Reports an error at the kernel if its op or region cannot be lowered.
  mlir::LogicalResult emit();

  //===-- what the kernel says --------------------------------------------===//
  kernel::FuncOp kernel;
  const Target &target;
  const CostModel model;
  mlir::OpBuilder b;
  mlir::Location loc;
  mlir::func::FuncOp function;
  mlir::Value frame, worker, workers;             ///< worker, workers as i64
  llvm::SmallVector<mlir::Value> inputs, outputs; ///< !llvm.ptr
  unsigned lanes;                                 ///< f32 per native vector
  /// Regions are followed by a rounding to bf16 or i8: elementary functions
  /// need no more than 13 bits.
  bool roughMath = false;

  /// The pointer behind a value of the kernel's body that is an argument.
  mlir::Value pointerOf(mlir::Value argument);
  /// Elements between consecutive rows of an argument (`#kernel.rows`, else the
  /// product of its last `rowRank` dimensions).
  int64_t rowStride(mlir::Value argument, unsigned rowRank);
  /// The number of rows: the product of all but the last `rowRank` dimensions.
  mlir::Value rowCount(mlir::Value argument, unsigned rowRank);
  /// Elements from index 0 to `indices` of a value, by its shape and layout. A
  /// row of a `#kernel.rows` value is its last two dimensions (heads and head
  /// size) where these fit between rows, else the last.
  mlir::Value offsetOf(mlir::Value argument,
                       llvm::ArrayRef<mlir::Value> indices);
  /// Elements between neighbours along dimension `dim` of a value.
  mlir::Value strideOf(mlir::Value argument, unsigned dim);
  /// The indices of flat row `row` in `leading` dimensions.
  llvm::SmallVector<mlir::Value> unflatten(mlir::Value row,
                                           llvm::ArrayRef<SizeExpr> leading);
  /// A size expression as i64, read from the frame (each name loaded once, at
  /// the head of the function).
  mlir::Value size(const SizeExpr &expr);
  /// Stores a derived size for the phases after this one.
  void setSize(llvm::StringRef name, mlir::Value value);
  /// Rows that a sequence had in the session's states before this call.
  mlir::Value pastOf(mlir::Value sequence);
  /// Emits `body` for the worker that comes here last, who sees what all of
  /// them wrote. All must come; a phase has one such place (CutPhases).
  void whenLast(llvm::function_ref<void()> body);
  /// This worker's scratch memory.
  mlir::Value scratch();
  /// Where `place` of this worker's scratch lies in that of `other` (i64).
  mlir::Value inScratchOf(mlir::Value other, mlir::Value place);

  //===-- scalars
  //----------------------------------------------------------===//
  mlir::Value i64(int64_t value);
  mlir::Value i32(int32_t value);
  mlir::Value f32(float value);
  mlir::Value add(mlir::Value a, mlir::Value c);
  mlir::Value sub(mlir::Value a, mlir::Value c);
  mlir::Value mul(mlir::Value a, mlir::Value c);
  mlir::Value div(mlir::Value a, mlir::Value c); ///< of non-negative numbers
  mlir::Value ceilDiv(mlir::Value a, int64_t divisor);
  mlir::Value minimum(mlir::Value a, mlir::Value c);  ///< signed
  mlir::Value maximum(mlir::Value a, mlir::Value c);  ///< signed
  mlir::Value lessThan(mlir::Value a, mlir::Value c); ///< signed, i1
  mlir::Value toI32(mlir::Value a);                   ///< i64 to i32
  mlir::Value toI64(mlir::Value a);                   ///< i32 to i64, signed

  //===-- control
  //----------------------------------------------------------===//
  using Body = llvm::function_ref<void(mlir::Value index)>;
  using CarriedBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      mlir::Value index, mlir::ValueRange carried)>;
  /// for (i = from; i < to; i += step)
  void loop(mlir::Value from, mlir::Value to, int64_t step, Body body);
  /// The same with values carried around; returns their last values.
  llvm::SmallVector<mlir::Value> loop(mlir::Value from, mlir::Value to,
                                      int64_t step, mlir::ValueRange initial,
                                      CarriedBody body);
  void ifThen(mlir::Value condition, llvm::function_ref<void()> body);
  void ifThenElse(mlir::Value condition, llvm::function_ref<void()> then,
                  llvm::function_ref<void()> otherwise);
  /// This worker's part [from, to) of `count` units, cut into contiguous,
  /// nearly equal parts.
  std::pair<mlir::Value, mlir::Value> workerRange(mlir::Value count);

  //===-- memory
  //-----------------------------------------------------------===//
  /// base + offset elements of 4 bytes (offset i64).
  mlir::Value at(mlir::Value base, mlir::Value offset);
  /// base + offset bytes (offset i64).
  mlir::Value atBytes(mlir::Value base, mlir::Value offset);
  mlir::Value loadF32(mlir::Value pointer);
  mlir::Value loadI32(mlir::Value pointer);
  /// A scalar or vector; elements as aligned as elements of 4 bytes are.
  void store(mlir::Value value, mlir::Value pointer, unsigned alignment = 4);
  mlir::VectorType vectorType();      ///< lanes x f32
  mlir::VectorType indexVectorType(); ///< lanes x i32
  /// All lanes; with `mask` (vector<LANESxi1>) only those set, others `0`.
  mlir::Value loadVector(mlir::Value pointer, mlir::Value mask = {},
                         mlir::Type elementType = {});
  void storeVector(mlir::Value value, mlir::Value pointer,
                   mlir::Value mask = {});
  /// Lane i from pointer + i * stride elements.
  mlir::Value gather(mlir::Value pointer, mlir::Value stride,
                     mlir::Value mask = {}, mlir::Type elementType = {});
  /// Lane i from pointer + offsets[i] elements (i32 or i64 lanes).
  mlir::Value gatherAt(mlir::Value pointer, mlir::Value offsets,
                       mlir::Value mask = {}, mlir::Type elementType = {});
  /// Lanes [0, count) set; count is i64 and may exceed the lanes or be <= 0.
  mlir::Value tailMask(mlir::Value count);
  mlir::Value splat(mlir::Value scalar); ///< f32 or i32 to a vector
  mlir::Value iota();                    ///< 0, 1, 2, ... as i32 lanes
  /// a * c + d, fused where the target can; the same rounding everywhere on one
  /// target.
  mlir::Value fma(mlir::Value a, mlir::Value c, mlir::Value d);
  /// The larger of two f32 (scalars or vectors); `c` if either is NaN.
  mlir::Value maxF32(mlir::Value a, mlir::Value c);
  /// Horizontal reductions, in one fixed order (halves upon halves).
  mlir::Value reduceAdd(mlir::Value vector);
  mlir::Value reduceMax(mlir::Value vector);
  void prefetch(mlir::Value pointer, unsigned locality);
  /// Fetches a line into L1 that is going to be written.
  void prefetchToWrite(mlir::Value pointer);
  /// `count` f32 on the stack, for the whole function.
  mlir::Value stackBuffer(int64_t count);

  //===-- regions
  //----------------------------------------------------------===//
  /// Inlines an element, score or mask region at vector type. `leading` gives
  /// its leading arguments (vectors); `dims` the index of lane 0 along every
  /// dimension of the index space (i64 scalars), of which dimension
  /// `laneDim` runs along the lanes (kNoLane: none does); `mask` covers loads
  /// of captures at a tail (null: all lanes valid). Returns the yielded vector
  /// (f32, i32 or i1 lanes).
  mlir::Value inlineRegion(const attn::CapturedRegion &region,
                           mlir::ValueRange leading,
                           llvm::ArrayRef<mlir::Value> dims, unsigned laneDim,
                           mlir::Value mask = {});
  static constexpr unsigned kNoLane = ~0u;

  /// Runs a row region (attn.norm, attn.softmax, attn.map of rank 1) in place
  /// on `columns` elements at `row`; `dims` are the row's leading indices.
  /// Declared here, written in EmitRow.cpp.
  void emitRow(const attn::CapturedRegion &region, mlir::Value row,
               const SizeExpr &columns, llvm::ArrayRef<mlir::Value> dims);
  /// Whether every op of a row region takes the row over from the one before,
  /// so that no second row is kept: what rows of dynamic length need.
  static bool isRowChain(const attn::CapturedRegion &region);

  //===-- one function per computing op
  //-------------------------------------===//
  mlir::LogicalResult emitLinear(attn::LinearOp op); // EmitLinear.cpp
  mlir::LogicalResult emitMatmul(attn::MatmulOp op); // EmitMatmul.cpp
  mlir::LogicalResult
  emitHeadLinear(attn::HeadLinearOp op);                   // EmitHeadLinear.cpp
  mlir::LogicalResult emitAttention(attn::AttentionOp op); // EmitAttention.cpp
  mlir::LogicalResult emitMap(attn::MapOp op);             // EmitMap.cpp
  mlir::LogicalResult emitEmbedding(attn::EmbeddingOp op); // EmitEmbedding.cpp
  mlir::LogicalResult
  emitTokenPositions(attn::TokenPositionsOp op);           // EmitPositions.cpp
  mlir::LogicalResult emitPackIndex(attn::PackIndexOp op); // EmitPack.cpp
  mlir::LogicalResult emitPack(attn::PackOp op);           // EmitPack.cpp
  mlir::LogicalResult emitUnpack(attn::UnpackOp op);       // EmitPack.cpp
  mlir::LogicalResult emitPool(attn::PoolOp op);           // EmitPool.cpp
  mlir::LogicalResult emitRope(attn::RopeOp op);           // EmitRope.cpp
  mlir::LogicalResult emitPast(attn::PastOp op);           // EmitState.cpp
  mlir::LogicalResult
  emitPackedPositions(attn::PackedPositionsOp op);   // EmitState.cpp
  mlir::LogicalResult emitAppend(attn::AppendOp op); // EmitState.cpp
  mlir::LogicalResult
  emitCachedAttention(attn::CachedAttentionOp op); // EmitCachedAttention.cpp

private:
  mlir::LogicalResult emitComputeOp();
  mlir::Value frameField(FrameField field, mlir::Type type);
  mlir::Value sizePlace(llvm::StringRef name);
  mlir::Value constant(mlir::TypedAttr value);
  mlir::Value constantTensor(attn::ConstantOp op);
  mlir::Value readCapture(mlir::Value capture, mlir::AffineMap map,
                          llvm::ArrayRef<mlir::Value> dims, unsigned laneDim,
                          mlir::Value mask);
  /// Elements from a capture's first to what lane 0 reads of it at `map`; sets
  /// the distance from lane to lane (left null if all read the same) and
  /// whether lanes are neighbours.
  mlir::Value captureOffset(mlir::Value capture, mlir::AffineMap map,
                            llvm::ArrayRef<mlir::Value> dims, unsigned laneDim,
                            mlir::Value &laneStride, bool &neighbours);
  /// attn.lookup; written, as captureOffset, in EmitLookup.cpp.
  mlir::Value lookUp(mlir::Value capture, mlir::AffineMap map,
                     llvm::ArrayRef<mlir::Value> dims, unsigned laneDim,
                     mlir::ValueRange indices, mlir::Value mask);
  mlir::Value
  reduce(mlir::Value vector,
         llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> combine);
  /// Runs `build` at the head of the function; what it makes dominates the
  /// rest.
  mlir::Value atHead(llvm::function_ref<mlir::Value()> build);

  mlir::ModuleOp module;
  std::string symbol;
  llvm::StringMap<mlir::Value> sizeValues;
  llvm::DenseMap<mlir::Attribute, mlir::Value> constants;
  llvm::DenseMap<mlir::Value, mlir::Value> constantTensors;
  mlir::Operation *headEnd = nullptr; ///< head ops stand before it
};

} // namespace attnc::cpu

#endif // ATTNC_COMPILER_CPU_EMITTER_H
