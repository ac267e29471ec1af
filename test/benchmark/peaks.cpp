//===- peaks.cpp - what this machine can do at most -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   benchmark-peaks [THREADS]
//
// Prints compiler/inspect/Peaks.h as one JSON object.
//
//===----------------------------------------------------------------------===//
#include "compiler/inspect/Peaks.h"

#include <cstdio>
#include <cstdlib>

int main(int argc, char **argv) {
  std::vector<int> cores = attnc::getAllowedCores();
  int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  if (argc > 2 || threads < 1 || threads > int(cores.size())) {
    std::fprintf(stderr,
                 "benchmark-peaks: expected a number of threads from 1 to %zu, "
                 "the cores that may be used\n",
                 cores.size());
    return 2;
  }
  cores.resize(threads);
  auto rates = attnc::measurePeaks(cores);
  if (rates.empty()) {
    std::fprintf(stderr, "benchmark-peaks: needs a processor with AVX2\n");
    return 1;
  }
  const char *separator = "{";
  for (const auto &[name, rate] : rates) {
    std::printf("%s\"%s\": %.1f", separator, name.c_str(), rate);
    separator = ", ";
  }
  std::printf("}\n");
  return 0;
}
