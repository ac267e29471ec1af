//===- RotarySettings.cpp - rotary positions by configuration
//---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Known kinds: default; linear (positions divided by a factor); llama3 (long
// wavelengths divided, short ones kept, those between interpolated; Llama 3.1);
// yarn (the same by rotations within the original length, and scores a little
// steeper; Peng et al., 2023). Refused by name: dynamic, longrope and others,
// whose frequencies change with the length of the text.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/RotarySettings.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"
#include "compiler/import/ProgramBuilder.h"
#include <cmath>

using namespace llvm;

namespace attnc {

static constexpr double kMaxTheta = 1e12, kMaxFactor = 1e6, kPi = M_PI;
static constexpr int64_t kMaxLength = 1 << 24;

/// Frequencies below one rotation per wavelength are divided by `factor`.
static void scaleLlama3(ConfigReader &fields, RotarySettings &settings,
                        double factor) {
  double low = fields.getNumber("low_freq_factor", 0, kMaxFactor);
  double high = fields.getNumber("high_freq_factor", 0, kMaxFactor);
  double length = static_cast<double>(
      fields.getInteger("original_max_position_embeddings", 1, kMaxLength));
  if (fields.failed())
    return;
  for (float &frequency : settings.frequencies) {
    double wavelength = 2 * kPi / frequency;
    if (wavelength < length / high)
      continue;
    if (wavelength > length / low) {
      frequency = static_cast<float>(frequency / factor);
      continue;
    }
    double smooth = (length / wavelength - low) / (high - low);
    frequency = static_cast<float>((1 - smooth) * frequency / factor +
                                   smooth * frequency);
  }
}

static void scaleYarn(ConfigReader &fields, RotarySettings &settings,
                      double factor, double theta, int64_t positions) {
  double fast = fields.getNumber("beta_fast", 0, kMaxFactor, 32.0);
  double slow = fields.getNumber("beta_slow", 0, kMaxFactor, 1.0);
  double length = static_cast<double>(fields.getInteger(
      "original_max_position_embeddings", 1, kMaxLength, positions));
  bool truncate = fields.getBool("truncate", true);
  settings.scale =
      fields.getNumber("attention_factor", 0, kMaxFactor,
                       factor <= 1 ? 1 : 0.1 * std::log(factor) + 1);
  fields.refuseIfSet("mscale", "a scale of scores");
  fields.refuseIfSet("mscale_all_dim", "a scale of scores");
  const auto size = static_cast<double>(2 * settings.frequencies.size());
  // The pair that turns so often within the original length.
  auto pairOf = [&](double rotations) {
    return size * std::log(length / (rotations * 2 * kPi)) /
           (2 * std::log(theta));
  };
  double first = pairOf(fast), last = pairOf(slow);
  if (truncate) {
    first = std::floor(first);
    last = std::ceil(last);
  }
  first = std::max(first, 0.0);
  last = std::min(last, size - 1);
  if (first == last)
    last += 0.001;
  for (auto [index, frequency] : enumerate(settings.frequencies)) {
    double ramp = std::clamp(
        (static_cast<double>(index) - first) / (last - first), 0.0, 1.0);
    frequency =
        static_cast<float>(frequency / factor * ramp + frequency * (1 - ramp));
  }
}

/// Divides every frequency by a number of its own, as GGUF files have it.
static void divide(ConfigReader &fields, RotarySettings &settings) {
  std::vector<double> factors = fields.getNumbers("factors");
  if (fields.failed())
    return;
  if (factors.size() != settings.frequencies.size() ||
      llvm::any_of(factors, [](double factor) { return !(factor > 0); }))
    return fields.report("factors", "are " + Twine(factors.size()) + " numbers",
                         "give " + Twine(settings.frequencies.size()) +
                             " positive ones, one for each pair of a head");
  for (auto [frequency, factor] : zip_equal(settings.frequencies, factors))
    frequency = static_cast<float>(frequency / factor);
}

/// Applies the scaling that `fields` ask for.
static void scale(ConfigReader &fields, RotarySettings &settings, double theta,
                  int64_t positions) {
  std::string kind = fields.getString("rope_type", "");
  std::string older = fields.getString("type", "");
  if (kind.empty())
    kind = older.empty() ? "default" : older;
  if (kind == "default")
    return;
  if (kind == "factors")
    return divide(fields, settings);
  if (kind != "linear" && kind != "llama3" && kind != "yarn") {
    fields.report("rope_type", "is " + quote(kind),
                  "known: default, linear, llama3, yarn");
    return;
  }
  double factor = fields.getNumber("factor", 1e-3, kMaxFactor);
  if (fields.failed())
    return;
  if (kind == "llama3")
    return scaleLlama3(fields, settings, factor);
  if (kind == "yarn")
    return scaleYarn(fields, settings, factor, theta, positions);
  for (float &frequency : settings.frequencies)
    frequency = static_cast<float>(frequency / factor);
}

RotarySettings readRotarySettings(ConfigReader &config, int64_t size,
                                  int64_t positions) {
  RotarySettings settings;
  std::optional<ConfigFile> newer = config.getObject("rope_parameters");
  std::optional<ConfigFile> older = config.getObject("rope_scaling");
  constexpr double kUsual = 10000.0;
  double theta = config.getNumber("rope_theta", 1.0, kMaxTheta, kUsual);
  const std::optional<ConfigFile> &given = newer ? newer : older;
  if (!given) {
    settings.frequencies = getRotaryFrequencies(theta, size);
    return settings;
  }
  ConfigReader fields(config.getContext(), *given);
  theta = fields.getNumber("rope_theta", 1.0, kMaxTheta, theta);
  fields.ignore({"partial_rotary_factor"}); // read by who has partial heads
  settings.frequencies = getRotaryFrequencies(theta, size);
  scale(fields, settings, theta, positions);
  config.adopt(fields.finish());
  return settings;
}

} // namespace attnc
