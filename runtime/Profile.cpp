//===- Profile.cpp - where the time of calls goes -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Spans are kept in the session and written after the call, by the calling
// thread, so that writing disturbs no phase. Every write() appends whole
// events, which the kernel does not mix with those of other sessions. The array
// lacks its closing bracket until the model is closed; readers of the format
// expect that, so the trace of a program that crashed can be read too.
//
//===----------------------------------------------------------------------===//
#include "Profile.h"

#include "Errors.h"
#include "Session.h"
#include "Writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <new>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

namespace attnrt {

static constexpr const char *kVariable = "ATTN_PROFILE";

int64_t profileClock() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/// Writes `given` with its `%p` and `%n` filled in. False if it is too long.
static bool fillPath(const char *given, const char *name, char *path) {
  Writer writer(path, PATH_MAX);
  for (; *given; ++given) {
    bool isMark = given[0] == '%' && (given[1] == 'p' || given[1] == 'n');
    if (!isMark)
      writer.print("%c", *given);
    else if (*++given == 'p')
      writer.print("%d", getpid());
    else
      writer.print("%s", name);
  }
  return writer.length() < PATH_MAX;
}

attn_status Profile::open(const attn_abi_library &library) {
  // Not for programs that run with more rights than their user has.
  const char *given = secure_getenv(kVariable);
  if (!given || !*given)
    return ATTN_OK;
  char path[PATH_MAX];
  if (!fillPath(given, library.name, path))
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: %s names a path of more than %d bytes", library.name,
                kVariable, PATH_MAX - 1);
  do
    file = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK,
                  0666);
  while (file < 0 && errno == EINTR);
  if (file < 0)
    return fail(ATTN_ERROR_IO, "%s: %s=%s: cannot be written: %s", library.name,
                kVariable, path, systemError(errno));
  // Two models must not write into one array.
  if (flock(file, LOCK_EX | LOCK_NB) != 0 || ftruncate(file, 0) != 0) {
    bool isTaken = errno == EWOULDBLOCK;
    int error = errno;
    ::close(file);
    file = -1;
    return fail(ATTN_ERROR_IO, "%s: %s=%s: %s", library.name, kVariable, path,
                isTaken ? "another open model writes this file; give each its "
                          "own with %n (library) and %p (process)"
                        : systemError(error));
  }
  owner = getpid();
  char text[512];
  Writer writer(text, sizeof(text));
  writer.print("[{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%d,\"args\":{"
               "\"name\":",
               owner);
  writer.quote(library.name);
  writer.print("}}");
  write(text, writer.length());
  return ATTN_OK;
}

void Profile::close() {
  if (file < 0)
    return;
  // A child that holds the file open would go on holding the lock.
  if (owner == getpid()) {
    write("\n]\n", 3);
    (void)flock(file, LOCK_UN);
  }
  ::close(file);
  file = -1;
}

const char *Profile::lost() const {
  if (owner != getpid())
    return "the file is that of the process which opened the model";
  int error = failure.load(std::memory_order_relaxed);
  return error ? systemError(error) : nullptr;
}

void Profile::write(const char *text, size_t length) {
  // In a forked child: the parent completes the file when it likes.
  if (owner != getpid())
    return;
  // After a loss there is no telling where the next event would begin.
  while (length && !failure.load(std::memory_order_relaxed)) {
    ssize_t done = ::write(file, text, length);
    if (done > 0) {
      text += done;
      length -= static_cast<size_t>(done);
    } else if (done == 0 || errno != EINTR) {
      failure.store(done == 0 ? EIO : errno, std::memory_order_relaxed);
    }
  }
}

attn_status Profile::openSession(Memory &memory, size_t spans,
                                 SessionProfile &session) {
  // GPUs have no phases to trace.
  if (!isActive() || !spans)
    return ATTN_OK;
  void *block = memory.allocate(sizeof(Span) * spans, "the session's profile");
  if (!block)
    return ATTN_ERROR_OUT_OF_MEMORY;
  session.spans = static_cast<Span *>(block);
  session.count = spans;
  session.number = sessions.fetch_add(1, std::memory_order_relaxed) + 1;
  for (size_t i = 0; i < spans; ++i)
    new (&session.spans[i]) Span();
  return ATTN_OK;
}

