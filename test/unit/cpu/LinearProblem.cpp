//===- LinearProblem.cpp - linear kernels and what they give --------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Numbers are pseudo-random in [-1, 1]. The reference keeps, beside every sum,
// the sum of magnitudes, from which the bound on the error follows.
//
//===----------------------------------------------------------------------===//
#include "LinearProblem.h"
#include "TileEmulator.h"
#include "compiler/package/PackWeights.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/bit.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <random>

namespace attnc::test {

using kernel::Format;

static constexpr double kEpsilon = 1e-5; ///< of the layer norm
static constexpr int64_t kWidth = 48;    ///< of a panel

static kernel::PanelsAttr getPanels(const LinearShape &shape) {
  static mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<kernel::KernelDialect>();
  return kernel::PanelsAttr::get(
      &context, kWidth, shape.weights,
      shape.weights == Format::i4 || shape.grouped ? shape.group : 0,
      shape.scales);
}

static int64_t getTileRows(const LinearShape &shape, const Target &target) {
  const bool wide = target.vectorRegisters >= 32;
  if (shape.activations == Format::f32)
    return wide ? 8 : 6;
  switch (NarrowRows::choose(target, shape.activations, shape.weights,
                             getPanels(shape).getGroup())) {
  case NarrowRows::TilesOfBytes:
  case NarrowRows::TilesOfBf16:
    return NarrowRows::kTileRows;
  case NarrowRows::ShortsToWord:
  case NarrowRows::GroupsOfShorts:
    return wide ? 6 : 4;
  default:
    return wide ? 8 : 6;
  }
}

std::vector<const Target *> getByteTargets() {
  std::vector<const Target *> targets;
  for (const Target &target : Target::all())
    if (target.hasMicroKernels && canRunKernels(target))
      targets.push_back(&target);
  return targets;
}

bool sameBits(const float *a, const float *b, size_t count) {
  return std::memcmp(a, b, count * sizeof(float)) == 0;
}

std::string getKernelName(const LinearShape &shape) {
  return "linear_" + std::to_string(shape.columns) + "_" +
         std::to_string(shape.depth) + "_" +
         std::to_string(static_cast<int>(shape.finish)) + "_" +
         std::to_string(shape.blockDepth) + "_" +
         std::to_string(shape.inputStride) + "_" +
         kernel::stringifyFormat(shape.weights).str() + "_" +
         kernel::stringifyFormat(shape.activations).str() +
         (shape.grouped ? "_grouped" + std::to_string(shape.group) : "") + "_" +
         kernel::stringifyScales(shape.scales).str();
}

static std::string rowsType(int64_t columns) {
  const std::string number = std::to_string(columns);
  return "tensor<?x" + number + "xf32, #attn.sizes<tokens, " + number + ">>";
}

static const char *elementRegion(Finish finish) {
  switch (finish) {
  case Finish::None:
    return "";
  case Finish::Residual:
    return R"(element(%b at affine_map<(d0, d1) -> (d1)> : BIAS, %r at affine_map<(d0, d1) -> (d0, d1)> : OUT) {
    ^bb0(%acc: f32, %bias: f32, %residual: f32):
      %s = arith.addf %acc, %bias : f32
      %t = arith.addf %s, %residual : f32
      attn.yield %t : f32
    })";
  case Finish::Gelu:
    return R"(element(%b at affine_map<(d0, d1) -> (d1)> : BIAS) {
    ^bb0(%acc: f32, %bias: f32):
      %s = arith.addf %acc, %bias : f32
      %half = arith.constant 0.5 : f32
      %one = arith.constant 1.0 : f32
      %root = arith.constant 0.707106769 : f32
      %t = arith.mulf %s, %root : f32
      %e = math.erf %t : f32
      %u = arith.addf %e, %one : f32
      %half_s = arith.mulf %s, %half : f32
      %gelu = arith.mulf %half_s, %u : f32
      attn.yield %gelu : f32
    })";
  case Finish::LayerNorm:
    return R"(element(%b at affine_map<(d0, d1) -> (d1)> : BIAS) {
    ^bb0(%acc: f32, %bias: f32):
      %s = arith.addf %acc, %bias : f32
      attn.yield %s : f32
    } row(%g at affine_map<(d0) -> ()> : BIAS, %z at affine_map<(d0) -> ()> : BIAS) {
    ^bb0(%row: BIAS, %weight: BIAS, %shift: BIAS):
      %n = attn.norm layer %row weight(%weight : BIAS) bias(%shift : BIAS) epsilon 1.0e-5 : BIAS
      attn.yield %n : BIAS
    })";
  }
  return "";
}

