/*===- attn/text.h - text in, token ids out ------------------------*- C -*-===*
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * What NAME_tokenize takes and returns. The tokenizer's files travel in the
 * weights, so nothing else is needed. Ids equal those of HuggingFace's
 * `tokenizers` for the same files.
 *
 *===----------------------------------------------------------------------===*/
#ifndef ATTN_TEXT_H
#define ATTN_TEXT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `count` texts become rows of token ids, special tokens included.
 *
 * Two calls make a batch: the first with input_ids == NULL stores in `longest`
 * the length of the longest row; the second, with `seq` >= 1, fills
 * input_ids[count][seq] and, where not NULL, attention_mask[count][seq] (1 for
 * a token, 0 for padding) and token_type_ids[count][seq]. Rows shorter than
 * `seq` end in the pad token; longer ones are truncated as the model's own
 * tokenizer truncates (special tokens kept). `longest` is stored each time and
 * never exceeds `max_length`.
 *
 * The caller owns every array. Text is UTF-8; bytes that are not are replaced
 * by U+FFFD as the Unicode standard recommends (chapter 3.9, "substitution of
 * maximal subparts"). */
typedef struct attn_text_batch {
  size_t struct_size;         /* sizeof(attn_text_batch) */
  int64_t count;              /* rows, at least 1 */
  const char *const *texts;   /* [count] */
  const size_t *lengths;      /* [count] bytes; NULL: texts end in NUL */
  const char *const *pairs;   /* [count] second texts, or NULL */
  const size_t *pair_lengths; /* [count] bytes; NULL: pairs end in NUL */
  int64_t max_length;         /* tokens a row may have; 0: the model's limit */
  int64_t seq;                /* columns of the arrays below */
  int32_t *input_ids;         /* [count][seq], or NULL to measure only */
  int32_t *attention_mask;    /* [count][seq], or NULL */
  int32_t *token_type_ids;    /* [count][seq], or NULL */
  int64_t longest;            /* out: tokens of the longest row */
} attn_text_batch;

/* clang-format off */
#define ATTN_TEXT_BATCH_INIT                                                   \
  { sizeof(attn_text_batch), 0, NULL, NULL, NULL, NULL, 0, 0, NULL,            \
    NULL, NULL, 0 }
/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif /* ATTN_TEXT_H */
