//===- Variant.cpp - which of a library's variants runs -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Declines with ATTN_ERROR_UNSUPPORTED_CPU and a list of what each variant
// misses: that, at open, is what stands between a user and an illegal
// instruction.
//
//===----------------------------------------------------------------------===//
#include "Variant.h"

#include "Errors.h"
#include "Processor.h"
#include "Writer.h"

#include <string.h>

namespace attnrt {

static constexpr uint64_t kTiles = ATTN_CPU_AMX_BF16 | ATTN_CPU_AMX_INT8;

/// Writes what keeps `variant` from running; true if nothing does.
static bool runs(const attn_abi_variant &variant, uint64_t features,
                 Writer &obstacle) {
  const char *separator = obstacle.length() ? "; " : "";
  uint64_t missing = variant.cpu_features & ~features;
  if (missing) {
    obstacle.print("%s%s needs ", separator, variant.name);
    listFeatures(missing, obstacle);
    return false;
  }
  if (variant.cpu_features & kTiles) {
    int error = requestAmx();
    if (error) {
      obstacle.print("%s%s needs AMX, which the kernel refused: %s", separator,
                     variant.name, systemError(error));
      return false;
    }
  }
  return true;
}

static attn_status chooseNamed(const attn_abi_library &library,
                               const char *wanted, uint64_t features,
                               VariantChoice &choice) {
  char text[512];
  Writer names(text, sizeof(text));
  for (int32_t i = 0; i < library.variant_count; ++i) {
    const attn_abi_variant &variant = library.variants[i];
    names.print("%s%s", i ? ", " : "", variant.name);
    // Those of a device are chosen by its driver.
    if (variant.device || strcmp(variant.name, wanted) != 0)
      continue;
    char obstacle[512];
    Writer writer(obstacle, sizeof(obstacle));
    if (!runs(variant, features, writer))
      return fail(ATTN_ERROR_UNSUPPORTED_CPU,
                  "%s: options.variant %s cannot run on this processor: %s",
                  library.name, wanted, obstacle);
    choice.variant = &variant;
    choice.usesTiles = (variant.cpu_features & kTiles) != 0;
    Writer(choice.reason, sizeof(choice.reason))
        .print("named by options.variant");
    return ATTN_OK;
  }
  return fail(ATTN_ERROR_INVALID_ARGUMENT,
              "%s: options.variant is \"%s\"; this library has: %s",
              library.name, wanted, text);
}

attn_status chooseVariant(const attn_abi_library &library, const char *wanted,
                          uint64_t features, VariantChoice &choice) {
  if (wanted)
    return chooseNamed(library, wanted, features, choice);
  char obstacles[384];
  Writer writer(obstacles, sizeof(obstacles));
  for (int32_t i = 0; i < library.variant_count; ++i) {
    const attn_abi_variant &variant = library.variants[i];
    if (variant.device || !runs(variant, features, writer))
      continue;
    choice.variant = &variant;
    choice.usesTiles = (variant.cpu_features & kTiles) != 0;
    Writer reason(choice.reason, sizeof(choice.reason));
    if (!writer.length())
      reason.print("the best that this library holds");
    else
      reason.print("the best that runs here (%s)", obstacles);
    return ATTN_OK;
  }
  return fail(ATTN_ERROR_UNSUPPORTED_CPU,
              "%s runs on no processor like this one: %s; compile with "
              "--target for it",
              library.name, obstacles);
}

} // namespace attnrt
