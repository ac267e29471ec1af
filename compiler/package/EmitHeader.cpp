//===- EmitHeader.cpp - the C header of a library ---------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes NAME.h: C11 and C++, documented, with the shapes of every argument.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/Package.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;

namespace attnc {

StringRef getName(attn_dtype dtype) {
  static constexpr StringLiteral names[] = {"f32", "f16", "bf16", "i8",
                                            "u8",  "i32", "i64",  "bool"};
  return names[dtype];
}

StringRef getCType(attn_dtype dtype) {
  static constexpr StringLiteral names[] = {"float",   "uint16_t", "uint16_t",
                                            "int8_t",  "uint8_t",  "int32_t",
                                            "int64_t", "uint8_t"};
  return names[dtype];
}

/// "[batch][seq][384]"
static std::string shapeOf(const ArgumentDescription &argument) {
  std::string text;
  for (const SizeExpr &dim : argument.dims)
    text += "[" + dim.str() + "]";
  return text.empty() ? " (one element)" : text;
}

static void emitArgumentDoc(raw_ostream &os,
                            const ArgumentDescription &argument) {
  os << " *   " << argument.name << ": " << getName(argument.dtype)
     << shapeOf(argument);
  if (argument.flags & ATTN_ARGUMENT_RANGE)
    os << ", each in [" << argument.minimum << ", " << argument.maximum << "]";
  if (argument.flags & ATTN_ARGUMENT_OPTIONAL) {
    if (argument.flags & ATTN_ARGUMENT_OUTPUT)
      os << ", or NULL if not wanted";
    else
      os << ", or NULL for all " << argument.defaultValue;
  }
  os << "\n";
}

static void emitEntry(raw_ostream &os, const LibraryDescription &library,
                      const EntryDescription &entry) {
  os << "\n/* Runs '" << entry.name << "'. Sizes:\n";
  for (const std::string &name : entry.sizes)
    for (const SizeDescription &size : library.sizes)
      if (size.name == name)
        os << " *   " << name << ": " << size.minimum << " to " << size.maximum
           << "\n";
  os << " * Inputs, row-major, the caller's, read only:\n";
  for (const ArgumentDescription &input : entry.inputs)
    emitArgumentDoc(os, input);
  os << " * Outputs, row-major, the caller's, written whole:\n";
  for (const ArgumentDescription &output : entry.outputs)
    emitArgumentDoc(os, output);
  os << " * Allocates nothing after the first call of its size. Errors:\n"
        " * ATTN_ERROR_INVALID_ARGUMENT, ATTN_ERROR_OUT_OF_MEMORY,\n"
        " * ATTN_ERROR_CANCELLED, ATTN_ERROR_SYSTEM. */\n";
  os << "attn_status " << library.name << "_" << entry.name << "(\n    "
     << library.name << "_session *session";
  for (const std::string &size : entry.sizes)
    os << ", int64_t " << size;
  for (const ArgumentDescription &input : entry.inputs)
    os << ",\n    const " << getCType(input.dtype) << " *" << input.name;
  for (const ArgumentDescription &output : entry.outputs)
    os << ",\n    " << getCType(output.dtype) << " *" << output.name;
  os << ");\n";
}

static constexpr const char *kOpening =
    R"(/* {0}.h - made by attnc; do not edit.
 *
 * Source: {1}
 *
 * Link with lib{0}.so or lib{0}.a{4}; either needs glibc 2.34 or newer.
 * A model is immutable and shared by threads; a session belongs to one thread
 * at a time. Every function that can fail returns an attn_status;
 * {0}_last_error() tells more, per thread. See attn/attn.h for the types.
 */
#ifndef ATTN_LIBRARY_{2}_H
#define ATTN_LIBRARY_{2}_H

#include "attn/attn.h"
{3}
#ifdef __cplusplus
extern "C" {{
#endif

typedef struct {0} {0};
typedef struct {0}_session {0}_session;

/* Opens the model: checks the processor, maps the weights, starts the threads.
 * `options` may be NULL for the defaults. On success stores a model that
 * {0}_close() releases; on failure *model is NULL. */
attn_status {0}_open(const attn_options *options, {0} **model);

/* Closes a model whose sessions are closed; joins its threads. NULL is fine. */
void {0}_close({0} *model);

/* The calling thread's last error, one line; valid until its next call. */
const char *{0}_last_error(void);

/* JSON about an open model: variant and why, threads, bytes. Writes at most
 * `capacity` bytes with the NUL; *needed is the whole length without it. */
attn_status {0}_info(const {0} *model, char *buffer, size_t capacity,
    size_t *needed);

/* Opens a session: owns the memory that calls need; one per thread. The model
 * must outlive it. */
attn_status {0}_session_open({0} *model, {0}_session **session);
void {0}_session_close({0}_session *session);

/* Exact bytes of a session's memory for a call of `entry` with these sizes, in
 * the order of its size parameters. */
attn_status {0}_session_bytes(const {0} *model, const char *entry,
    const int64_t *sizes, size_t size_count, uint64_t *bytes);

/* Stops the call that runs in this session, from another thread: it returns
 * ATTN_ERROR_CANCELLED within one phase; the session stays usable. */
attn_status {0}_cancel({0}_session *session);

/* The same functions as a table, with a description in JSON. */
const attn_library *{0}_library(void);
)";

static constexpr const char *kAdapter = R"(
/* The session computes with the adapter of this name from its next call on:
 *   {1}
 * With NULL it computes without any, as when it was opened. What its sequences
 * hold already stays as it was computed. */
attn_status {0}_session_adapter({0}_session *session, const char *adapter);
)";

static constexpr const char *kText = R"(
/* Text to token ids: see attn/text.h. */
attn_status {0}_tokenize(const {0} *model, attn_text_batch *batch);
)";

