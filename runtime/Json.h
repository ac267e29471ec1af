//===- Json.h - strict reading of JSON, in place ----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A pull reader for JSON text in memory (RFC 8259, nothing more: no comments,
// no trailing commas, valid UTF-8, paired surrogates). It allocates nothing and
// copies nothing: strings are slices of the text. Hostile text is safe: nesting
// is bounded, every loop moves forward, numbers are checked for overflow.
//
// The reader stands in front of a value. Read it with the call of the type that
// you expect, or pass over it with skip(). The first mismatch or syntax error
// is kept (error(), offset()) and every later call returns false, so that
// checking failed() once at the end is enough:
//
//   JsonReader reader(text, size);
//   JsonString key;
//   if (reader.enterObject())
//     while (reader.nextMember(key)) {
//       if (key == "shape") {
//         if (reader.enterArray())
//           while (reader.nextElement())
//             reader.readUnsigned(dimension);
//       } else {
//         reader.skip();
//       }
//     }
//   if (!reader.finish())
//     report(reader.error(), reader.offset());
//
// enterObject and nextMember (enterArray and nextElement) go together: the
// loop must run until it returns false, and each turn must consume its value.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_JSON_H
#define ATTN_RUNTIME_JSON_H

#include <stddef.h>
#include <stdint.h>

namespace attnrt {

/// A string as it stands between its quotes. Checked: escapes are well formed
/// and the bytes are UTF-8, so decoding cannot fail.
struct JsonString {
  const char *text = nullptr; ///< after the opening quote
  size_t size = 0;            ///< bytes up to the closing quote
  bool escaped = false;       ///< holds a backslash

  /// Compares the decoded string with `size` bytes (which may hold NULs).
  bool equals(const char *other, size_t otherSize) const;
  bool operator==(const char *literal) const;
  bool operator!=(const char *literal) const { return !(*this == literal); }
  /// Compares two strings, both decoded.
  bool operator==(const JsonString &other) const;

  /// Writes the decoded string, at most `size` bytes, without a NUL, and
  /// returns how many.
  size_t decode(char *out) const;
};

enum class JsonKind : uint8_t {
  Null,
  Boolean,
  Number,
  String,
  Array,
  Object,
  Invalid ///< no value starts here, or the reader has failed
};

class JsonReader {
public:
  /// `text` must outlive the reader and the strings read from it.
  JsonReader(const char *text, size_t size);

  /// What stands next, without consuming it.
  JsonKind peek();

  bool enterObject();
  /// Reads the next key and stops in front of its value; false at the end of
  /// the object (then consumed) or on an error.
  bool nextMember(JsonString &key);
  bool enterArray();
  /// Stops in front of the next element; false at the end (consumed) or on an
  /// error.
  bool nextElement();

  bool readString(JsonString &value);
  bool readBoolean(bool &value);
  bool readNull();
  /// An integer in 0 .. 2^64-1, written without sign, fraction or exponent.
  bool readUnsigned(uint64_t &value);
  /// Any number, as its text ("-1.5e3"): for those beyond the above.
  bool readNumber(const char *&text, size_t &size);
  /// Passes over one value of any type, checking it all the same.
  bool skip();

  /// True if everything went well and only white space is left.
  bool finish();

  bool failed() const { return message != nullptr; }
  /// What was wrong, in static storage; nullptr without an error.
  const char *error() const { return message; }
  /// Bytes from the start to where the reader stands, or stood as it failed.
  size_t offset() const { return static_cast<size_t>(position - begin); }
  /// Lets the caller fail a reading on its own terms (a value out of range).
  /// `why` must be in static storage. Returns false.
  bool fail(const char *why);

  /// Deepest nesting accepted.
  static constexpr uint32_t maximumDepth = 64;

private:
  bool expect(JsonKind kind);
  bool enter(JsonKind kind);
  bool next(bool isObject);
  bool scanString(JsonString &value);
  bool scanNumber();
  bool scanLiteral(const char *literal, size_t size);
  void skipSpace();

  const char *begin;
  const char *position;
  const char *end;
  const char *message = nullptr;
  uint64_t objects = 0; ///< bit d: the container at depth d is an object
  uint32_t depth = 0;
  bool fresh = false; ///< the innermost container has had no element yet
};

} // namespace attnrt

#endif // ATTN_RUNTIME_JSON_H
