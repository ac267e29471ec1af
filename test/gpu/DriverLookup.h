//===- DriverLookup.h - what the runtime finds of a driver ------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The linker gives the runtime's dlopen and dlsym to DriverLookup.cpp, so that
// tests can hide a driver and put functions of their own in its place. A model
// keeps what was found when it was opened.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_GPU_DRIVERLOOKUP_H
#define ATTNC_TEST_GPU_DRIVERLOOKUP_H

namespace driverlookup {

/// While it lives there is no driver.
struct HiddenDriver {
  HiddenDriver();
  ~HiddenDriver();
};

/// While it lives, `instead` is found for a function; nullptr: none is.
class Substitute {
public:
  Substitute(const char *function, void *instead);
  ~Substitute();
};

/// The stub driver's function.
void *find(const char *function);

} // namespace driverlookup

#endif // ATTNC_TEST_GPU_DRIVERLOOKUP_H
