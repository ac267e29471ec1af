//===- EvaluateSequence.cpp - tables, packing, pooling --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The ops about ids, sequences and the rows that a mask keeps. Integers come
// from callers, so every index is checked before it is used.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/Evaluation.h"
#include <cmath>

using namespace mlir;
using llvm::Error;
using llvm::Twine;

namespace attnc::interpret {

Error Evaluation::evaluate(attn::EmbeddingOp op) {
  SmallVector<Tensor> ids = gather(op.getIds()),
                      tables = gather(op.getTables());
  if (isNarrow()) // products have such a table in their format
    for (auto [table, value] : llvm::zip_equal(tables, op.getTables()))
      if (isTiedTable(value) && !findProduct(value).hasPlainTable)
        table = narrowWeight(value);
  for (auto [number, pair] : llvm::enumerate(llvm::zip_equal(ids, tables))) {
    auto &[id, table] = pair;
    for (int64_t i = 0, count = id.numElements(); i < count; ++i)
      if (int64_t value = id.integerData()[i];
          value < 0 || value >= table.shape[0])
        return errorAt(op, "id " + Twine(value) + " (element " + Twine(i) +
                               " of ids " + Twine(number) +
                               ") is outside of its table of " +
                               Twine(table.shape[0]) + " rows");
  }
  Shape shape = ids.front().shape;
  shape.push_back(tables.front().columns());
  Tensor result = Tensor::numbers(shape);
  int64_t columns = result.columns();
  parallel.forRange(result.rows(), columns * tables.size(),
                    [&](int64_t begin, int64_t end) {
                      for (int64_t row = begin; row < end; ++row) {
                        double *to = result.numberData() + row * columns;
                        for (auto [id, table] : llvm::zip_equal(ids, tables)) {
                          int64_t from = id.integerData()[row] * columns;
                          for (int64_t i = 0; i < columns; ++i)
                            to[i] += table.elements->singles.empty()
                                         ? table.elements->numbers[from + i]
                                         : table.elements->singles[from + i];
                        }
                      }
                    });
  if (Error error = finishRows(op.getRowEpilogue(), result))
    return error;
  return setChecked(op.getResult(), std::move(result));
}

Error Evaluation::evaluate(attn::PositionsOp op) {
  llvm::Expected<Shape> shape = shapeOf(op.getType());
  if (!shape)
    return shape.takeError();
  Tensor result = Tensor::integers(*shape);
  for (int64_t i = 0, count = result.numElements(); i < count; ++i)
    result.integerData()[i] = i % result.columns();
  return setChecked(op.getResult(), std::move(result));
}

Error Evaluation::evaluate(attn::TokenPositionsOp op) {
  const Tensor &ids = get(op.getIds());
  Tensor result = Tensor::integers(ids.shape);
  const int64_t padding = op.getPadding();
  int64_t last = padding;
  for (int64_t i = 0, count = result.numElements(); i < count; ++i) {
    if (i % result.columns() == 0)
      last = padding;
    result.integerData()[i] =
        ids.integerData()[i] == padding ? padding : ++last;
  }
  return setChecked(op.getResult(), std::move(result));
}

Error Evaluation::evaluate(attn::PackIndexOp op) {
  const Tensor &mask = get(op.getMask());
  int64_t batch = mask.shape[0], length = mask.shape[1];
  std::vector<int64_t> rows;
  Tensor offsets = Tensor::integers({batch + 1});
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t s = 0; s < length; ++s)
      if (mask.integerData()[b * length + s] != 0)
        rows.push_back(b * length + s);
    offsets.integerData()[b + 1] = rows.size();
  }
  // The op gives its size a value; a second one of the same name must agree.
  std::string name =
      attn::getNamedShape(op.getRows().getType())[0].asName().str();
  int64_t count = rows.size();
  if (auto [known, isNew] = sizes.try_emplace(name, count);
      !isNew && known->second != count)
    return errorAt(op, "size '" + name + "' is " + Twine(known->second) +
                           " already, but this mask keeps " + Twine(count) +
                           " rows");
  Tensor kept = Tensor::integers({count});
  kept.elements->integers = std::move(rows);
  if (Error error = setChecked(op.getRows(), std::move(kept)))
    return error;
  return setChecked(op.getOffsets(), std::move(offsets));
}

static Error checkRows(Operation *op, const Tensor &rows, int64_t bound) {
  for (int64_t t = 0, count = rows.numElements(); t < count; ++t)
    if (int64_t row = rows.integerData()[t]; row < 0 || row >= bound)
      return errorAt(op, "row " + Twine(row) + " (element " + Twine(t) +
                             ") is outside of the " + Twine(bound) +
                             " rows of the padded form");
  return Error::success();
}

/// Copies rows of `width` elements, for (from row, to row) pairs.
template <typename T>
static void copyRows(const std::vector<T> &from, std::vector<T> &to,
                     int64_t width, const Tensor &rows, bool scatter) {
  for (int64_t t = 0, count = rows.numElements(); t < count; ++t) {
    int64_t row = rows.integerData()[t];
    std::copy_n(from.begin() + (scatter ? t : row) * width, width,
                to.begin() + (scatter ? row : t) * width);
  }
}

