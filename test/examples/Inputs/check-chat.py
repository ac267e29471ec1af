# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Holds what 05-chat printed to the number of its answers, the last of which
begins a new conversation and is the first one again.

    python3 check-chat.py OUTPUT ANSWERS
"""
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    text = file.read()
# Answers may hold line breaks of their own: the tokens are characters.
assert text.endswith("\n")
for size in range(1, len(text) // 2):
    if text[:size] == text[-size:] and text[size - 1] == "\n":
        break
else:
    raise AssertionError("the last answer is not the first: %r" % text)
assert text.count("\n") >= int(sys.argv[2]), text
