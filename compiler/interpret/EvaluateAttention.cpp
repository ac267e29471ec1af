//===- EvaluateAttention.cpp - attn.attention -----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The three forms become one: sequences of query and key rows with a stride
// between rows. A unit of work is a block of query rows of one head: the plain
// product, the score region, the mask region, softmax, the product with the
// values.
//
//===----------------------------------------------------------------------===//
#include "compiler/interpret/Evaluation.h"
#include "compiler/interpret/LinearAlgebra.h"
#include <algorithm>
#include <limits>

using namespace mlir;
using llvm::Error;
using llvm::Twine;

namespace attnc::interpret {

namespace {

/// Where one sequence's rows lie: first row and count, of queries and of keys;
/// and the position of the first query.
struct Sequence {
  int64_t firstQuery, queries, firstKey, keys, past = 0;
};

/// A block of query rows of one head of one sequence.
struct Unit {
  int64_t sequence, head, firstQuery, queries;
};

constexpr int64_t kQueriesPerUnit = 64;

class AttentionRun {
public:
  /// Of an `attn.attention` or an `attn.cached_attention`.
  template <typename Op>
  AttentionRun(Op op, Tensor query, Tensor key, Tensor value,
               ArrayRef<Tensor> scoreCaptures, ArrayRef<Tensor> maskCaptures,
               std::optional<Noise> noise, int64_t window = 0)
      : query(std::move(query)), key(std::move(key)), value(std::move(value)),
        queryHeads(op.getQueryHeads()), keyHeads(op.getKeyHeads()),
        headSize(op.getHeadSize()), valueSize(op.getValueSize()),
        isPacked(this->query.rank() == 3), window(window), noise(noise) {
    // The index space of both regions is (b, h, q, kv).
    if (attn::CapturedRegion region = op.getScoreRegion())
      score.emplace(region, scoreCaptures, /*rank=*/4);
    if (attn::CapturedRegion region = op.getMaskRegion())
      mask.emplace(region, maskCaptures, /*rank=*/4);
  }

  void run(const Parallel &parallel, ArrayRef<Sequence> sequences,
           double *result) const;
  /// Both sides of both products are of `format`; the values of queries, keys
  /// and values have been rounded to it. `draw` decides for the softmax.
  void narrow(llvm::StringRef format, std::optional<Noise> draw) {
    scoreFormat = format;
    rounding = draw;
  }

private:
  struct Frames {
    ElementProgram::Frame score, mask;
    std::vector<double> scores;
  };
  void runUnit(const Unit &unit, const Sequence &sequence, Frames &frames,
               double *result) const;
  void scoreRow(const Unit &unit, const Sequence &sequence, int64_t q,
                Frames &frames, double *row) const;

