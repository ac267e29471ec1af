//===- EmitOpenBlas.cpp - products by cblas_sgemm
//----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The provider "openblas": the weight stands plain, [N, K] row-major, and each
// worker multiplies its own rows, block by block, with one thread of OpenBLAS;
// then the element region and the row region pass over the block.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/EmitLinear.h"

using namespace mlir;

namespace attnc::cpu {

// From cblas.h.
static constexpr int32_t kRowMajor = 101, kNoTranspose = 111, kTranspose = 112;

// Every product has this many rows (fewer at the end of a worker's part), so
// that a block is still in cache when the epilogues pass over it.
static constexpr int64_t kBlockRows = 64;

/// Declares a C function once.
static void declare(ModuleOp module, StringRef name, ArrayRef<Type> types) {
  if (module.lookupSymbol(name))
    return;
  OpBuilder b(module.getBodyRegion());
  b.setInsertionPointToStart(module.getBody());
  auto function = func::FuncOp::create(b, module.getLoc(), name,
                                       b.getFunctionType(types, {}));
  function.setPrivate();
}

LogicalResult LinearEmitter::emitOpenBlas() {
  OpBuilder &b = e.b;
  auto weight = dyn_cast<BlockArgument>(op.getWeight());
  if (weight && e.kernel.getLayout(weight.getArgNumber()))
    return op.emitError("[A0506] the provider openblas reads plain row-major "
                        "weights, but the weight has a layout");
  auto module = e.kernel->getParentOfType<ModuleOp>();
  Type i32 = b.getI32Type(), f32 = b.getF32Type();
  Type pointer = e.outputs[0].getType();
  declare(module, "openblas_set_num_threads", {i32});
  declare(module, "cblas_sgemm",
          {i32, i32, i32, i32, i32, i32, f32, pointer, i32, pointer, i32, f32,
           pointer, i32});

  Value rowFrom, rowTo;
  std::tie(rowFrom, rowTo) = e.workerRange(rows);
  // Workers are the parallelism; a second team of threads would fight them.
  func::CallOp::create(b, e.loc, "openblas_set_num_threads", TypeRange{},
                       ValueRange{e.i32(1)});
  e.loop(rowFrom, rowTo, kBlockRows, [&](Value blockFrom) {
    Value blockTo = e.minimum(e.add(blockFrom, e.i64(kBlockRows)), rowTo);
    Value input =
        e.at(e.pointerOf(op.getInput()), e.mul(blockFrom, e.i64(inputStride)));
    Value out = e.at(e.outputs[0], e.mul(blockFrom, e.i64(columns)));
    func::CallOp::create(
        b, e.loc, "cblas_sgemm", TypeRange{},
        ValueRange{e.i32(kRowMajor), e.i32(kNoTranspose), e.i32(kTranspose),
                   e.toI32(e.sub(blockTo, blockFrom)), e.i32(columns),
                   e.i32(depth), e.f32(1), input, e.i32(inputStride),
                   e.pointerOf(op.getWeight()), e.i32(depth), e.f32(0), out,
                   e.i32(columns)});
    if (!op.getElementEpilogue().empty())
      e.loop(blockFrom, blockTo, 1, [&](Value row) {
        const int64_t whole = columns / e.lanes * e.lanes;
        e.loop(e.i64(0), e.i64(whole), e.lanes,
               [&](Value column) { emitElements(row, column, e.lanes); });
        if (whole < columns)
          emitElements(row, e.i64(whole), columns - whole);
      });
    emitRowEpilogue(blockFrom, blockTo);
  });
  return success();
}

} // namespace attnc::cpu
