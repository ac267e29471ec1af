//===- Info.cpp - an open model as JSON -----------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// attnrt_info: which variant runs and why, threads, weights and bytes.
//
//===----------------------------------------------------------------------===//
#include "Errors.h"
#include "Model.h"
#include "Processor.h"
#include "Writer.h"

#include <inttypes.h>

using namespace attnrt;

static void writeVariants(const attn_model &model, Writer &json) {
  uint64_t features = processorFeatures();
  json.print("\"variant\":");
  json.quote(model.choice.variant->name);
  json.print(",\"variant_reason\":");
  json.quote(model.choice.reason);
  json.print(",\"variants\":[");
  for (int32_t i = 0; i < model.library.variant_count; ++i) {
    const attn_abi_variant &variant = model.library.variants[i];
    char missing[256];
    Writer list(missing, sizeof(missing));
    listFeatures(variant.cpu_features & ~features, list);
    json.print("%s{\"name\":", i ? "," : "");
    json.quote(variant.name);
    json.print(",\"missing\":");
    json.quote(missing);
    json.print("}");
  }
  json.print("]");
}

attn_status attnrt_info(const attn_model *model, char *buffer, size_t capacity,
                        size_t *needed) {
  if (!model)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "model is NULL");
  if (!buffer && capacity)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: buffer is NULL, but capacity is %zu", model->library.name,
                capacity);
  if (!buffer && !needed)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "%s: buffer and needed are both NULL", model->library.name);
  Writer json(buffer, capacity);
  json.print("{\"name\":");
  json.quote(model->library.name);
  json.print(",\"abi_version\":%u,", ATTN_ABI_VERSION);
  writeVariants(*model, json);
  json.print(",");
  if (model->device)
    model->driver().describe(*model, json);
  else
    json.print("\"device\":\"cpu\"");
  json.print(",\"threads\":%d,\"threads_reason\":", model->workers);
  json.quote(model->workersReason);
  json.print(",\"threads_running\":%d,\"executor\":%s",
             model->executor.parallel_for ? 0 : model->pool.running() + 1,
             model->executor.parallel_for ? "true" : "false");
  const WeightsFile &file = model->weights.file();
  json.print(",\"weights\":{\"source\":");
  json.quote(file.source());
  json.print(",\"mapped\":%s,\"bytes\":%" PRIu64 "}",
             file.isMapped() ? "true" : "false", file.size());
  json.print(",\"sessions\":%" PRId64 ",\"bytes\":%" PRIu64
             ",\"max_bytes\":%" PRIu64,
             model->references.load(std::memory_order_relaxed) - 1,
             model->memory.used(), model->memory.limit());
  if (model->profile.isActive()) {
    const char *lost = model->profile.lost();
    json.print(",\"profile\":{\"complete\":%s,\"error\":",
               lost ? "false" : "true");
    json.quote(lost ? lost : "");
    json.print("}");
  }
  json.print("}");
  if (needed)
    *needed = json.length();
  return ATTN_OK;
}
