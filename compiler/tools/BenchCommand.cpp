//===- BenchCommand.cpp - attnc bench ---------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Times calls of one entry on random inputs; with --roofline also its kernels,
// by the trace that the library writes.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/Package.h"
#include "compiler/tools/Commands.h"
#include "compiler/tools/Library.h"
#include "compiler/tools/MappedPages.h"
#include "compiler/tools/Perplexity.h"
#include "compiler/tools/RandomInput.h"
#include "compiler/tools/Roofline.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
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
cl::opt<int64_t> batch("batch", cl::init(1),
                       cl::desc("Value of 'batch' (default: 1)"),
                       cl::value_desc("B"), IN_BENCH);
cl::opt<int64_t> seq("seq", cl::init(128),
                     cl::desc("Value of 'seq' (default: 128, if the library "
                              "takes that many)"),
                     cl::value_desc("S"), IN_BENCH);
cl::opt<int64_t> context(
    "context", cl::init(0),
    cl::desc("Positions that a language model's sequences hold before each "
             "call (default: 0)"),
    cl::value_desc("N"), IN_BENCH);
cl::opt<std::string> entryName("entry",
                               cl::desc("Entry point (default: the first)"),
                               cl::value_desc("NAME"), IN_BENCH);
cl::opt<int> threads("threads", cl::desc("Threads (default: all allowed)"),
                     cl::value_desc("N"), IN_BENCH);
cl::opt<std::string> adapter("adapter",
                             cl::desc("Compute with this adapter of a library "
                                      "that keeps adapters apart"),
                             cl::value_desc("NAME"), IN_BENCH);
cl::opt<double> seconds("seconds", cl::init(2.0),
                        cl::desc("How long to measure (default: 2)"),
                        cl::value_desc("S"), IN_BENCH);
cl::opt<bool> roofline(
    "roofline",
    cl::desc("Per kernel: time, GFLOP/s, GB/s, share of this machine's peak, "
             "measured "
             "now, and idle: share of all threads' time in which they wait"),
    IN_BENCH);
cl::opt<std::string> svg("svg",
                         cl::desc("Draw the roofline into FILE (an SVG)"),
                         cl::value_desc("FILE"), IN_BENCH);
cl::opt<std::string> perplexity(
    "perplexity",
    cl::desc("Instead of timing: the perplexity of a language model over the "
             "texts in FILE, which blank lines separate"),
    cl::value_desc("FILE"), IN_BENCH);
cl::opt<bool> json("json", cl::desc("Print one JSON object"), IN_BENCH);

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

/// Where the library under test writes its trace: the user's own file if there
/// is one, else one that goes in the end.
class TraceFile {
public:
  Error create() {
    if (const char *given = std::getenv("ATTN_PROFILE"); given && *given)
      return createStringError(
          "error[A0731]: ATTN_PROFILE is set, and --roofline needs a trace of "
          "its own; unset the variable");
    SmallString<128> name;
    if (std::error_code error =
            sys::fs::createTemporaryFile("attnc-bench", "json", name))
      return createStringError("error[A0731]: no file for the trace: " +
                               error.message());
    remover.setFile(name);
    path = name.str().str();
    ::setenv("ATTN_PROFILE", path.c_str(), 1);
    return Error::success();
  }
  std::string path;

private:
  FileRemover remover;
};

/// What the command line says; else the option's default, or the minimum of a
/// size of another name, as far as the library takes it.
int64_t chooseSize(StringRef name, const LibrarySize &bounds) {
  const cl::opt<int64_t> *option = name == "batch" ? &batch
                                   : name == "seq" ? &seq
                                                   : nullptr;
  if (!option)
    return bounds.minimum;
  return option->getNumOccurrences()
             ? *option
             : std::min<int64_t>(*option, bounds.maximum);
}

/// From here on it shows in a call's time which pages weights lie in.
constexpr uint64_t kLargeWeights = uint64_t(16) << 20;

struct Times {
  double opening = 0, first = 0;
  std::vector<double> calls;          ///< sorted
  std::optional<MappedPages> weights; ///< after them

