//===- Model.cpp - opening and closing a model ----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Open: options, variant, weights, threads, in this order, so that the cheap
// refusals come first. Whatever fails, what was built until then is taken down
// by the same path as at close.
//
//===----------------------------------------------------------------------===//
#include "Model.h"

#include "Errors.h"
#include "Generate.h"
#include "Options.h"
#include "Processor.h"
#include "ThreadCount.h"

#include <inttypes.h>
#include <new>

using namespace attnrt;

attn_model::attn_model(const attn_abi_library &library,
                       const attn_options &options, uint64_t held)
    : library(library), memory(options.allocator, options.max_bytes, held),
      executor{} {
  if (options.executor)
    executor = *options.executor;
}

static attn_status startWorkers(attn_model &model,
                                const attn_options &options) {
  if (model.device) {
    model.workersReason = "the GPU";
    return ATTN_OK;
  }
  if (options.executor) {
    model.workers = options.executor->width;
    model.workersReason = "options.executor";
    return ATTN_OK;
  }
  model.workers = options.threads;
  model.workersReason = "options.threads";
  if (options.threads == 0)
    model.workers = usableThreads(affinityProcessors(), quotaProcessors(""),
                                  model.workersReason);
  return model.pool.start(model.memory, model.workers, model.library.name);
}

static void logOpening(const attn_model &model, const attn_options &options) {
  Log log(options);
  const char *name = model.library.name;
  log.print(ATTN_LOG_INFO, "%s: variant %s, %s", name,
            model.choice.variant->name, model.choice.reason);
  log.print(ATTN_LOG_INFO, "%s: %d thread%s, by %s", name, model.workers,
            model.workers == 1 ? "" : "s", model.workersReason);
  log.print(ATTN_LOG_INFO, "%s: weights %s, %" PRIu64 " bytes", name,
            model.weights.file().source(), model.weights.file().size());
  log.print(ATTN_LOG_DEBUG, "%s: %" PRIu64 " bytes taken by the model", name,
            model.memory.used());
}

attn_status attnrt_open(const attn_abi_library *library,
                        const attn_options *options, attn_model **model) {
  if (!library)
    return fail(ATTN_ERROR_INVALID_ARGUMENT, "library is NULL");
  if (!model)
    return fail(ATTN_ERROR_INVALID_ARGUMENT,
                "model is NULL; expected where to store the model");
  *model = nullptr;
  if (library->abi_version != ATTN_ABI_VERSION)
    return fail(ATTN_ERROR_ABI,
                "generated code has ABI version %u, the runtime %u; compile "
                "the model again",
                library->abi_version, ATTN_ABI_VERSION);
  attn_options checked;
  attn_status status = readOptions(*library, options, checked);
  if (status != ATTN_OK)
    return status;
  DeviceRequest request;
  VariantChoice choice;
  status = chooseDevice(*library, checked, request);
  if (status == ATTN_OK && request.kind == DeviceRequest::Processor)
    status =
        chooseVariant(*library, checked.variant, processorFeatures(), choice);
  if (status != ATTN_OK)
    return status;

  Memory first(checked.allocator, checked.max_bytes, 0);
  void *block = first.allocate(sizeof(attn_model), "the model");
  if (!block)
    return ATTN_ERROR_OUT_OF_MEMORY;
  attn_model *opened =
      new (block) attn_model(*library, checked, sizeof(attn_model));
  opened->choice = choice;
  status = opened->weights.open(*library, checked, opened->memory);
  if (status == ATTN_OK && request.kind != DeviceRequest::Processor)
    status = openDevice(*opened, checked, request);
  if (status == ATTN_OK)
    status = startWorkers(*opened, checked);
  if (status == ATTN_OK)
    status = opened->profile.open(*library);
  if (status != ATTN_OK) {
    releaseModel(opened);
    return status;
  }
  logOpening(*opened, checked);
  *model = opened;
  return ATTN_OK;
}

void attnrt::releaseModel(attn_model *model) {
  if (model->references.fetch_sub(1, std::memory_order_acq_rel) != 1)
    return;
  model->pool.stop(model->memory);
  model->profile.close();
  closeTokenizer(model->tokenizer.load(std::memory_order_acquire));
  closeDetokenizer(model->detokenizer.load(std::memory_order_acquire),
                   model->memory);
  if (model->device)
    closeDevice(*model);
  model->weights.close(model->memory);
  attn_allocator allocator = model->memory.source();
  model->~attn_model();
  allocator.release(allocator.context, model, sizeof(attn_model));
}

void attnrt_close(attn_model *model) {
  if (model)
    releaseModel(model);
}
