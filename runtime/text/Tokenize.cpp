//===- Tokenize.cpp - a batch of texts to rows of ids ---------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each text: invalid bytes replaced, cut at added tokens, the rest normalized,
// cut at added tokens again, cut into words by the pre-tokenizer, and each word
// cut into tokens by the model. Then rows are truncated as `tokenizers` does,
// and written once all of them are known: a call that fails has written
// nothing.
//
//===----------------------------------------------------------------------===//
#include "Errors.h"
#include "TokenizerState.h"
#include "Utf8.h"

#include <string.h>

namespace attnrt {

using Kind = RowTemplate::Kind;

/// One call of tokenize().
class BatchTokenizer {
public:
  BatchTokenizer(const Tokenizer &tokenizer, TokenizerScratch &scratch,
                 attn_text_batch &batch)
      : tokenizer(tokenizer), scratch(scratch), batch(batch),
        row(batch.pairs ? tokenizer.pair : tokenizer.single) {}

  attn_status check(int64_t limit);
  attn_status run();
  attn_status runGuarded(const char *text, size_t size, Buffer<int32_t> &ids);

private:
  bool appendGuarded(const char *text, size_t size, bool first);
  bool appendText(const char *text, size_t size);
  bool appendPiece(const char *text, size_t size, bool first);
  static bool takeWord(void *context, const char *word, size_t size,
                       size_t characters);
  void truncate(size_t room, size_t &first, size_t &second) const;
  void keep(size_t start, size_t had, size_t stays);
  size_t write(const TokenizerScratch::Row &lengths, size_t offset) const;
  bool isFull() const { return scratch.ids.size() >= enough; }

