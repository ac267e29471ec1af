/*===- hosts.h - a host's threads
 * --------------------------------------------===
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * What openmp.c and tbb.cpp implement: attn_executor's parallel_for.
 *
 *===----------------------------------------------------------------------===*/
#ifndef ATTN_TEST_HOSTS_H
#define ATTN_TEST_HOSTS_H

#include "attn/attn.h"

#ifdef __cplusplus
extern "C" {
#endif

void host_parallel_for(void *context, int32_t count,
                       void (*task)(void *task_context, int32_t index),
                       void *task_context);
/* How many threads have run tasks. */
long host_threads_seen(void);
const char *host_name(void);

#ifdef __cplusplus
}
#endif
#endif /* ATTN_TEST_HOSTS_H */
