//===- Roofline.cpp - kernels against what the machine can do ---------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A phase takes from the first worker's begin to the last one's end. Bandwidth
// is that of the nearest level that holds weights and arena together, since a
// call goes through all of both.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/Roofline.h"
#include "compiler/inspect/Peaks.h"
#include "compiler/tools/PhaseTrace.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace llvm;

namespace attnc::tools {
namespace {

Error rooflineError(const Twine &what) {
  return createStringError("error[A0731]: " + what);
}

/// The best rate that `type` has on this machine.
double getPeak(const std::map<std::string, double> &rates, StringRef type,
               StringRef variant) {
  auto best = [&](ArrayRef<const char *> names) {
    double most = 0;
    for (const char *name : names)
      if (auto rate = rates.find(name); rate != rates.end())
        most = std::max(most, rate->second);
    return most;
  };
  if (type == "bf16")
    return best({"bf16_amx_gflops", "bf16_zmm_gflops", "fma_gflops"});
  if (type == "i8")
    return best({"int8_amx_gops", "int8_zmm_gops", "fma_gflops"});
  return variant == "x86-64-v3" ? best({"fma_ymm_gflops"})
                                : best({"fma_gflops"});
}

/// The cache level that holds `bytes`, of those that every thread has and those
/// that all share.
std::string chooseLevel(double bytes, int threads) {
  double l2 = double(getCacheBytes(2)) * threads;
  double l3 = double(getCacheBytes(3));
  return bytes <= l2 ? "L2" : bytes <= l3 ? "L3" : "memory";
}

double evaluate(std::optional<StringRef> text,
                const std::map<std::string, int64_t> &sizes) {
  std::optional<SizeExpr> expr = SizeExpr::parse(text.value_or("0"));
  if (!expr)
    return 0;
  return double(expr->evaluate([&](StringRef name) {
    auto size = sizes.find(name.str());
    return size == sizes.end() ? int64_t(0) : size->second;
  }));
}

/// `sizes` and, for derived ones, their upper bounds.
std::map<std::string, int64_t>
addDerived(const Library &library, std::map<std::string, int64_t> sizes) {
  for (const json::Value &value : *library.description().getArray("sizes")) {
    const json::Object &size = *value.getAsObject();
    if (std::optional<StringRef> bound = size.getString("bound"))
      sizes[size.getString("name")->str()] =
          static_cast<int64_t>(evaluate(bound, sizes));
  }
  return sizes;
}

/// Positions of a sequence that a phase reads of what the session keeps.
double countPositions(const json::Object &phase,
                      const std::map<std::string, int64_t> &sizes,
                      int64_t context) {
  auto seq = sizes.find("seq");
  const int64_t all = context + (seq == sizes.end() ? 0 : seq->second);
  const int64_t window = phase.getInteger("window").value_or(0);
  return double(window ? std::min(window, all) : all);
}

} // namespace

Expected<Roofline> measureRoofline(const Library &library,
                                   const LibraryEntry &entry,
                                   const std::map<std::string, int64_t> &sizes,
                                   int64_t context, StringRef path) {
  Expected<json::Value> info = library.info();
  if (!info)
    return info.takeError();
  const json::Object &open = *info->getAsObject();
  Roofline result{entry.name, open.getString("variant")->str(), sizes};
  result.threads = static_cast<int>(*open.getInteger("threads"));
  Expected<const json::Array *> work =
      findWork(library, result.variant, entry.name);
  if (!work)
    return work.takeError();
  Expected<PhaseTrace> trace =
      PhaseTrace::read(path, entry.name, sizes, (*work)->size());
  if (!trace)
    return trace.takeError();

  std::vector<int> cores = getAllowedCores();
  cores.resize(std::min<size_t>(cores.size(), result.threads));
  std::map<std::string, double> rates;
  for (const auto &[name, rate] : measurePeaks(cores))
    rates[name] = rate;
  if (rates.empty())
    return rooflineError("peaks are measured on processors with AVX2 only");
  uint64_t arena = 0;
  std::vector<int64_t> given;
  for (const std::string &size : entry.sizes)
    given.push_back(sizes.at(size));
  if (attn_status status =
          library.functions().session_bytes(library.model(), entry.name.c_str(),
                                            given.data(), given.size(), &arena))
    return library.lastError("asking for the session's bytes", status);
  double weights =
      double(*library.description().getObject("weights")->getInteger("bytes"));
  result.level = chooseLevel(weights + double(arena), result.threads);
  result.bandwidth = rates["read_" + StringRef(result.level).lower() + "_gbs"];
  result.peak = getPeak(rates, "f32", result.variant);

  std::map<std::string, int64_t> all = addDerived(library, sizes);
  std::map<std::string, KernelRate> kernels;
  const auto times = trace->getWorkerTimes(result.threads);
  for (const auto &[index, value] : enumerate(**work)) {
    const json::Object &phase = *value.getAsObject();
    std::string names;
    for (const json::Value &name : *phase.getArray("kernels"))
      names += (names.empty() ? "" : ", ") + name.getAsString()->str();
    KernelRate &kernel = kernels[names];
    kernel.kernels = names;
    kernel.type = phase.getString("type").value_or("").str();
    kernel.phases += 1;
    kernel.milliseconds += trace->median(index);
    kernel.busy += times[index].busy;
    kernel.idle += times[index].idle;
    kernel.flops += evaluate(phase.getString("flops"), all);
    kernel.bytes += evaluate(phase.getString("bytes"), all);
    const double positions = countPositions(phase, all, context);
    kernel.flops +=
        positions * evaluate(phase.getString("flops_per_position"), all);
    kernel.bytes +=
        positions * evaluate(phase.getString("bytes_per_position"), all);
  }
  for (auto &[name, kernel] : kernels) {
    kernel.peak = getPeak(rates, kernel.type, result.variant);
    double least =
        std::max(kernel.flops / kernel.peak, kernel.bytes / result.bandwidth) /
        1e6;
    kernel.share = least / kernel.milliseconds;
    kernel.roof = kernel.flops / least / 1e6;
    result.milliseconds += kernel.milliseconds;
    result.busy += kernel.busy;
    result.idle += kernel.idle;
    result.kernels.push_back(kernel);
  }
  llvm::sort(result.kernels, [](const KernelRate &a, const KernelRate &b) {
    return a.milliseconds > b.milliseconds;
  });
  return result;
}

json::Value Roofline::toJson() const {
  json::Array list;
  for (const KernelRate &kernel : kernels)
    list.push_back(json::Object{{"kernels", kernel.kernels},
                                {"type", kernel.type},
                                {"phases", kernel.phases},
                                {"ms", kernel.milliseconds},
                                {"idle_share", getIdleShare(kernel.idle)},
                                {"flops", kernel.flops},
                                {"bytes", kernel.bytes},
                                {"gflops", kernel.gflops()},
                                {"gbs", kernel.gigabytes()},
                                {"peak_gflops", kernel.peak},
                                {"share_of_roof", kernel.share}});
  return json::Object{
      {"variant", variant},         {"threads", threads},
      {"phases_ms", milliseconds},  {"idle_share", getIdleShare(idle)},
      {"peak_gflops", peak},        {"bandwidth_from", level},
      {"bandwidth_gbs", bandwidth}, {"kernels", std::move(list)}};
}

void Roofline::print(raw_ostream &os) const {
  os << format("\n  %-28s %6s %9s %6s %8s %7s %6s %6s %6s\n", "kernel",
               "phases", "ms", "time", "GFLOP/s", "GB/s", "peak", "roof",
               "idle");
  for (const KernelRate &kernel : kernels) {
    StringRef name = kernel.kernels;
    os << format(
        "  %-28s %6d %9.4f %5.1f%% ",
        (name.size() > 28 ? (name.take_front(25) + "...").str() : name.str())
            .c_str(),
        int(kernel.phases), kernel.milliseconds,
        100 * kernel.milliseconds / milliseconds);
    if (kernel.flops > 0)
      os << format("%8.1f %7.1f %5.0f%% %5.0f%%", kernel.gflops(),
                   kernel.gigabytes(), 100 * kernel.gflops() / kernel.peak,
                   100 * kernel.share);
    else
      os << format("%8s %7.1f %6s %5.0f%%", "-", kernel.gigabytes(), "-",
                   100 * kernel.share);
    os << format(" %5.1f%%\n", 100 * getIdleShare(kernel.idle));
  }
  os << format("  %-28s %6s %9.4f %36s %5.1f%%\n", "together", "", milliseconds,
               "", 100 * getIdleShare(idle));
  os << format("\n  peaks measured now, %d thread%s, %s: %.1f GFLOP/s in f32, "
               "%.1f GB/s read from %s\n",
               threads, threads == 1 ? "" : "s", variant.c_str(), peak,
               bandwidth, level.c_str())
     << "  peak: share of the peak of the kernel's type; roof: time that peak "
        "and\n  bandwidth leave no way around, over the time it took (above "
        "100%: what it\n  reads was still in a nearer cache); idle: share of "
        "all threads' time\n  in the call that they wait for each other, for "
        "this kernel to begin or to end\n";
}

} // namespace attnc::tools