Error Evaluation::evaluate(attn::PackOp op) {
  Tensor input = get(op.getInput()).asNumbers();
  const Tensor &rows = get(op.getRows());
  ArrayRef<int64_t> dims = input.shape;
  if (Error error = checkRows(op, rows, dims[0] * dims[1]))
    return error;
  Shape shape = {rows.numElements()};
  shape.append(dims.begin() + 2, dims.end());
  Tensor result =
      input.isInteger ? Tensor::integers(shape) : Tensor::numbers(shape);
  int64_t width = product(dims.drop_front(2));
  if (input.isInteger)
    copyRows(input.elements->integers, result.elements->integers, width, rows,
             /*scatter=*/false);
  else
    copyRows(input.elements->numbers, result.elements->numbers, width, rows,
             /*scatter=*/false);
  return setChecked(op.getResult(), std::move(result));
}

Error Evaluation::evaluate(attn::UnpackOp op) {
  Tensor input = get(op.getInput()).asNumbers();
  const Tensor &rows = get(op.getRows());
  llvm::Expected<Shape> shape = shapeOf(op.getType());
  if (!shape)
    return shape.takeError();
  if (Error error = checkRows(op, rows, (*shape)[0] * (*shape)[1]))
    return error;
  Tensor result =
      input.isInteger ? Tensor::integers(*shape) : Tensor::numbers(*shape);
  int64_t width = product(ArrayRef<int64_t>(*shape).drop_front(2));
  if (input.isInteger)
    copyRows(input.elements->integers, result.elements->integers, width, rows,
             /*scatter=*/true);
  else
    copyRows(input.elements->numbers, result.elements->numbers, width, rows,
             /*scatter=*/true);
  return setChecked(op.getResult(), std::move(result));
}

//===----------------------------------------------------------------------===//
// Pooling
//===----------------------------------------------------------------------===//

/// One row from those of a sequence; `to` holds zeros.
static void poolRows(attn::PoolKind kind, ArrayRef<const double *> rows,
                     int64_t columns, double *to) {
  if (rows.empty())
    return;
  if (kind == attn::PoolKind::first || kind == attn::PoolKind::last)
    return void(
        std::copy_n(kind == attn::PoolKind::first ? rows.front() : rows.back(),
                    columns, to));
  if (kind == attn::PoolKind::max) {
    std::copy_n(rows.front(), columns, to);
    for (const double *row : rows.drop_front())
      for (int64_t i = 0; i < columns; ++i)
        to[i] = std::max(to[i], row[i]);
    return;
  }
  double count = rows.size(), divisor = count;
  if (kind == attn::PoolKind::mean_sqrt_len)
    divisor = std::sqrt(count);
  bool weighted = kind == attn::PoolKind::weighted_mean;
  if (weighted)
    divisor = count * (count + 1) / 2;
  for (auto [position, row] : llvm::enumerate(rows))
    for (int64_t i = 0; i < columns; ++i)
      to[i] += (weighted ? position + 1.0 : 1.0) * row[i];
  for (int64_t i = 0; i < columns; ++i)
    to[i] /= divisor;
}

Error checkOffsets(Operation *op, const Tensor &offsets, int64_t rows) {
  ArrayRef<int64_t> values = offsets.elements->integers;
  if (values.empty() || values.front() != 0 || values.back() != rows)
    return errorAt(op, "offsets must begin with 0 and end with the number of "
                       "rows, " +
                           Twine(rows));
  for (size_t b = 1; b < values.size(); ++b)
    if (values[b] < values[b - 1])
      return errorAt(op, "offsets decrease from " + Twine(values[b - 1]) +
                             " to " + Twine(values[b]) + " at element " +
                             Twine(b));
  return Error::success();
}

Error Evaluation::evaluate(attn::PoolOp op) {
  Tensor input = get(op.getInput()).asNumbers();
  int64_t columns = input.columns();
  llvm::Expected<Shape> shape = shapeOf(op.getType());
  if (!shape)
    return shape.takeError();
  Tensor result = Tensor::numbers(*shape);
  if (op.getOffsets())
    if (Error error = checkOffsets(op, get(op.getOffsets()), input.shape[0]))
      return error;
  for (int64_t b = 0; b < result.shape[0]; ++b) {
    SmallVector<const double *> rows;
    auto keep = [&](int64_t row) {
      rows.push_back(input.numberData() + row * columns);
    };
    if (op.getOffsets()) {
      const int64_t *offsets = get(op.getOffsets()).integerData();
      for (int64_t row = offsets[b]; row < offsets[b + 1]; ++row)
        keep(row);
    } else {
      int64_t length = input.shape[1];
      const int64_t *mask = get(op.getMask()).integerData() + b * length;
      for (int64_t s = 0; s < length; ++s)
        if (mask[s] != 0)
          keep(b * length + s);
    }
    poolRows(op.getKind(), rows, columns, result.numberData() + b * columns);
  }
  return setChecked(op.getResult(), std::move(result));
}

} // namespace attnc::interpret
