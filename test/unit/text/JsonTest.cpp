//===- JsonTest.cpp - the JSON reader -------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is read, what is refused and where, and what hostile text cannot do.
//
//===----------------------------------------------------------------------===//
#include "Json.h"

#include <gtest/gtest.h>
#include <string>

using namespace attnrt;

namespace {

/// Passes over the whole text; returns the error, or "" if it is valid.
std::string skipAll(const std::string &text) {
  JsonReader reader(text.data(), text.size());
  reader.skip();
  return reader.finish() ? "" : reader.error();
}

std::string decoded(const JsonString &string) {
  std::string bytes(string.size, '?');
  bytes.resize(string.decode(&bytes[0]));
  return bytes;
}

TEST(Json, AcceptsWhatIsValid) {
  for (const char *text :
       {"null", "true", " false ", "0", "-0", "10", "-1.5e+3", "1E9", "0.25",
        "\"\"", "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"", "[]", "{}", "[[],{}]",
        "\n\t\r [1 , 2,3 ]", "{\"a\":{\"b\":[null]},\"a\":1}",
        "\"\xC3\xA9\xF0\x9F\x98\x80\"", "\"\\ud83d\\ude00\""})
    EXPECT_EQ(skipAll(text), "") << text;
}

TEST(Json, RefusesWhatIsNot) {
  for (const char *text : {"",
                           " ",
                           "nul",
                           "True",
                           "truex",
                           "1 2",
                           "[1 2]",
                           "[1,]",
                           "[,1]",
                           "[,]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{,}",
                           "{a:1}",
                           "{1:2}",
                           "{\"a\" 1}",
                           "{\"a\",\"b\"}",
                           "[1}",
                           "{\"a\":1]",
                           "[",
                           "{",
                           "]",
                           "[[1]",
                           "{\"a\":[1}",
                           "01",
                           "-",
                           "+1",
                           ".5",
                           "1.",
                           "1e",
                           "1e+",
                           "0x10",
                           "NaN",
                           "-Infinity",
                           "\"",
                           "\"a",
                           "\"\\\"",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\\ud800\"",
                           "\"\\udc00\"",
                           "\"\\ud800x\"",
                           "\"\\ud800\\u0041\"",
                           "\"\n\"",
                           "\"\t\"",
                           "\"\xFF\"",
                           "\"\xC3\"",
                           "\"\xED\xA0\x80\"",
                           "'a'",
                           "[1]//",
                           "/**/1",
                           "[1,",
                           "{\"a\"",
                           "{\"a\" ",
                           "{\"\\x\":1}",
                           "trux",
                           "falze",
                           "nulx",
                           "\"a\\",
                           "\"\\u00/0\"",
                           "\"\\u00:0\"",
                           "\"\\u00@0\"",
                           "\"\\u00G0\"",
                           "\"\\u00`0\"",
                           "\"\\ud800xx1234\"",
                           "\"\\ud800\\n12345\"",
                           "\"\\ud800\\u12g4\""})
    EXPECT_NE(skipAll(text), "") << text;
  EXPECT_NE(skipAll(std::string("\"\0\"", 3)), "");
  EXPECT_NE(skipAll(std::string("1\0", 2)), "");
}

TEST(Json, SaysWhatAndWhere) {
  std::string text = "{\"a\": [1, 2 3]}";
  JsonReader reader(text.data(), text.size());
  EXPECT_FALSE(reader.skip());
  EXPECT_STREQ(reader.error(), "expected ',' or ']'");
  EXPECT_EQ(reader.offset(), 12u);
}

TEST(Json, ReadsStrings) {
  std::string text = "[\"plain\", \"\\u0041\\n\\ud83d\\ude00\\u00e9\\u20ac\"]";
  JsonReader reader(text.data(), text.size());
  JsonString plain, escaped;
  ASSERT_TRUE(reader.enterArray());
  ASSERT_TRUE(reader.nextElement() && reader.readString(plain));
  ASSERT_TRUE(reader.nextElement() && reader.readString(escaped));
  EXPECT_FALSE(reader.nextElement());
  EXPECT_TRUE(reader.finish());
  EXPECT_EQ(decoded(plain), "plain");
  EXPECT_EQ(decoded(escaped), "A\n\U0001F600\u00e9\u20ac");
  EXPECT_TRUE(plain == "plain");
  EXPECT_TRUE(plain != "plai");
  EXPECT_TRUE(plain != "plainx");
  EXPECT_TRUE(escaped == "A\n\U0001F600\u00e9\u20ac");
  EXPECT_TRUE(escaped != "A\n\U0001F600\u00e9");
  EXPECT_TRUE(escaped != "A\n\U0001F600\u00e9\u20acx");
  EXPECT_FALSE(plain == escaped);
  EXPECT_TRUE(escaped == escaped);
  std::string other = "\"\\u0070lain\"";
  JsonReader again(other.data(), other.size());
  JsonString spelled;
  ASSERT_TRUE(again.readString(spelled));
  EXPECT_TRUE(plain == spelled);
  EXPECT_TRUE(spelled == plain);
  EXPECT_FALSE(JsonString() == plain);
  EXPECT_TRUE(JsonString() == "");
  EXPECT_FALSE(spelled == escaped);
  EXPECT_EQ(decoded(JsonString()), "");
  std::string all = R"("\b\f\n\r\t\"\\\/\u00eF\u00Ef")";
  JsonReader third(all.data(), all.size());
  ASSERT_TRUE(third.readString(spelled));
  EXPECT_EQ(decoded(spelled), "\b\f\n\r\t\"\\/\u00ef\u00ef");
  // One the beginning of the other, both written with escapes.
  std::string pair = R"(["\u0061b", "\u0061bc"])";
  JsonReader fourth(pair.data(), pair.size());
  JsonString shorter, longer;
  ASSERT_TRUE(fourth.enterArray() && fourth.nextElement() &&
              fourth.readString(shorter) && fourth.nextElement() &&
              fourth.readString(longer));
  EXPECT_FALSE(shorter == longer);
  EXPECT_FALSE(longer == shorter);
}

