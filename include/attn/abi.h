/*===- attn/abi.h - the runtime and generated code -----------------*- C -*-===*
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * The contract between `runtime/` and the code that `compiler/` generates.
 * Generated code is tables (attn_abi_library and what it points to, all
 * constant) and phase functions; everything that opens, checks, allocates or
 * waits is the runtime's. Applications do not include this file.
 *
 * Sizes. Every named size of a program ("batch", "seq", "tokens") has one index
 * in attn_abi_library.sizes. An entry takes some of them from its caller; the
 * others are derived: `plan` stores their upper bound, and a phase may lower
 * the value for the phases after it (the number of packed tokens).
 *
 *===----------------------------------------------------------------------===*/
#ifndef ATTN_ABI_H
#define ATTN_ABI_H

#include "attn/abi_device.h"
#include "attn/attn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One state of the session as kernels see it. Row p of sequence b lies in block
 * tables[b][p / block_positions] (attn_abi_states), `offset` bytes on;
 * tables[b] may be NULL where a call gives the sequence no rows. */
typedef struct attn_frame_state {
  unsigned char *const *const *tables; /* [states.sequences] */
  int64_t offset;
} attn_frame_state;

/* What a phase sees. The struct lives in the session; `sizes` is the only part
 * a phase may write, and only in a phase marked ATTN_PHASE_SERIAL. */
typedef struct attn_frame {
  int64_t *sizes;              /* [library.size_count] */
  unsigned char *arena;        /* 64-byte aligned */
  const int64_t *slot_offsets; /* [schedule.slot_count], bytes */
  void *const *arguments;      /* [entry.argument_count]; never NULL for an
                                  input; an output not wanted points into
                                  the arena */
  const unsigned char *const *weights; /* [library.weight_count], 64-aligned */
  unsigned char *scratch;              /* worker w owns scratch + w * stride */
  int64_t scratch_stride;              /* bytes, a multiple of 64 */
  const int32_t *past; /* [states.sequences]: rows before this call */
  const attn_frame_state *states; /* [states.state_count] */
  uint32_t *arrived; /* [1]: workers that are done, where a phase counts them;
                        0 before every phase, and after it */
} attn_frame;

/* Runs one worker's part. Workers 0 .. workers-1 may run at once or one after
 * the other; there is no barrier inside. */
typedef void (*attn_phase_function)(const attn_frame *frame, int32_t worker,
                                    int32_t workers);

/* Lays out one call. In: `sizes` with the caller's sizes set, `workers`.
 * Out: derived sizes' upper bounds in `sizes`, `slot_offsets`
 * [slot_count], *scratch_offset and *scratch_stride. Returns the bytes of the
 * arena, scratch of all workers included. */
typedef int64_t (*attn_plan_function)(int64_t *sizes, int32_t workers,
                                      int64_t *slot_offsets,
                                      int64_t *scratch_offset,
                                      int64_t *scratch_stride);

enum { ATTN_PHASE_SERIAL = 1u }; /* runs once, as worker 0 of 1 */

/* Phases that need for a row what the one before made of that row, and no more.
 * With `fewest_rows` or more for each worker, worker w of n may run all of them
 * without waiting for the others, and may do so in blocks of rows: as workers
 * w * k to w * k + k - 1 of n * k, for a k that leaves each `fewest_rows`.
 * There are as many rows as the product of the sizes `row_sizes` (-1: none). */
typedef struct attn_abi_chain {
  int32_t phases; /* this one included; 0: no chain */
  int32_t row_sizes[2];
  int32_t fewest_rows;
  int32_t block_rows; /* what a block should have */
} attn_abi_chain;

/* `cycles` for every unit of a product of sizes (-1: none). */
typedef struct attn_abi_term {
  int64_t cycles;
  int32_t sizes[4];
} attn_abi_term;

/* What a phase takes on one core: the sum of the terms. A worker is worth
 * having for `fewest_cycles` of its own; with less than twice that, the caller
 * runs the phase alone. */
