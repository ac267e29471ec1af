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
// steeper; Peng et al., 2023); longrope (each frequency divided by a number of
// its own; Ding et al., 2024), within the original length: longer sequences
// have other divisors, for rows too that a cache holds already. dynamic is
// default within the model's positions, which no library exceeds.
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
static constexpr StringLiteral kOriginal = "original_max_position_embeddings";

namespace {
/// The length that a model was trained for, and how often that goes into its
/// positions.
struct OriginalLength {
  int64_t length;
  double ratio;
};
} // namespace

/// A field of its own has precedence over that of the scaling.
static OriginalLength readOriginal(ConfigReader &config, ConfigReader &fields,
                                   int64_t positions) {
  int64_t inner = fields.getInteger(kOriginal, 1, kMaxLength, positions);
  int64_t length = config.getInteger(kOriginal, 1, kMaxLength, inner);
  return {length, static_cast<double>(positions) / static_cast<double>(length)};
}

/// Frequencies below one rotation per wavelength are divided by `factor`.
static void scaleLlama3(ConfigReader &fields, RotarySettings &settings,
                        const OriginalLength &original) {
  double factor = fields.getNumber("factor", 1e-3, kMaxFactor);
  double low = fields.getNumber("low_freq_factor", 0, kMaxFactor);
  double high = fields.getNumber("high_freq_factor", 0, kMaxFactor);
  const auto length = static_cast<double>(original.length);
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

/// What yarn multiplies cos and sin by.
static double readYarnScale(ConfigReader &fields, double factor) {
  auto scaleFor = [&](double weight) {
    return factor <= 1 ? 1 : 0.1 * weight * std::log(factor) + 1;
  };
  double above = fields.getNumber("mscale", 0, kMaxFactor, 0.0);
  double below = fields.getNumber("mscale_all_dim", 0, kMaxFactor, 0.0);
  double usual = above != 0 && below != 0 ? scaleFor(above) / scaleFor(below)
                                          : scaleFor(1);
  return fields.getNumber("attention_factor", 0, kMaxFactor, usual);
}

static void scaleYarn(ConfigReader &fields, RotarySettings &settings,
                      const OriginalLength &original, double theta) {
  double factor = fields.getNumber("factor", 1e-3, kMaxFactor, original.ratio);
  // Zero stands for the usual number, as in transformers.
  double fast = fields.getNumber("beta_fast", 0, kMaxFactor, 0.0);
  double slow = fields.getNumber("beta_slow", 0, kMaxFactor, 0.0);
  fast = fast == 0 ? 32 : fast;
  slow = slow == 0 ? 1 : slow;
  bool truncate = fields.getBool("truncate", true);
  settings.scale = readYarnScale(fields, factor);
  const auto length = static_cast<double>(original.length);
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

/// Divides every frequency by a number of its own.
static void divide(ConfigReader &fields, RotarySettings &settings,
                   StringRef key) {
  std::vector<double> factors = fields.getNumbers(key);
  if (fields.failed())
    return;
  if (factors.size() != settings.frequencies.size() ||
      llvm::any_of(factors, [](double factor) { return !(factor > 0); }))
    return fields.report(key, "are " + Twine(factors.size()) + " numbers",
                         "give " + Twine(settings.frequencies.size()) +
                             " positive ones, one for each pair of a head");
  for (auto [frequency, factor] : zip_equal(settings.frequencies, factors))
    frequency = static_cast<float>(frequency / factor);
}

static void scaleLong(ConfigReader &fields, RotarySettings &settings,
                      const OriginalLength &original, int64_t positions) {
  (void)fields.getNumbers("long_factor"); // beyond the limit
  divide(fields, settings, "short_factor");
  double factor = fields.getNumber("factor", 1e-3, kMaxFactor, original.ratio);
  const auto length = static_cast<double>(original.length);
  settings.scale = fields.getNumber(
      "attention_factor", 0, kMaxFactor,
      factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(length)));
  if (original.length < positions)
    settings.limit = original.length;
}

/// Applies the scaling that `fields` ask for.
static void scale(ConfigReader &config, ConfigReader &fields,
                  const RotaryFields &names, RotarySettings &settings,
                  double theta, int64_t positions) {
  std::string kind = fields.getString("rope_type", "");
  std::string older = fields.getString("type", "");
  if (kind.empty())
    kind = older.empty() ? "default" : older;
  OriginalLength original = readOriginal(config, fields, positions);
  if (kind == "su") // as its first checkpoints call it
    kind = "longrope";
  if (kind == "longrope" && names.asksForLength && !config.isGiven(kOriginal) &&
      !fields.isGiven(kOriginal))
    (void)config.getInteger(kOriginal, 1,
                            kMaxLength); // says that it is missing
  if (kind == "default" || fields.failed() || config.failed())
    return;
  if (kind == "factors") // as GGUF files have it
    return divide(fields, settings, "factors");
  if (kind == "llama3")
    return scaleLlama3(fields, settings, original);
  if (kind == "yarn")
    return scaleYarn(fields, settings, original, theta);
  if (kind == "longrope")
    return scaleLong(fields, settings, original, positions);
  if (kind != "linear" && kind != "dynamic")
    return fields.report(
        "rope_type", "is " + quote(kind),
        "known: default, linear, dynamic, llama3, yarn, longrope");
  double factor = fields.getNumber("factor", 1e-3, kMaxFactor);
  if (kind == "linear" && !fields.failed())
    for (float &frequency : settings.frequencies)
      frequency = static_cast<float>(frequency / factor);
}

/// How many of a head's elements are rotated.
static int64_t getRotated(ConfigReader &config, int64_t size, double share) {
  auto rotated = static_cast<int64_t>(static_cast<double>(size) * share);
  constexpr int64_t kMost = 2 * 65536; // a constant holds half of them
  if (config.failed() || (rotated >= 2 && rotated % 2 == 0 && rotated <= kMost))
    return rotated;
  config.report("partial_rotary_factor",
                "rotates " + Twine(rotated) + " of the " + Twine(size) +
                    " elements of a head; expected an even number from 2 to " +
                    Twine(kMost),
                "correct it or the size of a head");
  return 2;
}

RotarySettings readRotarySettings(ConfigReader &config, int64_t size,
                                  int64_t positions,
                                  const RotaryFields &names) {
  RotarySettings settings;
  std::optional<ConfigFile> newer = config.getObject("rope_parameters");
  std::optional<ConfigFile> older = config.getObject("rope_scaling");
  constexpr double kUsual = 10000.0;
  constexpr StringLiteral kShare = "partial_rotary_factor";
  double theta = config.getNumber(names.theta, 1.0, kMaxTheta, kUsual);
  double share = names.usualShare;
  if (names.share)
    share = config.getNumber(*names.share, 0.0, 1.0, share);
  // An empty object says nothing, as null does.
  if (newer && newer->fields.empty())
    newer.reset();
  if (older && older->fields.empty())
    older.reset();
  if (newer && older && newer->fields != older->fields)
    config.report("rope_scaling",
                  "stands beside 'rope_parameters' and says something else",
                  "keep one of them; 'rope_parameters' is the newer name, "
                  "with 'rope_theta' inside");
  const std::optional<ConfigFile> &given = newer ? newer : older;
  if (!given) {
    (void)config.getInteger(kOriginal, 1, kMaxLength, positions);
    settings.frequencies =
        getRotaryFrequencies(theta, getRotated(config, size, share));
    return settings;
  }
  ConfigReader fields(config.getContext(), *given);
  theta = fields.getNumber("rope_theta", 1.0, kMaxTheta, theta);
  double inner = fields.getNumber(kShare, 0.0, 1.0, share);
  if (!names.share && inner != 1)
    fields.report(kShare, "rotates a part of each head",
                  "this architecture rotates whole heads; leave it out");
  settings.frequencies =
      getRotaryFrequencies(theta, getRotated(config, size, inner));
  scale(config, fields, names, settings, theta, positions);
  auto isFinite = [](double number) { return std::isfinite(number); };
  if (!fields.failed() && !(isFinite(settings.scale) &&
                            llvm::all_of(settings.frequencies, isFinite)))
    fields.report("rope_type", "gives numbers beyond the range of f32",
                  "correct the fields beside it");
  config.adopt(fields.finish());
  return settings;
}

} // namespace attnc
