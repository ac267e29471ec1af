//===- Adapters.cpp - the adapter that a session computes with ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Adapters differ in the tensors that stand for some weights; code reads all of
// them through one table of addresses. To choose an adapter is to write this
// table anew: a few hundred addresses, and nothing of the tensors. Calls then
// run other entries, those with the adapters' products (runEntry).
//
//===----------------------------------------------------------------------===//
#include "Errors.h"
#include "Session.h"

#include <string.h>

using namespace attnrt;

static const attn_abi_adapter *findAdapter(const attn_abi_adapters &adapters,
                                           const char *name) {
  for (int32_t i = 0; i < adapters.adapter_count; ++i)
    if (strcmp(adapters.adapters[i].name, name) == 0)
      return &adapters.adapters[i];
  return nullptr;
}

attn_status attnrt_session_adapter(attn_session *session, const char *adapter) {
  if (!session)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "session is NULL");
  const attn_model &model = *session->model;
  const attn_abi_adapters *adapters = model.library.adapters;
  if (!adapters)
    return fail(ATTN_ERROR_UNAVAILABLE, "%s: this library has no adapters",
                model.library.name);
  const attn_abi_adapter *found =
      adapter ? findAdapter(*adapters, adapter) : nullptr;
  if (adapter && !found)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: no adapter is named '%s'; this library has %d, the first "
                "of them '%s'",
                model.library.name, adapter, adapters->adapter_count,
                adapters->adapters[0].name);
  CallGuard guard(*session);
  attn_status status = guard.enter();
  if (status != ATTN_OK)
    return status;
  const unsigned char *const *all = model.weights.pointers();
  session->weights = all;
  session->adapter = found ? 1 + (found - adapters->adapters) : 0;
  session->generation.forgetTokens();
  if (!found)
    return ATTN_OK;
  for (int32_t i = 0; i < adapters->weight_count; ++i)
    session->chosen[i] = all[found->weights[i]];
  session->weights = session->chosen;
  return ATTN_OK;
}
