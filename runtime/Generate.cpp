//===- Generate.cpp - prompt in, tokens out -------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The prompt goes through the library's decode entry in pieces, then every
// token chosen does. All of it is one use of the session: cancelling stops it
// between two phases, and what was fed until then stays in the sequence.
//
//===----------------------------------------------------------------------===//
#include "Errors.h"
#include "Session.h"
#include "text/TokenizerState.h"

#include <inttypes.h>
#include <string.h>

using namespace attnrt;

// Tokens of one call: more of them make matrix products no faster, only the
// arena larger.
static constexpr int64_t kPromptPiece = 512;

namespace {

/// The decode entry, taken apart.
struct DecodeEntry {
  const attn_abi_entry *entry = nullptr;
  int32_t index = 0;
  int32_t ids = 0, mask = 1, logits = 2; ///< arguments
  int32_t seqAt = 1;                     ///< in the order of sizes
  int64_t mostTokens = 1;                ///< of a call
  int64_t vocabulary = 0;
};

class Generator {
public:
  Generator(attn_session &session, attn_token_callback callback, void *context)
      : session(session), model(*session.model), state(session.generation),
        callback(callback), context(context) {}

  attn_status setOptions(const attn_generate_options *given);
  /// state.ids are the prompt's.
  attn_status run(attn_generate_result &result);
  attn_status tokenizePrompt(const char *text, size_t length);

private:
  attn_status refuse(const char *what, double came, const char *expected) const;
  attn_status checkStops(const attn_generate_options &given) const;
  attn_status findEntry();
  attn_status checkPrompt() const;
  attn_status feed(const int32_t *ids, int64_t count);
  attn_status feedPrompt();
  bool isStop(int32_t token) const;
  bool tell(int32_t token);
  attn_status generate(attn_generate_result &result);

  attn_session &session;
  attn_model &model;
  Generation &state;
  attn_token_callback callback;
  void *context;
  attn_generate_options options = ATTN_GENERATE_INIT;
  DecodeEntry decode;
};

//===-- options -----------------------------------------------------------===//

attn_status Generator::refuse(const char *what, double came,
                              const char *expected) const {
  return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s: options.%s is %g; expected %s",
              model.library.name, what, came, expected);
}

attn_status Generator::checkStops(const attn_generate_options &given) const {
  const char *name = model.library.name;
  if ((given.stop_token_count && !given.stop_tokens) ||
      (given.stop_string_count && !given.stop_strings))
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.stop_%s is NULL, but its count is not 0", name,
                given.stop_token_count && !given.stop_tokens ? "tokens"
                                                             : "strings");
  if (given.stop_string_count && !model.library.text)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: this library has no tokenizer, so it knows no text to "
                "stop at; give options.stop_tokens",
                name);
  for (size_t i = 0; i < given.stop_string_count; ++i)
    if (!given.stop_strings[i] || !given.stop_strings[i][0])
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "%s: options.stop_strings[%zu] is %s", name, i,
                  given.stop_strings[i] ? "empty" : "NULL");
  return ATTN_OK;
}

attn_status Generator::setOptions(const attn_generate_options *given) {
  if (!given)
    return ATTN_OK;
  size_t known = sizeof(options);
  if (given->struct_size < sizeof(size_t))
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.struct_size is %zu; start from "
                "ATTN_GENERATE_INIT",
                model.library.name, given->struct_size);
  // A later header's fields may be there, as long as they are not used.
  const unsigned char *bytes = reinterpret_cast<const unsigned char *>(given);
  for (size_t i = known; i < given->struct_size; ++i)
    if (bytes[i])
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "%s: options has %zu bytes and sets a field that this "
                  "library does not know; it knows %zu",
                  model.library.name, given->struct_size, known);
  memcpy(&options, given,
         given->struct_size < known ? given->struct_size : known);
  // A comparison that a NaN fails too.
  if (options.max_tokens < 0)
    return refuse("max_tokens", static_cast<double>(options.max_tokens),
                  "0 or more");
  if (!(options.temperature >= 0 && options.temperature < 1e6f))
    return refuse("temperature", options.temperature, "0 to 1e6");
  if (options.top_k < 0)
    return refuse("top_k", options.top_k, "0 or more");
  if (!(options.top_p >= 0 && options.top_p <= 1))
    return refuse("top_p", options.top_p, "0 to 1");
  if (!(options.min_p >= 0 && options.min_p <= 1))
    return refuse("min_p", options.min_p, "0 to 1");
  if (!(options.repetition_penalty >= 0 && options.repetition_penalty < 1e6f))
    return refuse("repetition_penalty", options.repetition_penalty,
                  "0 for none, or a number up to 1e6");
  return checkStops(options);
}

