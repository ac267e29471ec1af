//===- Tune.cpp - tiles by measurement --------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Candidate c of every kernel makes library c; all share the weights of the
// first. A kernel's time in a call is the sum over its phases, each a low
// quantile of its calls. A tile is taken when it is kGain faster than the
// model's own, as the geometric mean over the shapes.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/Tune.h"
#include "compiler/tools/PhaseTrace.h"
#include "compiler/tools/RandomInput.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include <chrono>
#include <cmath>

using namespace llvm;

namespace attnc::tools {
namespace {

constexpr double kGain = 0.97;
/// Others on the machine can only take away.
constexpr double kQuantile = 0.2;
constexpr int kFewestRounds = 11, kMostRounds = 101;
constexpr std::chrono::seconds kTimePerShape{4};
constexpr const char *kProfile = "ATTN_PROFILE";

/// A kernel with more than one candidate.
struct Site {
  std::string symbol, signature;
  std::vector<CostModel::Tile> tiles;
};

Error tuneError(const Twine &what) {
  return createStringError("error[A0420]: " + what);
}

/// A folder that goes in the end, and the environment as it was.
class Workplace {
public:
  Workplace() {
    if (const char *given = std::getenv(kProfile))
      profile = given;
  }
  ~Workplace() {
    if (profile)
      ::setenv(kProfile, profile->c_str(), 1);
    else
      ::unsetenv(kProfile);
    if (!folder.empty())
      sys::fs::remove_directories(folder);
  }
  Error create() {
    if (std::error_code code =
            sys::fs::createUniqueDirectory("attnc-tune", folder))
      return tuneError("no folder for libraries to measure: " + code.message());
    return Error::success();
  }
  std::string path(const Twine &name) const {
    SmallString<128> result(folder);
    sys::path::append(result, name);
    return result.str().str();
  }

private:
  SmallString<128> folder;
  std::optional<std::string> profile;
};

class Tuner {
public:
  Tuner(mlir::MLIRContext &context, CompileOptions options,
        ArrayRef<TuningShape> shapes, raw_ostream &log)
      : context(context), options(std::move(options)), shapes(shapes),
        log(log) {}

  Expected<TuningFile> run();

private:
  Error compileAll();
  Error openAll();
  Error measure(const LibraryEntry &entry,
                const std::map<std::string, int64_t> &sizes);
  Error addTimes(const LibraryEntry &entry,
                 const std::map<std::string, int64_t> &sizes);
  void choose(TuningFile &file);

