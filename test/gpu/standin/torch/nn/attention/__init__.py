# ===- __init__.py - the stand-in's back ends of attention ----------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
import contextlib
import enum


class SDPBackend(enum.Enum):
    FLASH_ATTENTION = 1
    CUDNN_ATTENTION = 2


chosen = None


@contextlib.contextmanager
def sdpa_kernel(backend):
    global chosen
    chosen = backend
    yield
    chosen = None


def declines(q):
    """Some back end declines something: single queries, here."""
    return chosen is SDPBackend.CUDNN_ATTENTION and q.shape[2] == 1
