//===- AddedTokenCollector.cpp - added tokens from the files --------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Gives ids to added tokens and sorts them into those that are looked for in
// the text as it came and those that are looked for in the normalized text.
//
//===----------------------------------------------------------------------===//
#include "TokenizerReading.h"

namespace attnrt {

void readAddedToken(JsonReader &reader, AddedTokenEntry &entry) {
  if (readMembers(reader, {{"content", entry.content},
                           {"id", entry.id},
                           {"single_word", entry.singleWord},
                           {"lstrip", entry.stripLeft},
                           {"rstrip", entry.stripRight},
                           {"normalized", entry.normalized},
                           {"special", entry.special}}) &&
      !entry.content.text)
    reader.fail("an added token without \"content\"");
}

void readSpecialToken(JsonReader &reader, AddedTokenEntry &entry) {
  if (reader.peek() == JsonKind::Object)
    readAddedToken(reader, entry);
  else
    reader.readString(entry.content);
}

const AddedTokenCollector::Token *
AddedTokenCollector::findAdded(const JsonString &content) const {
  for (const Token &token : tokens)
    if (content.equals(tokenizer.tokenText.data() + token.start, token.size))
      return &token;
  return nullptr;
}

attn_status AddedTokenCollector::find(const JsonString &content,
                                      int32_t &id) const {
  if (const Token *token = findAdded(content)) {
    id = token->entry.id;
    return ATTN_OK;
  }
  // Decoded behind the added tokens' bytes, which gives it back at once.
  Buffer<char> &text = tokenizer.tokenText;
  size_t before = text.size();
  if (!text.resize(before + content.size))
    return ATTN_ERROR_OUT_OF_MEMORY;
  size_t size = content.decode(text.data() + before);
  id = tokenizer.vocabulary.find(text.data() + before, size);
  text.resize(before);
  return ATTN_OK;
}

attn_status AddedTokenCollector::add(const char *file,
                                     const AddedTokenEntry &entry) {
  if (entry.content.size == 0)
    return ATTN_OK; // matches nothing; `tokenizers` ignores it too
  if (findAdded(entry.content))
    return fail(ATTN_ERROR_WEIGHTS,
                "%s: the added token \"%.*s\" is there twice", file,
                shown(entry.content), entry.content.text);

  Buffer<char> &text = tokenizer.tokenText;
  const Vocabulary &vocabulary = tokenizer.vocabulary;
  Token token;
  token.entry = entry;
  token.start = text.size();
  if (!text.resize(token.start + entry.content.size))
    return ATTN_ERROR_OUT_OF_MEMORY;
  token.size = entry.content.decode(text.data() + token.start);
  text.resize(token.start + token.size);
  token.ownStart = token.start;
  token.ownSize = token.size;

  int32_t id = vocabulary.find(text.data() + token.start, token.size);
  if (id < 0) {
    id = static_cast<int32_t>(vocabulary.size());
    if (largestAdded >= id)
      id = largestAdded + 1;
  }
  if (entry.id >= 0 && entry.id != id)
    return fail(ATTN_ERROR_WEIGHTS,
                "%s: the added token \"%.*s\" has id %d, but by the vocabulary "
                "it is %d",
                file, shown(entry.content), entry.content.text, entry.id, id);
  token.entry.id = id;
  if (id > largestAdded)
    largestAdded = id;
  if (id > tokenizer.largestId)
    tokenizer.largestId = id;
  return tokens.push(token) ? ATTN_OK : ATTN_ERROR_OUT_OF_MEMORY;
}

attn_status AddedTokenCollector::addRole(const char *file,
                                         const TokenRole &role) {
  AddedTokenEntry entry = role.said;
  bool named = entry.content.text != nullptr;
  if (!named && !role.name)
    return ATTN_OK;
  if (!named) {
    entry.content.text = role.name;
    entry.content.size = strlen(role.name);
    entry.stripLeft = role.stripsLeft;
  }
  entry.special = true;
  attn_status status = find(entry.content, role.id);
  if (status)
    return status;
  if (role.id < 0 && role.isNeeded)
    return fail(ATTN_ERROR_WEIGHTS,
                "%s: the special token \"%.*s\" is not in the vocabulary", file,
                shown(entry.content), entry.content.text);
  if ((!named && role.id < 0) || contains(entry.content))
    return ATTN_OK;
  status = add(file, entry);
  return status ? status : find(entry.content, role.id);
}

attn_status AddedTokenCollector::finish() {
  // Normalized tokens are looked for in their own normalized form.
  Buffer<char> &text = tokenizer.tokenText;
  NormalizerScratch scratch(tokenizer.memory);
  for (Token &token : tokens) {
    if (!token.entry.normalized)
      continue;
    const char *normalized = text.data() + token.start;
    size_t size = token.size;
    if (!tokenizer.normalizer.apply(normalized, size, scratch))
      return ATTN_ERROR_OUT_OF_MEMORY;
    if (size == 0)
      return fail(ATTN_ERROR_WEIGHTS,
                  "the added token with id %d is empty once it is normalized",
                  token.entry.id);
    if (tokenizer.normalizer.size() == 0)
      continue; // it stands where it stood
    token.start = text.size();
    token.size = size;
    if (!text.append(normalized, size))
      return ATTN_ERROR_OUT_OF_MEMORY;
  }
  // From here on the bytes stay where they are.
  for (const Token &token : tokens) {
    AddedToken added;
    added.text = text.data() + token.start;
    added.size = token.size;
    added.id = token.entry.id;
    added.singleWord = token.entry.singleWord;
    added.stripLeft = token.entry.stripLeft;
    added.stripRight = token.entry.stripRight;
    AddedTokenSet &set = token.entry.normalized ? tokenizer.normalizedTokens
                                                : tokenizer.rawTokens;
    if (!set.add(added))
      return ATTN_ERROR_OUT_OF_MEMORY;
    if (!token.entry.special)
      continue;
    added.text = text.data() + token.ownStart;
    added.size = token.ownSize;
    if (!tokenizer.specialTokens.add(added))
      return ATTN_ERROR_OUT_OF_MEMORY;
    tokenizer.normalizesSpecials |= token.entry.normalized;
  }
  AddedTokenSet *sets[] = {&tokenizer.rawTokens, &tokenizer.normalizedTokens,
                           &tokenizer.specialTokens};
  for (AddedTokenSet *set : sets)
    if (const AddedToken *twice = set->sort())
      return fail(ATTN_ERROR_WEIGHTS,
                  "two added tokens, one of them with id %d, are the same text "
                  "once they are normalized",
                  twice->id);
  return ATTN_OK;
}

} // namespace attnrt