  double quantile(double q) const {
    return calls[size_t(q * (calls.size() - 1))];
  }
};

/// The sequences of a language model, which every call makes longer: back to
/// the length that calls are timed at.
class Sequences {
public:
  Sequences(Library &library, int64_t count)
      : library(library), functions(library.functions()), count(count) {}
  bool exist() const { return functions.session_reset != nullptr; }

  /// Appends random tokens until every sequence has `context` positions.
  Error fill(const LibraryEntry &entry, std::map<std::string, int64_t> sizes,
             std::mt19937 &random) {
    if (context && !exist())
      return createStringError("error[A0733]: --context is for language "
                               "models; '%s' keeps nothing between calls",
                               entry.name.c_str());
    for (int64_t at = 0; at < context; at += sizes["seq"]) {
      sizes["seq"] = std::min(context - at, library.sizes().at("seq").maximum);
      std::vector<HostTensor> inputs, outputs;
      for (const LibraryArgument &input : entry.inputs)
        inputs.push_back(makeRandomInput(input, sizes, random));
      if (Error error = library.call(entry, sizes, inputs, outputs))
        return error;
    }
    return Error::success();
  }

  Error rewind() {
    if (!exist())
      return Error::success();
    if (!context) {
      attn_status status = functions.session_reset(library.session());
      return status ? library.lastError("emptying the session", status)
                    : Error::success();
    }
    for (int64_t i = 0; i < count; ++i)
      if (attn_status status =
              functions.session_truncate(library.session(), i, context))
        return library.lastError("taking back a call", status);
    return Error::success();
  }

private:
  Library &library;
  const attn_library &functions;
  int64_t count;
};

Error measureCalls(Library &library, const LibraryEntry &entry,
                   const std::map<std::string, int64_t> &sizes, Times &times) {
  std::mt19937 random(1);
  std::vector<HostTensor> inputs, outputs;
  for (const LibraryArgument &input : entry.inputs)
    inputs.push_back(makeRandomInput(input, sizes, random));
  auto batchSize = sizes.find("batch");
  Sequences sequences(library,
                      batchSize == sizes.end() ? 1 : batchSize->second);
  if (Error error = sequences.fill(entry, sizes, random))
    return error;
  Clock::time_point begin = Clock::now();
  if (Error error = library.call(entry, sizes, inputs, outputs))
    return error;
  times.first = milliseconds(Clock::now() - begin);
  Clock::time_point end =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(
                         std::chrono::duration<double>(seconds));
  while (Clock::now() < end || times.calls.size() < 5) {
    if (Error error = sequences.rewind())
      return error;
    begin = Clock::now();
    if (Error error = library.call(entry, sizes, inputs, outputs))
      return error;
    times.calls.push_back(milliseconds(Clock::now() - begin));
  }
  llvm::sort(times.calls);
  return Error::success();
}

void print(const LibraryEntry &entry,
           const std::map<std::string, int64_t> &sizes, const Times &times,
           const std::optional<Roofline> &roof) {
  double rate = 1000.0 / times.quantile(0.5);
  if (json) {
    json::Object sizeObject;
    for (auto &[name, value] : sizes)
      sizeObject[name] = value;
    json::Object object{{"entry", entry.name},
                        {"sizes", std::move(sizeObject)},
                        {"open_ms", times.opening},
                        {"first_ms", times.first},
                        {"median_ms", times.quantile(0.5)},
                        {"p10_ms", times.quantile(0.1)},
                        {"p90_ms", times.quantile(0.9)},
                        {"calls", static_cast<int64_t>(times.calls.size())},
                        {"calls_per_second", rate}};
    if (times.weights) {
      object["weights_resident_bytes"] = times.weights->resident;
      object["weights_huge_page_bytes"] = times.weights->huge;
    }
    if (roof)
      object["roofline"] = roof->toJson();
    return printJson(std::move(object));
  }
  outs() << entry.name;
  for (auto &[name, value] : sizes)
    outs() << " " << name << "=" << value;
  outs() << format("\n  open    %9.3f ms\n  first   %9.3f ms\n", times.opening,
                   times.first)
         << format("  median  %9.3f ms  (p10 %.3f, p90 %.3f, %zu calls)\n",
                   times.quantile(0.5), times.quantile(0.1),
                   times.quantile(0.9), times.calls.size())
         << format("  rate    %9.1f calls/s\n", rate);
  if (times.weights && times.weights->resident >= kLargeWeights)
    outs() << format("  weights %9.1f MB in memory, %.0f%% in huge pages\n",
                     times.weights->resident * 1e-6,
                     100 * times.weights->hugeShare());
  if (roof)
    roof->print(outs());
}

