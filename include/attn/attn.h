/*===- attn/attn.h - what an application names ---------------------*- C -*-===*
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Types shared by every compiled library. `attnc compile` writes NAME.h, which
 * includes this file and declares the functions NAME_open, NAME_session_open,
 * NAME_encode and so on; nothing here needs a link-time symbol of its own.
 *
 * Threads: a model is immutable and may be used from any number of threads at
 * once; a session belongs to one thread at a time. The text of the last error
 * is kept per thread.
 *
 * Where the time goes: with ATTN_PROFILE=FILE in the environment NAME_open
 * begins FILE anew (`%n` in it is the library's name, `%p` the process), and
 * every call appends when each worker began and ended each phase, as events
 * that Perfetto and chrome://tracing read. The file is complete once the model
 * and its sessions are closed. A file that cannot be written fails NAME_open;
 * one that fills the disk later is reported by NAME_info, and calls go on.
 *
 *===----------------------------------------------------------------------===*/
#ifndef ATTN_ATTN_H
#define ATTN_ATTN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the binary contract between a library and its callers. A library
 * and a host whose numbers differ refuse each other with ATTN_ERROR_ABI. */
#define ATTN_ABI_VERSION 1u

/* What a call came to. Every function that can fail returns one of these;
 * NAME_last_error() then holds one line of text for the calling thread. A call
 * that failed changed nothing its caller can see, except that a cancelled one
 * may have written part of its outputs, that sequences keep what the pieces
 * before the failure appended (session_feed, generate, chat), and that a handle
 * which could not be made is NULL. */
typedef enum attn_status {
  ATTN_OK = 0,
  ATTN_ERROR_INVALID_ARGUMENT = 1, /* NULL, out of range, wrong size or type */
  ATTN_ERROR_OUT_OF_MEMORY = 2,    /* the allocator or max_bytes said no */
  ATTN_ERROR_IO = 3,               /* a file could not be opened or read */
  ATTN_ERROR_WEIGHTS = 4,          /* damaged, or of another model or layout */
  ATTN_ERROR_ABI = 5,              /* built for another ATTN_ABI_VERSION */
  ATTN_ERROR_UNSUPPORTED_CPU = 6,  /* no variant runs on this processor */
  ATTN_ERROR_CANCELLED = 7,        /* NAME_cancel() stopped the call */
  ATTN_ERROR_SYSTEM = 8,           /* threads or another system service */
  ATTN_ERROR_UNAVAILABLE = 9,      /* the library was built without this part */
  ATTN_ERROR_DEVICE = 10,          /* no GPU or driver that can run it, or one
                                      that failed or was lost */
  ATTN_ERROR_CONTEXT_FULL = 11,    /* a sequence would have more positions than
                                      the library was compiled for */
  ATTN_ERROR_VOCABULARY = 12       /* two libraries of different vocabularies */
} attn_status;

/* Element types of inputs, outputs and weights. */
typedef enum attn_dtype {
  ATTN_F32 = 0,
  ATTN_F16 = 1,
  ATTN_BF16 = 2,
  ATTN_I8 = 3,
  ATTN_U8 = 4,
  ATTN_I32 = 5,
  ATTN_I64 = 6,
  ATTN_BOOL = 7
} attn_dtype;

typedef enum attn_log_level {
  ATTN_LOG_DEBUG = 0,
  ATTN_LOG_INFO = 1,
  ATTN_LOG_WARNING = 2
} attn_log_level;

/* Receives one line without a newline. May be called from any thread that
 * calls into the library, never from two at once for one model. */
typedef void (*attn_log_callback)(void *context, attn_log_level level,
                                  const char *message);

/* Memory for models, sessions and arenas.
 * allocate: `bytes` > 0, `alignment` a power of two up to 4096; returns NULL
 *   when there is none. Must be callable from any thread.
 * release: gets the pointer and the `bytes` of its allocation. */
typedef struct attn_allocator {
  void *context;
  void *(*allocate)(void *context, size_t bytes, size_t alignment);
  void (*release)(void *context, void *pointer, size_t bytes);
} attn_allocator;

/* The caller's own threads. `parallel_for` runs task(task_context, i) for every
 * i in [0, count) and returns when all are done; it may run them in any order,
 * on any threads, or one after the other. `width` is how many it runs at once
 * (1 to 1024): work is cut into that many parts, or fewer where it is little.
 * One parallel_for is issued per phase of the program, or per chain of phases
 * that a part goes through at once, but for serial ones and those too short to
 * share, which run on the calling thread; it may be called from several threads
 * at once when several sessions are used at once. */
