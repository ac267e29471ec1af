//===- ProgramBuilder.h - builds an attn module -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The words in which architectures are written down: entries, weights, linear
// layers, maps, norms. Everything is emitted plain, one op per step, and named
// by a location ("layer.0.attention.query"); fusing is the optimizer's work.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_PROGRAMBUILDER_H
#define ATTNC_COMPILER_IMPORT_PROGRAMBUILDER_H

#include "compiler/import/Activation.h"
#include "compiler/import/Weights.h"
#include "llvm/ADT/StringSet.h"

namespace attnc {

/// An argument of an entry: integers, or numbers without bounds.
struct EntryInput {
  std::string name;
  llvm::SmallVector<SizeExpr> shape;
  int64_t minimum = 0, maximum = 0; ///< inclusive bounds of the elements
  std::optional<int64_t> otherwise; ///< stands in for NULL
  bool isNumber = false;

  /// `pixel_values` [batch, channels, height, width].
  static EntryInput pixels(int64_t channels, int64_t height, int64_t width);
};

struct EntryOutput {
  std::string name;
  mlir::Value value;
};

/// An operand of a region with its indexing map.
struct Capture {
  mlir::Value value;
  mlir::AffineMap map;
};

/// What the distance of query and key adds to scores. Its row in the tables is
/// buckets[q - kv + offset], or q - kv + offset without buckets; beyond their
/// ends tables are read at these.
struct DistanceScores {
  mlir::Value buckets; ///< i32, or null
  int64_t offset = 0;
  // Each null or:
  mlir::Value ofQuery, ofKey; ///< [B, S, H, rows], added before the scale
  mlir::Value ofHead;         ///< [rows, H], added behind it
  double scale = 1;           ///< of the scores
};

/// cos and sin of the angles of every row, [rows.., angles].
struct RotaryTables {
  mlir::Value cos, sin;
};

/// 1 / theta^(2i / size), one per pair of a head of `size`.
llvm::SmallVector<float> getRotaryFrequencies(double theta, int64_t size);

/// What each of so many heads multiplies positions by (Press et al., 2021).
llvm::SmallVector<float> getAlibiSlopes(int64_t heads);

/// [rows.., heads, size]
struct ProjectedHeads {
  mlir::Value query, key, value;
};

/// The rows of a call, packed: [tokens]. Sequence b of the batch owns rows
/// offsets[b] to offsets[b + 1] - 1; its session has past[b] before them.
struct PackedRows {
  mlir::Value rows, offsets, past, positions;
};

struct HeadSizes {
  int64_t heads, keyHeads, size;
};

/// Attention with what a session keeps.
struct CacheSettings {
  int64_t positions;  ///< most rows of a sequence
  int64_t window = 0; ///< rows that a query sees, its own included; 0: all
  double scale = 1;   ///< of the scores
  double softCap = 0; ///< scores stay within (-cap, cap); 0: they may be any
  // One of them may be given (ProgramAlibi.cpp):
  mlir::Value slopes;   ///< [H]: slope * (key - query) is added to scores
  mlir::Value products; ///< [H, positions]: added before the scale, by key
};

/// What is done to the tensors of a weight once they stand one after the other
/// (attn.weight).
struct WeightRecipe {
  bool transpose = false; ///< tensors hold columns
  llvm::SmallVector<int64_t> groups = {};
  double plus = 0;
};

/// Which keys a query sees, padding aside.
struct KeyReach {
  bool causal = false;           ///< those before it, and its own
  std::optional<int64_t> window; ///< those at most so far away
};

class ProgramBuilder {
public:
  /// `weights` supplies the tensors; the builder checks each one it declares.
  ProgramBuilder(mlir::ModuleOp module, const WeightTable &weights);

  void declareSize(llvm::StringRef name, int64_t minimum, int64_t maximum);
  void beginEntry(llvm::StringRef name, llvm::ArrayRef<EntryInput> inputs);
  /// An argument of the open entry, by name.
  mlir::Value getInput(llvm::StringRef name) const;
  void endEntry(llvm::ArrayRef<EntryOutput> outputs);

  /// The weight @symbol, which is the tensor `source`; declared on first use.
  mlir::Value weight(llvm::StringRef name, llvm::StringRef symbol,
                     llvm::StringRef source, llvm::ArrayRef<int64_t> shape);

  /// The weight @name [heads, size, rows], computed of weights alone
  /// (ProjectedWeight.h); without an epsilon there are three sources.
  mlir::Value projectedWeight(llvm::StringRef name,
                              llvm::ArrayRef<llvm::StringRef> sources,
                              llvm::ArrayRef<int64_t> shape,
                              std::optional<double> epsilon);

