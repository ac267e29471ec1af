//===- Errors.cpp - the last error of each thread -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Messages lie in a table of the library's own, found by the thread's id. A
// thread_local buffer would not do: in a library that was loaded by dlopen,
// glibc allocates it when a thread first touches it and aborts the program if
// there is no memory, which is when a message is wanted most. Nor does anything
// here run when a thread ends, perhaps after the library was closed: the place
// of a thread that is gone is taken by another one when all are taken.
//
//===----------------------------------------------------------------------===//
#include "Errors.h"

#include <atomic>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace attnrt {

namespace {

struct Place {
  std::atomic<int32_t> owner; ///< thread id, or 0
  char message[kErrorCapacity];
};

// Untouched places cost no memory. More threads than these rarely live with an
// error each; what is lost then is a text, never a status.
constexpr uint32_t kPlaces = 256;
Place places[kPlaces];

/// Nobody's, or that of a thread that has ended.
bool isFree(int32_t owner) {
  int saved = errno;
  bool gone = owner == 0 || syscall(SYS_tgkill, getpid(), owner, 0) != 0;
  errno = saved;
  return gone;
}

/// The calling thread's place. Without one, `create` takes one; nullptr if
/// there is none or, with `create`, all are taken by living threads.
Place *findPlace(bool create) {
  int32_t self = static_cast<int32_t>(syscall(SYS_gettid));
  uint32_t first = static_cast<uint32_t>(self) % kPlaces;
  for (uint32_t i = 0; i < kPlaces; ++i) {
    Place &place = places[(first + i) % kPlaces];
    // A thread may have the number of one that has ended, and then its place.
    int32_t owner = place.owner.load(std::memory_order_acquire);
    if (owner == self)
      return &place;
    if (owner != 0)
      continue;
    if (!create)
      return nullptr;
    if (place.owner.compare_exchange_strong(owner, self))
      return &place;
  }
  for (uint32_t i = 0; create && i < kPlaces; ++i) {
    Place &place = places[(first + i) % kPlaces];
    int32_t owner = place.owner.load(std::memory_order_relaxed);
    if (isFree(owner) && place.owner.compare_exchange_strong(owner, self))
      return &place;
  }
  return nullptr;
}

} // namespace

attn_status fail(attn_status status, const char *format, ...) {
  Place *place = findPlace(true);
  if (!place)
    return status;
  char *message = place->message;
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(message, kErrorCapacity, format, arguments);
  va_end(arguments);
  if (length >= static_cast<int>(kErrorCapacity))
    memcpy(message + kErrorCapacity - 4, "...", 4);
  makeLine(message);
  // Whoever takes this place once the thread has ended comes behind all this.
  place->owner.store(place->owner.load(std::memory_order_relaxed),
                     std::memory_order_release);
  return status;
}

void makeLine(char *text) {
  for (; *text; ++text)
    if (static_cast<unsigned char>(*text) < 0x20 || *text == 0x7f)
      *text = '?';
}

const char *lastError() {
  if (const Place *place = findPlace(false))
    return place->message;
  // Whoever failed while there was a free place has one.
  for (const Place &place : places)
    if (isFree(place.owner.load(std::memory_order_relaxed)))
      return "no error";
  return "no text: 256 other threads have had errors of this library";
}

const char *systemError(int number) {
  const char *text = strerrordesc_np(number);
  return text ? text : "unknown error";
}

} // namespace attnrt

extern "C" const char *attnrt_last_error(void) { return attnrt::lastError(); }
