# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares what `attnc run --chat --json` printed without a draft and with one.

    python3 compare-chats.py PLAIN DRAFTED
"""
import json
import sys

plain, drafted = [json.load(open(path, encoding="utf-8")) for path in sys.argv[1:]]
assert plain["messages"] == drafted["messages"], drafted["messages"]
assert [m["role"] for m in plain["messages"]] == ["user", "assistant"] * 2
for one, two in zip(plain["answers"], drafted["answers"]):
    assert one["ids"] == two["ids"] and one["stop"] == two["stop"], (one, two)
    assert one["draft_tokens"] == 0
assert sum(answer["draft_tokens"] for answer in drafted["answers"]) > 0
assert drafted["answers"][1]["reused_tokens"] > 10, drafted["answers"][1]