  Tensor query, key, value;
  int64_t queryHeads, keyHeads, headSize, valueSize;
  bool isPacked;
  llvm::StringRef scoreFormat = "f32"; ///< of what softmax gives
  std::optional<Noise> rounding;
  int64_t window; ///< keys that a query sees; 0: all
  std::optional<Noise> noise;
  std::optional<ElementProgram> score, mask;
};

} // namespace

void AttentionRun::run(const Parallel &parallel, ArrayRef<Sequence> sequences,
                       double *result) const {
  std::vector<Unit> units;
  int64_t longest = 0;
  for (auto [number, sequence] : llvm::enumerate(sequences)) {
    longest = std::max(longest, sequence.keys);
    for (int64_t head = 0; head < queryHeads; ++head)
      for (int64_t q = 0; q < sequence.queries; q += kQueriesPerUnit)
        units.push_back({int64_t(number), head, q,
                         std::min(kQueriesPerUnit, sequence.queries - q)});
  }
  int64_t costPerScore = headSize + valueSize + 30;
  parallel.forRange(units.size(), kQueriesPerUnit * longest * costPerScore,
                    [&](int64_t begin, int64_t end) {
                      Frames frames;
                      if (score)
                        frames.score = score->makeFrame();
                      if (mask)
                        frames.mask = mask->makeFrame();
                      if (noise) {
                        frames.score.noise = noise->split(0);
                        frames.mask.noise = noise->split(1);
                      }
                      frames.scores.resize(kQueriesPerUnit * longest);
                      for (int64_t i = begin; i < end; ++i)
                        runUnit(units[i], sequences[units[i].sequence], frames,
                                result);
                    });
}

void AttentionRun::runUnit(const Unit &unit, const Sequence &sequence,
                           Frames &frames, double *result) const {
  int64_t queryRow = sequence.firstQuery + unit.firstQuery;
  int64_t keyHead = unit.head / (queryHeads / keyHeads);
  int64_t keyBase = sequence.firstKey * keyHeads + keyHead;
  const double *queries =
      query.numberData() + (queryRow * queryHeads + unit.head) * headSize;
  // Errors are numbered by row and head, apart for the products, the scores
  // that the regions leave, and the results.
  const uint64_t first = uint64_t(queryRow * queryHeads + unit.head) << 24;
  constexpr uint64_t kOfScores = uint64_t(1) << 62;
  constexpr uint64_t kOfResults = uint64_t(1) << 63;
  auto multiplyUnit = [&](const MatrixView &lhs, const MatrixView &rhs,
                          int64_t columns, int64_t depth, double *out,
                          int64_t stride, uint64_t number) {
    multiply(lhs, rhs, unit.queries, columns, depth, out, stride);
    if (noise)
      noise->addToProduct(lhs, rhs, unit.queries, columns, depth, out, stride,
                          number);
  };
  multiplyUnit(
      {queries, nullptr, queryHeads * headSize, 1},
      {key.numberData() + keyBase * headSize, nullptr, 1, keyHeads * headSize},
      sequence.keys, headSize, frames.scores.data(), sequence.keys, first);
  for (int64_t q = 0; q < unit.queries; ++q) {
    double *row = frames.scores.data() + q * sequence.keys;
    scoreRow(unit, sequence, sequence.past + unit.firstQuery + q, frames, row);
    if (noise)
      noise->addToRow(row, sequence.keys,
                      first + kOfScores + q * sequence.keys);
    softmaxRow(row, row, sequence.keys);
    roundTo(scoreFormat, row, sequence.keys,
            {rounding ? &*rounding : nullptr,
             first + (uint64_t(q * queryHeads) << 24)});
  }
  multiplyUnit({frames.scores.data(), nullptr, sequence.keys, 1},
               {value.numberData() + keyBase * valueSize, nullptr,
                keyHeads * valueSize, 1},
               valueSize, sequence.keys,
               result + (queryRow * queryHeads + unit.head) * valueSize,
               queryHeads * valueSize, first + kOfResults);
}

/// Sets the leading (b, h, q, kv) arguments, which begin at `first`.
static void setIndices(ElementProgram::Frame &frame, unsigned first,
                       const Shape &position, int64_t count) {
  for (unsigned dim = 0; dim < 4; ++dim)
    for (int64_t lane = 0; lane < count; ++lane)
      frame.integer(first + dim)[lane] = position[dim] + (dim == 3 ? lane : 0);
}

void AttentionRun::scoreRow(const Unit &unit, const Sequence &sequence,
                            int64_t q, Frames &frames, double *row) const {
  const int64_t keys = sequence.keys;
  const int64_t queryRow = sequence.firstQuery + q - sequence.past;
  const uint64_t first = uint64_t(queryRow * queryHeads + unit.head) << 24;
  for (int64_t kv = 0; kv < keys; kv += ElementProgram::kLanes) {
    int64_t count = std::min(ElementProgram::kLanes, keys - kv);
    frames.score.first = frames.mask.first = first + kv;
    Shape position = {unit.sequence, unit.head, q, kv}, index = position;
    if (isPacked) {
      // Captures are read at rows.
      index[2] += sequence.firstQuery - sequence.past;
      index[3] += sequence.firstKey;
    }
    if (score) {
      frames.score.index = index;
      setIndices(frames.score, 1, position, count);
      std::copy_n(row + kv, count, frames.score.number(0));
      score->run(frames.score, count);
      std::copy_n(score->yieldedNumbers(frames.score), count, row + kv);
    }
    if (mask) {
      frames.mask.index = index;
      setIndices(frames.mask, 0, position, count);
      mask->run(frames.mask, count);
      const int64_t *kept = mask->yieldedIntegers(frames.mask);
      // Softmax over the admitted positions alone: exp(-inf) counts for
      // nothing, and a row of nothing else gives zeros.
      for (int64_t lane = 0; lane < count; ++lane)
        if (!kept[lane])
          row[kv + lane] = -std::numeric_limits<double>::infinity();
    }
  }
  if (window)
    std::fill(row, row + std::clamp<int64_t>(q - window + 1, 0, keys),
              -std::numeric_limits<double>::infinity());
}

Error Evaluation::evaluate(attn::AttentionOp op) {
  Tensor query = get(op.getQuery()).asNumbers();
  Tensor key = get(op.getKey()).asNumbers();
  Tensor value = get(op.getValue()).asNumbers();
  SmallVector<Sequence> sequences;
  if (op.isPacked()) {
    const Tensor &offsets = get(op.getOffsets());
    if (Error error = checkOffsets(op, offsets, query.shape[0]))
      return error;
    std::optional<SizeExpr> expr = SizeExpr::parse(*op.getLengthBound());
    assert(expr && "verified");
    llvm::Expected<int64_t> bound = evaluate(*expr);
    if (!bound)
      return bound.takeError();
    ArrayRef<int64_t> starts = offsets.elements->integers;
    for (size_t b = 0; b + 1 < starts.size(); ++b) {
      int64_t length = starts[b + 1] - starts[b];
      if (length > *bound)
        return errorAt(op, "sequence " + Twine(b) + " has " + Twine(length) +
                               " rows, more than the length bound of " +
                               Twine(*bound));
      sequences.push_back({starts[b], length, starts[b], length});
    }
  } else {
    int64_t batch = query.rank() == 2 ? 1 : query.shape[0];
    int64_t queries = query.shape[query.rank() == 2 ? 0 : 1];
    int64_t keys = key.shape[query.rank() == 2 ? 0 : 1];
    for (int64_t b = 0; b < batch; ++b)
      sequences.push_back({b * queries, queries, b * keys, keys});
  }
  Shape shape = query.shape;
  shape.back() = op.getValueSize();
  Tensor result = Tensor::numbers(shape);
  const llvm::StringRef format = isNarrow() ? weights.formats.attention : "f32";
  if (format != "f32")
    for (Tensor *side : {&query, &key, &value})
      *side =
          narrowRows(*side, format, side->columns(), drawAttentionRounding());
  AttentionRun run(op, query, key, value, gather(op.getScoreCaptures()),
                   gather(op.getMaskCaptures()), drawNoise());
  run.narrow(format, drawAttentionRounding());
  run.run(parallel, sequences, result.numberData());
  return setChecked(op.getResult(), std::move(result));
}

/// The rows of a state, those of all sequences one after the other.
static Tensor gatherRows(SessionState &session, Value state,
                         ArrayRef<Sequence> sequences) {
  ArrayRef<int64_t> row =
      cast<attn::StateType>(state.getType()).getRow().getShape();
  Tensor all = Tensor::numbers({0, row[0], row[1]});
  SessionState::Rows &lists = session.rows(getDeclaration(state).getSymName());
  for (size_t b = 0; b < sequences.size(); ++b) {
    llvm::append_range(all.elements->numbers, lists[b]);
    all.shape[0] += sequences[b].keys;
  }
  return all;
}

Error Evaluation::evaluate(attn::CachedAttentionOp op) {
  Tensor query = get(op.getQuery()).asNumbers();
  const Tensor &offsets = get(op.getOffsets()), &past = get(op.getPast());
  if (Error error = checkOffsets(op, offsets, query.shape[0]))
    return error;
  SmallVector<Sequence> sequences;
  int64_t firstKey = 0;
  for (int64_t b = 0; b < past.numElements(); ++b) {
    int64_t first = offsets.integerData()[b];
    int64_t queries = offsets.integerData()[b + 1] - first;
    int64_t before = past.integerData()[b];
    sequences.push_back({first, queries, firstKey, before + queries, before});
    firstKey += before + queries;
  }
  Shape shape = query.shape;
  shape.back() = op.getValueSize();
  Tensor result = Tensor::numbers(shape);
  AttentionRun run(op, query, gatherRows(session, op.getKey(), sequences),
                   gatherRows(session, op.getValue(), sequences),
                   gather(op.getScoreCaptures()), gather(op.getMaskCaptures()),
                   drawNoise(), op.getWindow());
  run.run(parallel, sequences, result.numberData());
  return setChecked(op.getResult(), std::move(result));
}

} // namespace attnc::interpret
