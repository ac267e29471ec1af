//===- TemplateText.cpp - text in a chat template -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Strings as Python's str treats them, counted in characters. White space is
// Unicode's; changing case is for ASCII and refused for other letters, since
// roles and dates are all that templates change.
//
//===----------------------------------------------------------------------===//
#include "TemplateRenderer.h"
#include "Unicode.h"
#include "Utf8.h"

#include <stdio.h>

namespace attnrt {

static bool isContinuation(char byte) { return (byte & '\xC0') == '\x80'; }

int64_t countCharacters(Slice text) {
  int64_t count = 0;
  for (size_t i = 0; i < text.size; ++i)
    count += !isContinuation(text.text[i]);
  return count;
}

size_t characterSize(Slice text, size_t at) {
  size_t size = 1;
  while (at + size < text.size && isContinuation(text.text[at + size]))
    ++size;
  return size;
}

bool TemplateRenderer::keep(const Buffer<char> &text, Value &value) {
  char *copy = arena.copy(text.data(), text.size());
  if (!copy)
    return outOfMemory();
  value = Value::string({copy, text.size()});
  return true;
}

/// Takes characters off either end: those of `blanks`, or white space.
bool TemplateRenderer::strip(Slice text, const char *blanks, size_t blankCount,
                             bool left, bool right, Value &value) {
  auto isBlank = [&](size_t at, size_t size) {
    if (!blanks) {
      const char *character = text.text + at;
      return isSpace(decodeCharacter(character));
    }
    Slice all(blanks, blankCount);
    for (size_t i = 0; i < all.size; i += characterSize(all, i))
      if (Slice(all.text + i, characterSize(all, i)) ==
          Slice(text.text + at, size))
        return true;
    return false;
  };
  while (left && text.size) {
    size_t size = characterSize(text, 0);
    if (!isBlank(0, size))
      break;
    text = {text.text + size, text.size - size};
  }
  while (right && text.size) {
    size_t at = text.size - 1;
    while (at && isContinuation(text.text[at]))
      --at;
    if (!isBlank(at, text.size - at))
      break;
    text.size = at;
  }
  value = Value::string(text);
  return true;
}

/// At a separator, or at white space (of which none stands at the ends then).
bool TemplateRenderer::split(Slice text, const Value &separator, int64_t most,
                             Value &value) {
  bool bySpace = separator.is(Kind::Undefined) || separator.is(Kind::None);
  if (!bySpace && (!separator.is(Kind::String) || separator.text.empty()))
    return refuse("'split' takes a string that is not empty");
  // Twice over: count, then fill.
  for (int turn = 0; turn < 2; ++turn) {
    bool fills = turn == 1;
    size_t count = 0;
    auto add = [&](size_t begin, size_t end) {
      if (fills)
        value.list.items[count] =
            Value::string({text.text + begin, end - begin});
      ++count;
    };
    auto isLast = [&] {
      return most >= 0 && count == static_cast<size_t>(most);
    };
    size_t begin = 0;
    if (bySpace) {
      auto spaceAt = [&](size_t at) {
        const char *character = text.text + at;
        return isSpace(decodeCharacter(character));
      };
      size_t at = 0;
      while (true) {
        while (at < text.size && spaceAt(at))
          at += characterSize(text, at);
        if (at == text.size)
          break;
        begin = at;
        bool takesRest = isLast();
        while (at < text.size && (takesRest || !spaceAt(at)))
          at += characterSize(text, at);
        add(begin, at);
      }
    } else {
      for (size_t at = 0; !isLast() && at + separator.text.size <= text.size;)
        if (Slice(text.text + at, separator.text.size) == separator.text) {
          add(begin, at);
          at = begin = at + separator.text.size;
        } else {
          ++at;
        }
      add(begin, text.size);
    }
    if (!fills && !makeList(count, value))
      return false;
  }
  return true;
}

bool TemplateRenderer::replace(Slice text, Slice from, Slice to, int64_t most,
                               Value &value) {
  if (from.empty())
    return refuse("'replace' takes a string that is not empty");
  Buffer<char> all(out->memory(), "the chat template");
  for (size_t at = 0; at < text.size;) {
    bool found = most != 0 && text.size - at >= from.size &&
                 Slice(text.text + at, from.size) == from;
    most -= found;
    bool good = found ? all.append(to.text, to.size) : all.push(text.text[at]);
    if (!good)
      return outOfMemory();
    at += found ? from.size : 1;
  }
  return keep(all, value);
}

bool TemplateRenderer::join(const TemplateList &list, Slice separator,
                            Value &value) {
  Buffer<char> all(out->memory(), "the chat template");
  for (size_t i = 0; i < list.count; ++i) {
    Slice text;
    if (!toText(list.items[i], text))
      return false;
    if ((i && !all.append(separator.text, separator.size)) ||
        !all.append(text.text, text.size))
      return outOfMemory();
  }
  return keep(all, value);
}

bool TemplateRenderer::changeCase(Slice text, Slice how, Value &value) {
  char *changed = arena.copy(text.text, text.size);
  if (!changed)
    return outOfMemory();
  bool isFirst = true; // of the text, or of a word
  for (size_t i = 0; i < text.size; ++i) {
    char &c = changed[i];
    if (static_cast<unsigned char>(c) >= 0x80)
      return refuse("'%.*s' of text that is not ASCII is not known",
                    static_cast<int>(how.size), how.text);
    bool isLower = c >= 'a' && c <= 'z', isUpper = c >= 'A' && c <= 'Z';
    bool wantsUpper = how == "upper" || (how != "lower" && isFirst);
    if (isLower && wantsUpper)
      c = static_cast<char>(c - 'a' + 'A');
    else if (isUpper && !wantsUpper)
      c = static_cast<char>(c - 'A' + 'a');
    isFirst = how == "title" && !isLower && !isUpper;
  }
  value = Value::string({changed, text.size});
  return true;
}

/// Characters begin, begin + step ... before end, all within the text.
bool TemplateRenderer::slice(Slice text, int64_t begin, int64_t end,
                             int64_t step, Value &value) {
  Buffer<size_t> starts(out->memory(), "the chat template");
  for (size_t at = 0; at < text.size; at += characterSize(text, at))
    if (!starts.push(at))
      return outOfMemory();
  Buffer<char> taken(out->memory(), "the chat template");
  for (int64_t at = begin; step > 0 ? at < end : at > end;) {
    size_t start = starts[static_cast<size_t>(at)];
    if (!taken.append(text.text + start, characterSize(text, start)))
      return outOfMemory();
    if (__builtin_add_overflow(at, step, &at))
      break;
  }
  return keep(taken, value);
}

/// What a value is in a prompt.
bool TemplateRenderer::toText(const Value &value, Slice &text) {
  switch (value.kind) {
  case Kind::Undefined:
    text = "";
    return true;
  case Kind::None:
    text = "None";
    return true;
  case Kind::Boolean:
    text = value.integer ? "True" : "False";
    return true;
  case Kind::Integer: {
    char digits[24];
    int size = snprintf(digits, sizeof(digits), "%lld",
                        static_cast<long long>(value.integer));
    const char *copy = arena.copy(digits, static_cast<size_t>(size));
    text = {copy, static_cast<size_t>(size)};
    return copy || outOfMemory();
  }
  case Kind::String:
    text = value.text;
    return true;
  default:
    return refuse("%s cannot stand in a prompt; 'tojson' makes text of it",
                  describe(value.kind));
  }
}

/// As Python's json.dumps with ensure_ascii=False.
bool TemplateRenderer::toJson(const Value &value, Buffer<char> &json,
                              uint32_t level) {
  auto put = [&](Slice text) {
    return json.append(text.text, text.size) || outOfMemory();
  };
  if (level > 64)
    return refuse("'tojson' of a value that nests deeper than 64 levels");
  Slice text;
  switch (value.kind) {
  case Kind::None:
    return put("null");
  case Kind::Boolean:
    return put(value.integer ? "true" : "false");
  case Kind::Integer:
    return toText(value, text) && put(text);
  case Kind::String:
    if (!put("\""))
      return false;
    for (size_t i = 0; i < value.text.size; ++i) {
      char c = value.text.text[i];
      char escape[8] = {c, 0};
      if (c == '"' || c == '\\')
        snprintf(escape, sizeof(escape), "\\%c", c);
      else if (c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f')
        snprintf(escape, sizeof(escape), "\\%c",
                 c == '\n'   ? 'n'
                 : c == '\r' ? 'r'
                 : c == '\t' ? 't'
                 : c == '\b' ? 'b'
                             : 'f');
      else if (static_cast<unsigned char>(c) < 0x20)
        snprintf(escape, sizeof(escape), "\\u%04x", c);
      if (!put({escape, c ? strlen(escape) : 6}))
        return false;
    }
    return put("\"");
  case Kind::List:
    for (size_t i = 0; i < value.list.count; ++i)
      if (!put(i ? ", " : "[") || !toJson(value.list.items[i], json, level + 1))
        return false;
    return put(value.list.count ? "]" : "[]");
  case Kind::Dict: {
    bool isFirst = true;
    for (TemplateEntry *entry = value.dict->first; entry; entry = entry->next) {
      if (!put(isFirst ? "{" : ", ") ||
          !toJson(Value::string(entry->key), json, level + 1) || !put(": ") ||
          !toJson(entry->value, json, level + 1))
        return false;
      isFirst = false;
    }
    return put(isFirst ? "{}" : "}");
  }
  default:
    return refuse("%s cannot be written as JSON", describe(value.kind));
  }
}

//===----------------------------------------------------------------------===//
// Dates
//===----------------------------------------------------------------------===//

/// The date of a day counted from 1970-01-01. (Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms".)
static void toDate(int64_t days, int64_t &year, int &month, int &day) {
  days += 719468; // from 0000-03-01
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int64_t ofEra = days - era * 146097;
  int64_t yearOfEra =
      (ofEra - ofEra / 1460 + ofEra / 36524 - ofEra / 146096) / 365;
  int64_t ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
  int64_t shifted = (5 * ofYear + 2) / 153; // months from March
  day = static_cast<int>(ofYear - (153 * shifted + 2) / 5 + 1);
  month = static_cast<int>(shifted < 10 ? shifted + 3 : shifted - 9);
  year = yearOfEra + era * 400 + (month <= 2);
}

/// As strftime in the C locale.
bool TemplateRenderer::formatTime(Slice format, Value &value) {
  static const char *const months[] = {
      "January", "February", "March",     "April",   "May",      "June",
      "July",    "August",   "September", "October", "November", "December"};
  static const char *const weekdays[] = {"Sunday",    "Monday",   "Tuesday",
                                         "Wednesday", "Thursday", "Friday",
                                         "Saturday"};
  constexpr int64_t kDay = 86400;
  int64_t days = variables.now / kDay - (variables.now % kDay < 0);
  int second = static_cast<int>(variables.now - days * kDay);
  int64_t year = 0;
  int month = 0, day = 0;
  toDate(days, year, month, day);
  const char *weekday = weekdays[((days + 4) % 7 + 7) % 7];
  Buffer<char> text(out->memory(), "the chat template");
  for (size_t i = 0; i < format.size; ++i) {
    char part[32] = {format.text[i], 0};
    if (part[0] == '%') {
      char letter = ++i < format.size ? format.text[i] : '\0';
      auto print = [&](const char *how, int number) {
        snprintf(part, sizeof(part), how, number);
      };
      switch (letter) {
      case 'd':
        print("%02d", day);
        break;
      case 'm':
        print("%02d", month);
        break;
      case 'y':
        print("%02d", static_cast<int>((year % 100 + 100) % 100));
        break;
      case 'Y':
        print("%d", static_cast<int>(year));
        break;
      case 'H':
        print("%02d", second / 3600);
        break;
      case 'M':
        print("%02d", second / 60 % 60);
        break;
      case 'S':
        print("%02d", second % 60);
        break;
      case 'b':
        snprintf(part, sizeof(part), "%.3s", months[month - 1]);
        break;
      case 'B':
        snprintf(part, sizeof(part), "%s", months[month - 1]);
        break;
      case 'a':
        snprintf(part, sizeof(part), "%.3s", weekday);
        break;
      case 'A':
        snprintf(part, sizeof(part), "%s", weekday);
        break;
      case '%':
        break;
      default:
        return refuse("strftime_now's '%%%c' is not known; known are %%d %%m "
                      "%%y %%Y %%H %%M %%S %%b %%B %%a %%A",
                      letter ? letter : ' ');
      }
    }
    if (!text.append(part, strlen(part)))
      return outOfMemory();
  }
  return keep(text, value);
}

} // namespace attnrt
