//===- AttentionProblem.cpp - attention kernels and what they should give -===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tolerance: a score is a sum of D products, rounded in every step; errors of
// random sign leave about one rounding of the sum of its terms' magnitudes. An
// error of a score is a relative error of its weight, so that of the result is
// at most twice as much times the largest value; exp, the sums of weights and
// values and the division add some roundings more.
//
//===----------------------------------------------------------------------===//
#include "AttentionProblem.h"
#include "compiler/schedule/AttentionTiles.h"
#include "compiler/schedule/CostModel.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

namespace attnc::test {

Region causal() {
  return {"%r = arith.cmpi sle, %k, %q : i32\nattn.yield %r : i1",
          [](double, Position at, const double *) { return at.k <= at.q; },
          {}};
}

//===-- text --------------------------------------------------------------===//

static std::string rowType(const AttentionKernel &kernel,
                           const std::string &length, int64_t heads,
                           int64_t size) {
  const std::string h = std::to_string(heads), d = std::to_string(size);
  switch (kernel.form) {
  case AttentionKernel::Single:
    return "tensor<?x" + d + "xf32, #attn.sizes<" + length + ", " + d + ">>";
  case AttentionKernel::Padded:
    return "tensor<?x?x" + h + "x" + d + "xf32, #attn.sizes<b, " + length +
           ", " + h + ", " + d + ">>";
  case AttentionKernel::Packed:
    return "tensor<?x" + h + "x" + d + "xf32, #attn.sizes<t, " + h + ", " + d +
           ">>";
  }
  return "";
}

size_t Capture::tableSize() const {
  size_t size = 1;
  for (int64_t extent : table)
    size *= extent;
  return size;
}

static std::string tableType(const Capture &capture) {
  std::string shape;
  for (int64_t extent : capture.table)
    shape += std::to_string(extent) + "x";
  std::string element = capture.isInteger ? "i32" : "f32";
  return shape.empty() ? element : "tensor<" + shape + element + ">";
}

static std::string captureType(const AttentionKernel &kernel,
                               const Capture &capture) {
  const bool isPacked = kernel.form == AttentionKernel::Packed;
  std::string shape, names;
  for (char dim : capture.dims) {
    shape += dim == 'h' ? std::to_string(kernel.queryHeads) + "x" : "?x";
    std::string name = dim == 'h'   ? std::to_string(kernel.queryHeads)
                       : dim == 'b' ? "b"
                       : isPacked   ? "t"
                       : dim == 'q' ? "q"
                                    : "k";
    names += (names.empty() ? "" : ", ") + name;
  }
  for (int64_t extent : capture.table) {
    shape += std::to_string(extent) + "x";
    names += (names.empty() ? "" : ", ") + std::to_string(extent);
  }
  const bool isDynamic = capture.dims.find_first_of("bqk") != std::string::npos;
  return "tensor<" + shape + (capture.isInteger ? "i32" : "f32") +
         (isDynamic ? ", #attn.sizes<" + names + ">>" : ">");
}

/// ` score(%c0 at ...) { ... }`, adding the captures to the arguments.
static std::string regionText(const AttentionKernel &kernel,
                              const Region &region, const std::string &name,
                              std::string &arguments) {
  if (!region)
    return "";
  std::string captures, block = name == "score" ? "%s: f32, " : "";
  block += "%b: i32, %h: i32, %q: i32, %k: i32";
  for (size_t i = 0; i < region.captures.size(); ++i) {
    const Capture &capture = region.captures[i];
    const std::string value = "%" + name + std::to_string(i);
    const std::string type = captureType(kernel, capture);
    std::string dims;
    for (char dim : capture.dims)
      dims += (dims.empty() ? "" : ", ") + std::string(1, dim);
    captures += (i ? ", " : "") + value + " at affine_map<(b, h, q, k) -> (" +
                dims + ")> : " + type;
    arguments += ", " + value + ": " + type;
    block += ", %c" + std::to_string(i) + ": " + tableType(capture);
  }
  return " " + name + "(" + captures + ") {\n^bb0(" + block + "):\n" +
         region.body + "\n}";
}

static int64_t bufferWidth(const AttentionKernel &kernel) {
  return (kernel.queryHeads + kernel.keyHeads) * kernel.headSize +
         kernel.keyHeads * kernel.valueSize;
}

// Query rows that are shared out together.
static constexpr int64_t kItemRows = 64;

static std::string tileText(const AttentionKernel &kernel,
                            const Target &target) {
  const CostModel::AttentionTile tile =
      CostModel(target, target.machine)
          .chooseAttention({kernel.headSize, kernel.valueSize, kernel.isBf16});
  return " tile #kernel.tile<rows = " + std::to_string(tile.rows) +
         ", columns = " + std::to_string(tile.columns) +
         ", depth = " + std::to_string(kernel.chunkPanels * tile.columns) +
         ", block = " + std::to_string(kItemRows) + ">";
}

std::string AttentionKernel::text(const Target &target) const {
  const std::string q = rowType(*this, "q", queryHeads, headSize);
  const std::string k = rowType(*this, "k", keyHeads, headSize);
  const std::string v = rowType(*this, "k", keyHeads, valueSize);
  const std::string o = rowType(*this, "q", queryHeads, valueSize);
  const std::string layout = oneBuffer
                                 ? " {kernel.layout = #kernel.rows<" +
                                       std::to_string(bufferWidth(*this)) + ">}"
                                 : "";
  std::string arguments =
      "%Q: " + q + layout + ", %K: " + k + layout + ", %V: " + v + layout;
  std::string offsets, bound;
  if (form == Packed) {
    const std::string type = "tensor<?xi32, #attn.sizes<b + 1>>";
    arguments += ", %offsets: " + type;
    offsets = " offsets(%offsets : " + type + ")";
    bound = " length_bound \"k\"";
  }
  std::string regions = regionText(*this, score, "score", arguments);
  regions += regionText(*this, mask, "mask", arguments);
  return "attn.size @b min 1 max 64\nattn.size @q min 0 max 4096\n"
         "attn.size @k min 0 max 4096\nattn.size @t min 0 max 65536\n"
         "kernel.variant @v target \"" +
         target.name.str() + "\" {\nkernel.func @attention(" + arguments +
         ") -> " + o + tileText(*this, target) +
         (isBf16 ? " precision #kernel.precision<weights = bf16, activations = "
                   "bf16>"
                 : "") +
         " {\n%O = attn.attention %Q, %K, %V" + offsets + regions + bound +
         " : " + q + ", " + k + ", " + v + " -> " + o +
         "\nkernel.return %O : " + o + "\n}\n}\n";
}

size_t AttentionKernel::scratchBytes(int64_t keys) const {
  size_t bytes =
      usesTiles
          ? AttentionTiles::getScratchBytes(headSize, valueSize, keys).number()
          : 4 * ((headSize + valueSize + 24) * (keys + 32) + 1024);
  if (chunkPanels)
    bytes += 4 * (2 * kItemRows + (usesTiles ? AttentionTiles::kRows : 16));
  return (bytes + 63) / 64 * 64;
}

//===-- operands ----------------------------------------------------------===//

static int64_t total(const std::vector<int64_t> &lengths) {
  int64_t sum = 0;
  for (int64_t length : lengths)
    sum += length;
  return sum;
}

static size_t captureElements(const AttentionKernel &kernel,
                              const AttentionSizes &sizes,
                              const Capture &capture) {
  size_t count = capture.tableSize();
  const bool isPacked = kernel.form == AttentionKernel::Packed;
  for (char dim : capture.dims)
    count *= dim == 'b'   ? sizes.batch
             : dim == 'h' ? kernel.queryHeads
             : isPacked   ? total(sizes.lengths)
             : dim == 'q' ? sizes.queries
                          : sizes.keys;
  return count;
}

static int64_t rowsOf(const AttentionKernel &kernel,
                      const AttentionSizes &sizes, int64_t length) {
  return kernel.form == AttentionKernel::Packed ? total(sizes.lengths)
                                                : sizes.batch * length;
}

static size_t separate(const AttentionKernel &kernel, size_t elements) {
  return kernel.oneBuffer ? 0 : elements;
}

AttentionProblem::AttentionProblem(const AttentionKernel &kernel,
                                   const AttentionSizes &given, unsigned seed)
    : kernel(kernel), sizes(given),
      queries(rowsOf(kernel, given, given.queries) *
              (kernel.oneBuffer ? bufferWidth(kernel)
                                : kernel.queryHeads * kernel.headSize)),
      keys(separate(kernel, rowsOf(kernel, given, given.keys) *
                                kernel.keyHeads * kernel.headSize)),
      values(separate(kernel, rowsOf(kernel, given, given.keys) *
                                  kernel.keyHeads * kernel.valueSize)),
      offsets(given.lengths.size() + 1) {
  const int64_t queryWidth = kernel.queryHeads * kernel.headSize;
  const int64_t keyWidth = kernel.keyHeads * kernel.headSize;
  query = queries.floats();
  key = keys.floats();
  value = values.floats();
  queryStride = queryWidth;
  keyStride = keyWidth;
  valueStride = kernel.keyHeads * kernel.valueSize;
  if (kernel.oneBuffer) {
    queryStride = keyStride = valueStride = bufferWidth(kernel);
    key = query + queryWidth;
    value = key + keyWidth;
  }
  if (kernel.form == AttentionKernel::Packed) {
    sizes.batch = sizes.lengths.size();
    sizes.queries = sizes.keys = 0;
    starts = {0};
    for (int64_t length : sizes.lengths) {
      starts.push_back(starts.back() + length);
      sizes.queries = sizes.keys = std::max(sizes.keys, length);
    }
    std::copy(starts.begin(), starts.end(), offsets.ints());
  }
  queryRows = rowsOf(kernel, sizes, sizes.queries);
  keyRows = rowsOf(kernel, sizes, sizes.keys);

  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (const GuardedBuffer *buffer : {&queries, &keys, &values})
    for (size_t i = 0; i < buffer->size(); ++i)
      buffer->floats()[i] = uniform(random);
  for (const Region *region : {&kernel.score, &kernel.mask})
    for (const Capture &capture : region->captures) {
      captures.emplace_back(captureElements(kernel, sizes, capture));
      std::uniform_real_distribution<float> range(capture.least, capture.most);
      for (size_t i = 0; i < captures.back().size(); ++i) {
        float x = range(random);
        if (capture.isInteger)
          captures.back().ints()[i] = std::lround(x);
        else
          captures.back().floats()[i] = x;
      }
    }
}

float &AttentionProblem::queryAt(int64_t row, int64_t head, int64_t d) const {
  return query[row * queryStride + head * kernel.headSize + d];
}
float &AttentionProblem::keyAt(int64_t row, int64_t head, int64_t d) const {
  return key[row * keyStride + head * kernel.headSize + d];
}
float &AttentionProblem::valueAt(int64_t row, int64_t head, int64_t d) const {
  return value[row * valueStride + head * kernel.valueSize + d];
}
std::vector<float *> AttentionProblem::captureData() const {
  std::vector<float *> data;
  for (const GuardedBuffer &capture : captures)
    data.push_back(capture.floats());
  return data;
}

//===-- running -----------------------------------------------------------===//

std::vector<float> AttentionProblem::run(const KernelRunner &runner,
                                         int workers) const {
  GuardedBuffer output(queryRows * kernel.queryHeads * kernel.valueSize);
  std::fill_n(output.floats(), output.size(), NAN);
  std::vector<void *> arguments = {query, key, value};
  if (kernel.form == AttentionKernel::Packed)
    arguments.push_back(offsets.data());
  for (const GuardedBuffer &capture : captures)
    arguments.push_back(capture.data());
  arguments.push_back(output.data());
  std::vector<int64_t> call = {sizes.batch, sizes.queries, sizes.keys,
                               queryRows};
  runner.run("v_attention", call, arguments, workers,
             kernel.scratchBytes(sizes.keys));
  return {output.floats(), output.floats() + output.size()};
}

//===-- reference ---------------------------------------------------------===//

std::vector<double> AttentionProblem::capturesAt(const Region &region,
                                                 size_t first,
                                                 Position at) const {
  const bool isPacked = kernel.form == AttentionKernel::Packed;
  std::vector<double> read;
  for (size_t index = 0; index < region.captures.size(); ++index) {
    const Capture &capture = region.captures[index];
    size_t offset = 0;
    for (char dim : capture.dims) {
      const int64_t extent = dim == 'b'   ? sizes.batch
                             : dim == 'h' ? kernel.queryHeads
                             : isPacked   ? starts.back()
                             : dim == 'q' ? sizes.queries
                                          : sizes.keys;
      const int64_t row = isPacked ? starts[at.b] : 0;
      offset = offset * extent + (dim == 'b'   ? at.b
                                  : dim == 'h' ? at.h
                                  : dim == 'q' ? row + at.q
                                               : row + at.k);
    }
    const GuardedBuffer &data = captures[first + index];
    offset *= capture.tableSize();
    for (size_t i = 0; i < capture.tableSize(); ++i)
      read.push_back(capture.isInteger ? data.ints()[offset + i]
                                       : data.floats()[offset + i]);
  }
  return read;
}

/// To the nearest bf16, ties to even.
static double toBf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
  std::memcpy(&x, &bits, 4);
  return x;
}

