//===- Weights.cpp - the tensors that generated code reads ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Another layout and another model are told apart: the first asks for weights
// of the same compilation, the second is the wrong file altogether.
//
//===----------------------------------------------------------------------===//
#include "Weights.h"

#include "ElementType.h"
#include "Errors.h"
#include "Memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

namespace attnrt {

static constexpr uint64_t kAlignment = 64;

/// For "%.*s", cut to what a message can hold.
static int shown(const Slice &slice) {
  return static_cast<int>(slice.size < 80 ? slice.size : 80);
}

attn_status Weights::compareMetadata(const attn_abi_library &library) {
  const char *path = source.source();
  if (!tensors.abi.text || !tensors.layout.text || !tensors.content.text)
    return fail(ATTN_ERROR_WEIGHTS,
                "weights %s: no %s in __metadata__; this is not the %s.weights "
                "file that `attnc compile` wrote",
                path,
                !tensors.abi.text      ? "attn.abi"
                : !tensors.layout.text ? "attn.layout"
                                       : "attn.content",
                library.name);
  char version[16];
  snprintf(version, sizeof(version), "%u", ATTN_ABI_VERSION);
  if (!tensors.abi.equals(version))
    return fail(ATTN_ERROR_ABI,
                "weights %s: written for ABI version %.*s, but %s has version "
                "%s; compile the model again",
                path, shown(tensors.abi), tensors.abi.text, library.name,
                version);
  if (!tensors.layout.equals(library.layout_fingerprint))
    return fail(ATTN_ERROR_WEIGHTS,
                "weights %s: of another layout, %.*s, where %s was compiled "
                "for layout %s; use the file written beside the library",
                path, shown(tensors.layout), tensors.layout.text, library.name,
                library.layout_fingerprint);
  if (!tensors.content.equals(library.content_digest))
    return fail(ATTN_ERROR_WEIGHTS,
                "weights %s: of another model, with digest %.*s, where %s was "
                "compiled from weights with digest %s",
                path, shown(tensors.content), tensors.content.text,
                library.name, library.content_digest);
  return ATTN_OK;
}

attn_status Weights::resolve(const attn_abi_library &library, Memory &memory) {
  if (library.weight_count == 0)
    return ATTN_OK;
  resolved = static_cast<const unsigned char **>(memory.allocate(
      sizeof(*resolved) * library.weight_count, "the table of weights"));
  if (!resolved)
    return ATTN_ERROR_OUT_OF_MEMORY;
  count = library.weight_count;
  for (int32_t index = 0; index < count; ++index) {
    const attn_abi_weight &wanted = library.weights[index];
    Slice name;
    name.text = wanted.name;
    name.size = strlen(wanted.name);
    const Tensor *tensor = tensors.find(name);
    const char *path = source.source();
    if (!tensor)
      return fail(ATTN_ERROR_WEIGHTS, "weights %s: tensor %s is missing", path,
                  wanted.name);
    const char *dtype = elementType(wanted.dtype).spelling;
    if (!tensor->dtype.equals(dtype))
      return fail(ATTN_ERROR_WEIGHTS,
                  "weights %s: tensor %s is %.*s, but %s reads %s", path,
                  wanted.name, shown(tensor->dtype), tensor->dtype.text,
                  library.name, dtype);
    if (tensor->bytes != wanted.bytes)
      return fail(ATTN_ERROR_WEIGHTS,
                  "weights %s: tensor %s has %" PRIu64
                  " bytes, but %s reads %" PRIu64,
                  path, wanted.name, tensor->bytes, library.name, wanted.bytes);
    // The file's start is aligned, or refused: see open().
    if (tensor->begin % kAlignment)
      return fail(ATTN_ERROR_WEIGHTS,
                  "weights %s: tensor %s begins at byte %" PRIu64
                  " of the file, which is not a multiple of 64",
                  path, wanted.name, tensor->begin);
    resolved[index] = source.data() + tensor->begin;
  }
  return ATTN_OK;
}

attn_status Weights::open(const attn_abi_library &library,
                          const attn_options &options, Memory &memory) {
  attn_status status = source.open(library, options, memory);
  if (status == ATTN_OK &&
      reinterpret_cast<uintptr_t>(source.data()) % kAlignment)
    return fail(ATTN_ERROR_WEIGHTS,
                "%s: the weights %s begin at %p, which is not a multiple of 64",
                library.name, source.source(),
                static_cast<const void *>(source.data()));
  if (status == ATTN_OK)
    status =
        tensors.read(source.data(), source.size(), source.source(), memory);
  if (status == ATTN_OK)
    status = compareMetadata(library);
  return status == ATTN_OK ? resolve(library, memory) : status;
}

void Weights::close(Memory &memory) {
  memory.release(static_cast<void *>(resolved), sizeof(*resolved) * count);
  resolved = nullptr;
  count = 0;
  tensors.clear(memory);
  source.close(memory);
}

} // namespace attnrt