//===-- the prompt --------------------------------------------------------===//

attn_status Generator::findEntry() {
  const attn_abi_generation *generation = model.library.generation;
  if (!generation)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: this library has no entry 'decode' that generates text",
                model.library.name);
  const attn_abi_entry &entry = model.library.entries[generation->entry];
  decode.entry = &entry;
  decode.index = generation->entry;
  for (int32_t i = 0; i < entry.input_count; ++i)
    (strcmp(entry.arguments[i].name, "input_ids") == 0 ? decode.ids
                                                       : decode.mask) = i;
  decode.logits = entry.input_count;
  decode.vocabulary = entry.arguments[decode.logits].dims[1];
  int64_t seq = entry.arguments[decode.ids].dims[1];
  for (int32_t i = 0; i < entry.size_count; ++i)
    if (-1 - seq == entry.sizes[i])
      decode.seqAt = i;
  int64_t bound = model.library.sizes[entry.sizes[decode.seqAt]].maximum;
  decode.mostTokens = bound < kPromptPiece ? bound : kPromptPiece;
  return ATTN_OK;
}

attn_status Generator::tokenizePrompt(const char *text, size_t length) {
  const Tokenizer *tokenizer = nullptr;
  attn_status status = findTokenizer(model, tokenizer);
  if (status != ATTN_OK)
    return status;
  int64_t past = 0;
  status = session.states.length(0, past);
  if (status != ATTN_OK)
    return status;
  attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
  batch.count = 1;
  batch.texts = &text;
  batch.lengths = &length;
  // Too long a prompt is an error and not cut.
  constexpr int64_t kNoLimit = INT64_C(1) << 40;
  status = tokenize(*tokenizer, kNoLimit, state.scratch, batch);
  if (status != ATTN_OK)
    return status;
  size_t count = static_cast<size_t>(batch.longest);
  if (!state.ids.resize(count) || !state.mask.resize(count))
    return ATTN_ERROR_OUT_OF_MEMORY;
  if (!count)
    return ATTN_OK;
  batch.seq = batch.longest;
  batch.input_ids = state.ids.data();
  batch.attention_mask = state.mask.data();
  status = tokenize(*tokenizer, kNoLimit, state.scratch, batch);
  if (status != ATTN_OK || past == 0)
    return status;
  // Special tokens belong to the beginning of a sequence alone.
  const RowTemplate &row = tokenizer->single;
  size_t before = 0;
  while (before < row.count &&
         row.pieces[before].kind == RowTemplate::Kind::Token)
    ++before;
  size_t text_count = count - row.tokens;
  memmove(state.ids.data(), state.ids.data() + before,
          text_count * sizeof(int32_t));
  state.ids.resize(text_count);
  return ATTN_OK;
}

attn_status Generator::checkPrompt() const {
  const attn_abi_argument &ids = decode.entry->arguments[decode.ids];
  for (size_t i = 0; i < state.ids.size(); ++i)
    if (state.ids[i] < ids.minimum || state.ids[i] > ids.maximum)
      return fail(
          ATTN_ERROR_INVALID_ARGUMENT,
          "%s: token %zu of the prompt is %d; expected %" PRId64 " to %" PRId64,
          model.library.name, i, state.ids[i], ids.minimum, ids.maximum);
  bool isPending = state.pending >= 0;
  if (state.ids.empty() && !isPending)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: the prompt is empty; expected at least one token",
                model.library.name);
  int64_t past = 0;
  attn_status status = session.states.length(0, past);
  if (status != ATTN_OK)
    return status;
  int64_t wanted = static_cast<int64_t>(state.ids.size()) + isPending;
  int64_t positions = model.library.states->positions;
  if (wanted > positions - past)
    return fail(ATTN_ERROR_CONTEXT_FULL,
                "%s: the sequence has %" PRId64
                " positions and the prompt %" PRId64
                " tokens, more than the %" PRId64
                " positions that this library was compiled for",
                model.library.name, past, wanted, positions);
  return ATTN_OK;
}

