//===- VerifyReport.cpp - what a comparison found, as text and JSON -------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One line per output with its worst errors, then the failures, at most twenty.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/Verify.h"
#include "llvm/Support/Format.h"
#include <cmath>

using llvm::format;
using llvm::json::Object;

namespace attnc {

namespace {
/// The worst of one output over all cases.
struct Worst {
  double maxAbs = 0, maxRel = 0, maxUlp = 0, usedShare = -1;
  size_t cases = 0;
  std::string where; ///< the case that came closest to its bound
};
} // namespace

static std::map<std::string, Worst> collect(const VerifyReport &report) {
  std::map<std::string, Worst> worst;
  for (const VerifyCase &run : report.cases)
    for (const OutputError &error : run.outputs) {
      Worst &entry = worst[run.entry + "." + error.output];
      ++entry.cases;
      entry.maxAbs = std::max(entry.maxAbs, error.maxAbs);
      entry.maxRel = std::max(entry.maxRel, error.maxRel);
      entry.maxUlp = std::max(entry.maxUlp, error.maxUlp);
      if (error.usedShare > entry.usedShare) {
        entry.usedShare = error.usedShare;
        entry.where = run.description;
      }
    }
  return worst;
}

bool VerifyReport::passed() const {
  return !cases.empty() && failures() == 0 &&
         llvm::all_of(own, [](const OwnRoundingSummary &summary) {
           return summary.passed();
         });
}

size_t VerifyReport::failures() const {
  return llvm::count_if(
      cases, [](const VerifyCase &run) { return !run.failure.empty(); });
}

void VerifyReport::print(llvm::raw_ostream &os) const {
  for (const auto &[name, worst] : collect(*this))
    os << name << ": max abs " << format("%.3g", worst.maxAbs) << ", max rel "
       << format("%.3g", worst.maxRel) << ", max ulp "
       << format("%.0f", worst.maxUlp) << "; at most "
       << format("%.0f%%", 100 * worst.usedShare) << " of what is allowed ("
       << worst.where << "), " << worst.cases << " cases\n";
  printOwnRounding(own, os);
  constexpr size_t kMostFailures = 20;
  size_t printed = 0;
  for (const VerifyCase &run : cases) {
    if (run.failure.empty() || printed++ >= kMostFailures)
      continue;
    os << "FAILED " << run.entry << ", " << run.description << ": "
       << run.failure << "\n";
    for (const OutputError &error : run.outputs)
      os << "  " << error.output << ": max abs " << format("%.3g", error.maxAbs)
         << ", allowed " << format("%.3g", error.allowed) << "\n";
  }
  if (printed > kMostFailures)
    os << "and " << printed - kMostFailures << " more failures\n";
  os << (passed() ? "passed: " : "failed: ") << cases.size() - failures()
     << " of " << cases.size() << " cases in " << format("%.1f", seconds)
     << " s\n";
}

/// JSON has no infinities: null stands for them.
static llvm::json::Value toJsonNumber(double value) {
  return std::isfinite(value) ? llvm::json::Value(value)
                              : llvm::json::Value(nullptr);
}

llvm::json::Value VerifyReport::toJson() const {
  llvm::json::Array outputs, failed;
  for (const auto &[name, worst] : collect(*this))
    outputs.push_back(Object{{"output", name},
                             {"max_abs", toJsonNumber(worst.maxAbs)},
                             {"max_rel", toJsonNumber(worst.maxRel)},
                             {"max_ulp", toJsonNumber(worst.maxUlp)},
                             {"used_share", toJsonNumber(worst.usedShare)},
                             {"worst_case", worst.where},
                             {"cases", int64_t(worst.cases)}});
  for (const VerifyCase &run : cases) {
    if (run.failure.empty())
      continue;
    llvm::json::Array errors;
    for (const OutputError &error : run.outputs)
      errors.push_back(Object{{"output", error.output},
                              {"max_abs", toJsonNumber(error.maxAbs)},
                              {"allowed", toJsonNumber(error.allowed)}});
    failed.push_back(Object{{"entry", run.entry},
                            {"case", run.description},
                            {"failure", run.failure},
                            {"outputs", std::move(errors)}});
  }
  Object report{{"passed", passed()},
                {"cases", int64_t(cases.size())},
                {"seconds", seconds},
                {"outputs", std::move(outputs)},
                {"failures", std::move(failed)}};
  if (!own.empty()) {
    llvm::json::Array summaries;
    for (const OwnRoundingSummary &summary : own)
      summaries.push_back(summary.toJson());
    report["own_roundings"] = std::move(summaries);
  }
  return report;
}

} // namespace attnc
