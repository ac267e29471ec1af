//===- EvaluateState.cpp - states of a session ----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Appending to states and what is known of their lengths. Attention that reads
// them is in EvaluateAttention.cpp. The lengths of the session change when the
// run is over, so that every op of a run sees the same past. Rows are kept as
// they are, or rounded where a run shall tell what a narrow cache costs.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/Evaluation.h"

using namespace mlir;
using llvm::Error;
using llvm::Twine;

namespace attnc::interpret {

Error Evaluation::evaluate(attn::GetStateOp op) { return Error::success(); }

Error Evaluation::evaluate(attn::PastOp op) {
  llvm::Expected<Shape> shape = shapeOf(op.getType());
  if (!shape)
    return shape.takeError();
  Tensor result = Tensor::integers(*shape);
  for (int64_t b = 0; b < result.numElements(); ++b)
    result.integerData()[b] = session.length(b);
  return setChecked(op.getResult(), std::move(result));
}

Error Evaluation::evaluate(attn::PackedPositionsOp op) {
  llvm::Expected<Shape> shape = shapeOf(op.getType());
  if (!shape)
    return shape.takeError();
  const Tensor &offsets = get(op.getOffsets()), &past = get(op.getPast());
  if (Error error = checkOffsets(op, offsets, (*shape)[0]))
    return error;
  Tensor result = Tensor::integers(*shape);
  for (int64_t b = 0; b < past.numElements(); ++b) {
    int64_t first = offsets.integerData()[b];
    for (int64_t t = first; t < offsets.integerData()[b + 1]; ++t)
      result.integerData()[t] = past.integerData()[b] + t - first;
  }
  return setChecked(op.getResult(), std::move(result));
}

attn::StateOp getDeclaration(Value state) {
  auto get = state.getDefiningOp<attn::GetStateOp>();
  return cast<attn::StateOp>(
      SymbolTable::lookupNearestSymbolFrom(get, get.getStateAttr()));
}

Error Evaluation::evaluate(attn::AppendOp op) {
  Tensor rows = get(op.getRows()).asNumbers();
  const Tensor &offsets = get(op.getOffsets());
  if (Error error = checkOffsets(op, offsets, rows.shape[0]))
    return error;
  attn::StateOp state = getDeclaration(op.getState());
  int64_t positions = state.getPositions();
  int64_t width = rows.shape[1] * rows.shape[2];
  // What the text says, or what the library was compiled with.
  llvm::StringRef format = state.getFormat() == attn::StateFormat::f32
                               ? weights.formats.cache
                               : stringifyStateFormat(state.getFormat());
  SessionState::Rows &lists = session.rows(state.getSymName());
  size_t batch = offsets.numElements() - 1;
  if (lists.size() < batch)
    lists.resize(batch);
  for (size_t b = 0; b < batch; ++b) {
    int64_t first = offsets.integerData()[b];
    int64_t count = offsets.integerData()[b + 1] - first;
    int64_t past = session.length(b);
    if (past + count > positions)
      return errorAt(op, "sequence " + Twine(b) + " would have " +
                             Twine(past + count) + " rows, more than the " +
                             Twine(positions) + " positions of @" +
                             state.getSymName());
    // What a run that failed left behind goes.
    lists[b].resize(past * width);
    lists[b].insert(lists[b].end(), rows.numberData() + first * width,
                    rows.numberData() + (first + count) * width);
    if (isNarrow()) {
      const std::optional<Noise> noise = drawRounding();
      for (int64_t at = past * width; at < (past + count) * width;
           at += rows.shape[2])
        roundKept(format, lists[b].data() + at, rows.shape[2],
                  {noise ? &*noise : nullptr, uint64_t(at)});
    }
    grown[b] = count;
  }
  return Error::success();
}

} // namespace attnc::interpret
