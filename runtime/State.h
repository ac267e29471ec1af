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
// allocates nothing any more. On a GPU the blocks lie in its memory, and the
// driver moves them; who has which block is known here alone.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_STATE_H
#define ATTN_RUNTIME_STATE_H

#include "Memory.h"

#include "attn/abi.h"

struct attn_session;

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
  /// From now on blocks lie on the session's device.
  void useDevice(attn_session &session) { device = &session; }
  /// Lets go of everything; a session's device is still open.
  void close();

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
  /// `mask` is its input `growth`; NULL stands for that input's default.
  /// Nothing that callers see changes before commit().
  attn_status prepare(const attn_abi_entry &entry, const int64_t *sizes,
                      const int32_t *mask);
  /// The call is over: sequences have their new rows.
  void commit();
  /// Each takes the other's place, until this is called again.
  void exchange(int64_t one, int64_t other);
  /// What prepare() takes for a call of these sizes if every sequence is empty,
  /// every row is kept, and nothing has been taken before.
  static uint64_t callBytes(const attn_abi_library &library,
                            const attn_abi_entry &entry, const int64_t *sizes);

  /// Differs whenever any sequence has changed since.
  uint64_t changes() const { return changeCount; }

  /// The first block that a sequence of this length still needs.
  int64_t firstBlock(int32_t group, int64_t length) const;

  const int32_t *past() const { return lengths; }
  const attn_frame_state *views() const { return stateViews; }

  /// Blocks of a sequence at most.
  int64_t tableLength() const { return blocksOf(states->positions); }
  /// The addresses of a sequence's blocks, `tableLength()` of them, if they
  /// have changed since this was asked last; else NULL.
  unsigned char *const *takeChanged(int32_t group, int64_t sequence);
  /// All of them count as changed: what was taken has not arrived.
  void changeAll();

private:
  /// Bytes before a block's data, which stay aligned to 64 bytes.
  static constexpr size_t kBlockHeader = 64;
  /// Stands there, or alone where the data are on a device.
  struct Block {
    int64_t references;
    Block *next; ///< of the unused ones
    unsigned char *data;
  };
  /// A group's blocks in use by one sequence: blocks[.. end).
  struct Table {
    Block **blocks;       ///< [tableLength()], NULL where there is none
    unsigned char **data; ///< theirs, for generated code
    int64_t end;
    bool isChanged;
  };

  attn_status check(int64_t sequence) const;
  Table &table(int32_t group, int64_t sequence) const {
    return tables[group * states->sequences + sequence];
  }
  int64_t blocksOf(int64_t length) const {
    return (length + states->block_positions - 1) / states->block_positions;
  }
  attn_status openTable(int32_t group, int64_t sequence);
  attn_status newBlock(uint64_t bytes, Block *&block);
  void releaseBlock(Block *block, uint64_t bytes);
  attn_status copyBlock(int32_t group, Block *to, const Block *from);
  attn_status clearBlock(int32_t group, Block *block);
  attn_status readBlock(int32_t group, void *to, const Block *from) const;
  attn_status writeBlock(int32_t group, Block *to, const void *from);
  attn_status takeBlock(int32_t group, Block *&block);
  static void put(Table &table, int64_t index, Block *block);
  void dropBlock(int32_t group, Block *block);
  void drop(int32_t group, Table &table, int64_t index);
  attn_status provide(int32_t group, int64_t sequence, int64_t length,
                      int64_t wanted);
  attn_status restore(int64_t sequence, int64_t length,
                      const unsigned char *place);
  void clear(int64_t sequence);
  void forget(int32_t group, int64_t sequence, int64_t length);

  Memory &memory;
  const attn_abi_library &library;
  const attn_abi_states *states;
  attn_session *device = nullptr; ///< whose device holds the blocks
  void *storage = nullptr;        ///< one allocation behind the arrays below
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
