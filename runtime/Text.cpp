//===- Text.cpp - text in, tokens or embeddings out -----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tokenizer's files are tensors of the weights file named "tokenizer/FILE".
// The first text opens them; models that never see text do not pay for it.
//
// encode_text tokenizes a block of texts at once into rows of full length, then
// calls the library's entry for groups of rows, cut to the longest of each.
//
//===----------------------------------------------------------------------===//
#include "Errors.h"
#include "Session.h"

#include <inttypes.h>
#include <new>
#include <string.h>

using namespace attnrt;

// Rows per call: beyond a few hundred tokens matrix products no longer gain,
// while the arena keeps growing with them.
static constexpr int64_t kGroupTokens = 2048;

static attn_status openTokenizerOf(const attn_model &model,
                                   Tokenizer *&opened) {
  constexpr size_t mostFiles = 16, mostName = 64;
  const Slice folder = {"tokenizer/", 10};
  char names[mostFiles][mostName];
  TokenizerFile files[mostFiles];
  size_t count = 0;
  const TensorTable &table = model.weights.table();
  for (size_t i = 0; i < table.size() && count < mostFiles; ++i) {
    const Tensor &tensor = table[i];
    if (tensor.name.size <= folder.size ||
        tensor.name.size - folder.size >= mostName ||
        memcmp(tensor.name.text, folder.text, folder.size) != 0)
      continue;
    char *name = names[count];
    size_t length = tensor.name.size - folder.size;
    memcpy(name, tensor.name.text + folder.size, length);
    name[length] = '\0';
    if (!isTokenizerFile(name))
      continue; // a licence, say, or a card
    const unsigned char *data = model.weights.file().data() + tensor.begin;
    files[count++] = {name, reinterpret_cast<const char *>(data),
                      static_cast<size_t>(tensor.bytes)};
  }
  if (!model.library.text || count == 0)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: this library has no tokenizer; call it with token ids",
                model.library.name);
  return openTokenizer(files, count, model.memory, opened);
}

/// What `place` holds for all threads, opened by the first who asks. Two may
/// open it at once; the second one's is dropped, and not missed where there was
/// no room for it (max_bytes). A lock instead could be held forever in a child
/// forked meanwhile.
template <typename T>
static attn_status findOpened(const attn_model &model, std::atomic<T *> &place,
                              attn_status (*open)(const attn_model &, T *&),
                              void (*close)(T *, Memory &), const T *&found) {
  T *there = place.load(std::memory_order_acquire);
  if (!there) {
    T *opened = nullptr;
    attn_status status = open(model, opened);
    if (status != ATTN_OK) {
      there = place.load(std::memory_order_acquire);
      if (!there)
        return status;
    } else if (place.compare_exchange_strong(there, opened,
                                             std::memory_order_acq_rel)) {
      there = opened;
    } else {
      close(opened, model.memory);
    }
  }
  found = there;
  return ATTN_OK;
}

attn_status attnrt::findTokenizer(const attn_model &model,
                                  const Tokenizer *&tokenizer) {
  return findOpened<Tokenizer>(
      model, model.tokenizer, openTokenizerOf,
      [](Tokenizer *opened, Memory &) { closeTokenizer(opened); }, tokenizer);
}

/// A detokenizer on the heap of `memory`; NULL for want of it.
static Detokenizer *makeDetokenizer(Memory &memory) {
  void *storage = memory.allocate(sizeof(Detokenizer), "the decoder");
  return storage ? new (storage) Detokenizer(memory) : nullptr;
}

void attnrt::closeDetokenizer(Detokenizer *detokenizer, Memory &memory) {
  if (!detokenizer)
    return;
  detokenizer->~Detokenizer();
  memory.release(detokenizer, sizeof(Detokenizer));
}

static attn_status openDetokenizerOf(const attn_model &model,
                                     Detokenizer *&opened) {
  const Tensor *tensor =
      model.weights.table().find({"tokenizer/tokenizer.json", 24});
  if (!model.library.text || !tensor)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: this library has no tokenizer.json, which alone tells how "
                "tokens become text",
                model.library.name);
  const unsigned char *data = model.weights.file().data() + tensor->begin;
  opened = makeDetokenizer(model.memory);
  if (!opened)
    return ATTN_ERROR_OUT_OF_MEMORY;
  attn_status status =
      opened->open({"tokenizer.json", reinterpret_cast<const char *>(data),
                    static_cast<size_t>(tensor->bytes)});
  if (status != ATTN_OK)
    closeDetokenizer(opened, model.memory);
  return status;
}

attn_status attnrt::findDetokenizer(const attn_model &model,
                                    const Detokenizer *&detokenizer) {
  return findOpened<Detokenizer>(model, model.detokenizer, openDetokenizerOf,
                                 closeDetokenizer, detokenizer);
}

