//===- Warp.h - the warp dialect in C++ -------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Ops, types and attributes of the warp dialect.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_DIALECTS_WARP_WARP_H
#define ATTNC_DIALECTS_WARP_WARP_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/warp/WarpDialect.h.inc"
#include "dialects/warp/WarpEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/warp/WarpAttributes.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/warp/WarpTypes.h.inc"
#define GET_OP_CLASSES
#include "dialects/warp/WarpOps.h.inc"

namespace attnc::warp {
/// The allocation behind a tile: `warp.alloc`, directly or through
/// `warp.stage`. Null for anything else.
AllocOp getAlloc(mlir::Value tile);
} // namespace attnc::warp

#endif // ATTNC_DIALECTS_WARP_WARP_H
