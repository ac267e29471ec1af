//===- Interpreter.h - reference semantics of attn --------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs an `attn.entry` in double precision: the truth that compiled code is
// compared with. Integers are exact; weights come from a WeightTable.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_INTERPRETER_H
#define ATTNC_COMPILER_INTERPRET_INTERPRETER_H

#include "compiler/import/Weights.h"
#include "compiler/interpret/NarrowProducts.h"
#include "compiler/interpret/ProductFormats.h"
#include "compiler/interpret/SessionState.h"
#include "dialects/attn/Attn.h"
#include <map>

namespace attnc {

/// A tensor of doubles (f32 values) or integers (i32 values), row-major.
struct TensorValue {
  llvm::SmallVector<int64_t> shape;
  bool isInteger = false;
  std::vector<double> numbers;   ///< elements, if !isInteger
  std::vector<int64_t> integers; ///< elements, if isInteger

  int64_t numElements() const;
};

/// What a run keeps of intermediate values. `Single` gives every result an
/// error as f32 code makes it, drawn from the seed (Noise.h): what rounding
/// costs. `Narrow` rounds both sides of every product as setFormats says, to
/// the nearest, and nothing else: what narrow formats lose. `NarrowDrawn`
/// rounds them one way or the other as the seed says (NarrowProducts.h): what
/// formats might have lost. `Rounded` stands for narrow code: sides are rounded
/// as in `Narrow`, and results have errors as in `Single`. What attention
/// multiplies in bf16 is rounded by chance there, since code rounds scores
/// before their sum divides them; where a library's products tell it, erf is
/// the short one in all three (ShortErf.h).
enum class Precision { Double, Single, Narrow, NarrowDrawn, Rounded };

class Interpreter {
public:
  /// `weights` may be null for programs without weights. `threads` 0: all.
  Interpreter(mlir::ModuleOp module, const WeightTable *weights,
              unsigned threads = 0);
  ~Interpreter();

  /// What runs in Precision::Single, NarrowDrawn and Rounded draw from.
  void setSeed(uint64_t seed);
  /// The formats of runs in Precision::Narrow, NarrowDrawn and Rounded.
  void setFormats(const NarrowFormats &formats);
  /// The formats of single products, instead of one for all: weights are then
  /// rounded as a library keeps them. They have to outlive the runs.
  void setProducts(const ProductFormats &products);
  /// Reads weights with this choice of their table; before the first run.
  void setChoice(std::optional<unsigned> choice);

  /// Runs an entry. `sizes` gives every size that the entry takes; inputs in
  /// the entry's order. Fails with a message on a wrong count, shape, type, an
  /// id out of range, or a missing weight. Weights are materialized once and
  /// kept, so that repeated runs are quick. `session` holds the rows of
  /// `attn.state`s from run to run; without one, a run begins with none. A run
  /// that fails leaves it as it was.
  llvm::Expected<std::vector<TensorValue>>
  run(llvm::StringRef entry, const std::map<std::string, int64_t> &sizes,
      llvm::ArrayRef<TensorValue> inputs,
      Precision precision = Precision::Double, SessionState *session = nullptr);

private:
  struct State;
  std::unique_ptr<State> state;
};

} // namespace attnc

#endif // ATTNC_COMPILER_INTERPRET_INTERPRETER_H
