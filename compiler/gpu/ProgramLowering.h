//===- ProgramLowering.h - one program to registers -------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// State of LowerWarp on one `warp.program`. Every fragment is a list of values,
// one per register: f32, or i32 that holds two numbers of 16 bits. Block by
// block, in order:
//
//   acc  rows / 16 x columns / 8 blocks of 4: (g, 2t), (g, 2t + 1), (g + 8, ..)
//   lhs  rows / 16 x K / 16 blocks of 4 (K / 8 of f32)
//   rhs  K / 16 x columns / 8 blocks of 2 (K / 8 of f32)
//   rows rows / 16 blocks of 2: g, g + 8
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_GPU_PROGRAMLOWERING_H
#define ATTNC_COMPILER_GPU_PROGRAMLOWERING_H

#include "dialects/warp/Warp.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"

namespace attnc::gpu {

/// Name of the external array that is a block's dynamic shared memory.
inline constexpr llvm::StringLiteral kSharedSymbol = "attnc_shared";

class ProgramLowering {
public:
  ProgramLowering(mlir::ModuleOp module, warp::ProgramOp program)
      : b(module.getContext()), loc(program.getLoc()), module(module),
        program(program) {}

  /// Adds the function beside the program.
  mlir::LogicalResult lower();

private:
  using Registers = llvm::SmallVector<mlir::Value>;

  //===-- LowerWarp.cpp
  //-----------------------------------------------------===//
  void createFunction();
  mlir::LogicalResult lowerBlock(mlir::Block &block);
  mlir::LogicalResult lowerOp(mlir::Operation &op);
  mlir::LogicalResult lowerFor(mlir::scf::ForOp op);
  mlir::LogicalResult lowerIf(mlir::scf::IfOp op);
  mlir::LogicalResult cloneOp(mlir::Operation &op);
  mlir::LogicalResult lowerMap(warp::MapOp op);
  void lowerStore(warp::StoreOp op);
  void lowerAllReduce(warp::AllReduceOp op);

  //===-- LowerCopies.cpp
  //---------------------------------------------------===//
  mlir::LogicalResult lowerCopy(warp::CopyOp op);
  void copyChunk(warp::CopyOp op, mlir::Value chunk);
  mlir::Value loadChunk(warp::CopyOp op, mlir::Value row, mlir::Value column,
                        mlir::Value valid, int64_t elements);
  mlir::Value loadElements(warp::CopyOp op, mlir::Value row, mlir::Value column,
                           int64_t elements);
  /// A coordinate: what the program computes, if anything, plus a number.
  struct Position {
    mlir::Value dynamic;
    int64_t constant = 0;
  };
  Position position(mlir::Value value);
  /// Pointer to an element at (row, chunk) of a tile, a chunk being 16 bytes.
  /// `chunkIsLaneBit`: the dynamic part of `chunk` is 0 or 1.
  mlir::Value tilePlace(mlir::Value tile, Position row, Position chunk,
                        bool chunkIsLaneBit);
  mlir::Value tileBase(mlir::Value tile);

  //===-- LowerFragments.cpp
  //------------------------------------------------===//
  void lowerLoad(warp::LoadOp op);
  Registers loadLhs(warp::LoadOp op);
  Position shift(Position position, mlir::Value lane, int64_t constant);
  Position chunks(Position column, int32_t elements);
  mlir::Value loadWord(mlir::Value place, mlir::Value index);
  /// Registers of a rhs for the columns [16 * pair, 16 * pair + 16).
  Registers loadRhs(warp::LoadOp op, int64_t pair);
  Registers loadRhsF32(warp::LoadOp op, int64_t pair);
  void lowerMma(warp::MmaOp op);
  Registers multiply(mlir::ValueRange lhs, mlir::ValueRange rhs,
                     mlir::ValueRange acc, mlir::Type element);
  void lowerReduce(warp::ReduceOp op);
  void lowerConvert(warp::ConvertOp op);
  mlir::Value pack(mlir::Value low, mlir::Value high, mlir::Type element);
  mlir::Value toTf32(mlir::Value x);