typedef struct attn_abi_work {
  const attn_abi_term *terms;
  int32_t term_count; /* 0: not known, all workers run the phase */
  int32_t fewest_cycles;
} attn_abi_work;

typedef struct attn_abi_phase {
  attn_phase_function run;
  const char *name; /* for traces: "layer.0.qkv" */
  uint32_t flags;
  attn_abi_chain chain; /* that begins here */
  attn_abi_work work;
} attn_abi_phase;

/* One entry's code in one variant. */
typedef struct attn_abi_schedule {
  const attn_abi_phase *phases;
  int32_t phase_count;
  int32_t slot_count;
  attn_plan_function plan;
  const int32_t *argument_slots; /* [entry.argument_count]: the slot that stands
                                    in for an optional argument given as NULL,
                                    or -1 */
} attn_abi_schedule;

/* Processor features that a variant needs, beyond x86-64 itself. */
enum {
  ATTN_CPU_AVX2 = 1ull << 0,   /* AVX2, FMA, F16C, BMI1, BMI2, MOVBE, LZCNT:
                                  all of x86-64-v3 */
  ATTN_CPU_AVX512 = 1ull << 1, /* F, BW, CD, DQ, VL: all of x86-64-v4 */
  ATTN_CPU_AVX512_VNNI = 1ull << 2,
  ATTN_CPU_AVX512_BF16 = 1ull << 3,
  ATTN_CPU_AMX_BF16 = 1ull << 4,
  ATTN_CPU_AMX_INT8 = 1ull << 5,
  ATTN_CPU_AVX_VNNI = 1ull << 6,
  ATTN_CPU_FULL_RATE_BF16 = 1ull << 7 /* AVX512_BF16 of AMD, which multiplies
                                         bf16 twice as fast as f32; Intel's
                                         takes twice as long */
};

/* Code for one instruction set. Variants stand best first. In a variant for a
 * GPU the schedules have no phases: attn/abi_device.h says what runs. */
typedef struct attn_abi_variant {
  const char *name;                   /* "x86-64-v4", "sm_90a" */
  uint64_t cpu_features;              /* ATTN_CPU_* */
  const attn_abi_schedule *schedules; /* of all entries */
  const attn_abi_device *device;      /* NULL: runs on the processor */
} attn_abi_variant;

typedef struct attn_abi_size {
  const char *name;
  int64_t minimum, maximum; /* for a derived size: of its upper bound */
} attn_abi_size;

enum {
  ATTN_ARGUMENT_OUTPUT = 1u,
  ATTN_ARGUMENT_OPTIONAL = 2u, /* NULL allowed: an input takes its default
                                  value, an output is dropped */
  ATTN_ARGUMENT_RANGE = 4u     /* an I32 input whose elements are checked */
};

typedef struct attn_abi_argument {
  const char *name;
  attn_dtype dtype;
  uint32_t flags;
  int32_t rank;
  const int64_t *dims;      /* [rank]: n >= 0 is a number; n < 0 is size index
                               -1 - n */
  int64_t minimum, maximum; /* inclusive; with ATTN_ARGUMENT_RANGE */
  int64_t default_value;    /* for an optional I32 input */
} attn_abi_argument;

/* An entry point. Inputs come first in `arguments`, then outputs. `adapted`
 * differs from it in what it computes alone: name, sizes and arguments are the
 * same. */
typedef struct attn_abi_entry {
  const char *name;
  const int32_t *sizes; /* [size_count]: size indices, in the C parameters'
                           order */
  int32_t size_count;
  const attn_abi_argument *arguments;
  int32_t input_count;
  int32_t argument_count;
  int32_t growth;  /* 0: it leaves the states as they are; else 1 + index of an
                      I32 input [batch][seq]: sequence b gets a row for every
                      element of its row b that is not 0 */
  int32_t adapted; /* 0: it runs in every session; else 1 + index of the entry
                      that runs in its place in sessions with an adapter */
} attn_abi_entry;

/* States with one window: they share tables, and a block holds the rows of all
 * of them for block_positions positions. */