typedef struct attn_executor {
  void *context;
  int32_t width;
  void (*parallel_for)(void *context, int32_t count,
                       void (*task)(void *task_context, int32_t index),
                       void *task_context);
} attn_executor;

/* How to open a model. Start from ATTN_OPTIONS_INIT; every zero means the
 * default, and NULL instead of options means all defaults. Pointers are read
 * during NAME_open only, except what `executor`, `allocator` and `log` point to
 * (the structs are copied; their contexts must outlive the model) and
 * `weights_data` (must outlive the model). */
typedef struct attn_options {
  size_t struct_size;       /* sizeof(attn_options) */
  const char *weights_path; /* NULL: embedded weights if the library holds
                               them, else NAME.weights beside the library
                               or, for a static link, beside the program */
  const void *weights_data; /* weights already in memory, 64-byte aligned;
                               excludes weights_path */
  size_t weights_size;      /* bytes at weights_data */
  int32_t threads;          /* 0: what the affinity mask and the cgroup quota
                               allow; else 1 to 1024. Excludes executor */
  const attn_executor *executor;   /* NULL: the model owns a pool of threads */
  const attn_allocator *allocator; /* NULL: malloc and free */
  attn_log_callback log;           /* NULL: silent */
  void *log_context;
  const char *device;  /* "cpu"; "cuda" or "cuda:N", an NVIDIA GPU by the
                          driver's number; "auto": a GPU if one runs this
                          library, else the processor, and info says why.
                          NULL: "cpu" if the library has code for
                          processors, else "cuda". See "Devices" below */
  const char *variant; /* NULL: the best that runs here; else the name
                          of one, as listed by the library's JSON */
  uint64_t max_bytes;  /* 0: no limit; else the most that the model and
                          its sessions may take from the allocator; with a
                          GPU, of its memory and of pinned memory too */
  void *stream;        /* a CUstream (cudaStream_t) of the device's primary
                          context, for all calls; NULL: each session has
                          its own. Must outlive the model. With one, "auto"
                          takes no processor */
} attn_options;

/* Devices. On a GPU, NAME_* functions take host and device pointers alike, each
 * argument for itself: memory of the device, managed memory, pinned and plain
 * memory of the host. The driver says which it is. Pointers to device memory
 * are used where they are, and must be aligned to 16 bytes and valid on the
 * model's device; others go through buffers of the session. Elements of device
 * memory are not checked against an input's range: indices out of range are
 * clamped. A call returns when its outputs are there; only with a stream of
 * the caller's and no host pointers has its work then merely been enqueued.
 * A stream of the session's own does not wait for others: what device inputs
 * hold must be there when the call is made.
 * Calls use the primary context, make it current while they run, and put back
 * what was current before. A GPU cannot be used after fork(): in the child,
 * calls fail with ATTN_ERROR_DEVICE and close frees host memory only. */

/* clang-format off */
#define ATTN_OPTIONS_INIT                                                      \
  { sizeof(attn_options), NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL,      \
    NULL, 0, NULL }
/* clang-format on */

/* Untyped handles, for hosts that drive a library through attn_library. A
 * NAME.h has its own incomplete types for the same objects. */
typedef struct attn_model attn_model;
typedef struct attn_session attn_session;

/* One input or output of a call by name: `bytes` must equal what the sizes of
 * the call ask for. data == NULL means: an optional input's default, or an
 * output that is not wanted (refused unless the entry allows it). */
typedef struct attn_buffer {
  void *data;
  size_t bytes;
} attn_buffer;

struct attn_library;

/* How to choose tokens. Start from ATTN_GENERATE_INIT, where every zero means:
 * the likeliest token each time, until the model stops by itself or its
 * positions are used up; or from a copy of NAME_generation()->defaults, what
 * the model's own files recommend, which NULL instead of options means too.
 *
 * With a temperature, logits are divided by it after the penalty; then tokens
 * that top_k, top_p and min_p exclude leave, in this order, and one of the rest
 * is drawn. Logits of tokens in the prompt or made so far are divided by
 * repetition_penalty if positive, else multiplied. Draws come from the seed
 * alone (SplitMix64): the same seed, session state and prompt give the same
 * tokens.
 *
 * A draft is a smaller model of the same vocabulary (where both libraries have
 * the same tokenizer, logits may be padded to different numbers): it guesses
 * tokens, all of which the model then judges in one call. Without a temperature
 * the tokens are those that come without a draft (on GPUs, where the sums of
 * several rows run in another order, a tie within rounding may fall otherwise);
 * with one they have the same distribution (Leviathan et al., "Fast Inference
 * from Transformers via Speculative Decoding", 2023), but are others. The
 * draft's session follows along in its sequence 0 and is nobody else's
 * meanwhile; what it has not seen of the sequence makes its guesses worse and
 * changes nothing else. */
