//===- GgufRows.cpp - rows of GGUF files and of checkpoints ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Some tensors of a GGUF file have their rows in another order than the
// checkpoint that it was made from:
//
//   Llama's queries and keys   row i of half h of a head is row 2 i + h of it
//   joint projections          queries of all heads, then keys, then values;
//                              checkpoints have them by groups of heads that
//                              share a key: their queries, the key, the value
//
// Adapters are made for a checkpoint's rows, and are brought into the file's.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/GgufModel.h"

using namespace llvm;

namespace attnc {

RowOrder getRowOrder(StringRef architecture, StringRef name) {
  auto holds = [&](StringRef part) { return name.contains(part); };
  if (architecture == "llama") {
    if (holds(".self_attn.q_proj."))
      return RowOrder::Queries;
    return holds(".self_attn.k_proj.") ? RowOrder::Keys : RowOrder::Same;
  }
  if (architecture == "gpt2")
    return holds(".attn.c_") || holds(".mlp.c_") ? RowOrder::Transposed
                                                 : RowOrder::Same;
  if (architecture.starts_with("gemma"))
    return holds("norm.") ? RowOrder::PlusOne : RowOrder::Same;
  return holds(".query_key_value.") ? RowOrder::Joint : RowOrder::Same;
}

static std::vector<int64_t> getPairedRows(int64_t heads, int64_t rows) {
  if (heads < 1 || heads > rows || rows % (2 * heads) != 0)
    return {};
  const int64_t half = rows / heads / 2;
  std::vector<int64_t> from;
  for (int64_t head = 0; head < heads; ++head)
    for (int64_t i = 0; i < half; ++i)
      for (int64_t side = 0; side < 2; ++side)
        from.push_back((2 * head + side) * half + i);
  return from;
}

static std::vector<int64_t> getJointRows(int64_t heads, int64_t groups,
                                         int64_t rows) {
  if (groups < 1 || heads < groups || heads > rows || heads % groups != 0 ||
      rows % (heads + 2 * groups) != 0)
    return {};
  const int64_t size = rows / (heads + 2 * groups), share = heads / groups;
  std::vector<int64_t> from;
  // Of a group, what stands at places `first` to `last`, for all groups.
  auto add = [&](int64_t first, int64_t last) {
    for (int64_t group = 0; group < groups; ++group)
      for (int64_t i = first * size; i < last * size; ++i)
        from.push_back(group * (share + 2) * size + i);
  };
  add(0, share);
  add(share, share + 1);
  add(share + 1, share + 2);
  return from;
}

std::vector<int64_t> getCheckpointRows(RowOrder order, int64_t heads,
                                       int64_t keyHeads, int64_t rows) {
  switch (order) {
  case RowOrder::Queries:
    return getPairedRows(heads, rows);
  case RowOrder::Keys:
    return getPairedRows(keyHeads, rows);
  case RowOrder::Joint:
    return getJointRows(heads, keyHeads, rows);
  case RowOrder::Same:
  case RowOrder::Transposed:
  case RowOrder::PlusOne:
    break;
  }
  llvm_unreachable("rows of these are in their order");
}

} // namespace attnc