/// Bytes in which OpenBLAS' eight rows are padded, or narrow rows stand.
static int64_t getScratch(const LinearShape &shape, const Target &target,
                          bool openBlas) {
  if (openBlas)
    return 4 * 8 * (shape.depth + shape.columns);
  if (shape.activations == Format::f32)
    return shape.weights == Format::f32
               ? 0
               : getWidenedBytes(target.vectorRegisters >= 32 ? kWidth : 16,
                                 shape.blockDepth ? shape.blockDepth
                                                  : shape.depth);
  return NarrowRows::plan(CostModel(target, target.machine), shape.activations,
                          getPanels(shape), shape.depth,
                          getTileRows(shape, target))
      .scratchBytes;
}

/// "#kernel.panels<48, i8>"
static std::string panelsText(const LinearShape &shape) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << getPanels(shape);
  return text;
}

static void replaceAll(std::string &text, const std::string &from,
                       const std::string &to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos;
       at += to.size())
    text.replace(at, from.size(), to);
}

static std::string makeKernel(const LinearShape &shape, const Target &target,
                              bool openBlas) {
  std::string text = R"(
kernel.func @NAME(%x: IN STRIDE, %w: WEIGHT PANELS, %b: BIAS, %r: OUT, %g: BIAS, %z: BIAS) -> OUT tile #kernel.tile<TILE> PRECISION SCRATCH {
  %y = attn.linear %x, %w ELEMENT : IN, WEIGHT -> OUT
  kernel.return %y : OUT
}
)";
  const bool wide = target.vectorRegisters >= 32;
  std::string tile = "rows = " + std::to_string(getTileRows(shape, target)) +
                     ", columns = " + (wide ? "48" : "16") +
                     ", depth = " + std::to_string(shape.blockDepth);
  if (openBlas)
    tile += ", provider = \"openblas\"";
  replaceAll(text, "ELEMENT", elementRegion(shape.finish));
  replaceAll(text, "NAME", getKernelName(shape));
  replaceAll(text, "TILE", tile);
  const int64_t scratch = getScratch(shape, target, openBlas);
  replaceAll(text, "SCRATCH",
             scratch ? "scratch \"" + std::to_string(scratch) + "\"" : "");
  std::string precision = "precision #kernel.precision<weights = ";
  precision += kernel::stringifyFormat(shape.weights);
  precision += ", activations = ";
  precision += kernel::stringifyFormat(shape.activations);
  precision += ", group = " + std::to_string(getPanels(shape).getGroup());
  precision += ", scales = ";
  precision += kernel::stringifyScales(shape.scales);
  precision += ">";
  replaceAll(text, "PRECISION", shape.weights == Format::f32 ? "" : precision);
  replaceAll(text, "PANELS",
             openBlas ? "" : "{kernel.layout = " + panelsText(shape) + "}");
  replaceAll(text, "STRIDE",
             shape.inputStride ? "{kernel.layout = #kernel.rows<" +
                                     std::to_string(shape.inputStride) + ">}"
                               : "");
  replaceAll(text, "WEIGHT",
             "tensor<" + std::to_string(shape.columns) + "x" +
                 std::to_string(shape.depth) + "xf32>");
  replaceAll(text, "BIAS", "tensor<" + std::to_string(shape.columns) + "xf32>");
  replaceAll(text, "OUT", rowsType(shape.columns));
  replaceAll(text, "IN", rowsType(shape.depth));
  return text;
}

std::string makeModule(const std::vector<LinearShape> &shapes,
                       const Target &target, bool openBlas) {
  std::string text = "attn.size @tokens min 1 max 4096\n";
  text += "kernel.variant @v target \"" + target.name.str() + "\" {\n";
  for (const LinearShape &shape : shapes)
    text += makeKernel(shape, target, openBlas);
  return text + "}\n";
}

