//===- KernelVerifiers.cpp - the constraints of every op ----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per op; a check that implements constraint N of kernel.OP
// carries the label OP_cN, as does its negative test.
//
//===----------------------------------------------------------------------===//
#include "dialects/kernel/Kernel.h"

using namespace mlir;

namespace attnc::kernel {
LogicalResult VariantOp::verify() { return success(); }
LogicalResult FuncOp::verify() { return success(); }
LogicalResult ProgramOp::verify() { return success(); }
LogicalResult WeightOp::verifySymbolUses(SymbolTableCollection &) { return success(); }
LogicalResult ConstantOp::verify() {
  if (getValue().getShapedType() != kernel::getTensorType(getResult().getType())) // constant_c1
    return emitOpError() << "result " << getResult().getType() << " differs from the value's type " << getValue().getShapedType();
  return success();
}
LogicalResult ViewOp::verify() { return success(); }
LogicalResult DispatchOp::verifySymbolUses(SymbolTableCollection &) { return success(); }
} // namespace attnc::kernel