static constexpr const char *kEncodeText = R"(
/* Text to vectors in one call: `texts` [count] of UTF-8, `lengths` [count] in
 * bytes or NULL if texts end in NUL; embeddings: f32[count][{1}], the caller's.
 * Texts longer than {2} tokens are truncated. */
attn_status {0}_encode_text({0}_session *session, int64_t count,
    const char *const *texts, const size_t *lengths, float *embeddings);
)";

static constexpr const char *kStates = R"(
/* Sequences of a session: each of {1} keeps up to {2} positions from call to
 * call. A call of batch B appends to sequences 0 to B - 1 what its
 * {3} keeps, and gives ATTN_ERROR_CONTEXT_FULL, changing nothing,
 * where that is too much. See attn/attn.h for each of these. */
attn_status {0}_session_reset({0}_session *session);
attn_status {0}_session_length({0}_session *session, int64_t sequence,
    int64_t *length);
attn_status {0}_session_truncate({0}_session *session, int64_t sequence,
    int64_t length);
attn_status {0}_session_fork({0}_session *session, int64_t from, int64_t to);
attn_status {0}_session_reserve({0}_session *session, int64_t sequences,
    int64_t length);
attn_status {0}_session_save({0}_session *session, int64_t sequence,
    void *buffer, size_t capacity, size_t *needed);
attn_status {0}_session_load({0}_session *session, int64_t sequence,
    const void *data, size_t size);
)";

static constexpr const char *kGenerate = R"(
/* Facts: {1} tokens, where the model stops, how its authors choose tokens. */
const attn_generation *{0}_generation(void);

/* Continues a sequence, 0 unless the options name another one, by a prompt of
 * token ids and what the model makes of it; `options` (NULL: as its authors
 * choose tokens), `callback` and `result` may be NULL. See attn/attn.h. */
attn_status {0}_generate({0}_session *session,
    const attn_generate_options *options, const int32_t *ids, size_t count,
    attn_token_callback callback, void *context, attn_generate_result *result);

