//===- Detokenizer.cpp - token ids in, text out ---------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs the steps over two lists of tokens that take turns.
//
//===----------------------------------------------------------------------===//
#include "Detokenizer.h"

#include "Errors.h"
#include "Utf8.h"

namespace attnrt {

using Kind = DecoderStep::Kind;

/// The byte that a character of byte-level BPE stands for; -1: none.
static int byteOfCharacter(uint32_t code) {
  if (code < 0x100) {
    bool itself = (code > 0x20 && code < 0x7F) || (code > 0xA0 && code != 0xAD);
    return itself ? static_cast<int>(code) : -1;
  }
  if (code <= 0x120)
    return static_cast<int>(code - 0x100);
  if (code <= 0x142)
    return static_cast<int>(code - 0x121 + 0x7F);
  return code == 0x143 ? 0xAD : -1;
}

static bool decodeByteLevel(const TokenList &from, TokenList &to,
                            Buffer<char> &bytes) {
  bytes.clear();
  size_t start = 0;
  for (size_t end : from.ends) {
    const char *begin = from.text.data() + start,
               *stop = from.text.data() + end;
    size_t before = bytes.size();
    bool all = true;
    for (const char *at = begin; all && at != stop;) {
      int byte = byteOfCharacter(decodeCharacter(at));
      all = byte >= 0;
      if (all && !bytes.push(static_cast<char>(byte)))
        return false;
    }
    if (!all) { // an added token, as it stands
      bytes.resize(before);
      if (!bytes.append(begin, end - start))
        return false;
    }
    start = end;
  }
  return appendValid(bytes.data(), bytes.size(), to.text) && to.close();
}

static int hexDigit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

static bool decodeByteFallback(const TokenList &from, TokenList &to,
                               Buffer<char> &bytes) {
  bytes.clear();
  // Bytes in a row are one token if they are UTF-8, else each is a U+FFFD.
  auto flush = [&] {
    bool valid = validPrefix(bytes.data(), bytes.size()) == bytes.size();
    for (size_t i = 0; i < bytes.size(); ++i)
      if (valid ? !to.text.push(bytes[i])
                : !to.text.append("\xEF\xBF\xBD", 3) || !to.close())
        return false;
    bool closes = valid && !bytes.empty();
    bytes.clear();
    return !closes || to.close();
  };
  size_t start = 0;
  for (size_t end : from.ends) {
    const char *at = from.text.data() + start;
    size_t size = end - start;
    start = end;
    if (size == 6 && memcmp(at, "<0x", 3) == 0 && at[5] == '>' &&
        hexDigit(at[3]) >= 0 && hexDigit(at[4]) >= 0) {
      if (!bytes.push(
              static_cast<char>(hexDigit(at[3]) * 16 + hexDigit(at[4]))))
        return false;
      continue;
    }
    if (!flush() || !to.text.append(at, size) || !to.close())
      return false;
  }
  return flush();
}

static bool startsWith(const char *at, const char *end, const char *what,
                       size_t size) {
  return static_cast<size_t>(end - at) >= size && memcmp(at, what, size) == 0;
}

static bool appendStripped(const DecoderStep &step, const char *at,
                           const char *end, const char *pattern,
                           Buffer<char> &out) {
  size_t size = step.patternSize;
  for (uint64_t i = 0; i < step.left && startsWith(at, end, pattern, size); ++i)
    at += size;
  for (uint64_t i = 0;
       i < step.right && static_cast<size_t>(end - at) >= size &&
       memcmp(end - size, pattern, size) == 0;
       ++i)
    end -= size;
  return out.append(at, static_cast<size_t>(end - at));
}

static bool appendReplaced(const char *at, const char *end, const char *pattern,
                           size_t patternSize, const char *content,
                           size_t contentSize, Buffer<char> &out) {
  while (at != end) {
    bool found = startsWith(at, end, pattern, patternSize);
    if (found ? !out.append(content, contentSize) : !out.push(*at))
      return false;
    at += found ? patternSize : 1;
  }
  return true;
}

/// A word with a space in front, or a part of one without its mark; then, if
/// wanted, without the spaces that only tokens have.
static bool appendWord(const DecoderStep &step, const char *at, const char *end,
                       bool first, const char *pattern, Buffer<char> &spare,
                       Buffer<char> &out) {
  static const char *const changes[][2] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  size_t start = out.size();
  bool part = !first && startsWith(at, end, pattern, step.patternSize);
  if (part)
    at += step.patternSize;
  if ((!first && !part && !out.push(' ')) ||
      !out.append(at, static_cast<size_t>(end - at)))
    return false;
  for (size_t i = 0; step.cleans && i < sizeof(changes) / sizeof(*changes);
       ++i) {
    spare.clear();
    if (!spare.append(out.data() + start, out.size() - start))
      return false;
    out.resize(start);
    if (!appendReplaced(spare.begin(), spare.end(), changes[i][0],
                        strlen(changes[i][0]), changes[i][1],
                        strlen(changes[i][1]), out))
      return false;
  }
  return true;
}

bool Detokenizer::applyStep(const DecoderStep &step, const TokenList &from,
                            TokenList &to, Buffer<char> &spare) const {
  if (step.kind == Kind::ByteLevel)
    return decodeByteLevel(from, to, spare);
  if (step.kind == Kind::ByteFallback)
    return decodeByteFallback(from, to, spare);
  if (step.kind == Kind::Fuse)
    return to.text.append(from.text.data(), from.text.size()) && to.close();
  const char *pattern = strings.data() + step.patternStart;
  const char *content = strings.data() + step.contentStart;
  size_t start = 0;
  for (size_t i = 0; i < from.ends.size(); ++i) {
    const char *at = from.text.data() + start;
    const char *end = from.text.data() + from.ends[i];
    start = from.ends[i];
    bool done = true;
    if (step.kind == Kind::Strip)
      done = appendStripped(step, at, end, pattern, to.text);
    else if (step.kind == Kind::WordPiece)
      done = appendWord(step, at, end, i == 0, pattern, spare, to.text);
    else if (step.kind == Kind::Metaspace)
      done = appendReplaced(at, end, pattern, step.patternSize, " ",
                            i > 0 || step.keepsFirst, to.text);
    else
      done = appendReplaced(at, end, pattern, step.patternSize, content,
                            step.contentSize, to.text);
    if (!done || !to.close())
      return false;
  }
  return true;
}

bool Detokenizer::getToken(int32_t id, Slice &text) const {
  const Token &token = tokens[static_cast<size_t>(id)];
  text = {texts.data() + token.start, token.size};
  return token.exists;
}

attn_status Detokenizer::decode(const int32_t *ids, size_t idCount,
                                bool skipsSpecial, DetokenizerScratch &scratch,
                                Buffer<char> &out) const {
  TokenList *from = &scratch.first, *to = &scratch.second;
  from->clear();
  for (size_t i = 0; i < idCount; ++i) {
    if (isSilent(ids[i], skipsSpecial))
      continue;
    size_t id = static_cast<size_t>(ids[i]);
    if ((joinsBySpaces && !from->ends.empty() && !from->text.push(' ')) ||
        !from->text.append(texts.data() + tokens[id].start, tokens[id].size) ||
        !from->close())
      return ATTN_ERROR_OUT_OF_MEMORY;
  }
  for (size_t i = 0; i < count; ++i) {
    to->clear();
    if (!applyStep(steps[i], *from, *to, scratch.spare))
      return ATTN_ERROR_OUT_OF_MEMORY;
    TokenList *before = from;
    from = to;
    to = before;
  }
  return out.append(from->text.data(), from->text.size())
             ? ATTN_OK
             : ATTN_ERROR_OUT_OF_MEMORY;
}

} // namespace attnrt