  const Tokenizer &tokenizer;
  TokenizerScratch &scratch;
  attn_text_batch &batch;
  const RowTemplate &row;
  size_t maximum = 0;       // tokens of a row
  size_t enough = SIZE_MAX; // of scratch.ids: more would be cut off anyway
  bool outOfMemory = false;
  bool isGuarded = false; // guards are taken out
};

//===----------------------------------------------------------------------===//
// A text
//===----------------------------------------------------------------------===//

/// Replaces invalid bytes, if there are any, and cuts at the added tokens that
/// are looked for in the text as it came.
bool BatchTokenizer::appendText(const char *text, size_t size) {
  size_t valid = validPrefix(text, size);
  if (valid != size) {
    Buffer<char> &clean = scratch.valid;
    clean.clear();
    for (size_t at = 0; at != size;) {
      if (!clean.append(text + at, valid))
        return false;
      at += valid;
      if (at == size)
        break;
      size_t length;
      scanCharacter(text + at, size - at, length);
      at += length;
      if (!clean.append("\xEF\xBF\xBD", 3)) // U+FFFD
        return false;
      valid = validPrefix(text + at, size - at);
    }
    text = clean.data();
    size = clean.size();
  }
  AddedTokenScanner scanner(tokenizer.rawTokens, text, size);
  for (TextSegment segment; !isFull() && scanner.next(segment);) {
    bool done =
        segment.id >= 0 ? scratch.ids.push(segment.id)
        : isGuarded
            ? appendGuarded(segment.begin,
                            static_cast<size_t>(segment.end - segment.begin),
                            segment.begin == text)
            : appendPiece(segment.begin,
                          static_cast<size_t>(segment.end - segment.begin),
                          segment.begin == text);
    if (!done)
      return false;
  }
  return true;
}

/// Normalizes, and cuts at the added tokens that are looked for behind that.
/// `first`: the piece starts where the text does.
bool BatchTokenizer::appendPiece(const char *text, size_t size, bool first) {
  if (!tokenizer.normalizer.apply(text, size, scratch.normalizer))
    return false;
  AddedTokenScanner scanner(tokenizer.normalizedTokens, text, size);
  for (TextSegment segment; !isFull() && scanner.next(segment);) {
    bool failed = false;
    if (segment.id >= 0)
      failed = !scratch.ids.push(segment.id);
    else
      tokenizer.preTokenizer.cut(
          segment.begin, static_cast<size_t>(segment.end - segment.begin),
          first && segment.begin == text, scratch.rewritten, {this, takeWord},
          failed);
    if (failed || outOfMemory)
      return false;
  }
  return true;
}

/// Appends a word's ids; false to end the cutting.
bool BatchTokenizer::takeWord(void *context, const char *word, size_t size,
                              size_t characters) {
  BatchTokenizer &self = *static_cast<BatchTokenizer *>(context);
  TokenizerScratch &scratch = self.scratch;
  switch (self.tokenizer.model) {
  case ModelKind::WordPiece:
    self.outOfMemory = !self.tokenizer.wordPiece.append(
        word, size, characters, scratch.hashes, scratch.ids);
    break;
  case ModelKind::Bpe:
    self.outOfMemory =
        !self.tokenizer.bpe.append(word, size, scratch.bpe, scratch.ids);
    break;
  case ModelKind::Unigram:
    self.outOfMemory = !self.tokenizer.unigram.append(
        word, size, scratch.unigram, scratch.ids);
    break;
  }
  return !self.outOfMemory && !self.isFull();
}

//===----------------------------------------------------------------------===//
// A prompt of messages
//===----------------------------------------------------------------------===//

static constexpr char kGuard[] = "\xEF\xB7\x90"; // U+FDD0
static constexpr size_t kGuardSize = sizeof(kGuard) - 1;

bool guardText(const Tokenizer &tokenizer, const char *text, size_t size,
               Buffer<char> &out) {
  for (size_t at = 0, length; at < size; at += length) {
    bool isValid = scanCharacter(text + at, size - at, length);
    if (!isValid ||
        (length == kGuardSize && !memcmp(text + at, kGuard, kGuardSize))) {
      if (!out.append("\xEF\xBF\xBD", 3)) // U+FFFD
        return false;
      continue;
    }
    bool mayStart = tokenizer.specialTokens.mayStartAt(text + at, size - at);
    if (!out.append(text + at, length) ||
        (mayStart && !out.append(kGuard, kGuardSize)))
      return false;
  }
  return true;
}

/// Appends a piece without its guards. They have done their work, unless tokens
/// are still looked for that must not be found: then they cut.
bool BatchTokenizer::appendGuarded(const char *text, size_t size, bool first) {
  Buffer<char> &plain = scratch.plain;
  plain.clear();
  while (true) {
    const void *guard = memmem(text, size, kGuard, kGuardSize);
    size_t length =
        guard ? static_cast<size_t>(static_cast<const char *>(guard) - text)
              : size;
    if (!plain.append(text, length))
      return false;
    if ((!guard || tokenizer.normalizesSpecials) && !plain.empty()) {
      if (!appendPiece(plain.data(), plain.size(), first))
        return false;
      plain.clear();
      first = false;
    }
    if (!guard)
      return true;
    text += length + kGuardSize;
    size -= length + kGuardSize;
  }
}

attn_status BatchTokenizer::runGuarded(const char *text, size_t size,
                                       Buffer<int32_t> &ids) {
  isGuarded = true;
  scratch.ids.clear();
  return appendText(text, size) &&
                 ids.append(scratch.ids.data(), scratch.ids.size())
             ? ATTN_OK
             : ATTN_ERROR_OUT_OF_MEMORY;
}

attn_status tokenizeGuarded(const Tokenizer &tokenizer, const char *text,
                            size_t size, TokenizerScratch &scratch,
                            Buffer<int32_t> &ids) {
  attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
  return BatchTokenizer(tokenizer, scratch, batch).runGuarded(text, size, ids);
}

//===----------------------------------------------------------------------===//
// A row
//===----------------------------------------------------------------------===//

/// Lowers the lengths of the two texts so that they fit in `room`: "longest
/// first", in the closed form of `tokenizers`.
void BatchTokenizer::truncate(size_t room, size_t &first,
                              size_t &second) const {
  if (first + second <= room)
    return;
  if (!batch.pairs) {
    first = room;
    return;
  }
  bool swap = first > second;
  size_t shorter = swap ? second : first;
  size_t longer = shorter;
  if (shorter <= room && room - shorter > shorter)
    longer = room - shorter;
  if (shorter + longer > room) {
    shorter = room / 2;
    longer = shorter + room % 2;
  }
  size_t wantedFirst = swap ? longer : shorter;
  size_t wantedSecond = swap ? shorter : longer;
  if (wantedFirst < first)
    first = wantedFirst;
  if (wantedSecond < second)
    second = wantedSecond;
}

/// Leaves `stays` of the `had` ids that were appended from `start` on.
void BatchTokenizer::keep(size_t start, size_t had, size_t stays) {
  int32_t *ids = scratch.ids.data() + start;
  if (tokenizer.truncatesLeft && had > stays)
    memmove(ids, ids + (had - stays), stays * sizeof(int32_t));
}

/// Writes a row into the caller's arrays.
size_t BatchTokenizer::write(const TokenizerScratch::Row &lengths,
                             size_t offset) const {
  int32_t *ids = batch.input_ids + offset;
  int32_t *mask =
      batch.attention_mask ? batch.attention_mask + offset : nullptr;
  int32_t *types =
      batch.token_type_ids ? batch.token_type_ids + offset : nullptr;
  size_t at = 0;
  auto put = [&](int32_t id, int32_t real, int32_t type) {
    ids[at] = id;
    if (mask)
      mask[at] = real;
    if (types)
      types[at] = type;
    ++at;
  };
  for (size_t i = 0; i < row.count; ++i) {
    const RowTemplate::Piece &piece = row.pieces[i];
    if (piece.kind == Kind::Token) {
      put(piece.id, 1, piece.typeId);
      continue;
    }
    bool isFirst = piece.kind == Kind::FirstText;
    size_t start = lengths.start + (isFirst ? 0 : lengths.first);
    size_t count = isFirst ? lengths.first : lengths.second;
    for (size_t k = 0; k < count; ++k)
      put(scratch.ids[start + k], 1, piece.typeId);
  }
  while (at < static_cast<size_t>(batch.seq))
    put(tokenizer.padId, 0, tokenizer.padTypeId);
  return at;
}

attn_status BatchTokenizer::run() {
  size_t room = maximum - row.tokens;
  size_t columns = batch.input_ids ? static_cast<size_t>(batch.seq) : maximum;
  size_t columnRoom = (columns < maximum ? columns : maximum) - row.tokens;
  size_t longest = 0;
  scratch.ids.clear();
  scratch.rows.clear();
  for (int64_t i = 0; i < batch.count; ++i) {
    TokenizerScratch::Row lengths = {scratch.ids.size(), 0, 0};
    size_t had[2] = {0, 0};
    for (int k = 0; k < (batch.pairs ? 2 : 1); ++k) {
      const char *text = k ? batch.pairs[i] : batch.texts[i];
      const size_t *sizes = k ? batch.pair_lengths : batch.lengths;
      size_t before = scratch.ids.size();
      // What would be cut off need not be known: not so of two texts, whose
      // full lengths decide how they share a row.
      bool bounded = !batch.pairs && !tokenizer.truncatesLeft;
      enough =
          bounded && maximum < SIZE_MAX - before ? before + maximum : SIZE_MAX;
      if (!appendText(text, sizes ? sizes[i] : strlen(text)))
        return ATTN_ERROR_OUT_OF_MEMORY;
      if (scratch.ids.size() > enough)
        scratch.ids.resize(enough);
      had[k] = scratch.ids.size() - before;
    }
    size_t first = had[0], second = had[1];
    truncate(room, first, second);
    if (first + second + row.tokens > longest)
      longest = first + second + row.tokens;
    if (!batch.input_ids) {
      scratch.ids.clear();
      continue;
    }
    lengths.first = had[0];
    lengths.second = had[1];
    truncate(columnRoom, lengths.first, lengths.second);
    keep(lengths.start, had[0], lengths.first);
    keep(lengths.start + had[0], had[1], lengths.second);
    if (lengths.second)
      memmove(scratch.ids.data() + lengths.start + lengths.first,
              scratch.ids.data() + lengths.start + had[0],
              lengths.second * sizeof(int32_t));
    scratch.ids.resize(lengths.start + lengths.first + lengths.second);
    if (!scratch.rows.push(lengths))
      return ATTN_ERROR_OUT_OF_MEMORY;
  }
  if (tokenizer.padId < 0)
    for (const TokenizerScratch::Row &lengths : scratch.rows)
      if (lengths.first + lengths.second + row.tokens != columns)
        return fail(ATTN_ERROR_INVALID_ARGUMENT,
                    "this tokenizer has no pad token, and a row of %zu tokens "
                    "is to fill %zu; give texts of one length, or one at a "
                    "time",
                    lengths.first + lengths.second + row.tokens, columns);
  size_t offset = 0;
  for (const TokenizerScratch::Row &lengths : scratch.rows)
    offset += write(lengths, offset);
  batch.longest = static_cast<int64_t>(longest);
  return ATTN_OK;
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

attn_status BatchTokenizer::check(int64_t limit) {
  auto refuse = [](const char *what, int64_t came, const char *expected) {
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s is %lld; expected %s", what,
                static_cast<long long>(came), expected);
  };
  if (batch.count < 1)
    return refuse("count", batch.count, "at least 1");
  if (!batch.texts)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "texts is NULL");
  if (!batch.pairs && batch.pair_lengths)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "pair_lengths is given, but pairs is NULL");
  for (int64_t i = 0; i < batch.count; ++i) {
    if (!batch.texts[i] && !(batch.lengths && batch.lengths[i] == 0))
      return fail(ATTN_ERROR_INVALID_ARGUMENT, "texts[%lld] is NULL",
                  static_cast<long long>(i));
    if (batch.pairs && !batch.pairs[i] &&
        !(batch.pair_lengths && batch.pair_lengths[i] == 0))
      return fail(ATTN_ERROR_INVALID_ARGUMENT, "pairs[%lld] is NULL",
                  static_cast<long long>(i));
  }
  if (batch.max_length < 0)
    return refuse("max_length", batch.max_length,
                  "0 for the model's limit, or a number of tokens");
  maximum = static_cast<size_t>(batch.max_length ? batch.max_length : limit);
  if (maximum < row.tokens)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "max_length is %zu, but the special tokens alone are %zu",
                maximum, row.tokens);
  if (!batch.input_ids) {
    if (batch.attention_mask || batch.token_type_ids)
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "%s is given, but input_ids is NULL",
                  batch.attention_mask ? "attention_mask" : "token_type_ids");
    return ATTN_OK;
  }
  if (batch.seq < 1)
    return refuse("seq", batch.seq, "at least 1");
  if (static_cast<size_t>(batch.seq) < row.tokens)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "seq is %lld, but the special tokens alone are %zu",
                static_cast<long long>(batch.seq), row.tokens);
  if (batch.seq > INT64_MAX / 4 / batch.count)
    return refuse("seq", batch.seq, "count * seq numbers to fit in memory");
  return ATTN_OK;
}

attn_status tokenize(const Tokenizer &tokenizer, int64_t limit,
                     TokenizerScratch &scratch, attn_text_batch &batch) {
  constexpr size_t largest = 4096; // beyond, it is garbage
  constexpr size_t known = sizeof(attn_text_batch);
  if (batch.struct_size < known || batch.struct_size > largest)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "struct_size is %zu; expected %zu (start from "
                "ATTN_TEXT_BATCH_INIT)",
                batch.struct_size, known);
  // A later header's fields may be there, as long as they are not used.
  const unsigned char *bytes = reinterpret_cast<const unsigned char *>(&batch);
  for (size_t i = known; i < batch.struct_size; ++i)
    if (bytes[i])
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "the batch has %zu bytes and sets a field that this library "
                  "does not know; it knows %zu",
                  batch.struct_size, known);
  BatchTokenizer call(tokenizer, scratch, batch);
  attn_status status = call.check(limit);
  return status ? status : call.run();
}

} // namespace attnrt
