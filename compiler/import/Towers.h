//===- Towers.h - models with entries of their own ---------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Encoders of images, and pairs of encoders of images and texts: an entry per
// tower, each with inputs of its own. To add one: a file beside Vit.cpp and a
// line in Towers.cpp. Their layers are those of PreNormLayers.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_TOWERS_H
#define ATTNC_COMPILER_IMPORT_TOWERS_H

#include "compiler/import/Config.h"
#include "compiler/import/ProgramBuilder.h"

namespace attnc {

class TowerModel {
public:
  virtual ~TowerModel() = default;
  /// One line for messages: "vit, 12 layers, ...".
  virtual std::string describe() const = 0;
  /// Longest sequence of the text tower; 0 without one.
  virtual int64_t getMaxPositions() const = 0;
  /// Emits every entry.
  virtual void emit(ProgramBuilder &program) const = 0;
  /// True for a tensor that may be left out of the program.
  virtual bool isOptional(llvm::StringRef tensor) const = 0;

  /// The class with a head that the folder lacks, or nothing.
  std::string missingHead;
};

/// Whether a config.json is that of such a model.
bool isTowerModel(const ConfigFile &config);
/// Its numbers; null if anything is wrong, which is reported then.
std::unique_ptr<TowerModel> readTowerModel(mlir::MLIRContext *context,
                                           const ConfigFile &config,
                                           const WeightTable &weights);
/// Types and classes, for messages.
std::string listTowerModels();

/// Tensors of one layer, relative to it, without ".weight" and ".bias".
struct PreNormNames {
  llvm::StringLiteral layer; ///< "encoder.layers.", the number follows
  llvm::StringLiteral query, key, value, attentionOutput, attentionNorm;
  llvm::StringLiteral intermediate, output, outputNorm;
};

/// Where images are cut.
struct PatchGrid {
  int64_t channels = 0, height = 0, width = 0; ///< of the image
  int64_t patchHeight = 0, patchWidth = 0;

  int64_t count() const {
    return (height / patchHeight) * (width / patchWidth);
  }
};

/// Layers with their norms before them, as both towers have them.
class PreNormLayers {
public:
  /// `prefix` stands before every tensor of the tower, `symbols` before the
  /// symbols of its weights and the names of its ops.
  PreNormLayers(ConfigReader &config, const WeightTable &weights,
                const PreNormNames &names, llvm::StringRef prefix,
                llvm::StringRef symbols);

  /// Sizes of image and patches from the config of a tower of images.
  static PatchGrid readGrid(ConfigReader &config);

  /// Tensors by their names in the checkpoint, without the prefix.
  mlir::Value weight(ProgramBuilder &program, llvm::StringRef tensor,
                     llvm::ArrayRef<int64_t> shape) const;
  mlir::Value linear(ProgramBuilder &program, llvm::StringRef name,
                     llvm::StringRef tensor, mlir::Value rows, int64_t inputs,
                     int64_t outputs, bool hasBias = true) const;
  mlir::Value norm(ProgramBuilder &program, llvm::StringRef name,
                   llvm::StringRef tensor, mlir::Value rows) const;
  /// A row for the class, then the patches; to all of them, their positions.
  /// `classRow` is [hidden], `positions` [.., 1 + patches, hidden], `bias` may
  /// be null.
  mlir::Value embedPatches(ProgramBuilder &program, mlir::Value image,
                           const PatchGrid &grid, mlir::Value matrix,
                           mlir::Value bias, mlir::Value classRow,
                           mlir::Value positions) const;
  /// All layers; mask [B, S] may be null.
  mlir::Value emit(ProgramBuilder &program, mlir::Value rows, mlir::Value mask,
                   const KeyReach &reach) const;

  std::string describe() const;
  bool has(llvm::StringRef tensor) const;
  /// "text." + name
  std::string at(llvm::StringRef name) const { return symbols + name.str(); }

  int64_t hidden = 0;
  bool qkvBias = true;

private:
  mlir::Value emitLayer(ProgramBuilder &program, int64_t index,
                        mlir::Value rows, mlir::Value mask,
                        const KeyReach &reach) const;

  const WeightTable &weights;
  const PreNormNames &names;
  std::string prefix, symbols;
  int64_t layers = 0, heads = 0, intermediate = 0;
  double epsilon = 0;
  Activation activation = nullptr;
};

// Architectures. `isHeaded`: the class has a head, or projects.
std::unique_ptr<TowerModel> readVit(ConfigReader &config,
                                    const WeightTable &weights, bool isHeaded);
std::unique_ptr<TowerModel> readClip(ConfigReader &config,
                                     const WeightTable &weights, bool isHeaded);
std::unique_ptr<TowerModel>
readClipText(ConfigReader &config, const WeightTable &weights, bool isHeaded);
std::unique_ptr<TowerModel>
readClipImage(ConfigReader &config, const WeightTable &weights, bool isHeaded);

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_TOWERS_H
