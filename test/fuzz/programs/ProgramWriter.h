//===- ProgramWriter.h - text of random programs ----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A ModuleWriter holds what the programs of one module share: sizes and
// weights. An EntryWriter writes one program: values are asked for by their
// dimensions and come from earlier ops, or as new inputs, weights or constants.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_FUZZ_PROGRAMS_PROGRAMWRITER_H
#define ATTNC_TEST_FUZZ_PROGRAMS_PROGRAMWRITER_H

#include "Random.h"
#include <functional>
#include <map>
#include <string>

namespace attnc::fuzz {

/// Dimensions as text: numbers, or expressions over sizes.
using Dims = std::vector<std::string>;

Dims operator+(Dims dims, const std::string &last);
bool isNumber(const std::string &dim);
/// "tensor<?x4xf32, #attn.sizes<seq, 4>>"
std::string makeType(const Dims &dims, bool integer = false);
/// "1.500000e+00"
std::string makeNumber(double value);

struct TensorText {
  std::string name; ///< with its %
  Dims dims;
  bool integer = false;
  bool input = false; ///< an argument of the entry

  std::string type() const { return makeType(dims, integer); }
};

/// A tensor of the safetensors file.
struct SourceTensor {
  std::string name;
  std::vector<int64_t> shape;
  double center, spread; ///< normal elements
};

/// States of the keys and values of one layer: @k0, @v0.
struct Layer {
  Dims key, value; ///< rows
  int64_t window = 0;
};

class ModuleWriter {
public:
  /// Rows that every embedding table has; every integer value is below it.
  static constexpr int64_t kTableRows = 96;
  static constexpr int64_t kMostSeq = 64, kMostBatch = 5, kMostMemory = 40;

  ModuleWriter() = default;
  /// Programs that may append to states of so many positions.
  ModuleWriter(std::vector<Layer> layers, int64_t positions)
      : layers(std::move(layers)), positions(positions) {}

  /// The symbol of a weight of these dimensions, new or known.
  std::string getWeight(const Dims &dims, Random &random);
  void addEntry(std::string text) { entries.push_back(std::move(text)); }
  /// The module; `weightsFile` is where the sources will be.
  std::string finish(const std::string &weightsFile) const;
  const std::vector<SourceTensor> &getSources() const { return sources; }
  const std::vector<Layer> &getLayers() const { return layers; }

private:
  std::string addSource(const std::vector<int64_t> &shape);

  std::vector<Layer> layers;
  int64_t positions = 0;
  std::vector<SourceTensor> sources;
  std::map<Dims, std::vector<std::string>> known;
  std::vector<std::string> weights, entries;
};

/// A capture of a region: its dimensions, and what indexes each of them: a
/// dimension of the index space, or -1 - n for the constant n.
struct Capture {
  Dims dims;
  std::vector<int> map;
  bool integer = false;
  bool neverInput = false; ///< inputs that only scores read may be -inf
  bool isMask = false;     ///< the input that says what counts
};

/// A region written before its captures are known.
struct RegionText {
  std::vector<Capture> captures;
  std::string block; ///< "^bb0(...):" and the ops
  unsigned dimensions = 0;
  explicit operator bool() const { return !block.empty(); }
};

class EntryWriter {
public:
  EntryWriter(ModuleWriter &module, Random &random, std::string name)
      : module(module), random(random), name(std::move(name)),
        guards(random.chance(0.3)) {}

  /// A value of these dimensions: mostly the result of an earlier op.
  TensorText get(const Dims &dims, bool integer = false,
                 bool neverInput = false);
  /// A weight, or rarely another value of these dimensions.
  TensorText getMatrix(const Dims &dims);
  TensorText getWeight(const Dims &dims);
  /// The i32 input that says what counts.
  TensorText getMask(const Dims &dims);
  /// `value`, [batch, seq, ...], and zeros where the mask is.
  TensorText guard(const TensorText &value);
  /// Rows and offsets of the packed form, made at the first call.
  std::pair<TensorText, TensorText> getPacking();

  /// The lengths of the session's sequences.
  TensorText getPast();
  /// Handles of a layer's states, to which this entry appended.
  std::pair<std::string, std::string> getAppended(size_t layer);
  /// "!attn.state<tensor<2x4xf32>, window = 8>"
  static std::string makeStateType(const Dims &row, int64_t window);

  /// `op` with operands and regions, before " : types".
  TensorText emit(const std::string &op, const std::string &types,
                  const Dims &dims, bool integer = false);
  /// The same, of a value that nothing else may read.
  TensorText emitAside(const std::string &op, const std::string &types,
                       const Dims &dims, bool integer);
  /// Several results.
  std::vector<TensorText> emitMany(const std::string &op,
                                   const std::string &types,
                                   const std::vector<TensorText> &results);
  /// "element(%a at affine_map<..> : type) {..}", with captures chosen.
  std::string write(const std::string &keyword, const RegionText &region);

  /// The whole text of the entry.
  std::string finish();

private:
  TensorText addInput(const Dims &dims, bool integer,
                      const std::string &attributes);
  TensorText addConstant(const Dims &dims, bool integer);
  TensorText makePacked(const Dims &dims, bool integer);
  std::string appendTo(const std::string &state, const Dims &row,
                       int64_t window);
  std::string nextName() { return "%" + std::to_string(count++); }

  ModuleWriter &module;
  Random &random;
  std::string name, body;
  bool guards; ///< outputs are zeros where the mask is: pack-tokens may pack
  std::vector<std::string> inputs; ///< "%x: type {attributes}"
  std::vector<TensorText> values;  ///< everything that an op may read
  std::vector<TensorText> results; ///< of ops, in order
  std::map<Dims, TensorText> masks;
  TensorText rows, offsets, past;
  std::map<size_t, std::pair<std::string, std::string>> appended;
  unsigned count = 0;
};

} // namespace attnc::fuzz

#endif // ATTNC_TEST_FUZZ_PROGRAMS_PROGRAMWRITER_H
