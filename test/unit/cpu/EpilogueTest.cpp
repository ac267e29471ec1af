//===- EpilogueTest.cpp - captures and indices of element regions ---------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The element region of a linear kernel over [batch, seq, columns] reads
// captures in every way that maps allow: along the lanes, across them, not at
// all, at constants, from strided rows; and its own index. The sums are small
// integers, so that every result is exact.
//
//===----------------------------------------------------------------------===//
#include "KernelRunner.h"
#include "TargetTest.h"

using namespace attnc;
using namespace attnc::test;

namespace {

constexpr int64_t kBatch = 3, kSeq = 5, kColumns = 50, kStride = 60;

// Capture by capture: a bias; [columns, seq] gathered; one number per batch,
// i32; row 1 of [2, columns]; the diagonal of [columns, columns]; a tensor
// whose rows are kStride apart; a constant of the kernel.
const char *kText = R"(
attn.size @batch min 1 max 64
attn.size @seq min 1 max 64
kernel.variant @v target "TARGET" {
kernel.func @k(%x: tensor<?x?x1xf32, #attn.sizes<batch, seq, 1>>, %w: tensor<50x1xf32> {kernel.layout = #kernel.panels<48>}, %bias: tensor<50xf32>, %across: tensor<50x?xf32, #attn.sizes<50, seq>>, %per: tensor<?xi32, #attn.sizes<batch>>, %table: tensor<2x50xf32>, %square: tensor<50x50xf32>, %strided: tensor<?x50xf32, #attn.sizes<seq, 50>> {kernel.layout = #kernel.rows<60>}) -> tensor<?x?x50xf32, #attn.sizes<batch, seq, 50>> tile #kernel.tile<TILE> {
  %two = attn.constant dense<2.0> : tensor<1xf32>
  %y = attn.linear %x, %w element(%bias at affine_map<(d0, d1, d2) -> (d2)> : tensor<50xf32>, %across at affine_map<(d0, d1, d2) -> (d2, d1)> : tensor<50x?xf32, #attn.sizes<50, seq>>, %per at affine_map<(d0, d1, d2) -> (d0)> : tensor<?xi32, #attn.sizes<batch>>, %table at affine_map<(d0, d1, d2) -> (1, d2)> : tensor<2x50xf32>, %square at affine_map<(d0, d1, d2) -> (d2, d2)> : tensor<50x50xf32>, %strided at affine_map<(d0, d1, d2) -> (d1, d2)> : tensor<?x50xf32, #attn.sizes<seq, 50>>, %two at affine_map<(d0, d1, d2) -> (0)> : tensor<1xf32>) {
  ^bb0(%acc: f32, %c: f32, %a: f32, %p: i32, %t: f32, %q: f32, %s: f32, %k: f32):
    %b = attn.index 0 : i32
    %m = attn.index 1 : i32
    %n = attn.index 2 : i32
    %h = arith.constant 100 : i32
    %hb = arith.muli %b, %h : i32
    %hm = arith.addi %hb, %m : i32
    %hn = arith.muli %hm, %h : i32
    %i = arith.addi %hn, %n : i32
    %j = arith.addi %i, %p : i32
    %f = arith.sitofp %j : i32 to f32
    %0 = arith.addf %acc, %c : f32
    %1 = arith.addf %0, %a : f32
    %2 = arith.addf %1, %t : f32
    %3 = arith.addf %2, %q : f32
    %4 = arith.addf %3, %s : f32
    %5 = arith.addf %4, %f : f32
    %6 = arith.mulf %5, %k : f32
    %late = arith.cmpi sgt, %m, %n : i32
    %7 = arith.select %late, %6, %5 : f32
    attn.yield %7 : f32
  } : tensor<?x?x1xf32, #attn.sizes<batch, seq, 1>>, tensor<50x1xf32> -> tensor<?x?x50xf32, #attn.sizes<batch, seq, 50>>
  kernel.return %y : tensor<?x?x50xf32, #attn.sizes<batch, seq, 50>>
}
}
)";

/// count numbers start, start + 1, ..., modulo 97.
GuardedBuffer numbers(size_t count, int start) {
  GuardedBuffer buffer(count);
  for (size_t i = 0; i < count; ++i)
    buffer.floats()[i] = static_cast<float>((start + i) % 97);
  return buffer;
}

struct Epilogue : TargetTest {};

TEST_P(Epilogue, ReadsCapturesByTheirMaps) {
  std::string text = kText;
  text.replace(text.find("TARGET"), 6, target().name.str());
  const bool wide = target().vectorRegisters >= 32;
  text.replace(text.find("TILE"), 4,
               wide ? "rows = 8, columns = 48, depth = 0"
                    : "rows = 6, columns = 16, depth = 0");
  auto runner = KernelRunner::compile(text, target());
  ASSERT_NE(runner, nullptr);

  GuardedBuffer x = numbers(kBatch * kSeq, 1), bias = numbers(kColumns, 2);
  GuardedBuffer across = numbers(kColumns * kSeq, 3);
  GuardedBuffer table = numbers(2 * kColumns, 4);
  GuardedBuffer square = numbers(kColumns * kColumns, 5);
  GuardedBuffer strided = numbers((kSeq - 1) * kStride + kColumns, 6);
  GuardedBuffer per(kBatch), w(2 * 48), out(kBatch * kSeq * kColumns);
  for (int64_t b = 0; b < kBatch; ++b)
    per.ints()[b] = 7 * b;
  std::vector<float> weight(kColumns, 3.0f);
  std::vector<float> packed = packPanels(weight, kColumns, 1, 48);
  std::copy(packed.begin(), packed.end(), w.floats());
  std::vector<int64_t> sizes = {kBatch, kSeq};
  runner->run("v_k", sizes,
              {x.data(), w.data(), bias.data(), across.data(), per.data(),
               table.data(), square.data(), strided.data(), out.data()},
              2);

  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t m = 0; m < kSeq; ++m)
      for (int64_t n = 0; n < kColumns; ++n) {
        float sum = 3 * x.floats()[b * kSeq + m] + bias.floats()[n] +
                    across.floats()[n * kSeq + m] +
                    table.floats()[kColumns + n] +
                    square.floats()[n * kColumns + n] +
                    strided.floats()[m * kStride + n] +
                    ((b * 100 + m) * 100 + n + per.ints()[b]);
        if (m > n)
          sum *= 2;
        ASSERT_EQ(out.floats()[(b * kSeq + m) * kColumns + n], sum)
            << "at [" << b << ", " << m << ", " << n << "]";
      }
}

ATTNC_FOR_ALL_TARGETS(Epilogue);

} // namespace
