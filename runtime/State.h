//===- State.h - what a session remembers -----------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The keys and values that calls append, in blocks of positions. Every sequence
// has, per group of states, a table of blocks; a block belongs to all sequences
// whose tables name it and is copied before one of them writes to it. Blocks
// that fall out of a window, or whose last sequence lets go of them, are kept
// for the next ones, so that a session that has seen its longest sequences
// allocates nothing any more.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_STATE_H
#define ATTN_RUNTIME_STATE_H

#include "Memory.h"

#include "attn/abi.h"

namespace attnrt {

class SessionStates {
public:
  SessionStates(Memory &memory, const attn_abi_library &library)
      : memory(memory), library(library), states(library.states) {}
  ~SessionStates();
  SessionStates(const SessionStates &) = delete;
  SessionStates &operator=(const SessionStates &) = delete;

  /// Takes the memory whose size the library knows. Does nothing in a library
  /// without states.
  attn_status open();

  // What NAME_session_... do; see attn/attn.h.
  void reset();
  attn_status length(int64_t sequence, int64_t &result) const;
  attn_status truncate(int64_t sequence, int64_t length);
  attn_status fork(int64_t from, int64_t to);
  attn_status reserve(int64_t sequences, int64_t length);
  attn_status save(int64_t sequence, void *buffer, size_t capacity,
                   size_t *needed) const;
  attn_status load(int64_t sequence, const void *data, size_t size);

  /// Makes room for what a call of `entry` appends and notes the lengths.
  /// Nothing that callers see changes before commit().
  attn_status prepare(const attn_abi_entry &entry, const int64_t *sizes,
                      void *const *arguments);
  /// The call is over: sequences have their new rows.
  void commit();

  /// Differs whenever any sequence has changed since.
  uint64_t changes() const { return changeCount; }

  const int32_t *past() const { return lengths; }
  const attn_frame_state *views() const { return stateViews; }

private:
  /// Bytes before a block's data, which stay aligned to 64 bytes.
  static constexpr size_t kBlockHeader = 64;
  /// Stands there.
  struct Block {
    int64_t references;
    Block *next; ///< of the unused ones
  };
  /// A group's blocks in use by one sequence: blocks[.. end).
  struct Table {
    unsigned char **blocks; ///< [capacity], NULL where there is none
    int64_t end;
  };

  attn_status check(int64_t sequence) const;
  Table &table(int32_t group, int64_t sequence) const {
    return tables[group * states->sequences + sequence];
  }
  int64_t blocksOf(int64_t length) const {
    return (length + states->block_positions - 1) / states->block_positions;
  }
  /// The first block that a sequence of this length still needs.
  int64_t firstBlock(int32_t group, int64_t length) const;
  attn_status openTable(int32_t group, int64_t sequence);
  unsigned char *takeBlock(int32_t group);
  void dropBlock(int32_t group, unsigned char *&block);
  attn_status provide(int32_t group, int64_t sequence, int64_t length,
                      int64_t wanted);
  attn_status restore(int64_t sequence, int64_t length,
                      const unsigned char *place);
  void clear(int64_t sequence);
  void forget(int32_t group, int64_t sequence, int64_t length);

  Memory &memory;
  const attn_abi_library &library;
  const attn_abi_states *states;
  void *storage = nullptr; ///< one allocation behind the arrays below
  size_t storageBytes = 0;
  Table *tables = nullptr;                ///< [groups][sequences]
  unsigned char ***roots = nullptr;       ///< the same, for generated code
  Block **unused = nullptr;               ///< [groups]
  attn_frame_state *stateViews = nullptr; ///< [states]
  uint64_t changeCount = 0;
  int32_t *lengths = nullptr, *grown = nullptr; ///< [sequences]
};

} // namespace attnrt

#endif // ATTN_RUNTIME_STATE_H