//===-- feeding -----------------------------------------------------------===//

/// Appends tokens to sequence 0; state.logits are then those behind the last.
attn_status Generator::feed(const int32_t *ids, int64_t count) {
  void *arguments[3] = {};
  arguments[decode.ids] = const_cast<int32_t *>(ids);
  arguments[decode.mask] = state.mask.data();
  arguments[decode.logits] = state.logits.data();
  int64_t sizes[2] = {1, 1};
  sizes[decode.seqAt] = count;
  return runEntry(session, decode.index, sizes, arguments);
}

attn_status Generator::feedPrompt() {
  // The token that was made last comes before the prompt.
  attn_status status = ATTN_OK;
  if (state.pending >= 0) {
    int32_t pending = state.pending;
    status = feed(&pending, 1);
  }
  int64_t count = static_cast<int64_t>(state.ids.size());
  for (int64_t first = 0; first < count && status == ATTN_OK;) {
    int64_t piece = count - first;
    if (piece > decode.mostTokens)
      piece = decode.mostTokens;
    status = feed(state.ids.data() + first, piece);
    first += piece;
  }
  return status;
}

//===-- the loop ----------------------------------------------------------===//

bool Generator::isStop(int32_t token) const {
  const attn_abi_generation &generation = *model.library.generation;
  for (int32_t i = 0; i < generation.stop_count && !options.keeps_model_stops;
       ++i)
    if (generation.stop_tokens[i] == token)
      return true;
  for (size_t i = 0; i < options.stop_token_count; ++i)
    if (options.stop_tokens[i] == token)
      return true;
  return false;
}

/// Whether to go on.
bool Generator::tell(int32_t token) {
  return !callback || callback(context, token, state.stream.text(),
                               state.stream.size()) == 0;
}

attn_status Generator::generate(attn_generate_result &result) {
  int64_t past = 0;
  while (true) {
    int32_t token = 0;
    attn_status status =
        state.sampler.choose(state.logits.data(), decode.vocabulary,
                             state.ids.data(), state.ids.size(), token);
    bool isStopString = false;
    if (status == ATTN_OK && !state.ids.push(token))
      status = ATTN_ERROR_OUT_OF_MEMORY;
    if (status == ATTN_OK)
      status = state.stream.push(token, isStopString);
    if (status != ATTN_OK)
      return status;
    state.pending = token;
    state.pendingAt = session.states.changes();
    ++result.tokens;
    bool goesOn = tell(token);
    status = session.states.length(0, past);
    result.stop = !goesOn                                   ? ATTN_STOP_CALLER
                  : isStopString                            ? ATTN_STOP_STRING
                  : isStop(token)                           ? ATTN_STOP_TOKEN
                  : result.tokens == options.max_tokens     ? ATTN_STOP_LENGTH
                  : past == model.library.states->positions ? ATTN_STOP_CONTEXT
                                                            : ATTN_STOP_ERROR;
    if (result.stop != ATTN_STOP_ERROR) {
      if (isStopString || !goesOn)
        return status;
      status = state.stream.finish();
      if (status == ATTN_OK && state.stream.size())
        tell(-1);
      return status;
    }
    int32_t fed = token;
    status = feed(&fed, 1);
    if (status != ATTN_OK)
      return status;
  }
}

