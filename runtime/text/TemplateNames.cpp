//===- TemplateNames.cpp - what a chat template may name ------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The lists that ChatTemplate.h gives; TemplateFunctions.cpp says what they do.
//
//===----------------------------------------------------------------------===//
#include "TemplateTree.h"

namespace attnrt {

template <size_t Count>
static bool contains(const char *const (&names)[Count], Slice name) {
  for (const char *known : names)
    if (name == known)
      return true;
  return false;
}

bool isKnownFilter(Slice name) {
  static const char *const names[] = {
      "trim",   "length",  "upper",   "lower", "title",      "capitalize",
      "count",  "replace", "join",    "first", "last",       "list",
      "string", "int",     "default", "d",     "items",      "tojson",
      "safe",   "select",  "reject",  "map",   "selectattr", "rejectattr"};
  return contains(names, name);
}

bool isKnownTest(Slice name) {
  static const char *const names[] = {
      "defined",  "undefined", "none",    "string",  "mapping", "iterable",
      "sequence", "number",    "boolean", "true",    "false",   "odd",
      "even",     "equalto",   "eq",      "integer", "ne",      "in"};
  return contains(names, name);
}

bool isKnownMethod(Slice name) {
  static const char *const names[] = {
      "strip", "lstrip", "rstrip", "split",      "startswith", "endswith",
      "upper", "lower",  "title",  "capitalize", "replace",    "join",
      "get",   "items",  "keys",   "values"};
  return contains(names, name);
}

bool isKnownFunction(Slice name) {
  static const char *const names[] = {"raise_exception", "strftime_now",
                                      "range", "namespace"};
  return contains(names, name);
}

} // namespace attnrt
