//===- RegionEditor.h - captured regions, changed in place -----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fusion moves scalar arithmetic from one captured region into another. A
// RegionEditor adds and drops captures of an op's region in place; a
// ScalarCopier copies arithmetic while it renames arguments and indices.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_OPTIMIZE_REGIONEDITOR_H
#define ATTNC_COMPILER_OPTIMIZE_REGIONEDITOR_H

#include "dialects/attn/Attn.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include <optional>

namespace attnc {

enum class RegionKind { Element, Row, Score, Mask };

/// One captured region of an op, open for changes in place.
class RegionEditor {
public:
  RegionEditor(mlir::Operation *op, RegionKind kind) : op(op), kind(kind) {}

  /// The region as it stands now.
  attn::CapturedRegion get() const;

  /// The block of the region. One that is absent is made first and changes
  /// nothing: it yields its first argument, or true for a mask.
  mlir::Block &ensure();

  /// The region argument that reads `value` at `map`; an equal capture is
  /// shared.
  mlir::Value capture(mlir::Value value, mlir::AffineMap map);

  /// The captured operand that stands behind a region argument, with its map;
  /// nothing for the leading arguments.
  struct Captured {
    mlir::Value value;
    mlir::AffineMap map;
  };
  std::optional<Captured> lookThrough(mlir::Value argument) const;

  mlir::Value yielded() const { return get().yielded(); }
  void setYielded(mlir::Value value);

  /// Erases arithmetic and captures that nothing uses.
  void eraseUnused();

  /// Erases the region with its captures.
  void clear();

  void setMaps(llvm::ArrayRef<mlir::AffineMap> maps);

private:
  mlir::MutableOperandRange captures() const;
  void makeBlock(mlir::Region &region);

  mlir::Operation *op;
  RegionKind kind;
};

/// Copies scalars and what they are computed from to another region.
class ScalarCopier {
public:
  /// `argument` stands for a region argument of the source.
  using ArgumentFn = llvm::function_ref<mlir::Value(mlir::BlockArgument)>;
  /// `index` gives the value of `attn.index dim` of the source.
  using IndexFn = llvm::function_ref<mlir::Value(int64_t dim)>;

  ScalarCopier(mlir::OpBuilder &builder, ArgumentFn argument, IndexFn index)
      : builder(builder), argument(argument), index(index) {}

  mlir::Value copy(mlir::Value value);

private:
  mlir::OpBuilder &builder;
  ArgumentFn argument;
  IndexFn index;
  mlir::IRMapping copies;
};

/// An index value of an element region: `access` is a dimension or a constant.
mlir::Value makeIndex(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::AffineExpr access);

/// Copies the arithmetic of `map`, read at `access`, to `builder`'s place in
/// the region of `target`, which gets the captures that it needs; `index` gives
/// the value of an index of `target`.
mlir::Value inlineMap(mlir::OpBuilder &builder, RegionEditor &target,
                      attn::MapOp map, mlir::AffineMap access,
                      llvm::function_ref<mlir::Value(mlir::AffineExpr)> index);

} // namespace attnc

#endif // ATTNC_COMPILER_OPTIMIZE_REGIONEDITOR_H