Error draw(const Roofline &roof) {
  std::error_code code;
  raw_fd_ostream os(svg, code);
  if (!code) {
    roof.draw(os);
    os.close();
    code = os.error();
    os.clear_error();
    if (code)
      removeUnfinished(svg);
  }
  if (code)
    return createStringError("error[A0732]: " + svg +
                             " cannot be written: " + code.message());
  return Error::success();
}

Error runPerplexity(Library &library) {
  if (Error error = library.open(threads))
    return error;
  Expected<Perplexity> result = measurePerplexity(library, perplexity);
  if (!result)
    return result.takeError();
  if (json)
    printJson(result->toJson());
  else
    result->print(outs());
  return Error::success();
}

Error runBench() {
  Expected<std::unique_ptr<Library>> loaded = Library::load(path);
  if (!loaded)
    return loaded.takeError();
  Library &library = **loaded;
  if (!perplexity.empty())
    return runPerplexity(library);
  const LibraryEntry *entry = entryName.empty() ? &library.entries().front()
                                                : library.findEntry(entryName);
  if (!entry)
    return createStringError("error[A0720]: the library has no entry '%s'",
                             entryName.c_str());
  TraceFile trace;
  bool wantsRoof = roofline || !svg.empty();
  if (wantsRoof)
    if (Error error = trace.create())
      return error;
  Times times;
  Clock::time_point begin = Clock::now();
  if (Error error = library.open(threads))
    return error;
  times.opening = milliseconds(Clock::now() - begin);
  if (!adapter.empty())
    if (Error error = library.chooseAdapter(adapter))
      return error;

  std::map<std::string, int64_t> sizes;
  for (const std::string &size : entry->sizes)
    sizes[size] = chooseSize(size, library.sizes().at(size));
  if (Error error = library.checkSizes(*entry, sizes))
    return error;
  if (Error error = measureCalls(library, *entry, sizes, times))
    return error;
  times.weights = findMappedPages((library.name() + ".weights").str());
  std::optional<Roofline> roof;
  if (wantsRoof) {
    Expected<Roofline> measured =
        measureRoofline(library, *entry, sizes, context, trace.path);
    if (!measured)
      return measured.takeError();
    roof = std::move(*measured);
    if (!svg.empty())
      if (Error error = draw(*roof))
        return error;
  }
  print(*entry, sizes, times, roof);
  return Error::success();
}

int run() {
  // What would be read by nobody is a misunderstanding.
  const cl::Option *timed[] = {&batch,   &seq,      &context, &entryName,
                               &seconds, &roofline, &svg};
  for (const cl::Option *option : timed)
    if (!perplexity.empty() && option->getNumOccurrences())
      return usage("--" + option->ArgStr + " does not go with --perplexity",
                   "bench");
  if (!(seconds >= 0))
    return usage("--seconds takes a number that is not negative", "bench");
  if (Error error = runBench())
    return report(std::move(error));
  return kSuccess;
}

} // namespace

Command benchCommand() {
  return {command,
          "  attnc bench out/libminilm.so --batch 1 --seq 128 --threads 1\n"
          "  attnc bench out/libminilm.so --roofline --svg roofline.svg\n"
          "  attnc bench out/libllama.so --seq 1 --context 1024\n"
          "  attnc bench out/libllama.so --perplexity texts.txt\n",
          run};
}

} // namespace attnc::tools
