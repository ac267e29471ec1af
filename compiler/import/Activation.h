//===- Activation.h - activation functions by name --------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The activation functions that HuggingFace configurations name, as scalar
// operations of an element region.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_ACTIVATION_H
#define ATTNC_COMPILER_IMPORT_ACTIVATION_H

#include "mlir/IR/Builders.h"

namespace attnc {

/// A function of one f32, built at the builder's insertion point.
using Activation = mlir::Value (*)(mlir::OpBuilder &builder, mlir::Location loc,
                                   mlir::Value x);

/// By the name that `hidden_act` gives; null if it is not known.
Activation findActivation(llvm::StringRef name);

/// The known names, for messages.
std::string listActivations();

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_ACTIVATION_H
