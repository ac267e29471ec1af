//===- SizeExpr.cpp - expressions over named sizes ------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Canonical arithmetic on sums of products; see SizeExpr.h. Numbers that leave
// 64 bits stop at the largest (or lowest): a text may hold any.
//
//===----------------------------------------------------------------------===//
#include "dialects/attn/SizeExpr.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cassert>
#include <limits>
#include <set>

using namespace llvm;

namespace attnc {

static int64_t getLimit(bool isNegative) {
  return isNegative ? std::numeric_limits<int64_t>::min()
                    : std::numeric_limits<int64_t>::max();
}

static int64_t add(int64_t a, int64_t b) {
  int64_t sum;
  return AddOverflow(a, b, sum) ? getLimit(a < 0) : sum;
}

static int64_t multiply(int64_t a, int64_t b) {
  int64_t product;
  return MulOverflow(a, b, product) ? getLimit((a < 0) != (b < 0)) : product;
}

SizeExpr::SizeExpr(int64_t number) {
  if (number != 0)
    terms[{}] = number;
}

SizeExpr SizeExpr::name(StringRef name) {
  assert(!name.empty() && "a size has a name");
  SizeExpr expr;
  expr.terms[{name.str()}] = 1;
  return expr;
}

static bool isSizeName(StringRef text) {
  return !text.empty() && !isDigit(text.front()) &&
         all_of(text, [](char c) { return isAlnum(c) || c == '_'; });
}

std::optional<SizeExpr> SizeExpr::parse(StringRef text) {
  SizeExpr sum;
  SmallVector<StringRef> terms;
  text.split(terms, '+');
  for (StringRef term : terms) {
    SizeExpr product(1);
    SmallVector<StringRef> factors;
    term.split(factors, '*');
    for (StringRef factor : factors) {
      factor = factor.trim();
      int64_t number;
      if (isSizeName(factor))
        product = product * SizeExpr::name(factor);
      else if (!factor.getAsInteger(10, number) && number >= 0)
        product = product * SizeExpr(number);
      else
        return std::nullopt;
    }
    sum = sum + product;
  }
  return sum;
}

std::string SizeExpr::str() const {
  if (terms.empty())
    return "0";
  std::vector<std::string> parts;
  // Names before the number: "batch + 1" reads better than "1 + batch".
  for (const auto &[product, coefficient] : terms) {
    if (product.empty())
      continue;
    std::string names = join(product, " * ");
    parts.push_back(
        coefficient == 1 ? names : std::to_string(coefficient) + " * " + names);
  }
  if (auto constant = terms.find({}); constant != terms.end())
    parts.push_back(std::to_string(constant->second));
  return join(parts, " + ");
}

bool SizeExpr::isNumber() const {
  return terms.empty() || (terms.size() == 1 && terms.begin()->first.empty());
}

int64_t SizeExpr::number() const {
  assert(isNumber() && "not a number");
  return terms.empty() ? 0 : terms.begin()->second;
}

StringRef SizeExpr::asName() const {
  if (terms.size() != 1 || terms.begin()->second != 1 ||
      terms.begin()->first.size() != 1)
    return "";
  return terms.begin()->first.front();
}

SizeExpr SizeExpr::operator+(const SizeExpr &other) const {
  SizeExpr sum = *this;
  for (const auto &[product, coefficient] : other.terms) {
    int64_t &term = sum.terms[product];
    term = add(term, coefficient);
    if (term == 0)
      sum.terms.erase(product);
  }
  return sum;
}

SizeExpr SizeExpr::operator*(const SizeExpr &other) const {
  SizeExpr result;
  for (const auto &[left, leftCoefficient] : terms)
    for (const auto &[right, rightCoefficient] : other.terms) {
      Product product = left;
      product.insert(product.end(), right.begin(), right.end());
      llvm::sort(product);
      int64_t &term = result.terms[product];
      term = add(term, multiply(leftCoefficient, rightCoefficient));
      if (term == 0)
        result.terms.erase(product);
    }
  return result;
}

int64_t SizeExpr::evaluate(function_ref<int64_t(StringRef)> lookup) const {
  int64_t sum = 0;
  for (const auto &[product, coefficient] : terms) {
    int64_t value = coefficient;
    for (const std::string &name : product)
      value = multiply(value, lookup(name));
    sum = add(sum, value);
  }
  return sum;
}

SizeExpr SizeExpr::substitute(
    function_ref<std::optional<SizeExpr>(StringRef)> lookup) const {
  SizeExpr result;
  for (const auto &[product, coefficient] : terms) {
    SizeExpr term(coefficient);
    for (const std::string &name : product) {
      std::optional<SizeExpr> replacement = lookup(name);
      term = term * (replacement ? *replacement : SizeExpr::name(name));
    }
    result = result + term;
  }
  return result;
}

std::vector<std::string> SizeExpr::names() const {
  std::set<std::string> names;
  for (const auto &entry : terms)
    names.insert(entry.first.begin(), entry.first.end());
  return {names.begin(), names.end()};
}

} // namespace attnc
