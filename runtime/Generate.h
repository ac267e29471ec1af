//===- Generate.h - prompts in, tokens out ----------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a session keeps for NAME_generate and its like: buffers, the token of
// each sequence that was made last and is fed first, and the tokens that its
// positions hold.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_GENERATE_H
#define ATTN_RUNTIME_GENERATE_H

#include "Draft.h"
#include "Feed.h"
#include "Sample.h"
#include "TextStream.h"
#include "text/TemplateArena.h"

struct attn_model;

namespace attnrt {

/// What is known of one sequence. All but the buffers is forgotten when
/// somebody else has changed any sequence.
struct Continuation {
  explicit Continuation(Memory &memory)
      : sampler(memory), stream(memory), ids(memory, "generating"),
        queue(memory, "generating"), held(memory, "generating") {}

  Sampler sampler;
  TextStream stream;
  Buffer<int32_t> ids;   ///< of this call: the prompt, then what was made
  Buffer<int32_t> queue; ///< of this call: to be fed next
  /// Tokens of the positions from heldFrom on; -1: nothing is known.
  Buffer<int32_t> held;
  int64_t heldFrom = -1;
  /// The last token made, not fed yet; -1: none.
  int32_t pending = -1;
};

/// One sequence of a call.
struct Job {
  attn_generate_options options;
  Continuation *state;
  attn_generate_result facts;
  /// The prompt is the whole sequence, of which `kept` positions stay; -1: the
  /// prompt goes behind what there is.
  int64_t kept;
  bool isRunning;
};

struct Generation {
  explicit Generation(Memory &memory)
      : memory(memory), buffers(memory), scratch(memory), draft(memory),
        continuations(memory, "generating"), jobs(memory, "generating"),
        feeds(memory, "generating"), prompt(memory, "generating"),
        ids(memory, "generating"), mask(memory, "generating"),
        arena(memory, "the messages") {}
  ~Generation();

  /// That of a sequence, made when it is first asked for; NULL for want of
  /// memory.
  Continuation *find(int64_t sequence);
  /// Forgets which tokens positions hold: they would be computed otherwise now.
  void forgetTokens();
  /// Forgets what others have changed: the states' changes() are `changes`.
  void forgetUnless(uint64_t changes);

  Memory &memory;
  FeedBuffers buffers;
  TokenizerScratch scratch;
  Draft draft;
  Buffer<Continuation *> continuations; ///< by sequence; NULL: none yet
  Buffer<Job> jobs;                     ///< of a call
  Buffer<Feed> feeds;                   ///< of a call
  Buffer<char> prompt;                  ///< as text
  Buffer<int32_t> ids, mask;            ///< as token ids
  TemplateArena arena;                  ///< of a rendering
  uint64_t seenAt = 0; ///< the states' changes() when this was last right
};

/// The model's tokenizer and decoder, opened by the first who asks.
attn_status findTokenizer(const attn_model &model, const Tokenizer *&tokenizer);
attn_status findDetokenizer(const attn_model &model,
                            const Detokenizer *&detokenizer);
/// Takes one back; NULL is allowed.
void closeDetokenizer(Detokenizer *detokenizer, Memory &memory);

/// Token ids of a prompt's text, with the tokenizer's special tokens around it
/// where it begins a sequence.
attn_status tokenizePrompt(const attn_model &model, const char *text,
                           size_t length, bool begins, Generation &generation,
                           Buffer<int32_t> &ids);
/// Token ids of a conversation. (Chat.cpp)
attn_status tokenizeMessages(const attn_model &model,
                             const attn_message *messages, size_t count,
                             bool continues, TemplateArena &arena,
                             TokenizerScratch &scratch, Buffer<int32_t> &ids);

} // namespace attnrt

#endif // ATTN_RUNTIME_GENERATE_H
