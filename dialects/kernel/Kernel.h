//===- Kernel.h - the kernel dialect in C++ ---------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Ops, types and attributes of the kernel dialect.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_DIALECTS_KERNEL_KERNEL_H
#define ATTNC_DIALECTS_KERNEL_KERNEL_H

#include "dialects/attn/Attn.h"

namespace attnc::kernel {
/// The tensor type of a value in either form.
mlir::RankedTensorType getTensorType(mlir::Type type);

/// Fails unless every tensor of an op, also behind references, names its
/// dynamic dimensions.
llvm::LogicalResult verifyNamedShapes(mlir::Operation *op);

/// Trait of every op of the dialect.
template <typename ConcreteType>
class NamedShapes : public mlir::OpTrait::TraitBase<ConcreteType, NamedShapes> {
public:
  static llvm::LogicalResult verifyTrait(mlir::Operation *op) {
    return verifyNamedShapes(op);
  }
};
} // namespace attnc::kernel

#include "dialects/kernel/KernelDialect.h.inc"
#include "dialects/kernel/KernelEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/kernel/KernelAttributes.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/kernel/KernelTypes.h.inc"
#define GET_OP_CLASSES
#include "dialects/kernel/KernelOps.h.inc"

#endif // ATTNC_DIALECTS_KERNEL_KERNEL_H
