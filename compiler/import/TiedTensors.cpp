//===- TiedTensors.cpp - two names of one tensor --------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compares bytes: copies that a tool wrote are equal to the last bit.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/TiedTensors.h"
#include "compiler/import/Json.h"

using namespace llvm;

namespace attnc {

void checkTied(ConfigReader &config, const WeightTable &weights, StringRef own,
               StringRef shared) {
  // What an adapter has in their place is checkSharedTables' (Adapter.h).
  if (weights.isReplaced(own) || weights.isReplaced(shared))
    return;
  const WeightEntry *a = weights.find(own), *b = weights.find(shared);
  if (a && b && (a->type != b->type || a->bytes != b->bytes))
    config.report("tie_word_embeddings",
                  "says that " + quote(own) + " is " + quote(shared) +
                      ", but the two tensors differ",
                  "set it to false if the head has tensors of its own");
}

} // namespace attnc
