//===- peaks.cpp - what this machine can do at most -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   benchmark-peaks [THREADS]             prints what compiler/inspect/Peaks.h
//                                         measures, as one JSON object
//   benchmark-peaks --read BYTES THREADS  prints how many bytes it reads; then,
//                                         for every line that comes in, reads
//                                         them once and prints the seconds
//
//===----------------------------------------------------------------------===//
#include "compiler/inspect/Peaks.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

static int refuse(size_t cores) {
  std::fprintf(stderr,
               "benchmark-peaks: expected a number of threads from 1 to %zu, "
               "the cores that may be used, before it --read and a number of "
               "bytes or nothing\n",
               cores);
  return 2;
}

/// A time for every line: whoever asks decides when.
static int readOnRequest(const std::vector<int> &cores, size_t bytes) {
  const attnc::MemoryReader reader(cores, bytes);
  std::printf("%zu\n", reader.bytes());
  std::fflush(stdout);
  for (int c; (c = std::getchar()) != EOF;) {
    if (c != '\n')
      continue;
    std::printf("%.9f\n", reader.read());
    std::fflush(stdout);
  }
  return 0;
}

static int printPeaks(const std::vector<int> &cores) {
  const char *separator = "{";
  for (const auto &[name, rate] : attnc::measurePeaks(cores)) {
    std::printf("%s\"%s\": %.1f", separator, name.c_str(), rate);
    separator = ", ";
  }
  std::printf("}\n");
  return 0;
}

int main(int argc, char **argv) {
  std::vector<int> cores = attnc::getAllowedCores();
  const bool reads = argc > 1 && !std::strcmp(argv[1], "--read");
  const int first = reads ? 3 : 1; // of what says how many threads
  const int threads = argc > first ? std::atoi(argv[first]) : 1;
  const long long bytes = reads && argc > 2 ? std::atoll(argv[2]) : 1;
  if (argc > first + 1 || (reads && argc < 3) || threads < 1 ||
      threads > int(cores.size()) || bytes < 1)
    return refuse(cores.size());
  if (!__builtin_cpu_supports("avx2")) {
    std::fprintf(stderr, "benchmark-peaks: needs a processor with AVX2\n");
    return 1;
  }
  cores.resize(threads);
  return reads ? readOnRequest(cores, bytes) : printPeaks(cores);
}
