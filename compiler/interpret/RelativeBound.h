//===- RelativeBound.h - how far an output may be off -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of Verify.h's tolerances that follows from an entry's ops alone.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_RELATIVEBOUND_H
#define ATTNC_COMPILER_INTERPRET_RELATIVEBOUND_H

#include "compiler/interpret/NarrowProducts.h"
#include "dialects/attn/Attn.h"

namespace attnc::interpret {

/// u (8 + sqrt(K P)) of Verify.h and what narrow formats add to it, 4 E.
double getRelativeBound(attn::EntryOp entry, const NarrowFormats &formats);

} // namespace attnc::interpret

#endif // ATTNC_COMPILER_INTERPRET_RELATIVEBOUND_H
