//===- Driver.cpp - NVIDIA's driver is opened -----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The library stays loaded once it was opened (RTLD_NODELETE): it starts
// threads and registers handlers that must not vanish under a host program.
//
//===----------------------------------------------------------------------===//
#include "cuda/Driver.h"

#include "Errors.h"

#include <dlfcn.h>

namespace attnrt {
namespace cuda {

attn_status Driver::open(const char *name) {
  library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library)
    return fail(ATTN_ERROR_DEVICE,
                "%s: no NVIDIA driver: %s; install it, or open with "
                "options.device \"cpu\" if the library has code for processors",
                name, dlerror());
#define ATTN_CUDA_FIND(field, symbol, parameters)                              \
  field = reinterpret_cast<Result(*) parameters>(dlsym(library, #symbol));     \
  if (!field) {                                                                \
    close();                                                                   \
    return fail(ATTN_ERROR_DEVICE,                                             \
                "%s: NVIDIA's driver has no %s; install driver 525 (CUDA "     \
                "12.0) or newer",                                              \
                name, #symbol);                                                \
  }
  ATTN_CUDA_FUNCTIONS(ATTN_CUDA_FIND)
#undef ATTN_CUDA_FIND
  int found = 0;
  Result error = init(0);
  attn_status status = ATTN_OK;
  if (error == kNotInitialized)
    status = fail(ATTN_ERROR_DEVICE,
                  "%s: starting NVIDIA's driver: CUDA_ERROR_NOT_INITIALIZED; a "
                  "process forked after its parent used CUDA cannot use it",
                  name);
  else if (error)
    status = failed(error, name, "starting NVIDIA's driver");
  else if ((error = version(&found)))
    status = failed(error, name, "asking for the driver's version");
  else if (found < kOldestDriver)
    status = fail(ATTN_ERROR_DEVICE,
                  "%s: NVIDIA's driver is for CUDA %d.%d; expected 12.0 or "
                  "newer: install driver 525 or newer",
                  name, found / 1000, found % 1000 / 10);
  if (status != ATTN_OK)
    close();
  return status;
}

void Driver::close() {
  dlclose(library);
  library = nullptr;
}

attn_status Driver::failed(Result error, const char *name,
                           const char *what) const {
  const char *symbol, *text;
  if (errorName(error, &symbol))
    symbol = "CUDA_ERROR_UNKNOWN";
  if (errorText(error, &text))
    text = "the driver has no text for it";
  return fail(error == kOutOfMemory ? ATTN_ERROR_OUT_OF_MEMORY
                                    : ATTN_ERROR_DEVICE,
              "%s: %s: %s (%d): %s", name, what, symbol, error, text);
}

} // namespace cuda
} // namespace attnrt