typedef struct attn_generate_options {
  size_t struct_size;       /* sizeof(attn_generate_options) */
  int64_t max_tokens;       /* 0: no limit but the positions */
  float temperature;        /* 0: greedy; else > 0 */
  int32_t top_k;            /* 0: all; else the k likeliest */
  float top_p;              /* 0: all; else the fewest, likeliest first, whose
                               probabilities sum to at least top_p, up to 1 */
  float min_p;              /* 0: all; else at least min_p times the likeliest's
                               probability, up to 1 */
  float repetition_penalty; /* 0: none; else > 0 */
  uint64_t seed;
  const int32_t *stop_tokens; /* [stop_token_count]: besides the model's own */
  size_t stop_token_count;
  const char *const *stop_strings; /* [stop_string_count], ending in NUL; need a
                                      library with a tokenizer */
  size_t stop_string_count;
  int32_t keeps_model_stops; /* nonzero: the model's own stop tokens do not
                                stop, until max_tokens */
  int64_t sequence;          /* of the session: the one that is continued */
  const struct attn_library
      *draft;                  /* DRAFT_library() of the model that guesses,
                                  or NULL; not in NAME_generate_batch */
  attn_session *draft_session; /* of it; with `draft` */
  int64_t draft_tokens;        /* guessed at a time, 1 to 64; 0: 4 */
} attn_generate_options;

/* clang-format off */
#define ATTN_GENERATE_INIT                                                     \
  { sizeof(attn_generate_options), 0, 0.0f, 0, 0.0f, 0.0f, 0.0f, 0, NULL, 0,   \
    NULL, 0, 0, 0, NULL, NULL, 0 }
/* clang-format on */

/* Sees every token as it is made. `text` [length] is UTF-8 that the token
 * completes: empty while a character or a possible stop string is incomplete,
 * and in a library without text. Text that is held back at the end comes in one
 * more call, with token -1. Returns 0 to go on, else generation stops. */
typedef int32_t (*attn_token_callback)(void *context, int32_t token,
                                       const char *text, size_t length);

/* Why generation ended. */
typedef enum attn_stop {
  ATTN_STOP_LENGTH = 0,  /* max_tokens */
  ATTN_STOP_TOKEN = 1,   /* a stop token, which is the last token made */
  ATTN_STOP_STRING = 2,  /* a stop string, which is not part of the text */
  ATTN_STOP_CALLER = 3,  /* the callback */
  ATTN_STOP_CONTEXT = 4, /* no position is left */
  ATTN_STOP_ERROR = 5    /* the status tells */
} attn_stop;

typedef struct attn_generate_result {
  size_t struct_size;    /* sizeof(attn_generate_result), set by the caller */
  int64_t prompt_tokens; /* of this call */
  int64_t tokens;        /* made */
  attn_stop stop;
  int64_t
      reused_tokens; /* of the prompt: NAME_chat found them in the sequence */
  int64_t draft_tokens;   /* guessed by the draft */
  int64_t draft_accepted; /* of these, in `tokens` */
} attn_generate_result;

/* As attn_token_callback; tells the sequence too. Returns 0 to go on, else the
 * generation of this sequence stops. */
typedef int32_t (*attn_sequence_callback)(void *context, int64_t sequence,
                                          int32_t token, const char *text,
                                          size_t length);

/* One sequence of NAME_generate_batch, with a prompt of token ids or of text.
 */
typedef struct attn_generate_request {
  size_t struct_size;                   /* sizeof(attn_generate_request), the
                                           same in each of an array */
  const attn_generate_options *options; /* whose `sequence` tells which; NULL:
                                           the model's own, of sequence 0 */
  const int32_t *ids;                   /* [count], or NULL */
  size_t count;
  const char *text; /* [length] of UTF-8, or NULL */
  size_t length;
  attn_generate_result *result; /* or NULL */
} attn_generate_request;

/* clang-format off */
#define ATTN_GENERATE_REQUEST_INIT                                             \
  { sizeof(attn_generate_request), NULL, NULL, 0, NULL, 0, NULL }
