//===- Verify.h - compiled code against the reference -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The comparison that `attnc verify` makes, apart from how a library is called:
// random and adversarial inputs at lengths around every tile, the error of
// every output against double precision, and what that error may be.
//
// Tolerance of f32. With u = 2^-24, K the deepest contraction of the entry and
// P its number of products, rounding errors of a sum of K terms grow like u
// sqrt(K) of the result's scale, and those of P products add up like sqrt(P);
// elementary functions add a few u. So an element x of an output with root mean
// square R (over elements that are not zero) may be off by
//
//     u (8 + sqrt(K P)) max(|x|, R),
//
// 1.7e-5 R for a six-layer encoder of width 384. Inputs can be chosen so that
// any f32 computation loses more (scores of 10^8), and norms magnify errors in
// rows of small variance, which are not rare where encoders are narrow. Where
// the bound is exceeded, the reference runs eight times more, every result
// given a random error as large as f32 makes it (Noise.h). With s the root mean
// square of the differences that this makes in the element over these runs, or
// in its row where that is larger, 6 s is added. Errors of the output are sums
// of those of single results, each times what the ops behind it make of it; so
// they are nearly normal with a deviation of about s / 2, of which the largest
// of 10^6 elements is 5, and eight runs tell s to a quarter. A case that
// only just keeps within the first bound is told by its share of that alone, so
// that shares near 1 are ordinary where many cases are near it: a tiny
// ModernBERT's worst is 0.99, and 0.34 where every case is measured. i32
// outputs must be equal.
//
// Tolerance of narrow products. A format gives every number of a row an error
// with a root mean square of e times that of the row: 2^-9 / sqrt(3) for bf16;
// c / (127 sqrt(12)) for i8 and c / (8 sqrt(12)) for i4 if the largest of the
// numbers that share a scale is c times their root mean square, which is 4 for
// rows of some hundred normal numbers and 2.2 for groups of 32. Errors add up
// in a product as its terms do, so that their share of the result does not
// depend on K; those of both sides and of P products in turn add as squares:
//
//     E = sqrt(P (e_weights^2 + e_activations^2)),
//
// and an element may be off by another 4 E max(|x|, R). Where that is exceeded,
// since rows have outliers or later ops magnify, the reference runs again with
// both sides of every product rounded as the formats say, and four times the
// largest difference that this makes in the output is added. One rounding does
// not tell what another of the same size does where the result hangs on the
// larger of two scores, and that of the library is another: it leaves the
// narrowest products in f32, and searches for the steps of i4. So where this is
// exceeded, too, the reference runs eight times more, every rounding up or down
// by chance (NarrowProducts.h); allowed are then three times the largest
// difference of all these runs, which is 4.2 of those of a rounding to the
// nearest, and 6 s of f32. What precision costs in use is another question: see
// Similarity.h.
//
// The more formats lose, the less of mistakes is seen: with 15 products 4 E is
// 1.2 for i4 and 0.2 for weights and rows of i8, so that in a small language
// model one projection of the wrong sign passes with i4. Therefore a second
// reference repeats the library's roundings: OwnRounding.h.
//
// A cache of bf16 or i8 gives keys and values the same e as rows of products in
// that format; both products of every attention that reads it count: with A of
// these, 2 A e_cache^2 is added under the root. The heads of one row have a
// scale each, so c is that of some 64 normal numbers at most.
//
// Where attention multiplies bf16, A of them are 2 A products more, with e of
// bf16 on both sides; a product of two activations is one, since attention may
// have been made of it.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_VERIFY_H
#define ATTNC_COMPILER_INTERPRET_VERIFY_H

#include "compiler/interpret/Interpreter.h"
#include "compiler/interpret/OwnRounding.h"
#include "llvm/Support/JSON.h"

namespace attnc {

namespace interpret {
struct InputPlan;
struct SessionStep;
} // namespace interpret

struct VerifyOptions {
  bool quick = false; ///< fewer lengths
  uint64_t seed = 1;
  unsigned threads = 0; ///< of the reference; 0: all
  /// What the library multiplies in.
  NarrowFormats formats;
  /// The same by product; then the library's roundings are repeated, too
  /// (OwnRounding.h).
  std::optional<ProductFormats> products;
  /// Where they are repeated, if not in the module itself: the same program
  /// with the adapters of the library beside its products, not merged.
  struct Apart {
    mlir::ModuleOp module;
    const WeightTable *weights;
    std::optional<unsigned> choice; ///< of `weights`: the session's adapter
  };
  std::optional<Apart> apart;
  /// Bounds of sizes as the library has them, where they are narrower.
  std::map<std::string, std::pair<int64_t, int64_t>> sizeBounds;
  /// Outputs that the library has, by entry and in its order; an entry that is
  /// not here is left out. Empty: every entry with every output.
  std::map<std::string, std::vector<std::string>> outputs;
  /// Forgets what the library's session keeps; for entries that append to it.
  std::function<llvm::Error()> reset;
  /// Does another step than a call to the library's session.
  std::function<llvm::Error(const interpret::SessionStep &)> step;
};

/// A row-major array of f32 or i32.
struct VerifyBuffer {
  void *data = nullptr;
  size_t bytes = 0;
};

/// Calls the library: inputs and outputs in the entry's order; `data` of an
/// input is null where an input with a default is left out.
using VerifyCall = llvm::function_ref<llvm::Error(
    llvm::StringRef entry, const std::map<std::string, int64_t> &sizes,
    llvm::ArrayRef<VerifyBuffer> inputs, llvm::ArrayRef<VerifyBuffer> outputs)>;

/// How far an output was off in one case.
struct OutputError {
  std::string output;
  double maxAbs = 0;
  double maxRel = 0;    ///< over elements of at least a hundredth of the RMS
  double maxUlp = 0;    ///< in f32 steps at the reference's element; the same
  double allowed = 0;   ///< at the element that came closest to its bound
  double usedShare = 0; ///< error / bound there; above 1: failed
  bool rounded = false; ///< the bound includes the rounded reference
  double scale = 0;     ///< root mean square of the reference
  /// Against the reference with the library's roundings, where it ran.
  std::optional<OwnRounding> own;
};

struct VerifyCase {
  std::string entry;
  std::string description; ///< "batch 3, seq 17, ragged mask"
  std::vector<OutputError> outputs;
  std::string failure; ///< empty: passed
};

struct VerifyReport {
  std::vector<VerifyCase> cases;
  /// Of libraries with narrow products.
  std::vector<OwnRoundingSummary> own;
  double seconds = 0;

  bool passed() const;
  size_t failures() const;
  /// The worst of every output: `entry.output` and in which case.
  void print(llvm::raw_ostream &os) const;
  llvm::json::Value toJson() const;
};

/// Runs all cases; fails only where the comparison itself cannot be made.
/// `progress` sees every case once it ran.
llvm::Expected<VerifyReport>
verifyLibrary(mlir::ModuleOp module, const WeightTable *weights,
              const VerifyOptions &options, VerifyCall call,
              llvm::function_ref<void(const VerifyCase &)> progress = {});

/// One case of the caller's own: the entry on the inputs that `plan` and `seed`
/// make, in a session that `steps` happened to. Fails where the reference
/// refuses them. The interpreter has the formats of `options`.
llvm::Expected<VerifyCase>
verifyCase(Interpreter &interpreter, attn::EntryOp entry,
           const interpret::InputPlan &plan, uint64_t seed,
           llvm::ArrayRef<interpret::SessionStep> steps,
           const VerifyOptions &options, VerifyCall call);

} // namespace attnc

#endif // ATTNC_COMPILER_INTERPRET_VERIFY_H
