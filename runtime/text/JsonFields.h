//===- JsonFields.h - the members of an object, by name ---------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How the readers of a tokenizer's files take objects apart: a list of fields,
// each with the variable that it fills. Members that the list does not name are
// passed over; null is the same as absent; what stands twice counts as it
// stands last, as in `tokenizers`.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_TEXT_JSONFIELDS_H
#define ATTN_RUNTIME_TEXT_JSONFIELDS_H

#include "Errors.h"
#include "Json.h"

#include <initializer_list>

namespace attnrt {

struct AddedTokenEntry;

/// A value inside a JSON file, to be read (again) later.
struct JsonSection {
  bool present = false;
  JsonReader reader{nullptr, 0};

  /// Notes where `from` stands and passes over the value.
  void take(JsonReader &from) {
    present = from.peek() != JsonKind::Null;
    reader = from;
    from.skip();
  }
};

enum class Choice : uint8_t { Unsaid, No, Yes };

class JsonField {
public:
  static constexpr bool required = true;

  JsonField(const char *name, bool &into, bool isRequired = false)
      : name(name), type(Type::Boolean), isRequired(isRequired), into(&into) {}
  JsonField(const char *name, Choice &into)
      : name(name), type(Type::Choice), into(&into) {}
  JsonField(const char *name, JsonString &into, bool isRequired = false)
      : name(name), type(Type::String), isRequired(isRequired), into(&into) {}
  /// An id: an integer from 0 to 2^31-1.
  JsonField(const char *name, int32_t &into, bool isRequired = false)
      : name(name), type(Type::Id), isRequired(isRequired), into(&into) {}
  JsonField(const char *name, uint64_t &into, bool isRequired = false)
      : name(name), type(Type::Unsigned), isRequired(isRequired), into(&into) {}
  JsonField(const char *name, JsonSection &into, bool isRequired = false)
      : name(name), type(Type::Section), isRequired(isRequired), into(&into) {}
  /// A special token: its text, or an object with its content.
  JsonField(const char *name, AddedTokenEntry &into)
      : name(name), type(Type::Token), into(&into) {}

private:
  friend class JsonFieldReader;
  enum class Type : uint8_t {
    Boolean,
    Choice,
    String,
    Id,
    Unsigned,
    Section,
    Token
  };
  const char *name;
  Type type;
  bool isRequired = false;
  void *into;
};

/// Reads the object that `reader` stands in front of, and consumes it. False if
/// that failed.
bool readMembers(JsonReader &reader, std::initializer_list<JsonField> fields);

/// The same where failing is an error of `file`: malformed(), or missing() for
/// the first required field of `part` that is not there.
attn_status readFields(const char *file, const char *part, JsonReader reader,
                       std::initializer_list<JsonField> fields);

/// Calls `read(element)` for the section of each element of an array; never if
/// the array is absent. Depth is bounded by the reader's, so `read` may come
/// back here.
template <typename Read>
attn_status readElements(const char *file, JsonSection section, Read read);

/// Reads true, false or null (Unsaid).
void readChoice(JsonReader &reader, Choice &choice);
/// Reads an integer from 0 to 2^31-1.
bool readId(JsonReader &reader, int32_t &id);

/// "FILE, byte 17: expected a string".
attn_status malformed(const char *file, const JsonReader &reader);
/// "FILE: the PART has no "FIELD"".
attn_status missing(const char *file, const char *part, const char *field);

/// At most 60 bytes of a string, for "%.*s".
inline int shown(const JsonString &string) {
  return static_cast<int>(string.size < 60 ? string.size : 60);
}

template <typename Read>
attn_status readElements(const char *file, JsonSection section, Read read) {
  JsonReader &reader = section.reader;
  if (!section.present)
    return ATTN_OK;
  if (reader.enterArray())
    while (reader.nextElement()) {
      JsonSection element;
      element.take(reader);
      if (reader.failed())
        break;
      if (attn_status status = read(element))
        return status;
    }
  return reader.failed() ? malformed(file, reader) : ATTN_OK;
}

} // namespace attnrt

#endif // ATTN_RUNTIME_TEXT_JSONFIELDS_H
