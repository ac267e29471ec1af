# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a library of another attnc would say of itself, as a C array's numbers.

other-description.py HOW < INFO.json, where INFO.json is what `attnc info --json`
prints of a library. HOW: `earlier` leaves the members that attnc's first
libraries had; `later` adds unknown ones everywhere and turns the order round;
PATH=VALUE sets one member: entries.0.inputs.0.dtype='"f64"'; PATH= removes it.
"""
import json
import sys

FIRST = {"name", "abi_version", "source", "gemm", "sizes", "entries",
         "variants", "weights", "text"}


def add_unknown(value):
    if isinstance(value, list):
        return [add_unknown(item) for item in value]
    if not isinstance(value, dict):
        return value
    more = {"unknown": [1.5, {"more": None}], "": "", "later": {"a": [True]}}
    turned = reversed([(key, add_unknown(item)) for key, item in value.items()])
    return {**more, **dict(turned)}


def change(description, how):
    if how == "earlier":
        description = {k: v for k, v in description.items() if k in FIRST}
        for variant in description["variants"]:
            for member in set(variant) - {"name", "memory"}:
                del variant[member]
        for size in description["sizes"]:
            size.pop("bound", None)
    elif how == "later":
        description = add_unknown(description)
    else:
        path, value = how.split("=", 1)
        *above, last = [int(k) if k.isdigit() else k for k in path.split(".")]
        place = description
        for key in above:
            place = place[key]
        if value:
            place[last] = json.loads(value)
        else:
            del place[last]
    return description


given = json.load(sys.stdin)
given.pop("open")
for how in sys.argv[1:]:
    given = change(given, how)
print(",".join(map(str, json.dumps(given, ensure_ascii=True).encode())))
