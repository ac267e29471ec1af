//===- DescribeAdapters.cpp - weights that sessions choose ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Code reads weights by index. Where an adapter has a tensor of its own for one
// of them, the file gets it once more, in the same layout, behind the weights
// that code knows; the adapter's table names it in the other's place.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/Description.h"

using namespace llvm;

namespace attnc {

void describeAdapters(LibraryDescription &library, mlir::ModuleOp module,
                      const WeightTable &table) {
  library.adapterRanks = table.adapterRanks;
  const size_t read = library.weights.size();
  for (auto [choice, name] : enumerate(table.choices())) {
    AdapterDescription adapter;
    adapter.name = name;
    for (size_t index = 0; index < read; ++index) {
      WeightDescription weight = library.weights[index];
      auto op = module.lookupSymbol<attn::WeightOp>(weight.symbol);
      assert(op && "a weight that the program uses is declared");
      if (!table.differs(op, choice)) {
        adapter.weights.push_back(index);
        continue;
      }
      weight.key = "adapter/" + name + "/" + weight.key;
      weight.choice = choice;
      adapter.weights.push_back(library.weights.size());
      library.weights.push_back(std::move(weight));
    }
    library.adapters.push_back(std::move(adapter));
  }
  if (library.weights.size() > read)
    library.layoutFingerprint = fingerprintLayout(library.weights);
}

} // namespace attnc
