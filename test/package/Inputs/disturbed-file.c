/*===- disturbed-file.c - a file that fails or changes
 * -----------------------===
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Preloaded: files whose path ends in $REFUSED cannot be opened, those that end
 * in $GROWN have one byte more than there are, and the attempt of number
 * $NO_SPACE to write into a file, to make it longer or to rename it finds no
 * space left.
 *
 *===----------------------------------------------------------------------===*/
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int ends_in(const char *path, const char *variable) {
  const char *end = getenv(variable);
  size_t size = end ? strlen(end) : 0, length = strlen(path);
  return size > 0 && length >= size && strcmp(path + length - size, end) == 0;
}

static int open_file(const char *path, int flags, mode_t mode) {
  if (ends_in(path, "REFUSED")) {
    errno = EIO;
    return -1;
  }
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* Counts attempts on files; the program's own output is none. */
static int has_no_space(int file) {
  static atomic_long attempts;
  const char *number = getenv("NO_SPACE");
  if (!number || file == 1 || file == 2 || ++attempts != atol(number))
    return 0;
  errno = ENOSPC;
  return 1;
}

ssize_t write(int file, const void *data, size_t bytes) {
  return has_no_space(file) ? -1 : syscall(SYS_write, file, data, bytes);
}
ssize_t pwrite64(int file, const void *data, size_t bytes, off64_t offset) {
  return has_no_space(file) ? -1
                            : syscall(SYS_pwrite64, file, data, bytes, offset);
}
ssize_t pwrite(int file, const void *data, size_t bytes, off_t offset) {
  return pwrite64(file, data, bytes, offset);
}
int ftruncate64(int file, off64_t bytes) {
  return has_no_space(file) ? -1 : (int)syscall(SYS_ftruncate, file, bytes);
}
int ftruncate(int file, off_t bytes) { return ftruncate64(file, bytes); }
int posix_fallocate64(int file, off64_t offset, off64_t bytes) {
  if (has_no_space(file))
    return ENOSPC;
  return syscall(SYS_fallocate, file, 0, offset, bytes) == 0 ? 0 : errno;
}
int posix_fallocate(int file, off_t offset, off_t bytes) {
  return posix_fallocate64(file, offset, bytes);
}
int rename(const char *from, const char *to) {
  return has_no_space(0) ? -1 : (int)syscall(SYS_rename, from, to);
}

#define OPEN(name)                                                             \
  int name(const char *path, int flags, ...) {                                 \
    va_list list;                                                              \
    va_start(list, flags);                                                     \
    mode_t mode = va_arg(list, mode_t);                                        \
    va_end(list);                                                              \
    return open_file(path, flags, mode);                                       \
  }
OPEN(open)
OPEN(open64)

int stat(const char *path, struct stat *state) {
  int result = (int)syscall(SYS_newfstatat, AT_FDCWD, path, state, 0);
  if (result == 0 && ends_in(path, "GROWN"))
    state->st_size++;
  return result;
}
int stat64(const char *path, struct stat64 *state) {
  return stat(path, (struct stat *)state);
}