  mlir::MLIRContext &context;
  CompileOptions options;
  ArrayRef<TuningShape> shapes;
  raw_ostream &log;
  Workplace workplace;
  std::string name, variant;
  std::vector<Site> sites;
  size_t count = 1; ///< libraries
  std::vector<std::unique_ptr<Library>> libraries;
  /// Milliseconds of each kernel: [shape][library].
  std::map<std::string, std::vector<std::vector<double>>> times;
};

Error Tuner::compileAll() {
  options.embedWeights = options.printSchedule = false;
  options.dumpDirectory.clear();
  options.outputDirectory = workplace.path("0");
  options.sawKernels = [&](kernel::VariantOp op) {
    const CostModel model = CostModel::of(op);
    variant = op.getTarget().str();
    for (auto kernel : op.getBody().getOps<kernel::FuncOp>()) {
      Site site{kernel.getSymName().str(), getSignature(kernel), {}};
      for (kernel::TileAttr tile : getTileCandidates(kernel, model))
        site.tiles.push_back({tile.getRows(), tile.getColumns(),
                              tile.getDepth(), tile.getBlock()});
      if (site.tiles.size() > 1)
        sites.push_back(std::move(site));
    }
  };
  Expected<CompileResult> first = compileModel(context, options, nulls());
  if (!first)
    return first.takeError();
  name = first->name;
  options.sawKernels = [](kernel::VariantOp) {};
  options.knownContent = first->contentDigest;
  for (const Site &site : sites)
    count = std::max(count, site.tiles.size());
  for (size_t c = 1; c < count; ++c) {
    TuningFile file;
    file.path = "candidate";
    file.target = variant;
    file.processor = Machine::getProcessorName();
    for (const Site &site : sites)
      file.kernels.push_back(
          {site.signature, site.tiles[std::min(c, site.tiles.size() - 1)], {}});
    options.tuning = &file;
    options.outputDirectory = workplace.path(Twine(c));
    if (Expected<CompileResult> next = compileModel(context, options, nulls());
        !next)
      return next.takeError();
  }
  return Error::success();
}

Error Tuner::openAll() {
  for (size_t c = 0; c < count; ++c) {
    Expected<std::unique_ptr<Library>> loaded =
        Library::load(workplace.path(Twine(c) + "/lib" + name + ".so"));
    if (!loaded)
      return loaded.takeError();
    ::setenv(kProfile, workplace.path(Twine(c) + ".json").c_str(), 1);
    if (Error error = (*loaded)->open(
            /*threads=*/1, workplace.path("0/" + name + ".weights")))
      return error;
    libraries.push_back(std::move(*loaded));
  }
  return Error::success();
}

/// Calls all libraries in turn, each round beginning with another one.
Error Tuner::measure(const LibraryEntry &entry,
                     const std::map<std::string, int64_t> &sizes) {
  std::mt19937 random(1);
  std::vector<HostTensor> inputs, outputs;
  for (const LibraryArgument &input : entry.inputs)
    inputs.push_back(makeRandomInput(input, sizes, random));
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + kTimePerShape;
  for (int round = 0; round < kMostRounds; ++round) {
    if (round >= kFewestRounds && Clock::now() > end)
      break;
    for (size_t i = 0; i < count; ++i) {
      Library &library = *libraries[(round + i) % count];
      const attn_library &functions = library.functions();
      // Sequences of a language model are empty in every call.
      if (functions.struct_size >= sizeof(attn_library) &&
          functions.session_reset)
        if (attn_status status = functions.session_reset(library.session()))
          return library.lastError("emptying the session", status);
      if (Error error = library.call(entry, sizes, inputs, outputs))
        return error;
    }
  }
  return Error::success();
}

Error Tuner::addTimes(const LibraryEntry &entry,
                      const std::map<std::string, int64_t> &sizes) {
  for (auto &[symbol, rows] : times)
    rows.emplace_back();
  for (size_t c = 0; c < count; ++c) {
    Expected<const json::Array *> work =
        findWork(*libraries[c], variant, entry.name);
    if (!work)
      return work.takeError();
    Expected<PhaseTrace> trace = PhaseTrace::read(
        workplace.path(Twine(c) + ".json"), entry.name, sizes, (*work)->size());
    if (!trace)
      return trace.takeError();
    for (auto &[symbol, rows] : times)
      rows.back().push_back(0);
    for (const auto &[index, value] : enumerate(**work)) {
      // Of a phase of several kernels nobody knows which took how long.
      const json::Array &kernels = *value.getAsObject()->getArray("kernels");
      if (kernels.size() != 1)
        continue;
      auto found = times.find(kernels.front().getAsString()->str());
      if (found != times.end())
        found->second.back().back() += trace->quantile(index, kQuantile);
    }
  }
  return Error::success();
}

std::string describe(const CostModel::Tile &tile) {
  std::string text =
      std::to_string(tile.rows) + "x" + std::to_string(tile.columns);
  if (tile.depth)
    text += " depth " + std::to_string(tile.depth);
  return text + " block " + std::to_string(tile.block);
}

void Tuner::choose(TuningFile &file) {
  for (const Site &site : sites) {
    const auto &rows = times.at(site.symbol);
    size_t best = 0;
    double least = kGain;
    TuningFile::Kernel kernel{site.signature, {}, {}};
    for (size_t c = 0; c < site.tiles.size(); ++c) {
      double logarithms = 0;
      json::Array milliseconds;
      for (const std::vector<double> &row : rows) {
        logarithms += row[c] > 0 ? std::log(row[c] / row[0]) : 0;
        milliseconds.push_back(row[c]);
      }
      const double ratio = std::exp(logarithms / rows.size());
      if (ratio < least) {
        best = c;
        least = ratio;
      }
      kernel.measured.push_back(json::Object{{"tile", toJson(site.tiles[c])},
                                             {"ms", std::move(milliseconds)}});
    }
    kernel.tile = site.tiles[best];
    log << format("  %-28s %-26s", site.symbol.c_str(),
                  describe(kernel.tile).c_str());
    if (best)
      log << format("%5.1f%% faster than %s\n", 100 * (1 / least - 1),
                    describe(site.tiles[0]).c_str());
    else
      log << " the cost model's\n";
    file.kernels.push_back(std::move(kernel));
  }
}

Expected<TuningFile> Tuner::run() {
  if (Error error = workplace.create())
    return error;
  if (Error error = compileAll())
    return error;
  TuningFile file;
  file.target = variant;
  file.processor = Machine::getProcessorName();
  if (sites.empty()) {
    log << "  no kernel has several tiles to choose from\n";
    return file;
  }
  if (Error error = openAll())
    return error;
  for (const Site &site : sites)
    times[site.symbol];
  const Library &library = *libraries.front();
  const LibraryEntry &entry = library.entries().front();
  for (const TuningShape &shape : shapes) {
    std::map<std::string, int64_t> sizes;
    for (const std::string &size : entry.sizes) {
      const LibrarySize &bounds = library.sizes().at(size);
      sizes[size] = size == "batch" ? std::min(shape.batch, bounds.maximum)
                    : size == "seq" ? std::min(shape.seq, bounds.maximum)
                                    : bounds.minimum;
    }
    if (Error error = library.checkSizes(entry, sizes))
      return error;
    if (Error error = measure(entry, sizes))
      return error;
    if (Error error = addTimes(entry, sizes))
      return error;
  }
  choose(file);
  return file;
}

} // namespace

std::optional<std::vector<TuningShape>> parseShapes(StringRef text) {
  std::vector<TuningShape> shapes;
  SmallVector<StringRef> parts;
  text.split(parts, ',');
  for (StringRef part : parts) {
    TuningShape shape;
    auto [batch, seq] = part.split('x');
    if (batch.getAsInteger(10, shape.batch) ||
        seq.getAsInteger(10, shape.seq) || shape.batch < 1 || shape.seq < 1)
      return std::nullopt;
    shapes.push_back(shape);
  }
  return shapes;
}

Expected<TuningFile> tune(mlir::MLIRContext &context, CompileOptions options,
                          ArrayRef<TuningShape> shapes, raw_ostream &log) {
  for (const Target *target : options.targets)
    if (!target->runsHere())
      return tuneError("--tune measures on this machine, which cannot run the "
                       "target '" +
                       target->name +
                       "'\nnote: tune where it runs, and give the file that "
                       "this writes to --tuning");
  return Tuner(context, std::move(options), shapes, log).run();
}

} // namespace attnc::tools
