//===- BenchCommand.cpp - attnc bench ---------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Times calls of one entry on random inputs.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/Commands.h"
#include "compiler/tools/Library.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>
#include <random>

using namespace llvm;

namespace attnc::tools {
namespace {

cl::SubCommand command("bench", "Time a compiled library");
#define IN_BENCH cl::sub(command), cl::cat(category())

cl::opt<std::string> path(cl::Positional, cl::desc("LIB"), cl::Required,
                          cl::sub(command));
cl::opt<int64_t> batch("batch", cl::init(1), cl::desc("Value of 'batch'"),
                       cl::value_desc("B"), IN_BENCH);
cl::opt<int64_t> seq("seq", cl::init(128), cl::desc("Value of 'seq'"),
                     cl::value_desc("S"), IN_BENCH);
cl::opt<std::string> entryName("entry",
                               cl::desc("Entry point (default: the first)"),
                               cl::value_desc("NAME"), IN_BENCH);
cl::opt<int> threads("threads", cl::desc("Threads (default: all allowed)"),
                     cl::value_desc("N"), IN_BENCH);
cl::opt<double> seconds("seconds", cl::init(2.0),
                        cl::desc("How long to measure (default: 2)"),
                        cl::value_desc("S"), IN_BENCH);
cl::opt<bool> json("json", cl::desc("Print one JSON object"), IN_BENCH);

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

/// Random ids within their range; all of a mask kept; normal numbers.
HostTensor randomInput(const LibraryArgument &argument,
                       const std::map<std::string, int64_t> &sizes,
                       std::mt19937 &random) {
  HostTensor tensor;
  tensor.resize(argument.shape(sizes), argument.isInteger);
  if (argument.defaultValue) {
    std::fill(tensor.integers.begin(), tensor.integers.end(),
              *argument.defaultValue);
    return tensor;
  }
  auto [low, high] = argument.range.value_or(std::pair<int64_t, int64_t>(0, 1));
  std::uniform_int_distribution<int32_t> ids(low, high);
  std::normal_distribution<float> normal;
  for (int32_t &value : tensor.integers)
    value = ids(random);
  for (float &value : tensor.numbers)
    value = normal(random);
  return tensor;
}

Error runBench() {
  Expected<std::unique_ptr<Library>> loaded = Library::load(path);
  if (!loaded)
    return loaded.takeError();
  Library &library = **loaded;
  const LibraryEntry *entry = entryName.empty() ? &library.entries().front()
                                                : library.findEntry(entryName);
  if (!entry)
    return createStringError("error[A0720]: the library has no entry '%s'",
                             entryName.c_str());
  Clock::time_point begin = Clock::now();
  if (Error error = library.open(threads))
    return error;
  double opening = milliseconds(Clock::now() - begin);

  std::map<std::string, int64_t> sizes;
  for (const std::string &size : entry->sizes)
    sizes[size] = size == "batch" ? batch
                  : size == "seq" ? seq
                                  : library.sizes().at(size).minimum;
  if (Error error = library.checkSizes(*entry, sizes))
    return error;
  std::mt19937 random(1);
  std::vector<HostTensor> inputs, outputs;
  for (const LibraryArgument &input : entry->inputs)
    inputs.push_back(randomInput(input, sizes, random));
  begin = Clock::now();
  if (Error error = library.call(*entry, sizes, inputs, outputs))
    return error;
  double first = milliseconds(Clock::now() - begin);

  std::vector<double> times;
  Clock::time_point end =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(
                         std::chrono::duration<double>(seconds));
  while (Clock::now() < end || times.size() < 5) {
    begin = Clock::now();
    if (Error error = library.call(*entry, sizes, inputs, outputs))
      return error;
    times.push_back(milliseconds(Clock::now() - begin));
  }
  llvm::sort(times);
  auto quantile = [&](double q) {
    return times[size_t(q * (times.size() - 1))];
  };
  double rate = 1000.0 / quantile(0.5);
  if (json) {
    json::Object sizeObject;
    for (auto &[name, value] : sizes)
      sizeObject[name] = value;
    printJson(json::Object{{"entry", entry->name},
                           {"sizes", std::move(sizeObject)},
                           {"open_ms", opening},
                           {"first_ms", first},
                           {"median_ms", quantile(0.5)},
                           {"p10_ms", quantile(0.1)},
                           {"p90_ms", quantile(0.9)},
                           {"calls", static_cast<int64_t>(times.size())},
                           {"calls_per_second", rate}});
    return Error::success();
  }
  outs() << entry->name;
  for (auto &[name, value] : sizes)
    outs() << " " << name << "=" << value;
  outs() << format("\n  open    %9.3f ms\n  first   %9.3f ms\n", opening, first)
         << format("  median  %9.3f ms  (p10 %.3f, p90 %.3f, %zu calls)\n",
                   quantile(0.5), quantile(0.1), quantile(0.9), times.size())
         << format("  rate    %9.1f calls/s\n", rate);
  return Error::success();
}

int run() {
  if (Error error = runBench())
    return report(std::move(error));
  return kSuccess;
}

} // namespace

Command benchCommand() {
  return {command,
          "  attnc bench out/libminilm.so --batch 1 --seq 128 --threads 1\n",
          run};
}

} // namespace attnc::tools
