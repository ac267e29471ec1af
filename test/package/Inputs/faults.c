/*===- faults.c - making the system say no ----------------------------------===
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Linked before the C library, or preloaded: stands before its functions that
 * can fail, counts what they take, and lets the n-th attempt fail. A failed
 * free or close does not exist. The heap goes by glibc's own second names, so
 * that nothing here allocates; the rest is looked up before main.
 *
 *===----------------------------------------------------------------------===*/
#define _GNU_SOURCE
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static atomic_long attempts, failed, first_failing;
static atomic_int all_fail, armed, interrupts;
static _Atomic(const char *) last_failed = "nothing";
static atomic_long blocks, mappings, files;

void faults_arm(long first, int all) {
  attempts = failed = 0;
  first_failing = first;
  all_fail = all;
  last_failed = "nothing";
  interrupts = 0;
  armed = 1;
}
void faults_interrupt(long first) {
  faults_arm(first, 0);
  interrupts = 1;
}
void faults_disarm(void) { armed = 0; }
long faults_attempts(void) { return attempts; }
long faults_failed(void) { return failed; }
const char *faults_last(void) { return last_failed; }
faults_held faults_outstanding(void) {
  faults_held held = {blocks, mappings, files};
  return held;
}

static int can_be_interrupted(const char *function) {
  static const char *const known[] = {"open", "open64", "openat", "read",
                                      "pread"};
  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
    if (strcmp(function, known[i]) == 0)
      return 1;
  return 0;
}

/* True, with errno set, if this attempt is to fail. */
static int fails(const char *function, int error) {
  if (!armed || (interrupts && !can_be_interrupted(function)))
    return 0;
  long number = ++attempts;
  if (first_failing == 0 || number < first_failing ||
      (number > first_failing && !all_fail))
    return 0;
  failed++;
  last_failed = function;
  errno = interrupts ? EINTR : error;
  return 1;
}

/* --- The heap ------------------------------------------------------------- */

static void *counted(void *pointer) {
  if (pointer)
    blocks++;
  return pointer;
}

void *malloc(size_t bytes) {
  return fails("malloc", ENOMEM) ? NULL : counted(__libc_malloc(bytes));
}
void *calloc(size_t count, size_t bytes) {
  return fails("calloc", ENOMEM) ? NULL : counted(__libc_calloc(count, bytes));
}
void *realloc(void *pointer, size_t bytes) {
  if (fails("realloc", ENOMEM))
    return NULL;
  void *moved = __libc_realloc(pointer, bytes);
  if (!pointer && moved)
    blocks++;
  if (pointer && !moved && bytes == 0)
    blocks--;
  return moved;
}
void *memalign(size_t alignment, size_t bytes) {
  return fails("memalign", ENOMEM) ? NULL
                                   : counted(__libc_memalign(alignment, bytes));
}
void *aligned_alloc(size_t alignment, size_t bytes) {
  return fails("aligned_alloc", ENOMEM)
             ? NULL
             : counted(__libc_memalign(alignment, bytes));
}
int posix_memalign(void **pointer, size_t alignment, size_t bytes) {
  int before = errno; /* which posix_memalign leaves alone */
  int fault = fails("posix_memalign", before);
  void *block = fault ? NULL : counted(__libc_memalign(alignment, bytes));
  errno = before;
  if (block)
    *pointer = block;
  return block ? 0 : ENOMEM;
}
void free(void *pointer) {
  if (pointer)
    blocks--;
  __libc_free(pointer);
}

/* --- Files, mappings, threads --------------------------------------------- */

#define FAIL(error, result)                                                    \
  do {                                                                         \
    if (fails(__func__, error))                                                \
      return result;                                                           \
  } while (0)

/* The functions behind ours: POINTERS(X) lists name, result and parameters. */
#define POINTERS(X)                                                            \
  X(openat, int, (int, const char *, int, ...))                                \
  X(close, int, (int))                                                         \
  X(fstat, int, (int, struct stat *))                                          \
  X(stat, int, (const char *, struct stat *))                                  \
  X(read, ssize_t, (int, void *, size_t))                                      \
  X(pread, ssize_t, (int, void *, size_t, off_t))                              \
  X(readlink, ssize_t, (const char *, char *, size_t))                         \
  X(mmap, void *, (void *, size_t, int, int, int, off_t))                      \
  X(munmap, int, (void *, size_t))                                             \
  X(madvise, int, (void *, size_t, int))                                       \
  X(sched_getaffinity, int, (pid_t, size_t, cpu_set_t *))                      \
  X(pthread_create, int,                                                       \
    (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))