attn_status attnrt_tokenize(const attn_model *model, attn_text_batch *batch) {
  if (!model || !batch)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s is NULL",
                model ? "batch" : "model");
  const Tokenizer *tokenizer = nullptr;
  attn_status status = findTokenizer(*model, tokenizer);
  if (status != ATTN_OK)
    return status;
  TokenizerScratch scratch(model->memory);
  return tokenize(*tokenizer, model->library.text->max_length, scratch, *batch);
}

namespace {

/// The embed entry, taken apart.
struct EmbedEntry {
  int32_t index = -1;
  int32_t ids = -1, mask = -1, types = -1, output = -1;
  int32_t batchAt = -1, seqAt = -1; ///< in the order of sizes
  const attn_abi_size *batch = nullptr, *seq = nullptr;
  int64_t width = 0;
};

attn_status findEmbedEntry(const attn_model &model, EmbedEntry &embed) {
  const attn_abi_library &library = model.library;
  if (!library.text || library.text->embed_entry < 0)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: this library turns no text into embeddings", library.name);
  embed.index = library.text->embed_entry;
  const attn_abi_entry &entry = library.entries[embed.index];
  for (int32_t i = 0; i < entry.size_count; ++i) {
    const attn_abi_size &size = library.sizes[entry.sizes[i]];
    if (strcmp(size.name, "batch") == 0) {
      embed.batchAt = i;
      embed.batch = &size;
    } else if (strcmp(size.name, "seq") == 0) {
      embed.seqAt = i;
      embed.seq = &size;
    }
  }
  for (int32_t i = 0; i < entry.input_count; ++i) {
    const char *name = entry.arguments[i].name;
    if (strcmp(name, "input_ids") == 0)
      embed.ids = i;
    else if (strcmp(name, "attention_mask") == 0)
      embed.mask = i;
    else if (strcmp(name, "token_type_ids") == 0)
      embed.types = i;
  }
  for (int32_t i = entry.input_count; i < entry.argument_count; ++i) {
    const attn_abi_argument &output = entry.arguments[i];
    if (embed.output < 0 && output.dtype == ATTN_F32 && output.rank == 2 &&
        output.dims[1] > 0) {
      embed.output = i;
      embed.width = output.dims[1];
    }
  }
  if (entry.size_count == 2 && embed.batch && embed.seq && embed.ids >= 0 &&
      embed.mask >= 0 && embed.output >= 0)
    return ATTN_OK;
  return fail(ATTN_ERROR_UNAVAILABLE,
              "%s: entry %s does not take input_ids and attention_mask of "
              "[batch, seq] to an f32 [batch, width]",
              library.name, entry.name);
}

/// What encode_text was asked, and what it needs on the way.
struct Encoding {
  attn_session &session;
  const EmbedEntry &embed;
  int64_t count;
  const char *const *texts;
  const size_t *lengths;
  float *embeddings;
  int64_t mostRows, mostTokens; ///< of a block; columns of its rows
};

/// Rows for the next group from `first` on: at most `most`, and never fewer
/// than `least`, for which the last group begins early and does some rows
/// again. `first` + least <= `end` holds for some `first`.
int64_t chooseGroup(int64_t &first, int64_t end, int64_t least, int64_t most) {
  if (most < least)
    most = least;
  if (end - first < least)
    first = end - least;
  return end - first < most ? end - first : most;
}

/// Tokenizes `rows` texts from `first` on into rows of `mostTokens` columns.
attn_status tokenizeBlock(const Encoding &encoding, const Tokenizer &tokenizer,
                          int64_t first, int64_t rows) {
  TextRows &text = encoding.session.text;
  attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
  batch.count = rows;
  batch.texts = encoding.texts + first;
  batch.lengths = encoding.lengths ? encoding.lengths + first : nullptr;
  batch.max_length = batch.seq = encoding.mostTokens;
  batch.input_ids = text.ids.data();
  batch.attention_mask = text.mask.data();
  batch.token_type_ids = text.types.data();
  return tokenize(tokenizer, encoding.mostTokens, text.scratch, batch);
}

int64_t tokensOf(const int32_t *mask, int64_t columns) {
  int64_t tokens = 0;
  for (int64_t i = 0; i < columns; ++i)
    tokens += mask[i];
  return tokens;
}

/// Encodes `rows` rows of the block from row `row` on; they hold the texts from
/// `first` on. Packs them, cut to the longest, into the group's own arrays.
attn_status encodeGroup(const Encoding &encoding, int64_t row, int64_t rows,
                        int64_t first) {
  attn_session &session = encoding.session;
  TextRows &text = session.text;
  const EmbedEntry &embed = encoding.embed;
  int64_t columns = encoding.mostTokens, seq = embed.seq->minimum;
  for (int64_t r = row; r < row + rows; ++r) {
    int64_t tokens = tokensOf(text.mask.data() + r * columns, columns);
    seq = tokens > seq ? tokens : seq;
  }
  int32_t *group = text.group.data();
  Buffer<int32_t> *const blocks[] = {&text.ids, &text.mask, &text.types};
  for (int array = 0; array < 3; ++array)
    for (int64_t r = 0; r < rows; ++r)
      memcpy(group + (array * rows + r) * seq,
             blocks[array]->data() + (row + r) * columns,
             sizeof(int32_t) * seq);
  const attn_abi_entry &entry = session.model->library.entries[embed.index];
  for (int32_t i = 0; i < entry.argument_count; ++i)
    session.arguments[i] = nullptr;
  session.arguments[embed.ids] = group;
  session.arguments[embed.mask] = group + rows * seq;
  if (embed.types >= 0)
    session.arguments[embed.types] = group + 2 * rows * seq;
  session.arguments[embed.output] = encoding.embeddings + first * embed.width;
  int64_t sizes[2] = {};
  sizes[embed.batchAt] = rows;
  sizes[embed.seqAt] = seq;
  return runEntry(session, embed.index, sizes, session.arguments);
}

attn_status encodeBlock(const Encoding &encoding, const Tokenizer &tokenizer,
                        int64_t first, int64_t rows) {
  attn_status status = tokenizeBlock(encoding, tokenizer, first, rows);
  int64_t least = encoding.embed.batch->minimum;
  for (int64_t row = 0; row < rows && status == ATTN_OK;) {
    // As many rows as stay within the tokens of a group, taken in order.
    int64_t most = 0, longest = 1;
    const int32_t *mask = encoding.session.text.mask.data();
    for (int64_t r = row; r < rows; ++r) {
      int64_t tokens =
          tokensOf(mask + r * encoding.mostTokens, encoding.mostTokens);
      longest = tokens > longest ? tokens : longest;
      if ((most + 1) * longest > kGroupTokens && most > 0)
        break;
      ++most;
    }
    int64_t group = chooseGroup(row, rows, least, most);
    status = encodeGroup(encoding, row, group, first + row);
    row += group;
  }
  return status;
}

} // namespace

