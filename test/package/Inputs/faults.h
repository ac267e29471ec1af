/*===- faults.h - making the system say no ----------------------------------===
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * What faults.so offers to the program under test, which links it. Attempts are
 * counted from arming on: allocations, opens, reads, mappings, thread starts
 * and so on, in any thread.
 *
 *===----------------------------------------------------------------------===*/
#ifndef ATTN_TEST_FAULTS_H
#define ATTN_TEST_FAULTS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Attempt `first` fails; if `all`, those after it as well. 0: none fails. */
void faults_arm(long first, int all);
/* Counts only what a signal can interrupt, and interrupts attempt `first`. */
void faults_interrupt(long first);
void faults_disarm(void);
/* Attempts since arming, and how many of them failed. */
long faults_attempts(void);
long faults_failed(void);
/* The function that failed last, or "nothing". */
const char *faults_last(void);

/* What is taken and not given back, since the program began. */
typedef struct faults_held {
  long blocks, mappings, files;
} faults_held;
faults_held faults_outstanding(void);

#ifdef __cplusplus
}
#endif

#endif /* ATTN_TEST_FAULTS_H */