static std::vector<float> randoms(size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<float> values(count);
  for (float &value : values)
    value = static_cast<int32_t>(engine()) * 0x1p-31f;
  return values;
}

LinearProblem::LinearProblem(const LinearShape &shape, int64_t rows,
                             const Target &target, bool openBlas)
    : shape(shape), rows(rows),
      stride(shape.inputStride ? shape.inputStride : shape.depth),
      input(randoms(rows * stride, 1)),
      weight(randoms(shape.columns * shape.depth, 2)),
      packed(openBlas ? weight
                      : packPanels(weight, shape.columns, shape.depth, kWidth)),
      bias(randoms(shape.columns, 3)),
      residual(randoms(rows * shape.columns, 4)),
      scale(randoms(shape.columns, 5)), shift(randoms(shape.columns, 6)),
      weightValues(weight.begin(), weight.end()),
      scratchBytes(getScratch(shape, target, openBlas)) {
  if (shape.weights != Format::f32)
    narrow();
}

static float readHalf(const uint8_t *bytes) {
  uint16_t bits;
  std::memcpy(&bits, bytes, 2);
  return llvm::APFloat(llvm::APFloat::IEEEhalf(), llvm::APInt(16, bits))
      .convertToFloat();
}

double LinearProblem::readOfGroup(const uint8_t *panel, int64_t lane,
                                  int64_t group, uint32_t upper) const {
  const bool isHalf = shape.scales == kernel::Scales::f16_affine;
  const bool isAffine = isHalf || shape.scales == kernel::Scales::f32_affine;
  const int64_t groups = llvm::divideCeil(shape.depth, shape.group);
  const int64_t padded = groups * shape.group;
  const int64_t bytes = isHalf ? 2 : 4;
  const int64_t pack = shape.weights == Format::i4 ? 8 : 4;
  const uint8_t *scales = panel + padded / pack * kWidth * 4;
  auto read = [&](int64_t place) {
    const uint8_t *from = scales + bytes * place;
    float number;
    if (isHalf)
      return readHalf(from);
    std::memcpy(&number, from, 4);
    return number;
  };
  const int64_t place = group * kWidth + lane, offsets = groups * kWidth;
  const bool isSigned = pack == 4 || !isAffine;
  const int32_t steps = isSigned ? int32_t(upper) >> (32 - 32 / pack)
                                 : int32_t(upper >> (32 - 32 / pack));
  return float(steps * double(read(place)) +
               (isAffine ? read(offsets + place) : 0));
}

StoredBlocks LinearProblem::makeBlocks() const {
  const bool isNibble = shape.weights == Format::i4;
  const bool isAffine = getPanels(shape).isAffine();
  const float least = isNibble ? isAffine ? 0 : -8 : -128;
  const float count = isNibble ? 16 : 256;
  const int64_t groups = llvm::divideCeil(shape.depth, shape.group);
  StoredBlocks blocks;
  for (float number : weight) // from -1 to 1
    blocks.steps.push_back(
        static_cast<int8_t>(least + std::floor((number + 1) / 2 * count)));
  for (int64_t i = 0; i < shape.columns * groups; ++i) {
    // Of eleven bits, as f16 has them, or of nineteen.
    const bool isHalf = getPanels(shape).hasHalves();
    const float steps = isHalf ? 0x1p10f : 0x1p18f;
    auto cut = [&](float number) {
      return std::nearbyint(number * steps) / steps;
    };
    blocks.scales.push_back(cut(weight[i]) / count);
    blocks.offsets.push_back(cut(weight[weight.size() - 1 - i]) / 4);
  }
  return blocks;
}

