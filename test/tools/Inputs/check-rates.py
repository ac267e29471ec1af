#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The kernels of a roofline: what they do, and that rates follow from it.

    attnc bench ... --roofline --json | python3 check-rates.py KERNEL TYPE FLOPS

A phase of KERNEL does FLOPS operations in TYPE. No rate or share is held to a
number: on a busy machine peaks are measured too low, and shares get above 1.
"""
import json
import math
import sys

roof = json.load(sys.stdin)["roofline"]
kernels = {kernel["kernels"]: kernel for kernel in roof["kernels"]}
own = kernels[sys.argv[1]]
assert own["type"] == sys.argv[2], own
assert own["flops"] == int(sys.argv[3]) * own["phases"], own
for name, kernel in kernels.items():
    least = max(kernel["flops"] / kernel["peak_gflops"],
                kernel["bytes"] / roof["bandwidth_gbs"]) / 1e6
    for got, expected in ((kernel["share_of_roof"], least / kernel["ms"]),
                          (kernel["gflops"], kernel["flops"] / kernel["ms"] / 1e6),
                          (kernel["gbs"], kernel["bytes"] / kernel["ms"] / 1e6)):
        assert math.isclose(got, expected, rel_tol=1e-9), (name, got, expected)
    assert 0 < kernel["ms"] < roof["phases_ms"], (name, kernel)
    assert 0 < kernel["peak_gflops"] < math.inf, (name, kernel)
    assert 0 <= kernel["idle_share"] < 1, (name, kernel)
assert roof["idle_share"] < 1 and (roof["threads"] == 1 or roof["idle_share"] > 0), roof
idle = sum(kernel["idle_share"] for kernel in kernels.values())
assert math.isclose(idle, roof["idle_share"], rel_tol=1e-9), (idle, roof["idle_share"])
print(roof["threads"], "thread" + "s" * (roof["threads"] > 1))
