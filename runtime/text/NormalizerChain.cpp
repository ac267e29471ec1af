//===- NormalizerChain.cpp - what happens to text before it is cut --------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs the steps over two buffers that take turns.
//
//===----------------------------------------------------------------------===//
#include "NormalizerChain.h"

#include "Unicode.h"
#include "Utf8.h"

namespace attnrt {

using Kind = NormalizerStep::Kind;

bool NormalizerChain::keep(const JsonString &string, size_t &start,
                           size_t &size) {
  start = strings.size();
  if (!strings.resize(start + string.size))
    return false;
  size = string.decode(strings.data() + start);
  strings.resize(start + size);
  return true;
}

bool NormalizerChain::lowercases() const {
  for (size_t i = 0; i < count; ++i)
    if (steps[i].kind == Kind::Bert && steps[i].bert.options().lowercase)
      return true;
  return false;
}

static bool dropAccents(const char *text, size_t size, Buffer<char> &out) {
  if (!out.reserve(size))
    return false;
  for (const char *at = text, *end = text + size; at != end;) {
    const char *start = at;
    uint32_t code = decodeCharacter(at);
    if (code < 0x300 || !(characterClasses(code) & kAccent))
      out.append(start, static_cast<size_t>(at - start));
  }
  return true;
}

static bool strip(const NormalizerStep &step, const char *text, size_t size,
                  Buffer<char> &out) {
  const char *end = text + size;
  while (step.stripLeft && text != end) {
    const char *next = text;
    if (!isSpace(decodeCharacter(next)))
      break;
    text = next;
  }
  while (step.stripRight && text != end && isSpace(decodeCharacterBefore(end)))
    do
      --end;
    while ((*end & 0xC0) == 0x80);
  return out.append(text, static_cast<size_t>(end - text));
}

static bool replace(const char *pattern, size_t patternSize,
                    const char *content, size_t contentSize, const char *text,
                    size_t size, Buffer<char> &out) {
  const char *end = text + size;
  while (text != end) {
    const char *at = static_cast<const char *>(
        memmem(text, static_cast<size_t>(end - text), pattern, patternSize));
    if (!out.append(text, static_cast<size_t>((at ? at : end) - text)))
      return false;
    if (!at)
      break;
    if (!out.append(content, contentSize))
      return false;
    text = at + patternSize;
  }
  return true;
}

/// Replaces runs of white space by a string: of any, or of two spaces and more.
static bool replaceSpaces(bool anySpace, const char *content,
                          size_t contentSize, const char *text, size_t size,
                          Buffer<char> &out) {
  for (const char *at = text, *end = text + size; at != end;) {
    const char *start = at;
    while (at != end) {
      const char *next = at;
      uint32_t code = decodeCharacter(next);
      if (anySpace ? !isSpace(code) : code != ' ')
        break;
      at = next;
    }
    bool isRun = at - start >= (anySpace ? 1 : 2);
    if (!isRun && at != end)
      decodeCharacter(at);
    if (isRun ? !out.append(content, contentSize)
              : !out.append(start, static_cast<size_t>(at - start)))
      return false;
  }
  return true;
}

bool NormalizerChain::applyStep(const NormalizerStep &step, const char *text,
                                size_t size, Buffer<char> &out,
                                Buffer<uint32_t> &marks) const {
  const char *content = strings.data() + step.contentStart;
  switch (step.kind) {
  case Kind::Bert:
    return step.bert.apply(text, size, out, marks);
  case Kind::Form:
    return appendNormalized(step.form, text, size, out, marks);
  case Kind::StripAccents:
    return dropAccents(text, size, out);
  case Kind::Strip:
    return strip(step, text, size, out);
  case Kind::Replace:
    return replace(strings.data() + step.patternStart, step.patternSize,
                   content, step.contentSize, text, size, out);
  case Kind::ReplaceSpaces:
    return replaceSpaces(step.anySpace, content, step.contentSize, text, size,
                         out);
  case Kind::Precompiled:
    return map.append(text, size, out);
  case Kind::Prepend:
    return (size == 0 || out.append(content, step.contentSize)) &&
           out.append(text, size);
  }
  return false;
}

bool NormalizerChain::apply(const char *&text, size_t &size,
                            NormalizerScratch &scratch) const {
  for (size_t i = 0; i < count; ++i) {
    Buffer<char> &out = i & 1 ? scratch.second : scratch.first;
    out.clear();
    if (!applyStep(steps[i], text, size, out, scratch.marks))
      return false;
    text = out.data();
    size = out.size();
  }
  return true;
}

} // namespace attnrt
