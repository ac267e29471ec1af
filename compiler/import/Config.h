//===- Config.h - the fields of a JSON configuration ------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads fields with their types and bounds. Every problem becomes a diagnostic
// that names the file, the field and the value; reading goes on, so that one
// run shows all of them. At the end every field of the file must have been read
// or be known as harmless.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_IMPORT_CONFIG_H
#define ATTNC_COMPILER_IMPORT_CONFIG_H

#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/JSON.h"
#include <optional>

namespace attnc {

/// A configuration file in memory.
struct ConfigFile {
  std::string path; ///< for messages
  llvm::json::Object fields;
};

class ConfigReader {
public:
  ConfigReader(mlir::MLIRContext *context, const ConfigFile &file)
      : context(context), file(file) {}

  /// A whole number within bounds. Without `otherwise` the field must be there.
  int64_t getInteger(llvm::StringRef key, int64_t minimum, int64_t maximum,
                     std::optional<int64_t> otherwise = std::nullopt);
  /// Whether the field is there, if only as null.
  bool isGiven(llvm::StringRef key) const { return file.fields.get(key); }
  double getNumber(llvm::StringRef key, double minimum, double maximum,
                   std::optional<double> otherwise = std::nullopt);
  bool getBool(llvm::StringRef key,
               std::optional<bool> otherwise = std::nullopt);
  std::string getString(llvm::StringRef key,
                        const std::optional<std::string> &otherwise = {});
  /// Strings of an array; empty if the field is absent or null.
  std::vector<std::string> getStrings(llvm::StringRef key);
  /// Numbers of an array; empty if the field is absent or null.
  std::vector<double> getNumbers(llvm::StringRef key);
  /// A whole number within bounds, or an array of `count` of them; a single
  /// number stands for all.
  std::vector<int64_t> getIntegers(llvm::StringRef key, unsigned count,
                                   int64_t minimum, int64_t maximum);
  /// The fields of an object; none if the field is absent or null.
  std::optional<ConfigFile> getObject(llvm::StringRef key);

  /// Words of a string "a|b", in lower case, or strings of an array.
  std::vector<std::string> getWords(llvm::StringRef key);

  /// Refuses a field that is true, a non-empty array or a non-empty object:
  /// `what` says what it would ask for.
  void refuseIfSet(llvm::StringRef key, llvm::StringRef what);
  /// Marks fields that do not change the result.
  void ignore(llvm::ArrayRef<llvm::StringLiteral> keys);
  /// Marks those that no model gives a meaning: training, text generation,
  /// bookkeeping. (HarmlessFields.cpp)
  void ignoreHarmless();

  /// Reports a problem of a field's value (code A0109 unless given).
  void report(llvm::StringRef key, const llvm::Twine &what,
              const llvm::Twine &todo, llvm::StringRef code = "A0109");

  /// Refuses every field that was not asked for, then says whether all went
  /// well. A field that is null is not set.
  llvm::LogicalResult finish();
  bool failed() const { return bad; }
  /// Counts the problems of another reader, of an inner object, as its own.
  void adopt(llvm::LogicalResult inner) { bad |= llvm::failed(inner); }
  llvm::StringRef getPath() const { return file.path; }
  mlir::MLIRContext *getContext() const { return context; }

private:
  const llvm::json::Value *find(llvm::StringRef key, bool required);
  void reportType(llvm::StringRef key, const llvm::json::Value &value,
                  llvm::StringRef expected);

  mlir::MLIRContext *context;
  const ConfigFile &file;
  llvm::StringSet<> known;
  bool bad = false;
};

} // namespace attnc

#endif // ATTNC_COMPILER_IMPORT_CONFIG_H
