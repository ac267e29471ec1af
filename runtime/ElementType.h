//===- ElementType.h - what an element of a tensor is -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The types that a library's tables name, as safetensors spells them.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_ELEMENTTYPE_H
#define ATTN_RUNTIME_ELEMENTTYPE_H

#include "attn/attn.h"

namespace attnrt {

struct ElementType {
  const char *spelling;
  int64_t bytes;
};

/// `dtype` is from a library's own tables, which this runtime was linked with.
inline const ElementType &elementType(attn_dtype dtype) {
  static const ElementType types[] = {{"F32", 4}, {"F16", 2}, {"BF16", 2},
                                      {"I8", 1},  {"U8", 1},  {"I32", 4},
                                      {"I64", 8}, {"BOOL", 1}};
  static_assert(ATTN_F32 == 0 &&
                    ATTN_BOOL + 1 == sizeof(types) / sizeof(*types),
                "one for each attn_dtype, in its order");
  return types[dtype];
}

} // namespace attnrt

#endif // ATTN_RUNTIME_ELEMENTTYPE_H