  //===-- LowerGroups.cpp
  //---------------------------------------------------===//
  mlir::LogicalResult lowerGroupOp(mlir::Operation &op);
  void initializeBarriers();
  mlir::Value barrierAt(mlir::Value barrier, mlir::Value stage);
  void lowerArrive(warp::ArriveOp op);
  void lowerAwait(warp::AwaitOp op);
  void lowerMapCopy(warp::MapCopyOp op);
  void lowerClear(warp::ClearOp op);
  mlir::Value describeTile(mlir::Value address, int64_t panel, int64_t leading);
  /// Runs `body` in groups whose number compares so, or in all of them.
  void ifGroup(mlir::arith::CmpIPredicate predicate, int32_t number,
               bool always, llvm::function_ref<void()> body);
  void lowerTakeTurn(warp::TakeTurnOp op);
  void lowerPassTurn(warp::PassTurnOp op);
  void lowerGroupMma(warp::GroupMmaOp op);
  void lowerGroupWait(warp::GroupWaitOp op);
  mlir::LogicalResult lowerRoles(warp::RolesOp op);
  Registers assembly(llvm::StringRef text, llvm::StringRef constraints,
                     mlir::ValueRange operands,
                     llvm::ArrayRef<mlir::Type> results);

  //===-- LowerStreams.cpp
  //--------------------------------------------------===//
  /// False for an op of another file.
  bool lowerStreamOp(mlir::Operation &op);
  void lowerFetch(warp::FetchOp op);
  void lowerUnpack(warp::UnpackOp op);
  void lowerScaledCopy(warp::ScaledCopyOp op);
  mlir::Value loadScaled(warp::ScaledCopyOp op, mlir::Value row,
                         mlir::Value column);
  void lowerStreamMma(warp::StreamMmaOp op);
  void lowerBlockSum(warp::BlockSumOp op);
  std::pair<mlir::Value, mlir::Value> piece(int64_t round);
  void unpackWord(warp::UnpackOp op, mlir::Value word, mlir::Value scale,
                  mlir::Value row, mlir::Value step);
  Registers loadLeft(warp::StreamMmaOp op, mlir::Value row, mlir::Value k);
  Registers loadRun(warp::StreamMmaOp op, mlir::Value row, mlir::Value k);
  void multiplyRun(warp::StreamMmaOp op, llvm::ArrayRef<mlir::Value> words,
                   llvm::ArrayRef<mlir::Value> upper,
                   llvm::ArrayRef<mlir::Value> lower, mlir::Value k,
                   mlir::Value column, llvm::MutableArrayRef<mlir::Value> sums);
  Registers addScaled(warp::StreamMmaOp op, llvm::ArrayRef<mlir::Value> sums,
                      llvm::ArrayRef<mlir::Value> part, mlir::Value k,
                      mlir::Value column);
  Registers decodePairs(mlir::Value word, int64_t bits, mlir::Type element);
  Registers decodeFloats(mlir::Value word, int64_t bits);
  Registers loadWords(mlir::Value place, int64_t count);
  mlir::Value elementAt(mlir::Value base, mlir::Value offset,
                        mlir::Type element);
  mlir::Value bitAnd(mlir::Value x, uint32_t mask);
  mlir::Value wide(mlir::Value x);

  //===-- numbers
  //-----------------------------------------------------------===//
  mlir::Value i32(int32_t value);
  mlir::Value add(mlir::Value a, mlir::Value c);
  mlir::Value mul(mlir::Value a, mlir::Value c);
  mlir::Value div(mlir::Value a, int32_t c);
  mlir::Value rem(mlir::Value a, int32_t c);
  mlir::Value exclusiveOr(mlir::Value a, mlir::Value c);
  mlir::Value lessThan(mlir::Value a, mlir::Value c);
  mlir::Value minimum(mlir::Value a, mlir::Value c);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value c);
  mlir::Value intrinsic(llvm::StringRef name, mlir::Type result,
                        mlir::ValueRange operands);
  Registers intrinsicStruct(llvm::StringRef name, mlir::Type element,
                            int64_t count, mlir::ValueRange operands);
  mlir::Value shuffleXor(mlir::Value x, int32_t distance);
  mlir::Value combine(warp::Combine how, mlir::Value a, mlir::Value c);
  /// Pointer to a byte of shared memory.
  mlir::Value sharedAt(mlir::Value byte);
  mlir::Value lookup(mlir::Value value) { return values.lookup(value); }

  mlir::OpBuilder b;
  mlir::Location loc;
  mlir::ModuleOp module;
  warp::ProgramOp program;
  mlir::LLVM::LLVMFuncOp function;
  mlir::IRMapping values; ///< everything that is one value
  llvm::DenseMap<mlir::Value, Registers> fragments;
  mlir::Value thread, lane, group, quad; ///< lane / 4, lane % 4
  mlir::Value shared;                    ///< pointer, address space 3
  mlir::Value consumerGroup; ///< number of this thread's, among consumers
};

} // namespace attnc::gpu

#endif // ATTNC_COMPILER_GPU_PROGRAMLOWERING_H
