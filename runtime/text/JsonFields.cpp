//===- JsonFields.cpp - the members of an object, by name -----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See JsonFields.h. A field's variable is set only where its value is read.
//
//===----------------------------------------------------------------------===//
#include "TokenizerReading.h"

namespace attnrt {

attn_status malformed(const char *file, const JsonReader &reader) {
  return fail(ATTN_ERROR_WEIGHTS, "%s, byte %zu: %s", file, reader.offset(),
              reader.error());
}

attn_status missing(const char *file, const char *part, const char *field) {
  return fail(ATTN_ERROR_WEIGHTS, "%s: the %s has no \"%s\"", file, part,
              field);
}

void readChoice(JsonReader &reader, Choice &choice) {
  bool value;
  if (reader.peek() == JsonKind::Null) {
    choice = Choice::Unsaid;
    reader.readNull();
  } else if (reader.readBoolean(value)) {
    choice = value ? Choice::Yes : Choice::No;
  }
}

bool readId(JsonReader &reader, int32_t &id) {
  uint64_t value;
  if (!reader.readUnsigned(value))
    return false;
  if (value > INT32_MAX)
    return reader.fail("an id above 2147483647");
  id = static_cast<int32_t>(value);
  return true;
}

class JsonFieldReader {
public:
  /// Bit i of the result: field i was there. At most 32 fields.
  static uint32_t read(JsonReader &reader,
                       std::initializer_list<JsonField> fields) {
    uint32_t found = 0;
    JsonString key;
    if (reader.enterObject())
      while (reader.nextMember(key)) {
        const JsonField *field = fields.begin();
        while (field != fields.end() && key != field->name)
          ++field;
        if (field == fields.end())
          reader.skip();
        else if (readValue(reader, *field))
          found |= 1u << (field - fields.begin());
      }
    return found;
  }

  /// The first field that should have been there; nullptr: none.
  static const char *firstMissing(uint32_t found,
                                  std::initializer_list<JsonField> fields) {
    for (const JsonField &field : fields) {
      if (field.isRequired && !(found & 1))
        return field.name;
      found >>= 1;
    }
    return nullptr;
  }

private:
  using Type = JsonField::Type;

  /// True if there was a value.
  static bool readValue(JsonReader &reader, const JsonField &field) {
    bool isNull = reader.peek() == JsonKind::Null;
    switch (field.type) {
    case Type::Choice:
      readChoice(reader, *static_cast<Choice *>(field.into));
      return !isNull;
    case Type::Section:
      static_cast<JsonSection *>(field.into)->take(reader);
      return !isNull;
    case Type::Token:
      *static_cast<AddedTokenEntry *>(field.into) = AddedTokenEntry();
      break;
    default:
      break;
    }
    if (isNull) {
      reader.readNull();
      return false;
    }
    switch (field.type) {
    case Type::Boolean:
      return reader.readBoolean(*static_cast<bool *>(field.into));
    case Type::String:
      return reader.readString(*static_cast<JsonString *>(field.into));
    case Type::Id:
      return readId(reader, *static_cast<int32_t *>(field.into));
    case Type::Unsigned:
      return reader.readUnsigned(*static_cast<uint64_t *>(field.into));
    default:
      readSpecialToken(reader, *static_cast<AddedTokenEntry *>(field.into));
      return true;
    }
  }
};

bool readMembers(JsonReader &reader, std::initializer_list<JsonField> fields) {
  JsonFieldReader::read(reader, fields);
  return !reader.failed();
}

attn_status readFields(const char *file, const char *part, JsonReader reader,
                       std::initializer_list<JsonField> fields) {
  uint32_t found = JsonFieldReader::read(reader, fields);
  if (reader.failed())
    return malformed(file, reader);
  if (const char *name = JsonFieldReader::firstMissing(found, fields))
    return missing(file, part, name);
  return ATTN_OK;
}

} // namespace attnrt