/// Packs the weights and reads them back, by the text of #kernel.panels.
void LinearProblem::narrow() {
  kernel::PanelsAttr panels = getPanels(shape);
  const bool isOfFile = shape.scales != kernel::Scales::f16;
  const StoredBlocks blocks = isOfFile ? makeBlocks() : StoredBlocks();
  std::vector<uint8_t> bytes =
      isOfFile ? packBlocks(blocks, shape.columns, shape.depth, panels)
               : attnc::packPanels(weight, shape.columns, shape.depth, panels);
  packed.resize(bytes.size() / 4);
  std::memcpy(packed.data(), bytes.data(), bytes.size());
  const int64_t pack = panels.getPack(), bits = 32 / pack;
  for (int64_t n = 0; n < shape.columns; ++n) {
    const uint8_t *panel =
        bytes.data() + n / kWidth * panels.getPanelBytes(shape.depth);
    const uint8_t *scales = panel + panels.getScaleOffset(shape.depth);
    for (int64_t k = 0; k < shape.depth; ++k) {
      uint32_t word;
      std::memcpy(&word, panel + 4 * (k / pack * kWidth + n % kWidth), 4);
      // The step's bits at the upper end, then down again with their sign.
      const uint32_t upper = word << (32 - bits - bits * (k % pack));
      if (shape.weights == Format::bf16) {
        weightValues[n * shape.depth + k] =
            llvm::bit_cast<float>(upper & 0xffff0000);
        continue;
      }
      const int64_t group = panels.getGroup() ? k / shape.group : 0;
      const int64_t at = n * shape.depth + k;
      if (isOfFile) {
        weightValues[at] = readOfGroup(panel, n % kWidth, group, upper);
        const int64_t of =
            n * llvm::divideCeil(shape.depth, shape.group) + group;
        float expected = blocks.steps[at] * blocks.scales[of];
        if (panels.isAffine())
          expected = std::fma(float(blocks.steps[at]), blocks.scales[of],
                              blocks.offsets[of]);
        EXPECT_EQ(weightValues[at], expected)
            << "weight [" << n << ", " << k << "]";
        continue;
      }
      float step;
      if (panels.getGroup())
        step = readHalf(scales + 2 * (group * kWidth + n % kWidth));
      else
        std::memcpy(&step, scales + 4 * (n % kWidth), 4);
      const double exact = double(static_cast<int32_t>(upper) >> (32 - bits));
      const double value = exact * step;
      const double roundsTo = weight[n * shape.depth + k];
      // The largest of a group of i4 may be clipped for the sake of the others,
      // from ten steps to seven; of i8 by one, which moves the scale by as
      // much. A whole column's is not.
      const double ofBytes = panels.getGroup() ? 1.501 : 1.001;
      const double most = shape.weights == Format::i4 ? 3.501 : ofBytes;
      EXPECT_NEAR(value, roundsTo, std::fabs(step) * most)
          << "weight [" << n << ", " << k << "]";
      weightValues[n * shape.depth + k] = value;
    }
  }
}

/// A row of i8 as it is kept: whole steps between its lowest and its highest
/// number, 0 among them.
static void narrowToRange(std::vector<double> &row) {
  const auto [least, most] = std::minmax_element(row.begin(), row.end());
  const float lowest = std::min(*least, 0.0), highest = std::max(*most, 0.0);
  const float part = 1.0f / 254.0f;
  const float step = highest * part - lowest * part, inverse = 1.0f / step;
  const double zero = std::nearbyint(-double(lowest) * inverse);
  for (double &value : row) {
    const double steps = std::nearbyint(value * inverse + zero);
    EXPECT_TRUE(steps >= 0 && steps <= 255) << steps;
    value = (steps - zero) * step;
  }
}

std::vector<double> LinearProblem::narrowRow(int64_t row) const {
  const float *x = input.data() + row * stride;
  std::vector<double> values(x, x + shape.depth);
  if (shape.activations == Format::bf16)
    for (double &value : values) {
      const uint32_t bits = llvm::bit_cast<uint32_t>(static_cast<float>(value));
      value = llvm::bit_cast<float>((bits + 0x7fff + (bits >> 16 & 1)) &
                                    0xffff0000);
    }
  if (shape.activations != Format::i8)
    return values;
  const int64_t group = getPanels(shape).getGroup();
  if (!group) {
    narrowToRange(values);
    return values;
  }
  for (int64_t from = 0; from < shape.depth; from += group) {
    const int64_t to = std::min(from + group, shape.depth);
    float largest = 0;
    for (int64_t k = from; k < to; ++k)
      largest = std::max(largest, std::fabs(x[k]));
    const float inverse = 127.0f / largest;
    for (int64_t k = from; k < to; ++k)
      values[k] = std::nearbyint(values[k] * double(inverse)) *
                  double(largest * (1.0f / 127.0f));
  }
  return values;
}

