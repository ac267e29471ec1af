//===- DriverLookup.cpp - what the runtime finds of a driver --------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Stands between the runtime and the loader, one substitute at a time.
//
//===----------------------------------------------------------------------===//
#include "DriverLookup.h"
#include <dlfcn.h>
#include <string>

static bool isHidden = false;
static std::string function;
static void *substitute;

extern "C" {
void *__real_dlopen(const char *file, int flags);
void *__real_dlsym(void *library, const char *name);

void *__wrap_dlopen(const char *file, int flags) {
  return __real_dlopen(isHidden ? "libcuda-is-not-there.so.1" : file, flags);
}

void *__wrap_dlsym(void *library, const char *name) {
  return function == name ? substitute : __real_dlsym(library, name);
}
}

namespace driverlookup {

HiddenDriver::HiddenDriver() { isHidden = true; }
HiddenDriver::~HiddenDriver() { isHidden = false; }

Substitute::Substitute(const char *name, void *instead) {
  function = name;
  substitute = instead;
}
Substitute::~Substitute() { function.clear(); }

void *find(const char *name) { return __real_dlsym(RTLD_DEFAULT, name); }

} // namespace driverlookup
