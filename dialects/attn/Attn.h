//===- Attn.h - the attn dialect in C++ -------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Ops, attributes and interfaces of the attn dialect, and the two notions that
// the rest of the compiler shares with it: CapturedRegion (a region with
// indexed operands) and the named shape of a tensor.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_DIALECTS_ATTN_ATTN_H
#define ATTNC_DIALECTS_ATTN_ATTN_H

#include "dialects/attn/SizeExpr.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace attnc::attn {

/// A region with captures: operand `captures[i]` is read at `maps[i]` of the
/// index. Region arguments: `leading` ones that the op defines, then one per
/// capture. `region` is null or empty where the op has none.
struct CapturedRegion {
  mlir::Region *region = nullptr;
  mlir::OperandRange captures;
  mlir::SmallVector<mlir::AffineMap> maps;
  unsigned leading = 0;

  bool empty() const { return !region || region->empty(); }
  explicit operator bool() const { return !empty(); }
  mlir::Block &block() const { return region->front(); }
  /// The scalar (or row) that the region yields.
  mlir::Value yielded() const {
    return region->front().getTerminator()->getOperand(0);
  }
};

/// The shape of a tensor, each dimension a number or an expression over named
/// sizes. The type must be static or carry `#attn.sizes`.
llvm::SmallVector<SizeExpr> getNamedShape(mlir::Type type);
/// The tensor type of such a shape; carries `#attn.sizes` if anything in it is
/// dynamic.
mlir::RankedTensorType getNamedTensor(llvm::ArrayRef<SizeExpr> shape,
                                      mlir::Type elementType);
/// What a scalar region sees of a capture that is read at `map`: an element, or
/// a tensor of the last dimensions that the map leaves out.
mlir::Type getCapturedType(mlir::RankedTensorType capture, mlir::AffineMap map);
/// The product of some dimensions.
SizeExpr getProduct(llvm::ArrayRef<SizeExpr> dims);

/// Fails unless a tensor with dynamic dimensions names them all; other types
/// pass.
llvm::LogicalResult verifyNamedTensor(mlir::Operation *op, mlir::Type type);
/// The same for every operand and result.
llvm::LogicalResult verifyNamedShapes(mlir::Operation *op);

/// Trait of every op of the dialect.
template <typename ConcreteType>
class NamedShapes : public mlir::OpTrait::TraitBase<ConcreteType, NamedShapes> {
public:
  static llvm::LogicalResult verifyTrait(mlir::Operation *op) {
    return verifyNamedShapes(op);
  }
};

/// What a session remembers; ops that read or append to a state.
struct StateResource : public mlir::SideEffects::Resource::Base<StateResource> {
  llvm::StringRef getName() final { return "attn.state"; }
};

/// True for an op that may stand in an element, score or mask region: scalar
/// arithmetic that the interpreter and every back end implement, and
/// attn.lookup.
bool isRegionScalarOp(mlir::Operation *op);

} // namespace attnc::attn

#include "dialects/attn/AttnDialect.h.inc"
#include "dialects/attn/AttnEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/attn/AttnAttributes.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/attn/AttnInterfaces.h.inc"
#include "dialects/attn/AttnTypes.h.inc"
#define GET_OP_CLASSES
#include "dialects/attn/AttnOps.h.inc"

#endif // ATTNC_DIALECTS_ATTN_ATTN_H
