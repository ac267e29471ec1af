//===- Tune.cpp - tiles by measurement --------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Candidate c of every kernel makes library c; further ones have the model's
// tiles and other blocks of chains. All share the weights of the first. What a
// kernel or a chain takes in a call is the sum over its phases, each a low
// quantile of its calls. A candidate is taken when it is kGain faster than the
// model's own, as the geometric mean over the shapes.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/Tune.h"
#include "compiler/schedule/RowChains.h"
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

/// A kernel, or a chain, with more than one candidate.
template <typename Candidate> struct Site {
  std::string symbol, signature;
  std::vector<Candidate> candidates;
  size_t first = 0; ///< library that has the second one
  /// Of a chain: its phases, of any program.
  std::map<std::string, std::vector<int64_t>> phases;

  /// The library that has candidate `c`; the first of all has the model's own.
  size_t library(size_t c) const { return c ? first + c - 1 : 0; }
};
using KernelSite = Site<CostModel::Tile>;
using ChainSite = Site<int64_t>;

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
  void sawKernels(kernel::VariantOp op);
  void sawChains(kernel::VariantOp op);
  TuningFile getCandidates(size_t library) const;
  template <typename Candidate>
  size_t choose(const Site<Candidate> &site, json::Array &measured);
  void chooseAll(TuningFile &file);

  mlir::MLIRContext &context;
  CompileOptions options;
  ArrayRef<TuningShape> shapes;
  raw_ostream &log;
  Workplace workplace;
  std::string name, variant;
  std::vector<KernelSite> sites;
  std::vector<ChainSite> chains;
  size_t count = 1; ///< libraries
  std::vector<std::unique_ptr<Library>> libraries;
  /// Milliseconds of each kernel, by symbol, and chain, by signature:
  /// [shape][library].
  std::map<std::string, std::vector<std::vector<double>>> times;
};

void Tuner::sawKernels(kernel::VariantOp op) {
  const CostModel model = CostModel::of(op);
  variant = op.getTarget().str();
  for (auto kernel : op.getBody().getOps<kernel::FuncOp>()) {
    KernelSite site{kernel.getSymName().str(), getSignature(kernel), {}, 1, {}};
    for (kernel::TileAttr tile : getTileCandidates(kernel, model))
      site.candidates.push_back({tile.getRows(), tile.getColumns(),
                                 tile.getDepth(), tile.getBlock()});
    if (site.candidates.size() > 1)
      sites.push_back(std::move(site));
  }
}

void Tuner::sawChains(kernel::VariantOp op) {
  for (auto program : op.getBody().getOps<kernel::ProgramOp>())
    for (auto [phase, ends] : enumerate(getChains(program))) {
      const auto rows = getBlockCandidates(program, phase);
      if (rows.size() < 2)
        continue;
      const std::string signature = getChainSignature(program, phase);
      auto known = find_if(chains, [&](const ChainSite &site) {
        return site.signature == signature;
      });
      if (known == chains.end()) {
        chains.push_back({signature, signature, {rows.begin(), rows.end()}});
        known = std::prev(chains.end());
      }
      for (int64_t each = ends.first; each <= ends.second; ++each)
        known->phases[program.getSymName().str()].push_back(each);
    }
}

/// What the program of a library is made of.
TuningFile Tuner::getCandidates(size_t library) const {
  TuningFile file;
  file.path = "candidate";
  file.target = variant;
  file.processor = Machine::getProcessorName();
  auto pick = [&](const auto &site) {
    // The model's own where there is no other, or where others are measured.
    size_t index = library < site.first ? 0 : library - site.first + 1;
    if (index >= site.candidates.size())
      index = 0;
    return site.candidates[index];
  };
  for (const KernelSite &site : sites)
    file.kernels.push_back({site.signature, pick(site), {}});
  for (const ChainSite &site : chains)
    file.chains.push_back({site.signature, pick(site), {}});
  return file;
}

Error Tuner::compileAll() {
  options.embedWeights = options.printSchedule = false;
  options.dumpDirectory.clear();
  options.outputDirectory = workplace.path("0");
  options.sawKernels = [&](kernel::VariantOp op) { sawKernels(op); };
  options.sawChains = [&](kernel::VariantOp op) { sawChains(op); };
  Expected<CompileResult> first = compileModel(context, options, nulls());
  if (!first)
    return first.takeError();
  name = first->name;
  options.sawKernels = options.sawChains = [](kernel::VariantOp) {};
  options.knownContent = first->contentDigest;
  for (const KernelSite &site : sites)
    count = std::max(count, site.candidates.size());
  const size_t ofKernels = count;
  for (ChainSite &site : chains) {
    site.first = ofKernels;
    count = std::max(count, ofKernels + site.candidates.size() - 1);
  }
  for (size_t c = 1; c < count; ++c) {
    const TuningFile file = getCandidates(c);
    options.tuning = &file;
    options.outputDirectory = workplace.path(Twine(c));
    Expected<CompileResult> next = compileModel(context, options, nulls());
    options.tuning = nullptr;
    if (!next)
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
      if (functions.session_reset)
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
    for (const ChainSite &site : chains)
      if (auto phases = site.phases.find(entry.name);
          phases != site.phases.end())
        for (int64_t phase : phases->second)
          times[site.signature].back().back() +=
              trace->quantile(phase, kQuantile);
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

std::string describe(int64_t blockRows) {
  return std::to_string(blockRows) + " rows at a time";
}

json::Value toJson(int64_t blockRows) { return blockRows; }
StringRef getKey(const KernelSite &) { return "tile"; }
StringRef getKey(const ChainSite &) { return "block_rows"; }

/// The site's best candidate, and what was measured of each.
template <typename Candidate>
size_t Tuner::choose(const Site<Candidate> &site, json::Array &measured) {
  const auto found = times.find(site.symbol);
  const auto &rows = found->second;
  size_t best = 0;
  double least = kGain;
  for (size_t c = 0; c < site.candidates.size(); ++c) {
    double logarithms = 0;
    json::Array milliseconds;
    for (const std::vector<double> &row : rows) {
      const double time = row[site.library(c)];
      logarithms += time > 0 ? std::log(time / row[0]) : 0;
      milliseconds.push_back(time);
    }
    const double ratio = std::exp(logarithms / rows.size());
    if (ratio < least) {
      best = c;
      least = ratio;
    }
    measured.push_back(json::Object{{getKey(site), toJson(site.candidates[c])},
                                    {"ms", std::move(milliseconds)}});
  }
  log << format("  %-28s %-26s", site.symbol.c_str(),
                describe(site.candidates[best]).c_str());
  if (best)
    log << format("%5.1f%% faster than %s\n", 100 * (1 / least - 1),
                  describe(site.candidates[0]).c_str());
  else
    log << " the cost model's\n";
  return best;
}

void Tuner::chooseAll(TuningFile &file) {
  for (const KernelSite &site : sites) {
    TuningFile::Kernel kernel{site.signature, {}, {}};
    kernel.tile = site.candidates[choose(site, kernel.measured)];
    file.kernels.push_back(std::move(kernel));
  }
  for (const ChainSite &site : chains) {
    TuningFile::Chain chain{site.signature, 0, {}};
    chain.blockRows = site.candidates[choose(site, chain.measured)];
    file.chains.push_back(std::move(chain));
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
  if (sites.empty() && chains.empty()) {
    log << "  no kernel has several tiles to choose from\n";
    return file;
  }
  if (Error error = openAll())
    return error;
  for (const KernelSite &site : sites)
    times[site.symbol];
  for (const ChainSite &site : chains)
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
  chooseAll(file);
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
