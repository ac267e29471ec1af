//===- Model.h - an open model ----------------------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What attn_model points to: immutable after open, except for counters and for
// the tokenizer, which the first text brings in.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_MODEL_H
#define ATTN_RUNTIME_MODEL_H

#include "Device.h"
#include "Memory.h"
#include "Pool.h"
#include "Profile.h"
#include "Variant.h"
#include "Weights.h"
#include "text/Detokenizer.h"

#include "attn/abi.h"

#include <atomic>

struct attn_model {
  /// `held`: bytes already taken from the allocator, for this object.
  attn_model(const attn_abi_library &library, const attn_options &options,
             uint64_t held);

  const attn_abi_library &library;
  mutable attnrt::Memory memory; ///< counts, whatever the model is
  attnrt::VariantChoice choice;
  attnrt::Weights weights;

  /// NULL: runs on the processor.
  attnrt::Device *device = nullptr;

  attnrt::Pool pool;      ///< of width 1 with an executor
  attn_executor executor; ///< parallel_for NULL: none
  int32_t workers = 1;    ///< parts of a phase
  const char *workersReason = "";

  attnrt::Profile profile; ///< active where the environment asks for it

  /// The application's handle and its sessions: the last one to be closed
  /// frees the model, so that closing in the wrong order harms nobody.
  std::atomic<int64_t> references{1};

  /// NULL until the first text.
  mutable std::atomic<attnrt::Tokenizer *> tokenizer{nullptr};
  /// NULL until the first text is generated.
  mutable std::atomic<attnrt::Detokenizer *> detokenizer{nullptr};

  const attn_abi_schedule &schedule(int32_t entry) const {
    return choice.variant->schedules[entry];
  }
  /// Of a model with a device.
  const attn_abi_driver &driver() const {
    return *choice.variant->device->driver;
  }
};

namespace attnrt {

/// Entries with a schedule, those that nobody calls by name included.
inline int32_t countEntries(const attn_abi_library &library) {
  return library.entry_count + library.adapted_count;
}

/// Gives up one reference; the last one joins the threads and frees all.
void releaseModel(attn_model *model);

} // namespace attnrt

#endif // ATTN_RUNTIME_MODEL_H
