//===- Config.cpp - the fields of a JSON configuration --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A field that is missing where it must stand is an error, never a default that
// the file's author may not have meant; null counts as missing.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Config.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;

namespace attnc {

void ConfigReader::report(StringRef key, const Twine &what, const Twine &todo,
                          StringRef code) {
  bad = true;
  (void)reportError(context, code,
                    file.path + ": field " + quote(key) + " " + what, todo);
}

const json::Value *ConfigReader::find(StringRef key, bool required) {
  known.insert(key);
  const json::Value *value = file.fields.get(key);
  if (value && value->kind() != json::Value::Null)
    return value;
  if (required)
    report(key, "is missing",
           "add it with the value that the model was trained with", "A0104");
  return nullptr;
}

void ConfigReader::reportType(StringRef key, const json::Value &value,
                              StringRef expected) {
  report(key, "is " + describeKind(value) + "; expected " + expected,
         "correct the file", "A0105");
}

int64_t ConfigReader::getInteger(StringRef key, int64_t minimum,
                                 int64_t maximum,
                                 std::optional<int64_t> otherwise) {
  // What is returned after an error is only ever used to find more errors.
  int64_t fallback = otherwise.value_or(minimum);
  const json::Value *value = find(key, !otherwise);
  if (!value)
    return fallback;
  std::optional<double> number = value->getAsNumber();
  if (!number) {
    reportType(key, *value, "a whole number");
    return fallback;
  }
  std::optional<int64_t> integer = value->getAsInteger();
  if (!integer && *number != std::trunc(*number)) {
    report(key, formatv("is {0}; expected a whole number", *number).str(),
           "correct the file", "A0105");
    return fallback;
  }
  if (!integer || *integer < minimum || *integer > maximum) {
    std::string shown =
        integer ? std::to_string(*integer) : formatv("{0:e}", *number).str();
    report(key,
           "is " + shown + "; expected " + Twine(minimum) + " to " +
               Twine(maximum),
           "correct the file", "A0106");
    return fallback;
  }
  return *integer;
}

double ConfigReader::getNumber(StringRef key, double minimum, double maximum,
                               std::optional<double> otherwise) {
  double fallback = otherwise.value_or(minimum);
  const json::Value *value = find(key, !otherwise);
  if (!value)
    return fallback;
  std::optional<double> number = value->getAsNumber();
  if (!number) {
    reportType(key, *value, "a number");
    return fallback;
  }
  if (!(*number >= minimum && *number <= maximum)) {
    report(key,
           formatv("is {0:e}; expected {1} to {2}", *number, minimum, maximum)
               .str(),
           "correct the file", "A0106");
    return fallback;
  }
  return *number;
}

bool ConfigReader::getBool(StringRef key, std::optional<bool> otherwise) {
  const json::Value *value = find(key, !otherwise);
  if (!value)
    return otherwise.value_or(false);
  std::optional<bool> flag = value->getAsBoolean();
  if (!flag)
    reportType(key, *value, "true or false");
  return flag.value_or(otherwise.value_or(false));
}

std::string
ConfigReader::getString(StringRef key,
                        const std::optional<std::string> &otherwise) {
  const json::Value *value = find(key, !otherwise);
  if (!value)
    return otherwise.value_or("");
  std::optional<StringRef> text = value->getAsString();
  if (!text)
    reportType(key, *value, "a string");
  return text.value_or(otherwise.value_or("")).str();
}

std::vector<double> ConfigReader::getNumbers(StringRef key) {
  std::vector<double> numbers;
  const json::Value *value = find(key, /*required=*/false);
  if (!value)
    return numbers;
  const json::Array *array = value->getAsArray();
  if (!array) {
    reportType(key, *value, "an array of numbers");
    return numbers;
  }
  for (const json::Value &element : *array) {
    if (std::optional<double> number = element.getAsNumber())
      numbers.push_back(*number);
    else
      reportType(key, element, "numbers in the array");
  }
  return numbers;
}

std::vector<std::string> ConfigReader::getStrings(StringRef key) {
  std::vector<std::string> strings;
  const json::Value *value = find(key, /*required=*/false);
  if (!value)
    return strings;
  const json::Array *array = value->getAsArray();
  if (!array) {
    reportType(key, *value, "an array of strings");
    return strings;
  }
  for (const json::Value &element : *array) {
    if (std::optional<StringRef> text = element.getAsString())
      strings.push_back(text->str());
    else
      reportType(key, element, "strings in the array");
  }
  return strings;
}

std::vector<std::string> ConfigReader::getWords(StringRef key) {
  const json::Value *value = find(key, /*required=*/false);
  std::optional<StringRef> text = value ? value->getAsString() : std::nullopt;
  if (!text)
    return getStrings(key);
  std::vector<std::string> words;
  for (StringRef word : split(*text, '|'))
    words.push_back(word.trim().lower());
  return words;
}

std::vector<int64_t> ConfigReader::getIntegers(StringRef key, unsigned count,
                                               int64_t minimum,
                                               int64_t maximum) {
  const json::Value *value = find(key, /*required=*/true);
  const json::Array *array = value ? value->getAsArray() : nullptr;
  if (!array)
    return std::vector<int64_t>(count, getInteger(key, minimum, maximum));
  std::vector<int64_t> numbers;
  for (const json::Value &element : *array) {
    std::optional<int64_t> number = element.getAsInteger();
    if (number && *number >= minimum && *number <= maximum)
      numbers.push_back(*number);
  }
  if (numbers.size() == count && array->size() == count)
    return numbers;
  report(key,
         "is an array; expected " + Twine(count) + " whole numbers from " +
             Twine(minimum) + " to " + Twine(maximum),
         "correct the file", "A0106");
  return std::vector<int64_t>(count, minimum);
}

std::optional<ConfigFile> ConfigReader::getObject(StringRef key) {
  const json::Value *value = find(key, /*required=*/false);
  if (!value)
    return std::nullopt;
  if (const json::Object *object = value->getAsObject())
    return ConfigFile{file.path + ": " + key.str(), *object};
  reportType(key, *value, "an object");
  return std::nullopt;
}

void ConfigReader::refuseIfSet(StringRef key, StringRef what) {
  const json::Value *value = find(key, /*required=*/false);
  if (!value)
    return;
  if (value->getAsBoolean() == false)
    return;
  if (const json::Array *array = value->getAsArray(); array && array->empty())
    return;
  if (const json::Object *object = value->getAsObject();
      object && object->empty())
    return;
  report(key, "asks for " + what + ", which is not implemented",
         "give a model without it");
}

void ConfigReader::ignore(ArrayRef<StringLiteral> keys) {
  for (StringLiteral key : keys)
    known.insert(key);
}

LogicalResult ConfigReader::finish() {
  SmallVector<StringRef> unknown;
  for (const auto &[key, value] : file.fields)
    if (!known.contains(key) && value.kind() != json::Value::Null)
      unknown.push_back(key);
  llvm::sort(unknown);
  for (StringRef key : unknown)
    report(key, "is not known, so its effect on the result is not either",
           "remove the field if it does not change what the model computes",
           "A0108");
  return success(!bad);
}

} // namespace attnc
