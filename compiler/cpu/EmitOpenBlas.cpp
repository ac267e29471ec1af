//===- EmitOpenBlas.cpp - products by cblas_sgemm -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The provider "openblas": the weight stands plain, [N, K] row-major, and each
// worker multiplies its own rows with one thread of OpenBLAS; then the element
// region and the row region pass over them.
//
// OpenBLAS rounds a row differently with the number of rows in a call and with
// the row's place among them, beyond eight. So every call has eight rows, the
// last ones padded in scratch: half the speed of one large call, and the same
// bits for every number of workers and every place of a row.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/EmitLinear.h"

using namespace mlir;

namespace attnc::cpu {

// From cblas.h.
static constexpr int32_t kRowMajor = 101, kNoTranspose = 111, kTranspose = 112;

static constexpr int64_t kCallRows = LinearEmitter::kOpenBlasRows;

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

void LinearEmitter::copyRow(Value from, Value to, int64_t count) {
  const int64_t whole = count / e.lanes * e.lanes;
  e.loop(e.i64(0), e.i64(whole), e.lanes, [&](Value index) {
    e.storeVector(e.loadVector(e.at(from, index)), e.at(to, index));
  });
  if (whole == count)
    return;
  Value mask = e.tailMask(e.i64(count - whole));
  e.storeVector(e.loadVector(e.at(from, e.i64(whole)), mask),
                e.at(to, e.i64(whole)), mask);
}

void LinearEmitter::callOpenBlas(Value input, int64_t stride, Value out) {
  func::CallOp::create(e.b, e.loc, "cblas_sgemm", TypeRange{},
                       ValueRange{e.i32(kRowMajor), e.i32(kNoTranspose),
                                  e.i32(kTranspose), e.i32(kCallRows),
                                  e.i32(columns), e.i32(depth), e.f32(1), input,
                                  e.i32(stride), e.pointerOf(op.getWeight()),
                                  e.i32(depth), e.f32(0), out, e.i32(columns)});
}

void LinearEmitter::callPadded(Value input, Value out, Value count) {
  Value paddedInput = e.scratch();
  Value paddedOut = e.at(paddedInput, e.i64(kCallRows * depth));
  e.loop(e.i64(0), e.i64(kCallRows), 1, [&](Value row) {
    // The last row stands in for those that are missing.
    Value source = e.minimum(row, e.sub(count, e.i64(1)));
    copyRow(e.at(input, e.mul(source, e.i64(inputStride))),
            e.at(paddedInput, e.mul(row, e.i64(depth))), depth);
  });
  callOpenBlas(paddedInput, depth, paddedOut);
  e.loop(e.i64(0), count, 1, [&](Value row) {
    Value offset = e.mul(row, e.i64(columns));
    copyRow(e.at(paddedOut, offset), e.at(out, offset), columns);
  });
}

void LinearEmitter::emitElementRow(Value row) {
  const int64_t whole = columns / e.lanes * e.lanes;
  e.loop(e.i64(0), e.i64(whole), e.lanes,
         [&](Value column) { emitElements(row, column, e.lanes); });
  if (whole < columns)
    emitElements(row, e.i64(whole), columns - whole);
}

LogicalResult LinearEmitter::setUpOpenBlas() {
  auto weight = dyn_cast<BlockArgument>(op.getWeight());
  if (weight && e.kernel.getLayout(weight.getArgNumber()))
    return op.emitError(
        "error[A0506]: the provider openblas reads plain row-major "
        "weights, but the weight has a layout");
  const int64_t bytes = openBlasScratch(depth, columns);
  std::optional<SizeExpr> scratch;
  if (std::optional<StringRef> text = e.kernel.getScratch())
    scratch = SizeExpr::parse(*text);
  if (!scratch || !scratch->isNumber() || scratch->number() < bytes)
    return op.emitError("error[A0507]: the provider openblas needs ")
           << bytes << " bytes of scratch; run --attn-choose-tiles";
  OpBuilder &b = e.b;
  auto module = e.kernel->getParentOfType<ModuleOp>();
  Type i32 = b.getI32Type(), f32 = b.getF32Type();
  Type pointer = e.outputs[0].getType();
  declare(module, "openblas_set_num_threads", {i32});
  declare(module, "cblas_sgemm",
          {i32, i32, i32, i32, i32, i32, f32, pointer, i32, pointer, i32, f32,
           pointer, i32});
  return success();
}

LogicalResult LinearEmitter::emitOpenBlas() {
  if (failed(setUpOpenBlas()))
    return failure();
  auto [from, to] = e.workerRange(e.ceilDiv(rows, kCallRows));
  // Workers are the parallelism; a second team of threads would fight them.
  func::CallOp::create(e.b, e.loc, "openblas_set_num_threads", TypeRange{},
                       ValueRange{e.i32(1)});
  e.loop(from, to, 1, [&](Value tile) {
    Value first = e.mul(tile, e.i64(kCallRows));
    Value last = e.minimum(e.add(first, e.i64(kCallRows)), rows);
    Value count = e.sub(last, first);
    Value input =
        e.at(e.pointerOf(op.getInput()), e.mul(first, e.i64(inputStride)));
    Value out = e.at(e.outputs[0], e.mul(first, e.i64(columns)));
    e.ifThenElse(
        e.lessThan(count, e.i64(kCallRows)),
        [&] { callPadded(input, out, count); },
        [&] { callOpenBlas(input, inputStride, out); });
    if (!op.getElementEpilogue().empty())
      e.loop(first, last, 1, [&](Value row) { emitElementRow(row); });
    emitRowEpilogue(first, last);
  });
  return success();
}

} // namespace attnc::cpu