typedef struct attn_abi_state_group {
  int64_t window; /* rows that the next one sees, itself included; 0: all */
  uint64_t block_bytes; /* a multiple of 64 */
} attn_abi_state_group;

/* In a block heads follow each other, each of `lines` lines and a line of
 * scales. A line has `width` bytes for every position (that of scales
 * scale_bytes). */
typedef struct attn_abi_state {
  const char *name; /* "layer.0.key" */
  int32_t group;
  int64_t offset; /* bytes, in a block of the group */
  int64_t heads, lines;
  int32_t width, scale_bytes;
} attn_abi_state;

/* What sessions keep between calls. */
typedef struct attn_abi_states {
  int64_t positions;       /* most rows of a sequence */
  int64_t block_positions; /* positions of a block */
  int64_t sequences;       /* of a session: what `batch` may be at most */
  const attn_abi_state_group *groups;
  int32_t group_count;
  const attn_abi_state *states;
  int32_t state_count;
  const char *fingerprint; /* hex, of all of the above */
} attn_abi_states;

/* How prompts are made of messages: see runtime/text/ChatTemplate.h. Texts of
 * special tokens are NULL where the model has none. */
typedef struct attn_abi_chat {
  const char *chat_template;
  uint64_t size; /* of the template, in bytes */
  const char *bos_token, *eos_token, *pad_token, *unk_token;
} attn_abi_chat;

/* How a library generates text. `entry` takes input_ids and attention_mask of
 * [batch, seq] to f32 logits [batch, vocabulary] of the last positions;
 * `score_entry`, if it is not -1, to [batch, seq, vocabulary]. */
typedef struct attn_abi_generation {
  int32_t entry;
  int32_t score_entry;
  const attn_generation *facts; /* what NAME_generation() returns */
  const attn_abi_chat *chat;    /* or NULL */
} attn_abi_generation;

/* A tensor of the weights file that generated code reads. */
typedef struct attn_abi_weight {
  const char *name; /* key in the safetensors header */
  attn_dtype dtype;
  uint64_t bytes;
} attn_abi_weight;

/* Adapters that sessions choose from. Code reads the first weight_count of
 * library.weights; in a session with an adapter what stands for weight i is
 * weight weights[i], of the same type and size. */
typedef struct attn_abi_adapter {
  const char *name;
  const int32_t *weights; /* [adapters.weight_count] */
} attn_abi_adapter;

typedef struct attn_abi_adapters {
  const attn_abi_adapter *adapters;
  int32_t adapter_count;
  int32_t weight_count;
} attn_abi_adapters;

/* Text support of a library; absent (NULL) without a tokenizer. The files are
 * U8 tensors of the weights file named "tokenizer/FILE". */
typedef struct attn_abi_text {
  int32_t embed_entry; /* the entry that encode_text calls, or -1. Its inputs
                          are input_ids, attention_mask and, optionally,
                          token_type_ids; its output is f32 [batch, width] */
  int64_t max_length;  /* tokens: smallest of the folder's own limits */
} attn_abi_text;

typedef struct attn_abi_library {
  uint32_t abi_version; /* ATTN_ABI_VERSION */
  const char *name;
  const char *description; /* JSON, see attn_library.describe */
  const attn_abi_size *sizes;
  int32_t size_count;
  const attn_abi_entry *entries; /* [entry_count + adapted_count] */
  int32_t entry_count;           /* that are called */
  const attn_abi_variant *variants;
  int32_t variant_count;
  const attn_abi_weight *weights;
  int32_t weight_count;
  const char *layout_fingerprint; /* hex, "attn.layout" in the weights file's
                                     __metadata__ */
  const char *content_digest;     /* hex, "attn.content" there */
  const attn_abi_text *text;      /* or NULL */
  const unsigned char *embedded_weights; /* a whole weights file, or NULL */
  uint64_t embedded_weights_size;
  const attn_abi_states *states;         /* or NULL */
  const attn_abi_generation *generation; /* or NULL */
  const attn_abi_adapters *adapters;     /* or NULL */
  int32_t adapted_count; /* entries behind those that are called */
} attn_abi_library;