void Profile::closeSession(Memory &memory, SessionProfile &session) {
  memory.release(session.spans, sizeof(Span) * session.count);
  session = SessionProfile();
}

namespace {

/// Collects events and hands them on before there are too many.
class Events {
public:
  Events(int process, int32_t session) : process(process), session(session) {}

  /// One event, which ends in `arguments`, a JSON object.
  void add(const char *name, const char *category, int32_t worker, Span span,
           const char *arguments) {
    Writer writer(text + used, sizeof(text) - used);
    writer.print(",\n{\"name\":");
    writer.quote(name);
    writer.print(",\"cat\":");
    writer.quote(category);
    writer.print(",\"ph\":\"X\",\"ts\":%" PRId64 ".%03d,\"dur\":%" PRId64
                 ".%03d,\"pid\":%d,\"tid\":%" PRId64 ",\"args\":%s}",
                 span.begin / 1000, static_cast<int>(span.begin % 1000),
                 (span.end - span.begin) / 1000,
                 static_cast<int>((span.end - span.begin) % 1000), process,
                 thread(worker), arguments);
    finish(writer);
  }

  void nameThread(int32_t worker) {
    Writer writer(text + used, sizeof(text) - used);
    writer.print(",\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":%d,\"tid\":"
                 "%" PRId64 ",\"args\":{\"name\":\"session %d, worker %d\"}}",
                 process, thread(worker), session, worker);
    finish(writer);
  }

  bool isFull() const { return used > sizeof(text) / 2; }
  const char *data() const { return text; }
  size_t take() {
    size_t taken = used;
    used = 0;
    return taken;
  }

private:
  // Workers number 1024 at most.
  int64_t thread(int32_t worker) const { return session * 1024ll + worker; }
  void finish(const Writer &writer) {
    // An event that does not fit (names are the compiler's, a line long at
    // most) is left out whole.
    if (used + writer.length() < sizeof(text))
      used += writer.length();
  }

  int process;
  int32_t session;
  char text[16384];
  size_t used = 0;
};

} // namespace

void Profile::writeCall(attn_session &session, int32_t entry, Span whole) {
  const attn_model &model = *session.model;
  const attn_abi_entry &called = model.library.entries[entry];
  const attn_abi_schedule &schedule = model.schedule(entry);
  Events events(getpid(), session.profile.number);
  auto flush = [&] {
    const char *text = events.data();
    write(text, events.take());
  };

  if (!session.profile.isNamed)
    for (int32_t worker = 0; worker < model.workers; ++worker) {
      events.nameThread(worker);
      if (events.isFull())
        flush();
    }
  session.profile.isNamed = true;

  char text[1024];
  Writer sizes(text, sizeof(text));
  for (int32_t i = 0; i < called.size_count; ++i) {
    sizes.print("%c", i ? ',' : '{');
    sizes.quote(model.library.sizes[called.sizes[i]].name);
    sizes.print(":%" PRId64, session.sizes[called.sizes[i]]);
  }
  sizes.print(called.size_count ? "}" : "{}");
  events.add(called.name, "call", 0, whole,
             sizes.length() < sizeof(text) ? text : "{}");

  Span *span = session.profile.spans;
  for (int32_t phase = 0; phase < schedule.phase_count; ++phase)
    for (int32_t worker = 0; worker < model.workers; ++worker, ++span) {
      if (!span->end)
        continue;
      char arguments[64];
      snprintf(arguments, sizeof(arguments), "{\"phase\":%d,\"worker\":%d}",
               phase, worker);
      events.add(schedule.phases[phase].name, called.name, worker, *span,
                 arguments);
      *span = Span();
      if (events.isFull())
        flush();
    }
  flush();
}

} // namespace attnrt
