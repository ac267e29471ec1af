//===- StateFile.cpp - a sequence as bytes
//----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// NAME_session_save and NAME_session_load: a header that tells which weights
// and which layout of states the bytes belong to, then for each group the
// blocks that the sequence still needs, with zeros behind its length: what was
// cut off, or refused, is nobody's. Bytes come from outside: nothing of
// them is used before the header's facts and the checksum are right.
//
//===----------------------------------------------------------------------===//
#include "Errors.h"
#include "Session.h"

#include <inttypes.h>
#include <string.h>

namespace attnrt {

namespace {
struct Header {
  char magic[8];        ///< kMagic, without a NUL
  char content[64];     ///< library.content_digest, filled up with NULs
  char fingerprint[64]; ///< states.fingerprint, likewise
  int64_t length;       ///< positions
  uint64_t bytes;       ///< behind the header
  uint64_t checksum;    ///< of these bytes
};
} // namespace

static constexpr char kMagic[] = "ATTNSEQ1";

/// FNV-1a over words of 64 bits: damage, not malice. `bytes` is a multiple of
/// 8, as blocks are.
static uint64_t addToChecksum(uint64_t sum, const unsigned char *data,
                              uint64_t bytes) {
  for (uint64_t i = 0; i < bytes; i += sizeof(uint64_t)) {
    uint64_t word;
    memcpy(&word, data + i, sizeof(word));
    sum = (sum ^ word) * 0x100000001b3ull;
    sum ^= sum >> 32;
  }
  return sum;
}
static constexpr uint64_t kChecksumStart = 0xcbf29ce484222325ull;

static void copyText(char *to, size_t capacity, const char *from) {
  memset(to, 0, capacity);
  size_t size = strlen(from);
  memcpy(to, from, size < capacity ? size : capacity);
}

static Header makeHeader(const attn_abi_library &library, int64_t length,
                         uint64_t bytes) {
  Header header;
  memcpy(header.magic, kMagic, sizeof(header.magic));
  copyText(header.content, sizeof(header.content), library.content_digest);
  copyText(header.fingerprint, sizeof(header.fingerprint),
           library.states->fingerprint);
  header.length = length;
  header.bytes = bytes;
  header.checksum = kChecksumStart;
  return header;
}

/// Clears what a block of a group holds for positions from `first` on.
static void clearBehind(const attn_abi_states &states, int32_t group,
                        unsigned char *block, int64_t first) {
  const int64_t left = states.block_positions - first;
  for (int32_t i = 0; i < states.state_count; ++i) {
    const attn_abi_state &state = states.states[i];
    unsigned char *line = block + state.offset;
    auto clearLine = [&](int64_t width) {
      memset(line + first * width, 0, left * width);
      line += states.block_positions * width;
    };
    for (int64_t head = 0; state.group == group && head < state.heads; ++head) {
      for (int64_t j = 0; j < state.lines; ++j)
        clearLine(state.width);
      clearLine(state.scale_bytes);
    }
  }
}

attn_status SessionStates::save(int64_t sequence, void *buffer, size_t capacity,
                                size_t *needed) const {
  attn_status status = check(sequence);
  if (status != ATTN_OK)
    return status;
  int64_t length = lengths[sequence], end = blocksOf(length);
  uint64_t bytes = 0;
  for (int32_t group = 0; group < states->group_count; ++group)
    bytes +=
        (end - firstBlock(group, length)) * states->groups[group].block_bytes;
  size_t whole = sizeof(Header) + bytes;
  if (needed)
    *needed = whole;
  if (!buffer && needed)
    return ATTN_OK;
  if (!buffer || capacity < whole)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: the buffer for sequence %" PRId64
                " has %zu bytes; expected %zu",
                library.name, sequence, buffer ? capacity : 0, whole);
  Header header = makeHeader(library, length, bytes);
  unsigned char *place = static_cast<unsigned char *>(buffer) + sizeof(header);
  for (int32_t group = 0; group < states->group_count; ++group) {
    uint64_t size = states->groups[group].block_bytes;
    for (int64_t i = firstBlock(group, length); i < end; ++i, place += size) {
      status = readBlock(group, place, table(group, sequence).blocks[i]);
      if (status != ATTN_OK)
        return status;
      // The last block may have room left.
      if (int64_t rows = length - i * states->block_positions;
          rows < states->block_positions)
        clearBehind(*states, group, place, rows);
      header.checksum = addToChecksum(header.checksum, place, size);
    }
  }
  memcpy(buffer, &header, sizeof(header));
  return ATTN_OK;
}

/// Whether the bytes are a sequence of this library.
static attn_status checkHeader(const attn_abi_library &library,
                               const Header &header) {
  Header expected = makeHeader(library, header.length, header.bytes);
  if (memcmp(header.magic, expected.magic, sizeof(header.magic)) != 0)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: the bytes are no saved sequence", library.name);
  if (memcmp(header.content, expected.content, sizeof(header.content)) != 0)
    return fail(ATTN_ERROR_WEIGHTS,
                "%s: the sequence was saved by a model with other weights",
                library.name);
  if (memcmp(header.fingerprint, expected.fingerprint,
             sizeof(header.fingerprint)) != 0)
    return fail(ATTN_ERROR_WEIGHTS,
                "%s: the sequence was saved by a library that keeps its states "
                "in another layout",
                library.name);
  if (header.length < 0 || header.length > library.states->positions)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: the saved sequence has %" PRId64
                " positions; expected 0 to %" PRId64,
                library.name, header.length, library.states->positions);
  return ATTN_OK;
}