  // `name` becomes the location of what is emitted.
  mlir::Value embedding(llvm::StringRef name, mlir::Value ids,
                        mlir::Value table);
  mlir::Value positionsLike(llvm::StringRef name, mlir::Value ids);
  /// Positions counted over ids that are not `padding`, from padding + 1.
  mlir::Value tokenPositions(llvm::StringRef name, mlir::Value ids,
                             int64_t padding);
  mlir::Value linear(llvm::StringRef name, mlir::Value rows,
                     mlir::Value matrix);
  mlir::Value addBias(llvm::StringRef name, mlir::Value rows, mlir::Value bias);
  mlir::Value add(llvm::StringRef name, mlir::Value a, mlir::Value b);
  mlir::Value scale(llvm::StringRef name, mlir::Value x, double factor);
  mlir::Value activate(llvm::StringRef name, mlir::Value x,
                       Activation activation);
  mlir::Value layerNorm(llvm::StringRef name, mlir::Value x, mlir::Value weight,
                        mlir::Value bias, double epsilon);
  mlir::Value l2Norm(llvm::StringRef name, mlir::Value x, double epsilon);
  mlir::Value splitHeads(llvm::StringRef name, mlir::Value x, int64_t heads);
  mlir::Value mergeHeads(llvm::StringRef name, mlir::Value x);
  /// 0 where mask [B, S] is not 0, -inf elsewhere.
  mlir::Value additivePadding(llvm::StringRef name, mlir::Value mask);
  /// Attention of [B, S, H, D] with `padding` [B, S] added to the scores, and
  /// what distances add.
  mlir::Value attention(llvm::StringRef name, mlir::Value query,
                        mlir::Value key, mlir::Value value, mlir::Value padding,
                        const DistanceScores &distances = {});
  /// Projections by a matrix [3 * heads * size, K] whose rows are those of the
  /// queries, the keys and the values; `bias` may be null.
  ProjectedHeads qkvProjection(llvm::StringRef name, mlir::Value rows,
                               mlir::Value matrix, mlir::Value bias,
                               int64_t heads);
  /// Attention over the keys that mask [B, S] (null: all) and `reach` admit.
  mlir::Value maskedAttention(llvm::StringRef name, const ProjectedHeads &heads,
                              mlir::Value mask, const KeyReach &reach);
  /// activation(x[.., i]) * x[.., N + i] of rows of 2 N numbers.
  mlir::Value gate(llvm::StringRef name, mlir::Value x, Activation activation);
  /// cos and sin of positions [rows..], all below `count`, times frequencies;
  /// both times `scale`. (ProgramRotary.cpp)
  RotaryTables rotaryTables(llvm::StringRef name, mlir::Value positions,
                            int64_t count, llvm::ArrayRef<float> frequencies,
                            double scale = 1);
  /// Heads [rows.., H, D], the first 2 * angles of each rotated: the pairs
  /// stand in halves, or side by side if `interleaved`.
  mlir::Value rope(llvm::StringRef name, mlir::Value heads,
                   const RotaryTables &tables, bool interleaved = false);
  /// Images [B, C, H, W] cut into patches, row by row of the image: each a row
  /// of its numbers [channel, row, column], after `leadingRows` rows of zeros.
  /// What is left at the right and the lower edge stays out.
  /// (ProgramImages.cpp)
  mlir::Value patches(llvm::StringRef name, mlir::Value image,
                      int64_t patchHeight, int64_t patchWidth,
                      int64_t leadingRows);
  /// x [.., S, N] with x[.., index, :] being `row` [N].
  mlir::Value replaceRow(llvm::StringRef name, mlir::Value x, int64_t index,
                         mlir::Value row);
  /// x [.., S, N] + table [.., S, N], whose leading dimensions are 1.
  mlir::Value addToRows(llvm::StringRef name, mlir::Value x, mlir::Value table);
  /// x[.., index, :]
  mlir::Value row(llvm::StringRef name, mlir::Value x, int64_t index);
  /// 1 where ids are `id` and the mask keeps them, 0 elsewhere.
  mlir::Value equals(llvm::StringRef name, mlir::Value ids, int64_t id,
                     mlir::Value mask);
  mlir::Value constant(llvm::StringRef name, llvm::ArrayRef<int32_t> elements);
  /// Dimension i of the result is dimension dims[i] of x.
  mlir::Value transpose(llvm::StringRef name, mlir::Value x,
                        llvm::ArrayRef<unsigned> dims);
  /// [.., H, K] by [H, K, N], head by head.
  mlir::Value headLinear(llvm::StringRef name, mlir::Value heads,
                         mlir::Value matrices);
  /// [B, S, N] -> [B, S, N * size]: of each column the `size` rows around a
  /// row, zeros beyond the sequence.
  mlir::Value windows(llvm::StringRef name, mlir::Value x, int64_t size);
  // Decoders (ProgramState.cpp).
  /// The rows that mask [B, S] keeps.
  PackedRows packRows(mlir::Value mask);
  /// Of x [B, S, ..] those rows.
  mlir::Value pack(llvm::StringRef name, mlir::Value x, const PackedRows &rows);
  /// Rows [tokens, ..] where the mask kept them, zeros elsewhere.
  mlir::Value unpack(llvm::StringRef name, mlir::Value x, mlir::Value mask,
                     const PackedRows &rows);
  /// The last row of each sequence.
  mlir::Value lastRows(llvm::StringRef name, mlir::Value x,
                       const PackedRows &rows);
  /// A weight whose rows come from several tensors, one after the other.
  mlir::Value weight(llvm::StringRef name, llvm::StringRef symbol,
                     llvm::ArrayRef<std::string> sources,
                     llvm::ArrayRef<int64_t> shape, const WeightRecipe &recipe);
  mlir::Value rmsNorm(llvm::StringRef name, mlir::Value x, mlir::Value weight,
                      double epsilon);
  mlir::Value multiply(llvm::StringRef name, mlir::Value a, mlir::Value b);
  /// cap * tanh(x / cap)
  mlir::Value softCap(llvm::StringRef name, mlir::Value x, double cap);
  /// Projections by a matrix whose rows are those of the query heads, the key
  /// heads and the value heads; `bias` may be null.
  ProjectedHeads qkvHeads(llvm::StringRef name, mlir::Value rows,
                          mlir::Value matrix, mlir::Value bias,
                          const HeadSizes &sizes);
  /// Appends keys and values to the states @NAME.key and @NAME.value, then
  /// attends to all of them up to each query's own position.
  mlir::Value cachedAttention(llvm::StringRef name, const ProjectedHeads &heads,
                              const PackedRows &rows,
                              const CacheSettings &settings);
  /// The slopes of heads, and their products with positions below `count`, both
  /// factors and the result rounded to bf16. (ProgramAlibi.cpp)
  mlir::Value alibiSlopes(llvm::StringRef name, int64_t heads);
  mlir::Value roundedAlibi(llvm::StringRef name, int64_t heads, int64_t count);
  /// x where mask [B, S] is not 0, 0 elsewhere.
  mlir::Value zeroPadding(llvm::StringRef name, mlir::Value x,
                          mlir::Value mask);
  /// x[.., index], without the last dimension.
  mlir::Value column(llvm::StringRef name, mlir::Value x, int64_t index);
  mlir::Value pool(llvm::StringRef name, attn::PoolKind kind, mlir::Value x,
                   mlir::Value mask);