void AttentionProblem::referenceRow(Position at, int64_t queryRow,
                                    int64_t firstKey, int64_t keyCount,
                                    std::vector<double> &result,
                                    double &tolerance) const {
  const int64_t keyHead = at.h / (kernel.queryHeads / kernel.keyHeads);
  std::vector<double> weights(keyCount);
  double highest = -INFINITY, sum = 0, magnitude = 0, largest = 0;
  auto evaluate = [&](const Region &region, size_t first, double score) {
    std::vector<double> read = capturesAt(region, first, at);
    return region.reference(score, at, read.data());
  };
  auto factor = [&](float x) { return kernel.isBf16 ? toBf16(x) : x; };
  for (int64_t k = 0; k < keyCount; ++k) {
    double score = 0, terms = 0;
    for (int64_t d = 0; d < kernel.headSize; ++d) {
      const double term = factor(queryAt(queryRow, at.h, d)) *
                          factor(keyAt(firstKey + k, keyHead, d));
      score += term;
      terms += std::fabs(term);
    }
    at.k = k;
    if (kernel.score)
      score = evaluate(kernel.score, 0, score);
    if (kernel.mask &&
        evaluate(kernel.mask, kernel.score.captures.size(), 0) == 0)
      score = -INFINITY;
    weights[k] = score;
    highest = std::max(highest, score);
    if (score > -INFINITY)
      magnitude = std::max(magnitude, terms + std::fabs(score));
  }
  std::fill(result.begin(), result.end(), 0.0);
  for (int64_t k = 0; k < keyCount; ++k) {
    weights[k] = highest == -INFINITY ? 0 : std::exp(weights[k] - highest);
    sum += weights[k];
    for (int64_t d = 0; d < kernel.valueSize; ++d) {
      const double v = factor(valueAt(firstKey + k, keyHead, d));
      result[d] += weights[k] * v;
      largest = std::max(largest, std::fabs(v));
    }
  }
  for (double &x : result)
    x = sum > 0 ? x / sum : 0;
  constexpr double kRounding = 1.0 / (1 << 24);
  // What the reference has not: weights are rounded to bf16, and their
  // exponentials are good to 2^-13.6, in the sum of weights as well.
  constexpr double kWeights = 0x1p-9 + 2 * 0x1p-13;
  tolerance = sum > 0 ? largest * (kRounding * (2 * magnitude + 16) +
                                   (kernel.isBf16 ? kWeights : 0))
                      : 0;
}

