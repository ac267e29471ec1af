# ===- autograd.py - the stand-in's kinds of devices ----------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
import enum


class DeviceType(enum.Enum):
    CPU = 0
    CUDA = 1
