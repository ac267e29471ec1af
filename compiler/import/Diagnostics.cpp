//===- Diagnostics.cpp - how import says what is wrong --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Messages name files in their text, because a folder has no lines to point at;
// the diagnostics' location is therefore unknown.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"
#include "mlir/IR/Location.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace attnc {

static constexpr StringLiteral kNote = "\nnote: ";

static void attachNote(mlir::InFlightDiagnostic &diagnostic,
                       const Twine &todo) {
  if (!todo.isTriviallyEmpty())
    diagnostic.attachNote() << todo;
}

LogicalResult reportError(mlir::MLIRContext *context, StringRef code,
                          const Twine &what, const Twine &todo) {
  mlir::InFlightDiagnostic diagnostic =
      mlir::emitError(mlir::UnknownLoc::get(context))
      << "error[" << code << "]: " << what;
  attachNote(diagnostic, todo);
  return diagnostic;
}

LogicalResult reportError(mlir::MLIRContext *context, Error error) {
  std::string text = toString(std::move(error));
  auto [what, todo] = StringRef(text).split(kNote);
  mlir::InFlightDiagnostic diagnostic =
      mlir::emitError(mlir::UnknownLoc::get(context)) << what;
  attachNote(diagnostic, todo);
  return diagnostic;
}

void reportWarning(mlir::MLIRContext *context, StringRef code,
                   const Twine &what, const Twine &todo) {
  mlir::InFlightDiagnostic diagnostic =
      mlir::emitWarning(mlir::UnknownLoc::get(context))
      << "warning[" << code << "]: " << what;
  attachNote(diagnostic, todo);
}

Error makeError(StringRef code, const Twine &what, const Twine &todo) {
  return createStringError("error[" + code + "]: " + what + kNote + todo);
}

std::string listNames(ArrayRef<StringRef> names, size_t most) {
  std::string text;
  raw_string_ostream stream(text);
  interleaveComma(names.take_front(most), stream,
                  [&](StringRef name) { stream << quote(name); });
  if (names.size() > most)
    stream << " and " << names.size() - most << " more";
  return text;
}

std::string formatShape(ArrayRef<int64_t> shape) {
  std::string text = "[";
  raw_string_ostream stream(text);
  interleaveComma(shape, stream);
  stream << "]";
  return text;
}

} // namespace attnc
