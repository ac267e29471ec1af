# ===- stub_driver.py - a GPU that is not there ---------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""How a process comes to run on the stub driver."""

import os
import sys


def describe_stub(folder, target, **more):
    """What the environment of such a process says; `more`: ATTNC_STUB_*."""
    settings = {"LD_LIBRARY_PATH": str(folder),
                "ATTNC_STUB_CHIP": "".join(c for c in target if c.isdigit())}
    for name, value in more.items():
        settings["ATTNC_STUB_" + name.upper()] = str(value)
    return settings


def restart_on_stub(folder, target, **more):
    """Begins the script again, since the loader reads its variable then; returns if
    it did already, or if no folder is given."""
    if not folder or folder in os.environ.get("LD_LIBRARY_PATH", ""):
        return
    os.environ.update(describe_stub(folder, target, **more))
    os.execv(sys.executable, [sys.executable] + sys.argv)
