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
 * every call appends when each worker began and ended each phase, as events that
 * Perfetto and chrome://tracing read. The file is complete once the model and
 * its sessions are closed. A file that cannot be written fails NAME_open; one
 * that fills the disk later is reported by NAME_info, and calls go on.
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
 * may have written part of its outputs, and that a handle which could not be
 * made is NULL. */
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
  ATTN_ERROR_DEVICE = 10           /* no GPU or driver that can run it, or one
                                      that failed or was lost */
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
 * (1 to 1024): work is cut into that many parts. One parallel_for is issued per
 * phase of the program, but for the short serial ones, which run on the calling
 * thread; it may be called from several threads at once when several sessions
 * are used at once. */
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
                          its own. Must outlive the model */
} attn_options;

/* Devices. On a GPU, NAME_* functions take host and device pointers alike, each
 * argument for itself: memory of the device, managed memory, pinned and plain
 * memory of the host. The driver says which it is. Pointers to device memory
 * are used where they are, and must be aligned to 16 bytes and valid on the
 * model's device; others go through buffers of the session. Elements of device
 * memory are not checked against an input's range: indices out of range are
 * clamped. A call returns when its outputs are there; only with a stream of
 * the caller's and no host pointers has its work then merely been enqueued.
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

/* How hosts drive a library without its header: NAME_library() returns one,
 * in static storage. Functions behave as their NAME_* namesakes.
 *
 * describe: JSON in static storage: name, abi_version, entry points with their
 *   named sizes (minimum, maximum), inputs and outputs (dtype, dims as numbers,
 *   size names or expressions; optional, default), variants, weights layout and
 *   digest, memory formula, tokenizer, how it was compiled.
 * session_bytes: exact bytes of a session's arena for a call of these sizes
 *   (`sizes` in the entry's order).
 * call: `sizes` in the entry's order; `inputs` and `outputs` in the entry's
 *   order.
 * info: JSON about an open model (variant and why, threads, bytes); writes at
 *   most `capacity` bytes with the NUL and stores the length in *needed.
 * tokenize, encode_text: see attn/text.h; NULL in a library without text. */
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
} attn_library;

#ifdef __cplusplus
}
#endif
#endif /* ATTN_ATTN_H */