/* Continues `count` sequences at once, each by its own prompt, with its own
 * options and its own end; `callback` may be NULL. */
attn_status {0}_generate_batch({0}_session *session,
    const attn_generate_request *requests, size_t count,
    attn_sequence_callback callback, void *context);

/* Appends ids to a sequence; logits: f32[{1}] behind the last one, the caller's,
 * or NULL. For choosing tokens by oneself. */
attn_status {0}_session_feed({0}_session *session, int64_t sequence,
    const int32_t *ids, size_t count, float *logits);
)";

static constexpr const char *kChat = R"(
/* Answers a conversation: `messages` [count], all of them each time; what the
 * sequence holds of them already is not computed again. Text of messages never
 * becomes special tokens. `options`, `callback` and `result` may be NULL. */
attn_status {0}_chat({0}_session *session,
    const attn_generate_options *options, const attn_message *messages,
    size_t count, attn_token_callback callback, void *context,
    attn_generate_result *result);

/* The prompt of a conversation as text, and as token ids; `continues`: up to
 * where the assistant's turn begins. At most `capacity` bytes with the NUL, or
 * ids; *needed is the whole length. */
attn_status {0}_chat_prompt(const {0} *model, const attn_message *messages,
    size_t count, int32_t continues, char *buffer, size_t capacity,
    size_t *needed);
attn_status {0}_chat_tokenize(const {0} *model, const attn_message *messages,
    size_t count, int32_t continues, int32_t *ids, size_t capacity,
    size_t *needed);
)";

static constexpr const char *kGenerateText = R"(
/* The same with a prompt of `length` bytes of UTF-8. */
attn_status {0}_generate_text({0}_session *session,
    const attn_generate_options *options, const char *text, size_t length,
    attn_token_callback callback, void *context, attn_generate_result *result);

/* Token ids to text, special tokens left out; writes at most `capacity` bytes
 * with the NUL, *needed is the whole length without it. */
attn_status {0}_detokenize(const {0} *model, const int32_t *ids, size_t count,
    char *buffer, size_t capacity, size_t *needed);
)";

/// What sessions with states can do.
static void emitStates(raw_ostream &os, const LibraryDescription &library) {
  const StatesDescription &states = library.states;
  if (states.states.empty())
    return;
  StringRef mask = "mask";
  for (const EntryDescription &entry : library.entries)
    if (entry.growth)
      mask = entry.inputs[*entry.growth].name;
  os << formatv(kStates, library.name, states.sequences, states.positions,
                mask);
  if (library.decodeEntry < 0)
    return;
  os << formatv(kGenerate, library.name,
                library.entries[library.decodeEntry].outputs[0].dims[1].str());
  if (library.hasText)
    os << formatv(kGenerateText, library.name);
  if (library.chat)
    os << formatv(kChat, library.name);
}

std::string emitHeader(const LibraryDescription &library) {
  std::string text;
  raw_string_ostream os(text);
  os << formatv(kOpening, library.name, library.source, library.name,
                library.hasText ? "#include \"attn/text.h\"\n" : "",
                library.gemm.empty() ? "" : " (then also -lopenblas)");
  for (const EntryDescription &entry : library.entries)
    emitEntry(os, library, entry);
  emitStates(os, library);
  if (!library.adapters.empty()) {
    std::string names;
    for (const AdapterDescription &adapter : library.adapters)
      names += (names.empty() ? "" : "\n *   ") + adapter.name;
    os << formatv(kAdapter, library.name, names);
  }
  if (library.hasText) {
    os << formatv(kText, library.name);
    if (library.embedEntry >= 0) {
      const EntryDescription &embed = library.entries[library.embedEntry];
      os << formatv(kEncodeText, library.name,
                    embed.outputs.front().dims.back().str(), library.maxLength);
    }
  }
  os << "\n#ifdef __cplusplus\n}\n#endif\n#endif /* ATTN_LIBRARY_"
     << library.name << "_H */\n";
  return text;
}

} // namespace attnc
