# ===- __init__.py - the stand-in's modules -------------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
from torch.nn import attention, functional  # noqa: F401


class Module:
    def register_buffer(self, name, tensor):
        setattr(self, name, tensor)

    def __call__(self, *arguments):
        return self.forward(*arguments)