attn_status SessionStates::load(int64_t sequence, const void *data,
                                size_t size) {
  attn_status status = check(sequence);
  if (status != ATTN_OK)
    return status;
  Header header;
  if (!data || size < sizeof(header))
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: %zu bytes are no saved sequence", library.name,
                data ? size : 0);
  memcpy(&header, data, sizeof(header));
  status = checkHeader(library, header);
  if (status != ATTN_OK)
    return status;
  int64_t length = header.length, end = blocksOf(length);
  uint64_t bytes = 0;
  for (int32_t group = 0; group < states->group_count; ++group)
    bytes +=
        (end - firstBlock(group, length)) * states->groups[group].block_bytes;
  const unsigned char *place =
      static_cast<const unsigned char *>(data) + sizeof(header);
  if (header.bytes != bytes || size - sizeof(header) != bytes ||
      addToChecksum(kChecksumStart, place, bytes) != header.checksum)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: the saved sequence is damaged or cut short", library.name);
  return restore(sequence, length, place);
}

/// Replaces a sequence by checked bytes; it stays as it was if there is no
/// memory for them, and is empty if a device fails.
attn_status SessionStates::restore(int64_t sequence, int64_t length,
                                   const unsigned char *place) {
  int64_t end = blocksOf(length);
  for (int32_t group = 0; group < states->group_count && end; ++group) {
    attn_status status = openTable(group, sequence);
    // Blocks are collected among the unused ones first.
    Block *fresh = nullptr;
    int64_t missing = end - firstBlock(group, length);
    for (; status == ATTN_OK && missing > 0; --missing) {
      Block *taken;
      status = takeBlock(group, taken);
      if (status != ATTN_OK)
        break;
      taken->next = fresh;
      fresh = taken;
    }
    while (fresh) {
      Block *next = fresh->next;
      dropBlock(group, fresh);
      fresh = next;
    }
    if (status != ATTN_OK)
      return status;
  }
  clear(sequence);
  attn_status status = ATTN_OK;
  for (int32_t group = 0; group < states->group_count && end; ++group) {
    Table &own = table(group, sequence);
    uint64_t size = states->groups[group].block_bytes;
    own.end = end;
    for (int64_t i = firstBlock(group, length); i < end; ++i, place += size) {
      Block *taken = nullptr; // there are enough
      (void)takeBlock(group, taken);
      put(own, i, taken);
      if (status == ATTN_OK)
        status = writeBlock(group, taken, place);
    }
  }
  if (status == ATTN_OK)
    lengths[sequence] = static_cast<int32_t>(length);
  else
    clear(sequence);
  return status;
}

} // namespace attnrt

using namespace attnrt;

//===-- the API
//-------------------------------------------------------------===//

/// Runs `body` on a session that no call is using.
template <typename Body>
static attn_status guarded(attn_session *session, const Body &body) {
  if (!session)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "session is NULL");
  CallGuard guard(*session);
  attn_status status = guard.enter();
  return status == ATTN_OK ? body(session->states) : status;
}

attn_status attnrt_session_reset(attn_session *session) {
  return guarded(session, [](SessionStates &states) {
    states.reset();
    return ATTN_OK;
  });
}

attn_status attnrt_session_length(attn_session *session, int64_t sequence,
                                  int64_t *length) {
  return guarded(session, [&](SessionStates &states) {
    if (!length)
      return fail(ATTN_ERROR_INVALID_ARGUMENT, "length is NULL");
    return states.length(sequence, *length);
  });
}

attn_status attnrt_session_truncate(attn_session *session, int64_t sequence,
                                    int64_t length) {
  return guarded(session, [&](SessionStates &states) {
    return states.truncate(sequence, length);
  });
}

attn_status attnrt_session_fork(attn_session *session, int64_t from,
                                int64_t to) {
  return guarded(session,
                 [&](SessionStates &states) { return states.fork(from, to); });
}

attn_status attnrt_session_reserve(attn_session *session, int64_t sequences,
                                   int64_t length) {
  return guarded(session, [&](SessionStates &states) {
    return states.reserve(sequences, length);
  });
}

attn_status attnrt_session_save(attn_session *session, int64_t sequence,
                                void *buffer, size_t capacity, size_t *needed) {
  return guarded(session, [&](SessionStates &states) {
    return states.save(sequence, buffer, capacity, needed);
  });
}

attn_status attnrt_session_load(attn_session *session, int64_t sequence,
                                const void *data, size_t size) {
  return guarded(session, [&](SessionStates &states) {
    return states.load(sequence, data, size);
  });
}
