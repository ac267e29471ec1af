//===- SizeExpr.h - expressions over named sizes -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A SizeExpr is a sum of products of size names and a number, such as
// `batch * seq + 1`, in one canonical form: terms sorted, like terms merged.
// Every dimension, slot size and header formula of the compiler is one.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_DIALECTS_ATTN_SIZEEXPR_H
#define ATTNC_DIALECTS_ATTN_SIZEEXPR_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace attnc {

class SizeExpr {
public:
  /// A product of names, sorted; the empty product is 1.
  using Product = std::vector<std::string>;

  SizeExpr() = default;
  SizeExpr(int64_t number);
  static SizeExpr name(llvm::StringRef name);

  /// Parses `term + term`, term = factor * factor, factor = number or name.
  /// Returns nothing on a syntax error.
  static std::optional<SizeExpr> parse(llvm::StringRef text);

  /// Canonical text, which parse() reads back.
  std::string str() const;

  bool isNumber() const;
  /// The value of a number expression.
  int64_t number() const;
  /// The single name that this is, or an empty string.
  llvm::StringRef asName() const;

  SizeExpr operator+(const SizeExpr &other) const;
  SizeExpr operator*(const SizeExpr &other) const;
  bool operator==(const SizeExpr &other) const { return terms == other.terms; }
  bool operator!=(const SizeExpr &other) const { return terms != other.terms; }

  /// The value when every name has the value that `lookup` gives.
  int64_t evaluate(llvm::function_ref<int64_t(llvm::StringRef)> lookup) const;
  /// Replaces names; `lookup` returns nothing for names that stay.
  SizeExpr substitute(
      llvm::function_ref<std::optional<SizeExpr>(llvm::StringRef)> lookup)
      const;
  /// The names used, sorted, each once.
  std::vector<std::string> names() const;
  /// Coefficients by product, in canonical order; zero coefficients are absent.
  const std::map<Product, int64_t> &getTerms() const { return terms; }

private:
  std::map<Product, int64_t> terms;
};

} // namespace attnc

#endif // ATTNC_DIALECTS_ATTN_SIZEEXPR_H
