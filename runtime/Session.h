//===- Session.h - a session and its arena ----------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What attn_session points to: the arena, the tables of one call, and whether a
// call is under way. It belongs to one thread at a time; only cancelling may
// come from another.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_SESSION_H
#define ATTN_RUNTIME_SESSION_H

#include "Generate.h"
#include "Model.h"
#include "State.h"

namespace attnrt {

/// What encode_text works in, kept for the next texts.
struct TextRows {
  explicit TextRows(Memory &memory)
      : scratch(memory), ids(memory, "text"), mask(memory, "text"),
        types(memory, "text"), group(memory, "text") {}

  TokenizerScratch scratch;
  Buffer<int32_t> ids, mask, types; ///< of a block: [rows][most tokens]
  Buffer<int32_t> group;            ///< of a call: the three, each [rows][seq]
};

} // namespace attnrt

struct attn_session {
  explicit attn_session(attn_model &model)
      : model(&model), states(model.memory, model.library), text(model.memory),
        generation(model.memory) {}

  enum State : int32_t { Idle, Running, Cancelled };

  attn_model *model;
  size_t bytes = 0; ///< of this object and the tables behind it

  int64_t *sizes = nullptr;       ///< [library.size_count]
  int64_t *slotOffsets = nullptr; ///< [most slots of any entry]
  void **arguments = nullptr;     ///< [most arguments of any entry]
  /// What code reads: the model's, or with an adapter those in `chosen`.
  const unsigned char *const *weights = nullptr;
  size_t adapter = 0;                     ///< 1 + its number; 0: none
  const unsigned char **chosen = nullptr; ///< [adapters.weight_count]

  unsigned char *arena = nullptr;
  size_t arenaBytes = 0;

  attnrt::DeviceSession *device = nullptr; ///< of a model with a device

  std::atomic<int32_t> state{Idle};

  attnrt::SessionStates states;

  attnrt::SessionProfile profile;

  attnrt::TextRows text;
  attnrt::Generation generation;
};

namespace attnrt {

/// Where one call's data lie.
struct Layout {
  int64_t scratchOffset = 0;
  int64_t scratchStride = 0;
  uint64_t arenaBytes = 0;  ///< as allocated
  uint64_t deviceBytes = 0; ///< on a device: the arena and what is around it
};

/// Checks the caller's `given` sizes of `entry` and lays the call out: fills
/// `sizes` and `slotOffsets`, which have room for it.
attn_status planCall(const attn_model &model, int32_t entry,
                     const int64_t *given, int64_t *sizes, int64_t *slotOffsets,
                     Layout &layout);

/// Makes the arena hold `bytes`. On failure the session stays usable for what
/// it held before.
attn_status growArena(attn_session &session, uint64_t bytes);

/// Marks a call as under way for as long as it lives.
class CallGuard {
public:
  explicit CallGuard(attn_session &session) : session(session) {}
  ~CallGuard();
  /// Refuses a session that another thread's call is using.
  attn_status enter();

private:
  attn_session &session;
  bool entered = false;
};

/// Runs `entry` with the sizes and arguments given, inside a CallGuard.
attn_status runEntry(attn_session &session, int32_t entry, const int64_t *sizes,
                     void *const *arguments);

/// Runs a planned call's phases. ATTN_ERROR_CANCELLED if it was stopped.
attn_status runPhases(attn_session &session, const attn_abi_schedule &schedule,
                      const Layout &layout);

} // namespace attnrt

#endif // ATTN_RUNTIME_SESSION_H