attn_status Generator::run(attn_generate_result &result) {
  attn_status status = findEntry();
  if (status != ATTN_OK)
    return status;
  if (state.pendingAt != session.states.changes())
    state.pending = -1;
  status = checkPrompt();
  if (status != ATTN_OK)
    return status;
  const Detokenizer *detokenizer = nullptr;
  if (model.library.text) {
    status = findDetokenizer(model, detokenizer);
    if (status == ATTN_ERROR_UNAVAILABLE && !options.stop_string_count)
      status = ATTN_OK; // tokens come without text
  }
  if (status != ATTN_OK)
    return status;
  size_t most = static_cast<size_t>(decode.mostTokens);
  if (!state.mask.resize(most) ||
      !state.logits.resize(static_cast<size_t>(decode.vocabulary)))
    return ATTN_ERROR_OUT_OF_MEMORY;
  for (size_t i = 0; i < most; ++i)
    state.mask[i] = 1;
  state.sampler.start(options);
  status = state.stream.start(detokenizer, state.ids.data(), state.ids.size(),
                              options.stop_strings, options.stop_string_count);
  if (status != ATTN_OK)
    return status;
  result.prompt_tokens = static_cast<int64_t>(state.ids.size());
  status = feedPrompt();
  return status == ATTN_OK ? generate(result) : status;
}

/// `prepare` makes session.generation.ids the prompt.
template <typename Prepare>
attn_status generateWith(attn_session *session,
                         const attn_generate_options *options,
                         attn_token_callback callback, void *context,
                         attn_generate_result *result, const Prepare &prepare) {
  if (!session)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "session is NULL");
  constexpr size_t known = sizeof(attn_generate_result);
  if (result && result->struct_size < known)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: result.struct_size is %zu; expected %zu",
                session->model->library.name, result->struct_size, known);
  attn_generate_result facts = {known, 0, 0, ATTN_STOP_ERROR};
  CallGuard guard(*session);
  attn_status status = guard.enter();
  if (status != ATTN_OK)
    return status;
  Generator generator(*session, callback, context);
  status = generator.setOptions(options);
  if (status == ATTN_OK)
    status = prepare(generator, session->generation);
  if (status == ATTN_OK)
    status = generator.run(facts);
  if (status != ATTN_OK)
    facts.stop = ATTN_STOP_ERROR;
  if (result) {
    facts.struct_size = result->struct_size;
    *result = facts;
  }
  return status;
}

} // namespace

attn_status attnrt_generate(attn_session *session,
                            const attn_generate_options *options,
                            const int32_t *ids, size_t count,
                            attn_token_callback callback, void *context,
                            attn_generate_result *result) {
  return generateWith(session, options, callback, context, result,
                      [&](Generator &, Generation &state) {
                        if (!ids && count)
                          return fail(ATTN_ERROR_INVALID_ARGUMENT,
                                      "ids is NULL, but count is %zu", count);
                        state.ids.clear();
                        return state.ids.append(ids, count)
                                   ? ATTN_OK
                                   : ATTN_ERROR_OUT_OF_MEMORY;
                      });
}

attn_status attnrt_generate_text(attn_session *session,
                                 const attn_generate_options *options,
                                 const char *text, size_t length,
                                 attn_token_callback callback, void *context,
                                 attn_generate_result *result) {
  return generateWith(
      session, options, callback, context, result,
      [&](Generator &generator, Generation &) {
        if (!text && length)
          return fail(ATTN_ERROR_INVALID_ARGUMENT,
                      "text is NULL, but length is %zu", length);
        return generator.tokenizePrompt(text ? text : "", length);
      });
}

attn_status attnrt_detokenize(const attn_model *model, const int32_t *ids,
                              size_t count, char *buffer, size_t capacity,
                              size_t *needed) {
  if (!model || (!ids && count) || (!buffer && capacity))
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s is NULL",
                !model          ? "model"
                : !ids && count ? "ids"
                                : "buffer");
  const Detokenizer *detokenizer = nullptr;
  attn_status status = findDetokenizer(*model, detokenizer);
  if (status != ATTN_OK)
    return status;
  DetokenizerScratch scratch(model->memory);
  Buffer<char> text(model->memory, "text");
  status =
      detokenizer->decode(ids, count, /*skipsSpecial=*/true, scratch, text);
  if (status != ATTN_OK)
    return status;
  if (needed)
    *needed = text.size();
  if (!capacity)
    return ATTN_OK;
  size_t fits = text.size() < capacity - 1 ? text.size() : capacity - 1;
  if (fits)
    memcpy(buffer, text.data(), fits);
  buffer[fits] = '\0';
  return ATTN_OK;
}
