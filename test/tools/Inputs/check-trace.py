# ===- check-trace.py - a trace of ATTN_PROFILE ------------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
#   check-trace.py TRACE LIBRARY
#
# Six calls of `encode` (one cold, five timed) with two workers: each has its
# sizes and, within its time, every phase in order, by one worker or by both.
#
# ===----------------------------------------------------------------------===//
import json
import subprocess
import sys

events = json.load(open(sys.argv[1]))
info = json.loads(
    subprocess.run(["attnc", "info", sys.argv[2], "--json"], stdout=subprocess.PIPE, check=True).stdout
)
phases = info["variants"][0]["memory"][0]["phases"]

assert events[0]["name"] == "process_name" and events[0]["args"]["name"] == "tiny"
names = [e["args"]["name"] for e in events if e["name"] == "thread_name"]
assert names == ["session 1, worker 0", "session 1, worker 1"], names

calls, parts = [], []
for event in events[1:]:
    if event["ph"] == "M":
        continue
    if event["cat"] == "call":
        calls.append(event)
        parts.append([])
    else:
        parts[-1].append(event)
assert len(calls) == 6, len(calls)
for call, inside in zip(calls, parts):
    assert call["name"] == "encode" and call["args"] == {"batch": 64, "seq": 20}, call
    workers = {}
    for part in inside:
        assert part["ts"] >= call["ts"] - 1e-3
        assert part["ts"] + part["dur"] <= call["ts"] + call["dur"] + 1e-3
        workers.setdefault(part["args"]["phase"], []).append(part["args"]["worker"])
    assert list(workers) == list(range(phases)), workers
    assert all(each in ([0], [0, 1]) for each in workers.values()), workers
    assert any(each == [0, 1] for each in workers.values()), workers