/// A copy that may only be read.
static GuardedBuffer readOnly(const float *values, size_t count) {
  GuardedBuffer buffer(count);
  std::copy_n(values, count, buffer.floats());
  buffer.freeze();
  return buffer;
}

std::vector<float> LinearProblem::runRows(const KernelRunner &runner,
                                          int64_t first, int64_t count,
                                          int workers) const {
  // The last row of a strided input ends where its elements do.
  GuardedBuffer x = readOnly(input.data() + first * stride,
                             (count - 1) * stride + shape.depth);
  GuardedBuffer w = readOnly(packed.data(), packed.size());
  GuardedBuffer b = readOnly(bias.data(), bias.size());
  GuardedBuffer r =
      readOnly(residual.data() + first * shape.columns, count * shape.columns);
  GuardedBuffer g = readOnly(scale.data(), scale.size());
  GuardedBuffer h = readOnly(shift.data(), shift.size());
  GuardedBuffer out(count * shape.columns);
  std::fill_n(out.floats(), out.size(),
              std::numeric_limits<float>::quiet_NaN());
  std::vector<int64_t> sizes = {count};
  runner.run(
      "v_" + getKernelName(shape), sizes,
      {x.data(), w.data(), b.data(), r.data(), g.data(), h.data(), out.data()},
      workers, (scratchBytes + 63) / 64 * 64);
  return {out.floats(), out.floats() + out.size()};
}

std::vector<float> LinearProblem::run(const KernelRunner &runner,
                                      int workers) const {
  return runRows(runner, 0, rows, workers);
}

std::vector<float> LinearProblem::runRow(const KernelRunner &runner,
                                         int64_t row) const {
  return runRows(runner, row, 1, 1);
}

void LinearProblem::check(const std::vector<float> &result) const {
  for (int64_t row = 0; row < rows && !testing::Test::HasFailure(); ++row)
    checkRow(result.data() + row * shape.columns, row);
}

void LinearProblem::checkRow(const float *result, int64_t row) const {
  const int64_t n = shape.columns;
  std::vector<double> exact(n), bound(n);
  const std::vector<double> x = narrowRow(row);
  for (int64_t j = 0; j < n; ++j) {
    double sum = 0, magnitude = 0;
    for (int64_t k = 0; k < shape.depth; ++k) {
      const double product = x[k] * weightValues[j * shape.depth + k];
      sum += product;
      magnitude += std::fabs(product);
    }
    // Every product and every sum rounds once, relative to at most the sum of
    // magnitudes; four more for the epilogue's own roundings of values below 3.
    bound[j] = (2 * shape.depth * magnitude + 4 * (magnitude + 3)) * 0x1p-24;
    if (shape.finish != Finish::None)
      sum += bias[j];
    if (shape.finish == Finish::Residual)
      sum += residual[row * n + j];
    // Before a rounding to bf16 or i8, erf is good to 3e-5.
    if (shape.finish == Finish::Gelu && shape.activations != Format::f32)
      bound[j] += 0.5 * std::fabs(sum) * 3e-5;
    if (shape.finish == Finish::Gelu)
      sum = 0.5 * sum * std::erfc(-sum * M_SQRT1_2);
    exact[j] = sum;
  }
  if (shape.finish == Finish::LayerNorm) {
    double mean = 0, variance = 0, widest = 0;
    for (int64_t j = 0; j < n; ++j)
      mean += exact[j] / n;
    for (int64_t j = 0; j < n; ++j)
      variance += (exact[j] - mean) * (exact[j] - mean) / n;
    for (double element : bound)
      widest = std::max(widest, element);
    const double factor = 1 / std::sqrt(variance + kEpsilon);
    for (int64_t j = 0; j < n; ++j) {
      const double normal = (exact[j] - mean) * factor;
      // Errors of elements, mean and deviation, all scaled alike.
      bound[j] = 4 * widest * factor * (1 + std::fabs(normal));
      exact[j] = normal * scale[j] + shift[j];
    }
  }
  for (int64_t j = 0; j < n; ++j)
    ASSERT_NEAR(result[j], exact[j], bound[j])
        << getKernelName(shape) << ", " << rows << " rows, at [" << row << ", "
        << j << "]";
}

} // namespace attnc::test
