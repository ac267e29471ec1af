//===- State.cpp - what a session remembers -------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Blocks, tables and lengths. A call's blocks are put into the tables before it
// runs; a call that fails leaves them there, behind the length, for the next.
//
//===----------------------------------------------------------------------===//
#include "State.h"

#include "Device.h"
#include "Errors.h"
#include "Session.h"

#include <inttypes.h>
#include <string.h>

namespace attnrt {

attn_status SessionStates::open() {
  if (!states)
    return ATTN_OK;
  size_t sequences = states->sequences, groups = states->group_count;
  storageBytes =
      (sizeof(Table) + sizeof(unsigned char **)) * groups * sequences +
      sizeof(Block *) * groups +
      sizeof(attn_frame_state) * states->state_count +
      2 * sizeof(int32_t) * sequences;
  storage = memory.allocate(storageBytes, "the session's sequences");
  if (!storage)
    return ATTN_ERROR_OUT_OF_MEMORY;
  memset(storage, 0, storageBytes);
  tables = static_cast<Table *>(storage);
  roots = reinterpret_cast<unsigned char ***>(tables + groups * sequences);
  unused = reinterpret_cast<Block **>(roots + groups * sequences);
  stateViews = reinterpret_cast<attn_frame_state *>(unused + groups);
  lengths = reinterpret_cast<int32_t *>(stateViews + states->state_count);
  grown = lengths + sequences;
  for (int32_t i = 0; i < states->state_count; ++i) {
    const attn_abi_state &state = states->states[i];
    stateViews[i].tables = roots + state.group * sequences;
    stateViews[i].offset = state.offset;
  }
  return ATTN_OK;
}

SessionStates::~SessionStates() { close(); }

void SessionStates::close() {
  if (!storage)
    return;
  reset();
  size_t tableBytes = 2 * sizeof(void *) * tableLength();
  for (int32_t group = 0; group < states->group_count; ++group) {
    for (int64_t sequence = 0; sequence < states->sequences; ++sequence)
      if (Block **blocks = table(group, sequence).blocks)
        memory.release(static_cast<void *>(blocks), tableBytes);
    for (Block *block = unused[group]; block;) {
      Block *next = block->next;
      releaseBlock(block, states->groups[group].block_bytes);
      block = next;
    }
  }
  memory.release(storage, storageBytes);
  storage = nullptr;
}

//===-- blocks ------------------------------------------------------------===//

attn_status SessionStates::newBlock(uint64_t bytes, Block *&block) {
  size_t taken = kBlockHeader + (device ? 0 : bytes);
  block = static_cast<Block *>(memory.allocate(taken, "the session's state"));
  if (!block)
    return ATTN_ERROR_OUT_OF_MEMORY;
  memset(static_cast<void *>(block), 0, kBlockHeader);
  block->data = reinterpret_cast<unsigned char *>(block) + kBlockHeader;
  if (!device)
    return ATTN_OK;
  attn_status status =
      device->model->driver().takeBlock(*device, bytes, block->data);
  if (status != ATTN_OK)
    memory.release(block, taken);
  return status;
}

void SessionStates::releaseBlock(Block *block, uint64_t bytes) {
  if (device)
    device->model->driver().releaseBlock(*device, block->data, bytes);
  memory.release(block, kBlockHeader + (device ? 0 : bytes));
}

attn_status SessionStates::copyBlock(int32_t group, Block *to,
                                     const Block *from) {
  uint64_t bytes = states->groups[group].block_bytes;
  if (device)
    return device->model->driver().copyBlock(*device, to->data, from->data,
                                             bytes);
  memcpy(to->data, from->data, bytes);
  return ATTN_OK;
}

attn_status SessionStates::clearBlock(int32_t group, Block *block) {
  uint64_t bytes = states->groups[group].block_bytes;
  if (device)
    return device->model->driver().clearBlock(*device, block->data, bytes);
  memset(block->data, 0, bytes);
  return ATTN_OK;
}

attn_status SessionStates::readBlock(int32_t group, void *to,
                                     const Block *from) const {
  uint64_t bytes = states->groups[group].block_bytes;
  if (device)
    return device->model->driver().readBlock(*device, to, from->data, bytes);
  memcpy(to, from->data, bytes);
  return ATTN_OK;
}

attn_status SessionStates::writeBlock(int32_t group, Block *to,
                                      const void *from) {
  uint64_t bytes = states->groups[group].block_bytes;
  if (device)
    return device->model->driver().writeBlock(*device, to->data, from, bytes);
  memcpy(to->data, from, bytes);
  return ATTN_OK;
}

/// Sets `block` if there is one.
attn_status SessionStates::takeBlock(int32_t group, Block *&block) {
  block = unused[group];
  if (block) {
    unused[group] = block->next;
  } else {
    attn_status status = newBlock(states->groups[group].block_bytes, block);
    if (status != ATTN_OK)
      return status;
  }
  block->references = 1;
  block->next = nullptr;
  return ATTN_OK;
}

void SessionStates::put(Table &table, int64_t index, Block *block) {
  table.blocks[index] = block;
  table.data[index] = block ? block->data : nullptr;
  table.isChanged = true;
}

void SessionStates::dropBlock(int32_t group, Block *block) {
  if (--block->references > 0)
    return;
  block->next = unused[group];
  unused[group] = block;
}

void SessionStates::drop(int32_t group, Table &table, int64_t index) {
  Block *block = table.blocks[index];
  if (!block)
    return;
  put(table, index, nullptr);
  dropBlock(group, block);
}

unsigned char *const *SessionStates::takeChanged(int32_t group,
                                                 int64_t sequence) {
  Table &asked = table(group, sequence);
  if (!asked.isChanged)
    return nullptr;
  asked.isChanged = false;
  return asked.data;
}

void SessionStates::changeAll() {
  for (int32_t group = 0; group < states->group_count; ++group)
    for (int64_t sequence = 0; sequence < states->sequences; ++sequence)
      table(group, sequence).isChanged =
          table(group, sequence).blocks != nullptr;
}

attn_status SessionStates::openTable(int32_t group, int64_t sequence) {
  Table &wanted = table(group, sequence);
  if (wanted.blocks)
    return ATTN_OK;
  size_t bytes = 2 * sizeof(void *) * tableLength();
  void *blocks = memory.allocate(bytes, "the session's sequences");
  if (!blocks)
    return ATTN_ERROR_OUT_OF_MEMORY;
  memset(blocks, 0, bytes);
  wanted.blocks = static_cast<Block **>(blocks);
  wanted.data =
      reinterpret_cast<unsigned char **>(wanted.blocks + tableLength());
  roots[group * states->sequences + sequence] = wanted.data;
  return ATTN_OK;
}

/// A sequence of `length` rows gets blocks of its own for rows up to `wanted`.
attn_status SessionStates::provide(int32_t group, int64_t sequence,
                                   int64_t length, int64_t wanted) {
  attn_status status = openTable(group, sequence);
  if (status != ATTN_OK)
    return status;
  Table &own = table(group, sequence);
  int64_t end = blocksOf(wanted);
  for (int64_t i = length / states->block_positions; i < end; ++i) {
    Block *block = own.blocks[i];
    bool isShared = block && block->references > 1;
    if (block && !isShared)
      continue;
    Block *fresh;
    status = takeBlock(group, fresh);
    if (status != ATTN_OK)
      return status;
    // What other sequences left in it never shows behind this one's rows.
    status =
        isShared ? copyBlock(group, fresh, block) : clearBlock(group, fresh);
    if (status != ATTN_OK) {
      dropBlock(group, fresh);
      return status;
    }
    if (isShared)
      dropBlock(group, block);
    put(own, i, fresh);
    own.end = i + 1 > own.end ? i + 1 : own.end;
  }
  return ATTN_OK;
}

int64_t SessionStates::firstBlock(int32_t group, int64_t length) const {
  int64_t window = states->groups[group].window;
  // The next query, at position `length`, sees rows after length - window.
  if (!window || length < window)
    return 0;
  return (length - window + 1) / states->block_positions;
}

/// Lets go of blocks that a sequence of `length` rows does not need.
void SessionStates::forget(int32_t group, int64_t sequence, int64_t length) {
  Table &own = table(group, sequence);
  int64_t first = firstBlock(group, length), last = blocksOf(length);
  for (int64_t i = 0; i < own.end; ++i)
    if (i < first || i >= last)
      drop(group, own, i);
  own.end = own.end < last ? own.end : last;
}

void SessionStates::clear(int64_t sequence) {
  for (int32_t group = 0; group < states->group_count; ++group)
    forget(group, sequence, 0);
  lengths[sequence] = 0;
  ++changeCount;
}

//===-- calls -------------------------------------------------------------===//

static int32_t countKept(const int32_t *mask, int64_t count) {
  int32_t kept = 0;
  for (int64_t i = 0; i < count; ++i)
    kept += mask[i] != 0;
  return kept;
}

uint64_t SessionStates::callBytes(const attn_abi_library &library,
                                  const attn_abi_entry &entry,
                                  const int64_t *sizes) {
  const attn_abi_states *states = library.states;
  if (!states || !entry.growth)
    return 0;
  const attn_abi_argument &kept = entry.arguments[entry.growth - 1];
  auto extent = [&](int32_t dim) -> uint64_t {
    return kept.dims[dim] < 0 ? sizes[-1 - kept.dims[dim]] : kept.dims[dim];
  };
  auto blocksOf = [&](uint64_t rows) {
    return (rows + states->block_positions - 1) / states->block_positions;
  };
  // A sequence has a table in each group, of two pointers for each block.
  uint64_t sequence = 0;
  for (int32_t group = 0; group < states->group_count; ++group)
    sequence += 2 * sizeof(void *) * blocksOf(states->positions) +
                blocksOf(extent(1)) *
                    (kBlockHeader + states->groups[group].block_bytes);
  return extent(0) * sequence;
}

attn_status SessionStates::prepare(const attn_abi_entry &entry,
                                   const int64_t *sizes, const int32_t *mask) {
  if (!entry.growth)
    return ATTN_OK;
  const attn_abi_argument &kept = entry.arguments[entry.growth - 1];
  auto extent = [&](int32_t dim) {
    return kept.dims[dim] < 0 ? sizes[-1 - kept.dims[dim]] : kept.dims[dim];
  };
  int64_t batch = extent(0), seq = extent(1);
  int32_t untold = kept.default_value ? static_cast<int32_t>(seq) : 0;
  memset(grown, 0, sizeof(int32_t) * states->sequences);
  for (int64_t b = 0; b < batch; ++b) {
    grown[b] = mask ? countKept(mask + b * seq, seq) : untold;
    if (grown[b] > states->positions - lengths[b])
      return fail(ATTN_ERROR_CONTEXT_FULL,
                  "%s: sequence %" PRId64
                  " has %d positions; %d more exceed the %" PRId64
                  " that this library was compiled for",
                  entry.name, b, lengths[b], grown[b], states->positions);
  }
  for (int64_t b = 0; b < batch; ++b)
    for (int32_t group = 0; group < states->group_count && grown[b]; ++group) {
      attn_status status =
          provide(group, b, lengths[b], int64_t(lengths[b]) + grown[b]);
      if (status != ATTN_OK)
        return status;
    }
  return ATTN_OK;
}

template <typename T> static void swap(T &one, T &other) {
  T kept = one;
  one = other;
  other = kept;
}

void SessionStates::exchange(int64_t one, int64_t other) {
  if (one == other)
    return;
  swap(lengths[one], lengths[other]);
  for (int32_t group = 0; group < states->group_count; ++group) {
    swap(table(group, one), table(group, other));
    unsigned char ***ofGroup = roots + group * states->sequences;
    swap(ofGroup[one], ofGroup[other]);
    table(group, one).isChanged = table(group, one).blocks != nullptr;
    table(group, other).isChanged = table(group, other).blocks != nullptr;
  }
}

void SessionStates::commit() {
  ++changeCount;
  for (int64_t sequence = 0; sequence < states->sequences; ++sequence) {
    if (!grown[sequence])
      continue;
    lengths[sequence] += grown[sequence];
    grown[sequence] = 0;
    for (int32_t group = 0; group < states->group_count; ++group) {
      Table &own = table(group, sequence);
      int64_t first = firstBlock(group, lengths[sequence]);
      for (int64_t i = first; i-- > 0 && own.blocks[i];)
        drop(group, own, i);
    }
  }
}

//===-- sequences ---------------------------------------------------------===//

attn_status SessionStates::check(int64_t sequence) const {
  if (!states)
    return fail(ATTN_ERROR_UNAVAILABLE,
                "%s: this library's sessions keep nothing between calls",
                library.name);
  if (sequence >= 0 && sequence < states->sequences)
    return ATTN_OK;
  return fail(ATTN_ERROR_INVALID_ARGUMENT,
              "%s: sequence %" PRId64 "; a session has sequences 0 to %" PRId64,
              library.name, sequence, states->sequences - 1);
}

void SessionStates::reset() {
  for (int64_t sequence = 0; states && sequence < states->sequences; ++sequence)
    clear(sequence);
}

attn_status SessionStates::length(int64_t sequence, int64_t &result) const {
  attn_status status = check(sequence);
  if (status == ATTN_OK)
    result = lengths[sequence];
  return status;
}

attn_status SessionStates::truncate(int64_t sequence, int64_t length) {
  attn_status status = check(sequence);
  if (status != ATTN_OK)
    return status;
  if (length < 0 || length > lengths[sequence])
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: sequence %" PRId64 " has %d positions; expected 0 to that "
                "many to stay, got %" PRId64,
                library.name, sequence, lengths[sequence], length);
  for (int32_t group = 0; group < states->group_count; ++group)
    for (int64_t i = firstBlock(group, length); i < blocksOf(length); ++i)
      if (!table(group, sequence).blocks[i])
        return fail(ATTN_ERROR_INVALID_ARGUMENT,
                    "%s: sequence %" PRId64 " cannot go back to %" PRId64
                    " positions: its window of %" PRId64
                    " has moved on; reset it and give its tokens again",
                    library.name, sequence, length,
                    states->groups[group].window);
  for (int32_t group = 0; group < states->group_count; ++group)
    forget(group, sequence, length);
  lengths[sequence] = static_cast<int32_t>(length);
  ++changeCount;
  return ATTN_OK;
}

