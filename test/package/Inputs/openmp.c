/*===- openmp.c - OpenMP's threads as an executor ---------------------------===
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * A team of four per phase, whatever the machine has.
 *
 *===----------------------------------------------------------------------===*/
#include "hosts.h"

#include <stdatomic.h>

static atomic_long seen;
static _Thread_local int counted;

void host_parallel_for(void *context, int32_t count,
                       void (*task)(void *task_context, int32_t index),
                       void *task_context) {
  (void)context;
#pragma omp parallel for schedule(dynamic, 1) num_threads(4)
  for (int32_t i = 0; i < count; i++) {
    if (!counted) {
      counted = 1;
      seen++;
    }
    task(task_context, i);
  }
}

long host_threads_seen(void) { return seen; }
const char *host_name(void) { return "OpenMP"; }
