//===- Weights.h - bytes of a model's tensors -------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// WeightTable maps tensor names to bytes in memory-mapped safetensors and GGUF
// files; it holds no tensor itself. Recipes (attn.weight) are applied tensor by
// tensor.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_WEIGHTS_H
#define ATTNC_COMPILER_IMPORT_WEIGHTS_H

#include "dialects/attn/Attn.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>
#include <string>
#include <vector>

namespace attnc {

enum class WeightType {
  F32,
  F16,
  BF16,
  F64,
  I8,
  U8,
  I16,
  I32,
  I64,
  Bool,
  // Blocks of elements with scales, in GGUF files: BlockFormats.h.
  Q8_0,
  Q4_0,
  Q4_1,
  Q4_K,
  Q6_K
};
llvm::StringRef getName(WeightType type);

/// What stands together in a file: one element, or a block of them.
struct WeightBlock {
  int64_t elements;
  int64_t bytes;
};
WeightBlock getBlock(WeightType type);

/// A tensor of a weights file: a view into the mapped file.
struct WeightEntry {
  WeightType type;
  llvm::SmallVector<int64_t> shape;
  llvm::ArrayRef<uint8_t> bytes;
  unsigned file; ///< index into WeightTable::files()

  int64_t numElements() const;
};

struct LowRankUpdate;

class WeightTable {
public:
  WeightTable();
  WeightTable(WeightTable &&);
  WeightTable &operator=(WeightTable &&);
  ~WeightTable();

  /// Maps a safetensors or GGUF file and adds its tensors. Errors name the
  /// file, the tensor and the numbers that do not fit (A02xx); nothing is added
  /// then.
  llvm::Error addFile(llvm::StringRef path);
  /// Adds every file of the module attribute `attn.files`, relative paths taken
  /// from `directory`.
  llvm::Error addFiles(mlir::ModuleOp module, llvm::StringRef directory);

  const WeightEntry *find(llvm::StringRef name,
                          std::optional<unsigned> choice = std::nullopt) const;
  /// A tensor's numbers, widened or narrowed to f32.
  llvm::Expected<std::vector<float>>
  read(llvm::StringRef name,
       std::optional<unsigned> choice = std::nullopt) const;

  /// Lets an adapter change a tensor that is there. (Adapter.h)
  void addUpdate(llvm::StringRef name, LowRankUpdate update);
  /// Puts a tensor of another table in the place of one, or adds it.
  void replace(llvm::StringRef name, const WeightEntry &entry);
  bool isReplaced(llvm::StringRef name) const {
    return replaced.contains(name);
  }
  /// Keeps the files of a table that replaced tensors lie in.
  void keepAlive(WeightTable other);

  // Adapters that a session chooses from (SeparateAdapters.h): each has tensors
  // of its own in the place of some of the table's.
  /// Adds one and returns its index.
  unsigned addChoice(llvm::StringRef name);
  llvm::ArrayRef<std::string> choices() const { return choiceNames; }
  /// Adds a tensor of f32 that the table keeps; to all, or to one choice alone.
  void addTensor(llvm::StringRef name, llvm::ArrayRef<int64_t> shape,
                 std::vector<float> numbers,
                 std::optional<unsigned> choice = std::nullopt);
  void replaceInChoice(unsigned choice, llvm::StringRef name,
                       const WeightEntry &entry);
  /// Of every product of adapters the names of its tensors, separated by '|',
  /// and the rank that each of them has in it.
  std::map<std::string, std::vector<int64_t>> adapterRanks;
  /// True if a source of the weight is another one with this choice.
  bool differs(attn::WeightOp weight, unsigned choice) const;
  /// Whether a tensor's numbers are those of its file for everybody: no adapter
  /// changes them.
  bool isPlain(llvm::StringRef name) const;
  /// Names in sorted order.
  std::vector<llvm::StringRef> names() const;
  llvm::ArrayRef<std::string> files() const { return paths; }

  /// Hex digest (BLAKE3, 128 bits) of the sources' types, shapes and bytes.
  llvm::Expected<std::string> digest(attn::WeightOp weight) const;

  /// Checks that the sources of a weight are there with the types and shapes
  /// that it needs, and that its digest, if it has one, is theirs.
  llvm::Error check(attn::WeightOp weight) const;

  /// Applies a recipe: converts the sources to f32, concatenates, transposes,
  /// regroups rows, adds; row-major elements of the weight's type. Fails if a
  /// source is absent, of another shape or type, or its digest differs from the
  /// op's.
  llvm::Expected<std::vector<float>>
  materialize(attn::WeightOp weight,
              std::optional<unsigned> choice = std::nullopt) const;

  /// Whether rows of a weight (of its first dimension) can be had without the
  /// rest: its recipe joins rows at most, and no adapter changes its sources.
  bool hasPlainRows(attn::WeightOp weight) const;
  /// Rows [from, to) of what materialize returns. The weight has plain rows and
  /// has been checked.
  llvm::Expected<std::vector<float>>
  materializeRows(attn::WeightOp weight, int64_t from, int64_t to) const;

private:
  /// materialize() for a weight that is computed (ProjectedWeight.h).
  llvm::Expected<std::vector<float>>
  project(attn::WeightOp weight, std::optional<unsigned> choice) const;

  std::vector<std::string> paths;
  std::vector<std::unique_ptr<llvm::MemoryBuffer>> buffers;
  llvm::StringMap<WeightEntry> entries;
  llvm::StringSet<> replaced; ///< of them, by an adapter
  llvm::StringMap<std::unique_ptr<LowRankUpdate>> updates; ///< by tensor
  std::vector<std::string> choiceNames;
  std::vector<llvm::StringMap<WeightEntry>> choiceEntries; ///< by choice
  std::vector<std::unique_ptr<std::vector<float>>> owned;
};

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_WEIGHTS_H