static attn_status encodeText(Encoding &encoding) {
  attn_session &session = encoding.session;
  const attn_model &model = *session.model;
  const EmbedEntry &embed = encoding.embed;
  const Tokenizer *tokenizer = nullptr;
  attn_status status = findTokenizer(model, tokenizer);
  if (status != ATTN_OK)
    return status;
  int64_t most = embed.batch->maximum, limit = model.library.text->max_length;
  encoding.mostRows = encoding.count < most ? encoding.count : most;
  encoding.mostTokens = embed.seq->maximum < limit ? embed.seq->maximum : limit;
  TextRows &text = session.text;
  size_t elements = encoding.mostRows * encoding.mostTokens;
  if (!text.ids.resize(elements) || !text.mask.resize(elements) ||
      !text.types.resize(elements) || !text.group.resize(3 * elements))
    return ATTN_ERROR_OUT_OF_MEMORY;
  for (int64_t first = 0; first < encoding.count && status == ATTN_OK;) {
    int64_t rows = chooseGroup(first, encoding.count, embed.batch->minimum,
                               encoding.mostRows);
    status = encodeBlock(encoding, *tokenizer, first, rows);
    first += rows;
  }
  return status;
}

attn_status attnrt_encode_text(attn_session *session, int64_t count,
                               const char *const *texts, const size_t *lengths,
                               float *embeddings) {
  if (!session || !texts || !embeddings)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s is NULL",
                !session ? "session"
                : !texts ? "texts"
                         : "embeddings");
  EmbedEntry embed;
  attn_status status = findEmbedEntry(*session->model, embed);
  if (status != ATTN_OK)
    return status;
  const char *name = session->model->library.name;
  if (count < 1 || count < embed.batch->minimum)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: count is %" PRId64 "; expected at least %" PRId64, name,
                count, embed.batch->minimum > 1 ? embed.batch->minimum : 1);
  for (int64_t i = 0; i < count; ++i)
    if (!texts[i])
      return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s: texts[%" PRId64 "] is NULL",
                  name, i);
  CallGuard guard(*session);
  status = guard.enter();
  if (status != ATTN_OK)
    return status;
  Encoding encoding = {*session, embed,      count, texts,
                       lengths,  embeddings, 0,     0};
  return encodeText(encoding);
}
