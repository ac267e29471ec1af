//===- ProjectRows.cpp - what is computed of weights alone ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The matrix is turned first, so that sums of neighbouring columns are
// neighbours, and several rows share what is read of it.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/ProjectRows.h"
#include "compiler/import/Weights.h"
#include "dialects/attn/ProjectedWeight.h"
#include <algorithm>
#include <cmath>
#include <numeric>

using namespace llvm;

namespace attnc {

std::vector<double> RowProjection::normalize(ArrayRef<float> row) const {
  std::vector<double> result(row.begin(), row.end());
  if (!epsilon)
    return result;
  const double count = static_cast<double>(result.size());
  const double mean =
      std::accumulate(result.begin(), result.end(), 0.0) / count;
  double squares = 0;
  for (double number : result)
    squares += (number - mean) * (number - mean);
  const double factor = 1 / std::sqrt(squares / count + *epsilon);
  for (size_t k = 0; k < result.size(); ++k)
    result[k] = (result[k] - mean) * factor * scale[k] + shift[k];
  return result;
}

std::vector<float> RowProjection::compute() const {
  constexpr size_t kTogether = 4;
  const size_t columns = bias.size(), depth = matrix.size() / columns;
  const size_t count = rows.size() / depth;
  std::vector<double> turned(matrix.size());
  for (size_t n = 0; n < columns; ++n)
    for (size_t k = 0; k < depth; ++k)
      turned[k * columns + n] = matrix[n * depth + k];
  std::vector<float> result(columns * count);
  std::vector<double> sums(kTogether * columns);
  for (size_t first = 0; first < count; first += kTogether) {
    const size_t members = std::min(kTogether, count - first);
    std::vector<double> inputs[kTogether];
    for (size_t i = 0; i < members; ++i) {
      inputs[i] = normalize(rows.slice((first + i) * depth, depth));
      std::copy(bias.begin(), bias.end(), sums.begin() + i * columns);
    }
    for (size_t k = 0; k < depth; ++k)
      for (size_t i = 0; i < members; ++i) {
        const double input = inputs[i][k];
        const double *from = turned.data() + k * columns;
        double *to = sums.data() + i * columns;
        for (size_t n = 0; n < columns; ++n)
          to[n] += input * from[n];
      }
    for (size_t i = 0; i < members; ++i)
      for (size_t n = 0; n < columns; ++n)
        result[n * count + first + i] =
            static_cast<float>(sums[i * columns + n]);
  }
  return result;
}

Expected<std::vector<float>>
WeightTable::project(attn::WeightOp weight,
                     std::optional<unsigned> choice) const {
  std::vector<float> numbers[5];
  for (auto [index, name] :
       enumerate(weight.getSources().getAsValueRange<mlir::StringAttr>())) {
    Expected<std::vector<float>> source = read(name, choice);
    if (!source)
      return source.takeError();
    numbers[index] = std::move(*source);
  }
  const auto &[rows, matrix, bias, scale, shift] = numbers;
  const std::optional<double> epsilon = attn::getProjectionEpsilon(weight);
  return RowProjection{rows, matrix, bias, epsilon, scale, shift}.compute();
}

} // namespace attnc
