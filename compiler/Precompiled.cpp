//===- Precompiled.cpp - anchor of the precompiled header -----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one source of the target whose precompiled header the rooms share; see
// Precompiled.h.
//
//===----------------------------------------------------------------------===//
