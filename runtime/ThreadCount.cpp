//===- ThreadCount.cpp - how many threads this process may use ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Control groups: /proc/self/cgroup names the group, "0::/a/b" in version 2 and
// "4:cpu,cpuacct:/a/b" in version 1. The limit is the smallest of cpu.max
// (version 1: cpu.cfs_quota_us by cpu.cfs_period_us) in it and its parents, as
// mounted in the usual places. What cannot be read limits nothing.
//
//===----------------------------------------------------------------------===//
#include "ThreadCount.h"

#include "Placement.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

namespace attnrt {

int32_t affinityProcessors() {
  int32_t count = ProcessorSet::ofThread().count();
  return count > 0 ? count : 1;
}

/// Reads a small file as text; false if there is none.
static bool readText(const char *path, char *text, size_t capacity) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return false;
  size_t size = 0;
  while (size + 1 < capacity) {
    ssize_t got = read(file, text + size, capacity - 1 - size);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      break;
    size += static_cast<size_t>(got);
  }
  close(file);
  text[size] = '\0';
  return size > 0;
}

/// Reads digits at `text` and moves behind them and one blank; -1 without any
/// ("max", "-1").
static int64_t readNumber(const char *&text) {
  if (*text < '0' || *text > '9')
    return -1;
  int64_t value = 0;
  for (; *text >= '0' && *text <= '9'; ++text)
    if (value < INT64_MAX / 16)
      value = value * 10 + (*text - '0');
  if (*text == ' ')
    ++text;
  return value;
}

/// Lowers `limit` (0: none yet) to `quota` per `period`.
static void lower(int64_t quota, int64_t period, int32_t &limit) {
  if (quota <= 0 || period <= 0)
    return;
  int64_t whole = quota / period;
  if (whole < 1)
    whole = 1;
  if (whole > kMaximumThreads)
    whole = kMaximumThreads;
  if (limit == 0 || whole < limit)
    limit = static_cast<int32_t>(whole);
}

static void lowerByGroup(const char *directory, bool isUnified,
                         int32_t &limit) {
  char path[4352], text[128];
  snprintf(path, sizeof(path), "%s/%s", directory,
           isUnified ? "cpu.max" : "cpu.cfs_quota_us");
  if (!readText(path, text, sizeof(text)))
    return;
  const char *at = text;
  int64_t quota = readNumber(at);
  if (!isUnified) {
    snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", directory);
    if (!readText(path, text, sizeof(text)))
      return;
    at = text;
  }
  lower(quota, readNumber(at), limit);
}

/// True if "cpu" is one of the comma-separated controllers in [begin, end).
static bool namesCpu(const char *begin, const char *end) {
  while (begin < end) {
    const char *comma = begin;
    while (comma < end && *comma != ',')
      ++comma;
    if (comma - begin == 3 && memcmp(begin, "cpu", 3) == 0)
      return true;
    begin = comma + 1;
  }
  return false;
}

/// Applies the limits of one line of /proc/self/cgroup.
static void lowerByLine(const char *root, char *line, int32_t &limit) {
  char *controllers = strchr(line, ':');
  char *group = controllers ? strchr(controllers + 1, ':') : nullptr;
  if (!group)
    return;
  bool isUnified = group == controllers + 1;
  if (!isUnified && !namesCpu(controllers + 1, group))
    return;
  char directory[4224];
  int base = snprintf(directory, sizeof(directory), "%s/sys/fs/cgroup%s", root,
                      isUnified ? "" : "/cpu");
  int length = snprintf(directory, sizeof(directory), "%s/sys/fs/cgroup%s%s",
                        root, isUnified ? "" : "/cpu", group + 1);
  if (length >= static_cast<int>(sizeof(directory)))
    return;
  // From the group up to the mount: a container often sees only the latter.
  for (;;) {
    lowerByGroup(directory, isUnified, limit);
    char *slash = strrchr(directory, '/'); // there is one in `base`
    if (slash - directory < base)
      return;
    *slash = '\0';
  }
}

int32_t quotaProcessors(const char *root) {
  char path[256], text[4096];
  snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
  if (!readText(path, text, sizeof(text)))
    return 0;
  int32_t limit = 0;
  for (char *line = text; *line;) {
    char *end = strchr(line, '\n');
    if (end)
      *end = '\0';
    lowerByLine(root, line, limit);
    if (!end)
      break;
    line = end + 1;
  }
  return limit;
}

int32_t usableThreads(int32_t processors, int32_t quota, const char *&reason) {
  int32_t threads = processors;
  reason = "the affinity mask";
  if (quota > 0 && quota < threads) {
    threads = quota;
    reason = "the control group's quota";
  }
  if (threads > kMaximumThreads) {
    threads = kMaximumThreads;
    reason = "the limit of 1024";
  }
  return threads;
}

} // namespace attnrt