/* The runtime's functions, which the generated NAME_* stubs call. Hidden in a
 * finished library. */
attn_status attnrt_open(const attn_abi_library *library,
                        const attn_options *options, attn_model **model);
void attnrt_close(attn_model *model);
const char *attnrt_last_error(void);
attn_status attnrt_info(const attn_model *model, char *buffer, size_t capacity,
                        size_t *needed);
attn_status attnrt_session_open(attn_model *model, attn_session **session);
void attnrt_session_close(attn_session *session);
/* Exact bytes of a call of entry `entry` (an index) in a fresh session. `sizes`
 * in the entry's order. */
attn_status attnrt_session_bytes(const attn_model *model, int32_t entry,
                                 const int64_t *sizes, uint64_t *bytes);
/* Calls entry `entry`. `arguments`: inputs, then outputs; the byte counts are
 * implied by the sizes. */
attn_status attnrt_call(attn_session *session, int32_t entry,
                        const int64_t *sizes, void *const *arguments);
attn_status attnrt_cancel(attn_session *session);
attn_status attnrt_tokenize(const attn_model *model,
                            struct attn_text_batch *batch);
attn_status attnrt_encode_text(attn_session *session, int64_t count,
                               const char *const *texts, const size_t *lengths,
                               float *embeddings);
attn_status attnrt_session_adapter(attn_session *session, const char *adapter);
/* Sequences of a session; see attn/attn.h. */
attn_status attnrt_session_reset(attn_session *session);
attn_status attnrt_session_length(attn_session *session, int64_t sequence,
                                  int64_t *length);
attn_status attnrt_session_truncate(attn_session *session, int64_t sequence,
                                    int64_t length);
attn_status attnrt_session_fork(attn_session *session, int64_t from,
                                int64_t to);
attn_status attnrt_session_reserve(attn_session *session, int64_t sequences,
                                   int64_t length);
attn_status attnrt_session_save(attn_session *session, int64_t sequence,
                                void *buffer, size_t capacity, size_t *needed);
attn_status attnrt_session_load(attn_session *session, int64_t sequence,
                                const void *data, size_t size);
attn_status attnrt_generate(attn_session *session,
                            const attn_generate_options *options,
                            const int32_t *ids, size_t count,
                            attn_token_callback callback, void *context,
                            attn_generate_result *result);
attn_status attnrt_generate_text(attn_session *session,
                                 const attn_generate_options *options,
                                 const char *text, size_t length,
                                 attn_token_callback callback, void *context,
                                 attn_generate_result *result);
attn_status attnrt_detokenize(const attn_model *model, const int32_t *ids,
                              size_t count, char *buffer, size_t capacity,
                              size_t *needed);
attn_status attnrt_session_feed(attn_session *session, int64_t sequence,
                                const int32_t *ids, size_t count,
                                float *logits);
attn_status attnrt_generate_batch(attn_session *session,
                                  const attn_generate_request *requests,
                                  size_t count, attn_sequence_callback callback,
                                  void *context);
attn_status attnrt_chat_prompt(const attn_model *model,
                               const attn_message *messages, size_t count,
                               int32_t continues, char *buffer, size_t capacity,
                               size_t *needed);
attn_status attnrt_chat_tokenize(const attn_model *model,
                                 const attn_message *messages, size_t count,
                                 int32_t continues, int32_t *ids,
                                 size_t capacity, size_t *needed);
attn_status attnrt_chat(attn_session *session,
                        const attn_generate_options *options,
                        const attn_message *messages, size_t count,
                        attn_token_callback callback, void *context,
                        attn_generate_result *result);
/* By name, for attn_library; same checks, plus names and byte counts. */
attn_status attnrt_session_bytes_by_name(const attn_model *model,
                                         const char *entry,
                                         const int64_t *sizes,
                                         size_t size_count, uint64_t *bytes);
attn_status attnrt_call_by_name(attn_session *session, const char *entry,
                                const int64_t *sizes, size_t size_count,
                                const attn_buffer *inputs, size_t input_count,
                                const attn_buffer *outputs,
                                size_t output_count);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_ABI_H */