/* clang-format on */

/* What a library that generates text knows of itself, in static storage. */
typedef struct attn_generation {
  size_t struct_size;
  int64_t vocabulary;         /* logits of a position */
  int64_t positions;          /* that a sequence may have */
  int64_t sequences;          /* of a session */
  const int32_t *stop_tokens; /* [stop_token_count]: the model's own */
  size_t stop_token_count;
  const attn_generate_options *defaults; /* what generation_config.json or the
                                            GGUF file recommends; greedy
                                            without. Copy at most struct_size
                                            bytes of it, and set struct_size
                                            of the copy to the caller's */
  const char *tokenizer; /* digest of all tokens with their ids, in hexadecimal
                            digits; NULL without a tokenizer */
} attn_generation;

/* One turn of a conversation. UTF-8 that ends in NUL. */
typedef struct attn_message {
  const char *role; /* "system", "user", "assistant", ... */
  const char *content;
} attn_message;

/* How hosts drive a library without its header: NAME_library() returns one,
 * in static storage. Functions behave as their NAME_* namesakes.
 *
 * describe: JSON in static storage: name, abi_version, entry points with their
 *   named sizes (minimum, maximum), inputs and outputs (dtype, dims as numbers,
 *   size names or expressions; optional, default), variants, weights layout and
 *   digest, memory formula, tokenizer, how it was compiled.
 * session_bytes: exact bytes that a call of these sizes takes in a fresh
 *   session (`sizes` in the entry's order): its arena and, in a library with
 *   states, the blocks of the rows that it appends to empty sequences. The
 *   JSON's "states" tell the bytes of a position. A session with an adapter
 *   keeps the adapter's sums in its arena too.
 * call: `sizes` in the entry's order; `inputs` and `outputs` in the entry's
 *   order.
 * info: JSON about an open model (variant and why, threads, bytes); writes at
 *   most `capacity` bytes with the NUL and stores the length in *needed.
 * tokenize, encode_text: see attn/text.h; NULL in a library without text.
 *
 * A session of a library with states (a language model) keeps a number of
 * sequences, each a list of positions that calls append to; a call of batch B
 * appends to sequences 0 to B - 1 what its attention_mask keeps. These
 * functions are NULL in libraries without states: session_reset: every sequence
 * becomes empty; their memory is kept. session_length: positions of a sequence.
 * session_truncate: only the first `length` positions of a sequence stay.
 * session_fork: sequence `to` becomes sequence `from`; what they share is
 * stored once until one of them appends. session_reserve: takes the memory that
 * the first `sequences` sequences need for `length` positions, so that calls up
 * to there allocate nothing. session_save: a sequence as bytes; stores their
 * number in *needed where that is given, and writes nothing if `buffer` is
 * NULL; what session_truncate cut off may be among them, nothing of other
 * sequences is. session_load: makes a sequence of such bytes. Those of other
 * weights, of another layout or damaged ones are refused and change nothing.
 * generate: appends the prompt to the options' sequence, then token after
 *   token, each fed back, and tells the callback (or not, if NULL). The last
 *   token made is fed only by the next call of generate, before its prompt;
 *   what else changes a sequence of the session in between forgets it. `result`
 *   may be NULL.
 *   ATTN_ERROR_CONTEXT_FULL if the prompt itself does not fit, and then nothing
 *   is changed; ATTN_ERROR_WEIGHTS if no logit is a number.
 * generate_text: the same with a text, tokenized with the tokenizer's special
 *   tokens if the sequence is empty, else without; NULL without text.
 * detokenize: ids to text, special tokens left out; writes at most `capacity`
 *   bytes with the NUL and stores the length in *needed; NULL without text.
 *
 * generation: facts about a library that generates text. session_feed: appends
 *   ids to one sequence, in pieces if need be, and stores the `vocabulary`
 *   logits behind the last of them where `logits` is not NULL.
 * generate_batch: continues `count` sequences at once, each by its own prompt,
 *   with its own options and its own end; while some still read their prompts
 *   others already make tokens. Each gets the tokens that it would get alone.
 *   If it fails or is cancelled, every sequence keeps what it has until then.
 *
 * These are NULL in libraries without a chat template (of
 * tokenizer_config.json, chat_template.jinja or the GGUF file). `continues`:
 * the prompt ends where the assistant's turn begins. chat_prompt: the text of a
 * conversation, as transformers' apply_chat_template renders it; `capacity` and
 * *needed as in detokenize. chat_tokenize: its token ids, at most `capacity` of
 * them, their number in *needed. Special tokens of the template become what
 * they stand for; text in roles and contents that looks like one remains text,
 * so that nobody forges a turn. For all other messages ids are those of
 * transformers. chat: makes the sequence this conversation, and continues it by
 * the assistant's answer. The whole conversation is given each time; what the
 *   sequence holds of it already is not computed again.
 * ATTN_ERROR_CONTEXT_FULL, and nothing changed, if it does not fit: leave out
 * what is oldest.
 *
 * session_adapter: the session computes with this adapter from its next call
 * on, with NULL without any, as when it was opened; NULL in libraries without
 * adapters (--adapters), which `describe` lists. Positions that a sequence has
 * already stay as they were computed: reset it where that is not meant.
 *   ATTN_ERROR_INVALID_ARGUMENT for a name that the library does not have. */
