//===- EntryStorage.h - what callers' memory holds --------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An input or output of an entry is f32 where the program computes;
// `attn.storage = bf16` or `f16` says that the caller's memory holds it so.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_DIALECTS_ATTN_ENTRYSTORAGE_H
#define ATTNC_DIALECTS_ATTN_ENTRYSTORAGE_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/APFloat.h"

namespace attnc::attn {

inline constexpr llvm::StringLiteral kStorageAttr = "attn.storage";

/// The type that the attributes of an input or output name; null: its own.
inline mlir::Type getEntryStorage(mlir::DictionaryAttr attrs) {
  auto storage =
      attrs ? attrs.getAs<mlir::TypeAttr>(kStorageAttr) : mlir::TypeAttr();
  return storage ? storage.getValue() : mlir::Type();
}

/// The bits of the nearest number of a format of 16 bits.
inline uint16_t toStorage(float value, const llvm::fltSemantics &format) {
  llvm::APFloat number(value);
  bool isInexact;
  number.convert(format, llvm::APFloat::rmNearestTiesToEven, &isInexact);
  return number.bitcastToAPInt().getZExtValue();
}

inline float fromStorage(uint16_t bits, const llvm::fltSemantics &format) {
  llvm::APFloat number(format, llvm::APInt(16, bits));
  bool isInexact;
  number.convert(llvm::APFloat::IEEEsingle(),
                 llvm::APFloat::rmNearestTiesToEven, &isInexact);
  return number.convertToFloat();
}

} // namespace attnc::attn

#endif // ATTNC_DIALECTS_ATTN_ENTRYSTORAGE_H