attn_status SessionStates::fork(int64_t from, int64_t to) {
  attn_status status = check(from);
  if (status == ATTN_OK)
    status = check(to);
  if (status != ATTN_OK || from == to)
    return status;
  for (int32_t group = 0; group < states->group_count && lengths[from];
       ++group) {
    status = openTable(group, to);
    if (status != ATTN_OK)
      return status;
  }
  clear(to);
  int64_t end = blocksOf(lengths[from]);
  for (int32_t group = 0; group < states->group_count && end; ++group) {
    Table &source = table(group, from), &target = table(group, to);
    for (int64_t i = firstBlock(group, lengths[from]); i < end; ++i) {
      put(target, i, source.blocks[i]);
      ++source.blocks[i]->references;
    }
    target.end = end;
  }
  lengths[to] = lengths[from];
  return ATTN_OK;
}

attn_status SessionStates::reserve(int64_t sequences, int64_t length) {
  attn_status status = check(0);
  if (status != ATTN_OK)
    return status;
  if (sequences < 1 || sequences > states->sequences || length < 0 ||
      length > states->positions)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: %" PRId64 " sequences of %" PRId64
                " positions; expected 1 to %" PRId64 " of 0 to %" PRId64,
                library.name, sequences, length, states->sequences,
                states->positions);
  for (int64_t sequence = 0; sequence < sequences; ++sequence)
    for (int32_t group = 0; group < states->group_count; ++group) {
      status = provide(group, sequence, lengths[sequence], length);
      if (status != ATTN_OK)
        return status;
    }
  return ATTN_OK;
}

} // namespace attnrt