struct attn_text_batch;
typedef struct attn_library {
  size_t struct_size;
  uint32_t abi_version;
  const char *name;
  const char *(*describe)(void);
  const char *(*last_error)(void);
  attn_status (*open)(const attn_options *options, attn_model **model);
  void (*close)(attn_model *model);
  attn_status (*info)(const attn_model *model, char *buffer, size_t capacity,
                      size_t *needed);
  attn_status (*session_open)(attn_model *model, attn_session **session);
  void (*session_close)(attn_session *session);
  attn_status (*session_bytes)(const attn_model *model, const char *entry,
                               const int64_t *sizes, size_t size_count,
                               uint64_t *bytes);
  attn_status (*call)(attn_session *session, const char *entry,
                      const int64_t *sizes, size_t size_count,
                      const attn_buffer *inputs, size_t input_count,
                      const attn_buffer *outputs, size_t output_count);
  attn_status (*cancel)(attn_session *session);
  attn_status (*tokenize)(const attn_model *model,
                          struct attn_text_batch *batch);
  attn_status (*encode_text)(attn_session *session, int64_t count,
                             const char *const *texts, const size_t *lengths,
                             float *embeddings);
  attn_status (*session_reset)(attn_session *session);
  attn_status (*session_length)(attn_session *session, int64_t sequence,
                                int64_t *length);
  attn_status (*session_truncate)(attn_session *session, int64_t sequence,
                                  int64_t length);
  attn_status (*session_fork)(attn_session *session, int64_t from, int64_t to);
  attn_status (*session_reserve)(attn_session *session, int64_t sequences,
                                 int64_t length);
  attn_status (*session_save)(attn_session *session, int64_t sequence,
                              void *buffer, size_t capacity, size_t *needed);
  attn_status (*session_load)(attn_session *session, int64_t sequence,
                              const void *data, size_t size);
  attn_status (*generate)(attn_session *session,
                          const attn_generate_options *options,
                          const int32_t *ids, size_t count,
                          attn_token_callback callback, void *context,
                          attn_generate_result *result);
  attn_status (*generate_text)(attn_session *session,
                               const attn_generate_options *options,
                               const char *text, size_t length,
                               attn_token_callback callback, void *context,
                               attn_generate_result *result);
  attn_status (*detokenize)(const attn_model *model, const int32_t *ids,
                            size_t count, char *buffer, size_t capacity,
                            size_t *needed);
  const attn_generation *(*generation)(void);
  attn_status (*session_feed)(attn_session *session, int64_t sequence,
                              const int32_t *ids, size_t count, float *logits);
  attn_status (*generate_batch)(attn_session *session,
                                const attn_generate_request *requests,
                                size_t count, attn_sequence_callback callback,
                                void *context);
  attn_status (*chat_prompt)(const attn_model *model,
                             const attn_message *messages, size_t count,
                             int32_t continues, char *buffer, size_t capacity,
                             size_t *needed);
  attn_status (*chat_tokenize)(const attn_model *model,
                               const attn_message *messages, size_t count,
                               int32_t continues, int32_t *ids, size_t capacity,
                               size_t *needed);
  attn_status (*chat)(attn_session *session,
                      const attn_generate_options *options,
                      const attn_message *messages, size_t count,
                      attn_token_callback callback, void *context,
                      attn_generate_result *result);
  attn_status (*session_adapter)(attn_session *session, const char *adapter);
} attn_library;

#ifdef __cplusplus
}
#endif
#endif /* ATTN_ATTN_H */
