//===- LinearAlgebra.cpp - products of matrices in double -----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The right side is copied panel by panel, sixteen columns side by side, so
// that the innermost loop runs over contiguous columns and every sum keeps the
// order of k. The block function exists once per vector width; the machine
// picks.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/LinearAlgebra.h"
#include <algorithm>
#include <cstring>
#include <vector>

namespace attnc::interpret {

static constexpr int64_t kPanel = 16;
static constexpr int64_t kBlockRows = 4;

typedef double Lanes __attribute__((vector_size(64)));
static constexpr int64_t kLanes = 8;
static_assert(kPanel % kLanes == 0, "a panel is whole vectors");

/// block[i][j] = sum over k of lhs[i * lhsStride + k] * panel[k][j].
__attribute__((target_clones("avx512f", "avx2", "default"))) static void
multiplyBlock(const double *lhs, int64_t lhsStride, const double *panel,
              int64_t depth, double *block) {
  Lanes sums[kBlockRows][kPanel / kLanes] = {};
  for (int64_t k = 0; k < depth; ++k) {
    for (int64_t part = 0; part < kPanel / kLanes; ++part) {
      Lanes right;
      std::memcpy(&right, panel + k * kPanel + part * kLanes, sizeof(right));
      for (int64_t row = 0; row < kBlockRows; ++row)
        sums[row][part] += lhs[row * lhsStride + k] * right;
    }
  }
  std::memcpy(block, sums, sizeof(sums));
}

static void packPanel(const MatrixView &rhs, int64_t first, int64_t columns,
                      int64_t depth, double *panel) {
  std::fill(panel, panel + depth * kPanel, 0.0);
  for (int64_t j = 0; j < columns; ++j) {
    int64_t base = (first + j) * rhs.columnStride;
    if (rhs.singles)
      for (int64_t k = 0; k < depth; ++k)
        panel[k * kPanel + j] = rhs.singles[base + k * rhs.rowStride];
    else
      for (int64_t k = 0; k < depth; ++k)
        panel[k * kPanel + j] = rhs.numbers[base + k * rhs.rowStride];
  }
}

void multiply(const MatrixView &lhs, const MatrixView &rhs, int64_t rows,
              int64_t columns, int64_t depth, double *out, int64_t outStride) {
  std::vector<double> panel(depth * kPanel);
  std::vector<double> lastRows(kBlockRows * depth);
  double block[kBlockRows * kPanel];
  for (int64_t first = 0; first < columns; first += kPanel) {
    int64_t width = std::min(kPanel, columns - first);
    packPanel(rhs, first, width, depth, panel.data());
    for (int64_t row = 0; row < rows; row += kBlockRows) {
      int64_t height = std::min(kBlockRows, rows - row);
      const double *left = lhs.numbers + row * lhs.rowStride;
      int64_t leftStride = lhs.rowStride;
      if (height < kBlockRows) {
        // The block function reads whole blocks: give it a copy with zeros.
        for (int64_t i = 0; i < height; ++i)
          std::copy_n(left + i * leftStride, depth,
                      lastRows.data() + i * depth);
        left = lastRows.data();
        leftStride = depth;
      }
      multiplyBlock(left, leftStride, panel.data(), depth, block);
      for (int64_t i = 0; i < height; ++i)
        std::copy_n(block + i * kPanel, width,
                    out + (row + i) * outStride + first);
    }
  }
}

void multiply(const Parallel &parallel, const MatrixView &lhs,
              const MatrixView &rhs, int64_t rows, int64_t columns,
              int64_t depth, double *out, int64_t outStride) {
  int64_t panels = (columns + kPanel - 1) / kPanel;
  parallel.forRange(
      panels, rows * depth * kPanel, [&](int64_t begin, int64_t end) {
        int64_t first = begin * kPanel;
        MatrixView part = rhs;
        if (part.singles)
          part.singles += first * rhs.columnStride;
        else
          part.numbers += first * rhs.columnStride;
        multiply(lhs, part, rows, std::min(columns, end * kPanel) - first,
                 depth, out + first, outStride);
      });
}

} // namespace attnc::interpret