void AttentionProblem::checkEqualRows(const KernelRunner &runner,
                                      int64_t first) const {
  for (int64_t row = first + 1; row < sizes.queries; ++row)
    for (int64_t d = 0; d < kernel.headSize; ++d)
      queryAt(row, 0, d) = queryAt(first, 0, d);
  const std::vector<float> output = run(runner, 2);
  const int64_t size = kernel.valueSize;
  for (int64_t row = first + 1; row < sizes.queries; ++row)
    ASSERT_EQ(0, std::memcmp(output.data() + first * size,
                             output.data() + row * size, size * sizeof(float)))
        << "row " << row;
}

void AttentionProblem::check(const KernelRunner &runner) const {
  const std::vector<float> output = run(runner, 1);
  for (int workers : {2, 3}) {
    const std::vector<float> other = run(runner, workers);
    ASSERT_EQ(0, std::memcmp(output.data(), other.data(),
                             output.size() * sizeof(float)))
        << "other bits with " << workers << " workers";
  }
  std::vector<double> expected(kernel.valueSize);
  size_t next = 0;
  const bool isPacked = kernel.form == AttentionKernel::Packed;
  for (int64_t b = 0; b < sizes.batch; ++b) {
    const int64_t rows = isPacked ? sizes.lengths[b] : sizes.queries;
    const int64_t count = isPacked ? sizes.lengths[b] : sizes.keys;
    const int64_t firstQuery = isPacked ? starts[b] : b * sizes.queries;
    const int64_t firstKey = isPacked ? starts[b] : b * sizes.keys;
    for (int64_t q = 0; q < rows; ++q)
      for (int64_t h = 0; h < kernel.queryHeads; ++h) {
        double tolerance;
        referenceRow({b, h, q, 0}, firstQuery + q, firstKey, count, expected,
                     tolerance);
        for (int64_t d = 0; d < kernel.valueSize; ++d, ++next)
          ASSERT_NEAR(expected[d], output[next], tolerance)
              << "b " << b << " h " << h << " q " << q << " d " << d << ", "
              << rows << " queries, " << count << " keys";
      }
  }
}

} // namespace attnc::test
