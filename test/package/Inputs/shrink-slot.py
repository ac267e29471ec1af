# ===- shrink-slot.py - a program whose arena is too small ----------------===#
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# Prints the dumped program after plan-arena with less memory for the heads of
# every token, in the first slot, than the kernel that makes them writes.
#
# ===----------------------------------------------------------------------===//
import glob
import sys

[path] = glob.glob(sys.argv[1] + "/*-plan-arena.mlir")
text = open(path).read()
before = 'slots [["240 * tokens"'
if before not in text:
    sys.exit("shrink-slot.py: the arena is planned differently: no " + before)
print(text.replace(before, 'slots [["200 * tokens"'))
