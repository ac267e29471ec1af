//===- GenerateOptions.cpp - what a call of generate asks for -------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Structs grow at their end: a smaller struct_size is an older caller, a larger
// one a newer caller, welcome as long as what this runtime does not know is
// zero.
//
//===----------------------------------------------------------------------===//
#include "GenerateOptions.h"

#include "Errors.h"
#include "Session.h"

#include <inttypes.h>
#include <string.h>

namespace attnrt {

// The structs as they first were end behind these.
static constexpr size_t kFirstResultSize =
    offsetof(attn_generate_result, stop) + sizeof(attn_stop);
// Beyond this, struct_size is garbage rather than a later version.
static constexpr size_t kLargestSize = 4096;

static attn_status refuse(const attn_abi_library &library, const char *what,
                          double came, const char *expected) {
  return fail(ATTN_ERROR_INVALID_ARGUMENT, "%s: options.%s is %g; expected %s",
              library.name, what, came, expected);
}

static attn_status checkStops(const attn_abi_library &library,
                              const attn_generate_options &given) {
  if ((given.stop_token_count && !given.stop_tokens) ||
      (given.stop_string_count && !given.stop_strings))
    return fail(
        ATTN_ERROR_INVALID_ARGUMENT,
        "%s: options.stop_%s is NULL, but its count is not 0", library.name,
        given.stop_token_count && !given.stop_tokens ? "tokens" : "strings");
  if (given.stop_string_count && !library.text)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: this library has no tokenizer, so it knows no text to "
                "stop at; give options.stop_tokens",
                library.name);
  for (size_t i = 0; i < given.stop_string_count; ++i)
    if (!given.stop_strings[i] || !given.stop_strings[i][0])
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "%s: options.stop_strings[%zu] is %s", library.name, i,
                  given.stop_strings[i] ? "empty" : "NULL");
  return ATTN_OK;
}

/// The same tokens under the same ids. Logits beyond these, to which models pad
/// them, may differ in number; what they stand for only tokenizers tell.
static attn_status checkVocabulary(const attn_abi_library &library,
                                   const attn_library &draft) {
  const attn_generation &own = *library.generation->facts;
  const attn_generation &other = *draft.generation();
  const bool areKnown = own.tokenizer && other.tokenizer;
  if (own.vocabulary != other.vocabulary && !areKnown)
    return fail(ATTN_ERROR_VOCABULARY,
                "%s: the draft %s has a vocabulary of %" PRId64
                " tokens, this library one of %" PRId64
                "; that they agree in those that both have is known only of "
                "libraries that are compiled with their tokenizers",
                library.name, draft.name, other.vocabulary, own.vocabulary);
  if (areKnown && strcmp(own.tokenizer, other.tokenizer) != 0)
    return fail(ATTN_ERROR_VOCABULARY,
                "%s: the tokenizer of the draft %s gives other ids to tokens "
                "than that of this library",
                library.name, draft.name);
  return ATTN_OK;
}

static attn_status checkDraft(const attn_session &session,
                              const attn_generate_options &options) {
  const attn_abi_library &library = session.model->library;
  const attn_library *draft = options.draft;
  if (options.draft_tokens < 0 || options.draft_tokens > kMostGuesses)
    return refuse(library, "draft_tokens",
                  static_cast<double>(options.draft_tokens), "0 to 64");
  if (!draft != !options.draft_session)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.draft and options.draft_session belong together; "
                "one of them is NULL",
                library.name);
  if (!draft)
    return ATTN_OK;
  if (options.draft_session == &session)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.draft_session is the session that generates; "
                "expected one of the draft's own",
                library.name);
  if (draft->abi_version != ATTN_ABI_VERSION)
    return fail(ATTN_ERROR_ABI,
                "%s: the draft speaks ABI version %u; expected %u",
                library.name, draft->abi_version, ATTN_ABI_VERSION);
  bool follows = draft->struct_size >= offsetof(attn_library, generate_batch) &&
                 draft->generation && draft->session_feed;
  if (!follows)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: the draft %s is no library that generates text, or one of "
                "an older attnc; compile it again",
                library.name, draft->name);
  if (library.generation->score_entry < 0)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: this library has no entry 'score', by which guesses of a "
                "draft are judged",
                library.name);
  return checkVocabulary(library, *draft);
}

static attn_status checkNumbers(const attn_abi_library &library,
                                const attn_generate_options &options) {
  // Comparisons that a NaN fails too.
  if (options.max_tokens < 0)
    return refuse(library, "max_tokens",
                  static_cast<double>(options.max_tokens), "0 or more");
  if (!(options.temperature >= 0 && options.temperature < 1e6f))
    return refuse(library, "temperature", options.temperature, "0 to 1e6");
  if (options.top_k < 0)
    return refuse(library, "top_k", options.top_k, "0 or more");
  if (!(options.top_p >= 0 && options.top_p <= 1))
    return refuse(library, "top_p", options.top_p, "0 to 1");
  if (!(options.min_p >= 0 && options.min_p <= 1))
    return refuse(library, "min_p", options.min_p, "0 to 1");
  if (!(options.repetition_penalty >= 0 && options.repetition_penalty < 1e6f))
    return refuse(library, "repetition_penalty", options.repetition_penalty,
                  "0 for none, or a number up to 1e6");
  int64_t sequences = library.generation->facts->sequences;
  if (options.sequence < 0 || options.sequence >= sequences)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.sequence is %" PRId64
                "; a session has sequences 0 to %" PRId64,
                library.name, options.sequence, sequences - 1);
  return ATTN_OK;
}

attn_status readGenerateOptions(const attn_session &session,
                                const attn_generate_options *given,
                                attn_generate_options &options) {
  const attn_abi_library &library = session.model->library;
  options = *library.generation->facts->defaults;
  if (!given)
    return ATTN_OK;
  options = ATTN_GENERATE_INIT;
  constexpr size_t known = sizeof(options);
  if (given->struct_size < sizeof(size_t) || given->struct_size > kLargestSize)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: options.struct_size is %zu; expected %zu: start from "
                "ATTN_GENERATE_INIT",
                library.name, given->struct_size, known);
  // A later header's fields may be there, as long as they are not used.
  const unsigned char *bytes = reinterpret_cast<const unsigned char *>(given);
  for (size_t i = known; i < given->struct_size; ++i)
    if (bytes[i])
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "%s: options has %zu bytes and sets a field that this "
                  "library does not know; it knows %zu",
                  library.name, given->struct_size, known);
  memcpy(&options, given,
         given->struct_size < known ? given->struct_size : known);
  attn_status status = checkNumbers(library, options);
  if (status == ATTN_OK)
    status = checkStops(library, options);
  if (status == ATTN_OK)
    status = checkDraft(session, options);
  return status;
}

attn_status checkResult(const attn_abi_library &library,
                        const attn_generate_result *result) {
  if (!result || result->struct_size >= kFirstResultSize)
    return ATTN_OK;
  return fail(ATTN_ERROR_INVALID_ARGUMENT,
              "%s: result.struct_size is %zu; expected %zu", library.name,
              result->struct_size, sizeof(attn_generate_result));
}

void storeResult(const attn_generate_result &facts,
                 attn_generate_result *result) {
  if (!result)
    return;
  size_t size = result->struct_size;
  memcpy(result, &facts, size < sizeof(facts) ? size : sizeof(facts));
  result->struct_size = size;
}

} // namespace attnrt