  /// True once a tensor was absent or did not fit; reported already.
  bool failed() const { return badWeights > 0; }
  /// Sources of the weights declared so far.
  const llvm::StringSet<> &getUsedTensors() const { return used; }

private:
  using Body = llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location,
                                              mlir::ValueRange)>;
  mlir::Value map(llvm::StringRef name, mlir::RankedTensorType type,
                  llvm::ArrayRef<Capture> captures, Body body);
  mlir::Location at(llvm::StringRef name);
  mlir::Value constant(llvm::StringRef name, llvm::ArrayRef<float> elements,
                       llvm::ArrayRef<int64_t> shape);
  void fillScore(attn::CachedAttentionOp op, const CacheSettings &settings);
  /// Enters a weight that was just made, and checks it against the files.
  void declare(attn::WeightOp weight);
  mlir::Value getWeight(llvm::StringRef name, llvm::StringRef symbol,
                        mlir::Type type);
  mlir::Value appendToState(llvm::StringRef name, llvm::StringRef symbol,
                            mlir::Value heads, const PackedRows &rows,
                            const CacheSettings &settings);

  mlir::ModuleOp module;
  const WeightTable &weights;
  mlir::OpBuilder builder;
  mlir::SymbolTable symbols;
  attn::EntryOp entry;      ///< the open one
  attn::EntryOp firstEntry; ///< weights stand before it
  llvm::StringSet<> used;
  unsigned badWeights = 0;
};

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_PROGRAMBUILDER_H
