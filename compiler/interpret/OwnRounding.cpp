//===- OwnRounding.cpp - a library's own roundings, repeated --------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Errors of single cases, then what most cases keep within.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/OwnRounding.h"
#include "compiler/interpret/CompareOutputs.h"
#include "llvm/Support/Format.h"
#include <cmath>

using llvm::ArrayRef;
using llvm::format;

namespace attnc {

/// How far the library's nearest quarter may be from half of the simulations.
static constexpr double kMargin = 4;

OwnRounding measureOwnRounding(const float *got, ArrayRef<double> exact,
                               ArrayRef<double> own, ArrayRef<double> simulated,
                               double bound) {
  OwnRounding result;
  result.bound = bound;
  double squares = 0, exactSquares = 0, products = 0, cost = 0;
  size_t count = 0;
  for (size_t i = 0; i < own.size(); ++i) {
    result.library = std::max(result.library, getDifference(got[i], own[i]));
    result.simulated =
        std::max(result.simulated, getDifference(simulated[i], own[i]));
    if (!std::isfinite(own[i]) || !std::isfinite(exact[i]))
      continue;
    count += own[i] != 0;
    squares += own[i] * own[i];
    exactSquares += exact[i] * exact[i];
    products += own[i] * exact[i];
    cost += (own[i] - exact[i]) * (own[i] - exact[i]);
  }
  if (count == 0)
    return result; // zeros: differences are as they are
  const double scale = std::sqrt(squares / count);
  result.library /= scale;
  result.simulated /= scale;
  result.cost = std::sqrt(cost / count) / scale;
  if (exactSquares > 0)
    result.cosine = products / std::sqrt(squares * exactSquares);
  return result;
}

std::vector<OwnRoundingSummary>
summarizeOwnRounding(const VerifyReport &report) {
  struct Errors {
    std::vector<double> library, simulated;
    OwnRoundingSummary summary;
  };
  std::map<std::string, Errors> outputs;
  for (const VerifyCase &tried : report.cases)
    for (const OutputError &error : tried.outputs) {
      if (!error.own)
        continue;
      Errors &errors = outputs[tried.entry + "." + error.output];
      errors.library.push_back(error.own->library);
      errors.simulated.push_back(error.own->simulated);
      OwnRoundingSummary &summary = errors.summary;
      summary.allowed = error.own->bound;
      summary.cost = std::max(summary.cost, error.own->cost);
      summary.cosine = std::min(summary.cosine, error.own->cosine);
    }
  std::vector<OwnRoundingSummary> summaries;
  for (auto &[name, errors] : outputs) {
    const size_t cases = errors.library.size();
    llvm::sort(errors.library);
    llvm::sort(errors.simulated);
    OwnRoundingSummary &summary = errors.summary;
    summary.output = name;
    summary.cases = cases;
    summary.quarter = errors.library[cases / 4];
    summary.allowed =
        kMargin * std::max(errors.simulated[cases / 2], summary.allowed);
    summaries.push_back(summary);
  }
  return summaries;
}

void printOwnRounding(ArrayRef<OwnRoundingSummary> summaries,
                      llvm::raw_ostream &os) {
  for (const OwnRoundingSummary &summary : summaries) {
    os << (summary.passed() ? "" : "FAILED ") << summary.output
       << ": with the library's own roundings off by "
       << format("%.2g", summary.quarter) << " (a quarter of " << summary.cases
       << " cases keep within), allowed " << format("%.2g", summary.allowed)
       << "; the formats cost at most " << format("%.2g", summary.cost)
       << ", cosine " << format("%.6f", summary.cosine) << "\n";
  }
}

llvm::json::Value OwnRoundingSummary::toJson() const {
  auto number = [](double value) {
    return std::isfinite(value) ? llvm::json::Value(value)
                                : llvm::json::Value(nullptr);
  };
  return llvm::json::Object{
      {"output", output},           {"off", number(quarter)},
      {"allowed", number(allowed)}, {"passed", passed()},
      {"cost", number(cost)},       {"cosine", number(cosine)}};
}

} // namespace attnc