TEST(Json, ReadsNumbers) {
  auto unsignedOf = [](const char *text, uint64_t &value) {
    JsonReader reader(text, strlen(text));
    return reader.readUnsigned(value) && reader.finish();
  };
  uint64_t big = 7;
  EXPECT_TRUE(unsignedOf("18446744073709551615", big));
  EXPECT_EQ(big, UINT64_MAX);
  EXPECT_TRUE(unsignedOf("0", big));
  EXPECT_EQ(big, 0u);
  for (const char *text : {"18446744073709551616", "-1", "1.0", "1e3", "\"1\"",
                           "99999999999999999999999", "-0"})
    EXPECT_FALSE(unsignedOf(text, big)) << text;
  EXPECT_EQ(big, 0u);
}

TEST(Json, ReadsOtherValues) {
  std::string text = "{\"yes\": true, \"none\": null, \"huge\": -1.5e300}";
  JsonReader reader(text.data(), text.size());
  JsonString key;
  bool yes = false;
  const char *number;
  size_t size;
  ASSERT_TRUE(reader.enterObject());
  ASSERT_TRUE(reader.nextMember(key) && reader.readBoolean(yes));
  EXPECT_TRUE(yes);
  ASSERT_TRUE(reader.nextMember(key));
  EXPECT_EQ(reader.peek(), JsonKind::Null);
  ASSERT_TRUE(reader.readNull() && reader.nextMember(key));
  EXPECT_TRUE(key == "huge");
  ASSERT_TRUE(reader.readNumber(number, size));
  EXPECT_EQ(std::string(number, size), "-1.5e300");
  EXPECT_FALSE(reader.nextMember(key));
  EXPECT_TRUE(reader.finish());
}

TEST(Json, KeepsTheFirstError) {
  std::string text = "[true, 1]";
  JsonReader reader(text.data(), text.size());
  JsonString string;
  bool boolean;
  ASSERT_TRUE(reader.enterArray() && reader.nextElement());
  EXPECT_FALSE(reader.readString(string));
  EXPECT_STREQ(reader.error(), "expected a string");
  EXPECT_FALSE(reader.readBoolean(boolean));
  EXPECT_FALSE(reader.nextElement());
  EXPECT_FALSE(reader.skip());
  EXPECT_FALSE(reader.fail("something else"));
  EXPECT_FALSE(reader.finish());
  EXPECT_STREQ(reader.error(), "expected a string");
  EXPECT_EQ(reader.peek(), JsonKind::Invalid);
}

TEST(Json, NamesWhatItExpected) {
  auto errorOf = [](bool (*read)(JsonReader &)) {
    JsonReader reader("\"x\"", 3);
    EXPECT_FALSE(read(reader));
    return std::string(reader.error());
  };
  EXPECT_EQ(errorOf([](JsonReader &r) { return r.enterObject(); }),
            "expected an object");
  EXPECT_EQ(errorOf([](JsonReader &r) { return r.enterArray(); }),
            "expected an array");
  EXPECT_EQ(errorOf([](JsonReader &r) { return r.readNull(); }),
            "expected null");
  EXPECT_EQ(errorOf([](JsonReader &r) {
              bool value;
              return r.readBoolean(value);
            }),
            "expected true or false");
  EXPECT_EQ(errorOf([](JsonReader &r) {
              uint64_t value;
              return r.readUnsigned(value);
            }),
            "expected a number");
}

TEST(Json, RefusesMisuse) {
  JsonString key;
  JsonReader outside("1", 1);
  EXPECT_FALSE(outside.nextElement());
  EXPECT_TRUE(outside.failed());
  JsonReader other("[\"a\"]", 5);
  ASSERT_TRUE(other.enterArray());
  EXPECT_FALSE(other.nextMember(key));
  EXPECT_TRUE(other.failed());
  JsonReader early("[1]", 3);
  ASSERT_TRUE(early.enterArray());
  EXPECT_FALSE(early.finish());
}

TEST(Json, BoundsNesting) {
  auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_EQ(skipAll(nested(JsonReader::maximumDepth)), "");
  EXPECT_EQ(skipAll(nested(JsonReader::maximumDepth + 1)), "nested too deeply");
  EXPECT_EQ(skipAll(std::string(1000000, '[')), "nested too deeply");
  EXPECT_EQ(skipAll(std::string(1000000, '{')), "expected a key in quotes");
}

} // namespace