#define DECLARE(name, result, parameters)                                      \
  static result(*real_##name) parameters;
POINTERS(DECLARE)

static void *find(const char *name) {
  void *symbol = dlsym(RTLD_NEXT, name);
  if (!symbol) {
    static const char text[] =
        "faults: a function of the C library is missing\n";
    (void)!write(2, text, sizeof(text) - 1);
    _exit(3);
  }
  return symbol;
}

__attribute__((constructor)) static void find_all(void) {
#define FIND(name, result, parameters)                                         \
  {                                                                            \
    void *symbol = find(#name);                                                \
    memcpy(&real_##name, &symbol, sizeof(symbol));                             \
  }
  POINTERS(FIND)
}

static int opened(int file) {
  if (file >= 0)
    files++;
  return file;
}

/* O_TMPFILE and O_CREAT take a mode; reading it is harmless for others. */
#define MODE(last)                                                             \
  va_list list;                                                                \
  va_start(list, last);                                                        \
  mode_t mode = va_arg(list, mode_t);                                          \
  va_end(list)

int open(const char *path, int flags, ...) {
  MODE(flags);
  FAIL(EMFILE, -1);
  return opened(real_openat(AT_FDCWD, path, flags, mode));
}
int open64(const char *path, int flags, ...) {
  MODE(flags);
  FAIL(EMFILE, -1);
  return opened(real_openat(AT_FDCWD, path, flags, mode));
}
int openat(int folder, const char *path, int flags, ...) {
  MODE(flags);
  FAIL(EMFILE, -1);
  return opened(real_openat(folder, path, flags, mode));
}
int close(int file) {
  int result = real_close(file);
  if (result == 0)
    files--;
  return result;
}
int fstat(int file, struct stat *state) {
  FAIL(EIO, -1);
  return real_fstat(file, state);
}
int fstat64(int file, struct stat64 *state) {
  FAIL(EIO, -1);
  return real_fstat(file, (struct stat *)state);
}
int stat(const char *path, struct stat *state) {
  FAIL(EIO, -1);
  return real_stat(path, state);
}
ssize_t read(int file, void *data, size_t bytes) {
  FAIL(EIO, -1);
  return real_read(file, data, bytes);
}
ssize_t pread(int file, void *data, size_t bytes, off_t offset) {
  FAIL(EIO, -1);
  return real_pread(file, data, bytes, offset);
}
ssize_t readlink(const char *path, char *text, size_t bytes) {
  FAIL(EACCES, -1);
  return real_readlink(path, text, bytes);
}
static void *map(void *where, size_t bytes, int protection, int flags, int file,
                 off_t offset) {
  void *mapped = real_mmap(where, bytes, protection, flags, file, offset);
  if (mapped != MAP_FAILED)
    mappings++;
  return mapped;
}
void *mmap(void *where, size_t bytes, int protection, int flags, int file,
           off_t offset) {
  FAIL(ENOMEM, MAP_FAILED);
  return map(where, bytes, protection, flags, file, offset);
}
void *mmap64(void *where, size_t bytes, int protection, int flags, int file,
             off_t offset) {
  FAIL(ENOMEM, MAP_FAILED);
  return map(where, bytes, protection, flags, file, offset);
}
int munmap(void *where, size_t bytes) {
  int result = real_munmap(where, bytes);
  if (result == 0)
    mappings--;
  return result;
}
int madvise(void *where, size_t bytes, int advice) {
  FAIL(EAGAIN, -1);
  return real_madvise(where, bytes, advice);
}
int sched_getaffinity(pid_t process, size_t bytes, cpu_set_t *set) {
  FAIL(EPERM, -1);
  return real_sched_getaffinity(process, bytes, set);
}
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                   void *(*start)(void *), void *argument) {
  FAIL(EAGAIN, EAGAIN);
  return real_pthread_create(thread, attributes, start, argument);
}
